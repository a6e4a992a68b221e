r"""The syntax of Go's regular expressions, as a tree of what a machine has to do.

Everything Go's ``regexp`` reads, except Unicode scripts such as ``\p{Greek}`` (general categories are read).
Python's ``re`` differs in detail: here ``\d``, ``\w``, ``\s`` and ``\b`` are ASCII, ``$`` is the very end of
the text, and flags may stand anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from swim.errors import RemoteError

__all__ = ["Alternation", "Assertion", "Characters", "Node", "Repetition", "Sequence", "parse"]

_DEPTH_MAX = 50
_REPEAT_MAX = 1000
_CATEGORY = re.compile(r"C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|Any")
_COUNT = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}")
_COUNT_CHARACTERS_MAX = len("{1000,1000}")
_GROUP = re.compile(r"\?(?:P?<[A-Za-z0-9_]+>|([imsU]*)(?:-([imsU]+))?([:)]))")
_CODE = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})|(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_CONTROLS = dict(zip("afnrtv", "\a\f\n\r\t\v", strict=True))


class Characters(NamedTuple):
    """Takes one character that ``accepts`` accepts."""

    accepts: Callable[[str], bool]


class Assertion(NamedTuple):
    """Takes nothing; holds between two neighbouring characters, each "" at the end of the text."""

    holds: Callable[[str, str], bool]


class Sequence(NamedTuple):
    """One part after the other."""

    parts: tuple[Node, ...]


class Alternation(NamedTuple):
    """Any of the branches."""

    branches: tuple[Node, ...]


class Repetition(NamedTuple):
    """``body``, ``least`` to ``most`` times (None: any number). Lazy or greedy, it matches the same texts."""

    body: Node
    least: int
    most: int | None


Node: TypeAlias = Characters | Assertion | Sequence | Alternation | Repetition
Test: TypeAlias = Callable[[str], bool]


def parse(pattern: str) -> Node:
    """Reads an expression.

    Raises:
        RemoteError: ``regex``, if Go would refuse it, or for a script or groups nested too deeply.
    """
    if any("\ud800" <= char <= "\udfff" for char in pattern):
        raise _invalid("not UTF-8")
    return _Parser(pattern).whole()


def _invalid(why: str) -> RemoteError:
    return RemoteError("regex", why)


def _between(*ranges: str) -> Test:
    """One test for ranges like ``"az"``."""
    return lambda char: any(pair[0] <= char <= pair[1] for pair in ranges)


def _is_anything(char: str) -> bool:
    return True


def _is_no_newline(char: str) -> bool:
    return char != "\n"


def _any_of(tests: list[Test]) -> Test:
    return lambda char: any(test(char) for test in tests)


def _without(test: Test) -> Test:
    return lambda char: not test(char)


def _folded(test: Test) -> Test:
    """``test`` for any case of a character."""
    return lambda char: any(map(test, {char, char.lower(), char.upper(), char.upper().lower()}))


_WORD = _between("az", "AZ", "09", "__")
_PERL: dict[str, Test] = {"d": _between("09"), "w": _WORD, "s": _between("\t\n", "\f\r", "  ")}
_POSIX: dict[str, Test] = {
    "alnum": _between("az", "AZ", "09"),
    "alpha": _between("az", "AZ"),
    "ascii": _between("\0\x7f"),
    "blank": _between("\t\t", "  "),
    "cntrl": _between("\0\x1f", "\x7f\x7f"),
    "digit": _between("09"),
    "graph": _between("!~"),
    "lower": _between("az"),
    "print": _between(" ~"),
    "punct": _between("!/", ":@", "[`", "{~"),
    "space": _between("\t\r", "  "),
    "upper": _between("AZ"),
    "word": _WORD,
    "xdigit": _between("09", "af", "AF"),
}


def _is_boundary(before: str, after: str) -> bool:
    return _is_word(before) != _is_word(after)


def _is_word(char: str) -> bool:
    return char != "" and _WORD(char)


_ASSERTIONS: dict[str, Assertion] = {
    "A": Assertion(lambda before, after: not before),
    "z": Assertion(lambda before, after: not after),
    "b": Assertion(_is_boundary),
    "B": Assertion(lambda before, after: not _is_boundary(before, after)),
}
_LINE_START = Assertion(lambda before, after: before in ("", "\n"))
_LINE_END = Assertion(lambda before, after: after in ("", "\n"))


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._flags: frozenset[str] = frozenset()
        self._depth = 0

    def whole(self) -> Node:
        node = self._alternation()
        if self._at < len(self._pattern):
            raise _invalid("unexpected )")
        return node

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        if not char:
            raise _invalid("ends too early")
        self._at += 1
        return char

    def _take(self, text: str) -> bool:
        if not self._pattern.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _match(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        """Takes what one of this module's own, bounded expressions matches here."""
        match = expression.match(self._pattern, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _alternation(self) -> Node:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else Alternation(tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        repeated = False
        while self._peek() not in ("", "|", ")"):
            count = self._quantifier()
            if count is None:
                repeated = False
                parts += self._atom()
            elif repeated or not parts:
                raise _invalid("nothing to repeat")
            else:
                repeated = True
                parts[-1] = Repetition(parts[-1], *count)
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quantifier(self) -> tuple[int, int | None] | None:
        count: tuple[int, int | None]
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._peek())
        if simple is not None:
            self._at += 1
            count = simple
        elif (match := self._match(_COUNT)) is not None:
            if len(match[0]) > _COUNT_CHARACTERS_MAX:
                raise _invalid("repeat count")
            least = int(match[1])
            most = least if not match[2] else int(match[3]) if match[3] else None
            if max(least, most or 0) > _REPEAT_MAX or (most is not None and most < least):
                raise _invalid("repeat count")
            count = least, most
        else:
            return None
        self._take("?")
        return count

    def _atom(self) -> list[Node]:
        """The next atom; no node for flags, several for a quoted text."""
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return [self._class()]
            case "^":
                return [_LINE_START if "m" in self._flags else _ASSERTIONS["A"]]
            case "$":
                return [_LINE_END if "m" in self._flags else _ASSERTIONS["z"]]
            case ".":
                return [Characters(_is_anything if "s" in self._flags else _is_no_newline)]
            case "\\":
                return self._escaped()
        return [self._literal(char)]

    def _group(self) -> list[Node]:
        before = self._flags
        if self._peek() == "?":
            match = self._match(_GROUP)
            if match is None:
                raise _invalid("group")
            if match[3] is not None:
                self._flags = (before | set(match[1])) - set(match[2] or "")
                if match[3] == ")":
                    return []
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise _invalid("nested too deeply")
        node = self._alternation()
        if not self._take(")"):
            raise _invalid("missing )")
        self._depth -= 1
        self._flags = before
        return [node]

    def _escaped(self) -> list[Node]:
        assertion = _ASSERTIONS.get(self._peek())
        if assertion is not None:
            self._at += 1
            return [assertion]
        if self._take("Q"):
            quoted, _, _ = self._pattern[self._at :].partition("\\E")
            self._at = min(self._at + len(quoted) + 2, len(self._pattern))
            return [self._literal(char) for char in quoted]
        test = self._class_escape()
        return [Characters(test)] if test is not None else [self._literal(self._escape())]

    def _literal(self, char: str) -> Characters:
        return Characters(self._cased(_between(char + char)))

    def _cased(self, test: Test) -> Test:
        return _folded(test) if "i" in self._flags else test

    def _class_escape(self) -> Test | None:
        """After a backslash: the class that the next letters name, if they do."""
        letter = self._peek()
        if letter in ("p", "P"):
            self._at += 1
            name = self._next()
            if name == "{":
                name, brace, _ = self._pattern[self._at :].partition("}")
                self._at += len(name + brace)
            test = self._category(name.removeprefix("^"))
            return _without(test) if (letter == "P") != name.startswith("^") else test
        if letter and letter in "dwsDWS":
            self._at += 1
            test = self._cased(_PERL[letter.lower()])
            return _without(test) if letter.isupper() else test
        return None

    def _category(self, name: str) -> Test:
        if not _CATEGORY.fullmatch(name):
            raise _invalid(f"unknown class {name!r}")
        return (
            _is_anything if name == "Any" else self._cased(lambda c: unicodedata.category(c).startswith(name))
        )

    def _escape(self) -> str:
        """After a backslash: the one character it stands for."""
        match = self._match(_CODE)
        if match is not None:
            code = int(match[1] or match[2], 16) if match[3] is None else int(match[3], 8)
            if code > 0x10FFFF:
                raise _invalid("escape")
            return chr(code)
        char = self._next()
        if char in _CONTROLS:
            return _CONTROLS[char]
        if not char.isascii() or char.isalnum():
            raise _invalid(f"escape {char!r}")
        return char

    def _class(self) -> Node:
        negated = self._take("^")
        tests: list[Test] = []
        while not tests or self._peek() != "]":
            tests.append(self._class_item())
        self._at += 1
        test = _any_of(tests)
        return Characters(_without(test) if negated else test)

    def _class_item(self) -> Test:
        if self._take("[:"):
            name, end, _ = self._pattern[self._at :].partition(":]")
            if end:
                self._at += len(name) + 2
                test = _POSIX.get(name.removeprefix("^"))
                if test is None:
                    raise _invalid(f"unknown class {name!r}")
                return _without(self._cased(test)) if name.startswith("^") else self._cased(test)
            self._at -= 1
            return self._cased(_between("[["))
        if self._take("\\"):
            named = self._class_escape()
            if named is not None:
                return named
            self._at -= 1
        low = self._class_character()
        high = low
        if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", ""):
            self._at += 1
            high = self._class_character()
        if high < low:
            raise _invalid("range")
        return self._cased(_between(low + high))

    def _class_character(self) -> str:
        char = self._next()
        return self._escape() if char == "\\" else char
