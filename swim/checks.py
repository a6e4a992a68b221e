"""Checks of settings and arguments: each returns the value to store or raises an error that names it.

A wrong type is a ``ConfigTypeError``, which is a ``TypeError`` too; another wrong value is a ``ConfigError``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from swim.addresses import Endpoint, plain_ip
from swim.errors import ConfigError, ConfigTypeError
from swim.events import MemberStatus
from swim.frozen import FrozenMap

__all__ = [
    "KEY_SIZES",
    "Reader",
    "arguments",
    "data",
    "endpoint",
    "endpoints",
    "flag",
    "instance",
    "key",
    "number",
    "optional",
    "parse_duration",
    "port",
    "seconds",
    "secrets",
    "statuses",
    "text",
    "text_map",
    "texts",
    "whole_number",
    "whole_numbers",
]

P = ParamSpec("P")
T = TypeVar("T")
Reader = Callable[[str, object], Any]
"""``read(name, value)`` returns the value as it is kept, or raises an error that names it."""

KEY_SIZES = (16, 24, 32)
"""Bytes of a gossip key: AES-128, AES-192 or AES-256."""
_PORT_MAX = 65_535
_LONGEST_SECONDS = 1e8
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def text(name: str, value: object, *, what: str = "") -> str:
    """A string that can be sent; ``what`` says which part of the argument it is.

    Raises:
        ConfigTypeError: it is not a string.
        ConfigError: it has half a surrogate pair in it.
    """
    if not isinstance(value, str):
        raise ConfigTypeError(name, f"{what}must be a string, not {_shown(value)}")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ConfigError(name, f"{what}{value!a} has half a surrogate pair in it") from None
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    """Several strings, from any iterable but a string.

    Raises:
        ConfigTypeError: it is one string, not iterable, or an item is not a string.
        ConfigError: as ``text``.
    """
    if isinstance(value, str):
        raise ConfigTypeError(name, f"must be a sequence of strings, not one string: write [{value!r}]")
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        raise ConfigTypeError(name, f"must be a sequence of strings, not {_shown(value)}")
    return tuple(text(name, item, what="an item ") for item in value)


def secrets(name: str, value: object) -> tuple[bytes, ...]:
    """Several byte strings, which never appear in an error message.

    Raises:
        ConfigTypeError: it is one ``bytes``, not iterable, or an item is not ``bytes``.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ConfigTypeError(name, f"must be a sequence of bytes, not one {type(value).__name__}")
    items = tuple(value)
    for item in items:
        if not isinstance(item, bytes):
            raise ConfigTypeError(name, f"must be a sequence of bytes, not of {type(item).__name__}")
    return items


def key(name: str, value: object) -> bytes:
    """A gossip key, which never appears in an error message.

    Raises:
        ConfigTypeError: it is not ``bytes``.
        ConfigError: it does not have 16, 24 or 32 bytes.
    """
    if not isinstance(value, bytes):
        raise ConfigTypeError(name, f"must be bytes, not {type(value).__name__}")
    if len(value) not in KEY_SIZES:
        raise ConfigError(name, f"must be 16, 24 or 32 bytes, not {len(value)}")
    return value


def text_map(name: str, value: object) -> Mapping[str, str]:
    """A read-only copy of a mapping from strings to strings.

    Raises:
        ConfigTypeError: it is not a mapping, or a key or a value is not a string.
        ConfigError: as ``text``.
    """
    if not isinstance(value, Mapping):
        raise ConfigTypeError(name, f"must be a mapping from strings to strings, not {_shown(value)}")
    for key, item in value.items():
        text(name, key, what="a key ")
        text(name, item, what=f"the value of {key!r} ")
    return FrozenMap(value)


def flag(name: str, value: object) -> bool:
    """A truth value.

    Raises:
        ConfigTypeError: it is anything else, even 0 or 1.
    """
    if not isinstance(value, bool):
        raise ConfigTypeError(name, f"must be True or False, not {_shown(value)}")
    return value


def number(name: str, value: object, *, at_least: float = 0.0, at_most: float = math.inf) -> float:
    """A finite number.

    Raises:
        ConfigTypeError: it is not a number.
        ConfigError: it is not finite, below ``at_least`` or above ``at_most``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigTypeError(name, f"must be a number, not {_shown(value)}")
    if value > at_most:
        raise ConfigError(name, f"must be at most {at_most:g}, not {value!r}")
    if not math.isfinite(value) or value < at_least:
        raise ConfigError(name, f"must be at least {at_least:g}, not {value!r}")
    return value


def endpoint(name: str, value: object) -> Endpoint:
    """An IP address and a port, as a pair.

    Raises:
        ConfigTypeError: it is no such pair.
        ConfigError: the address is none, or the port is not within 0 to 65535.
    """
    match value:
        case (str(host), port):
            if plain_ip(host) is None:
                raise ConfigError(name, f"{host!r} is no IP address")
            return host, whole_number(name, port, at_most=_PORT_MAX)
    raise ConfigTypeError(name, f"must be an address and a port, not {_shown(value)}")


def data(name: str, value: object) -> bytes:
    """Bytes.

    Raises:
        ConfigTypeError: it is anything else, even a string.
    """
    if not isinstance(value, bytes):
        raise ConfigTypeError(name, f"must be bytes, not {_shown(value)}")
    return value


def whole_number(name: str, value: object, *, at_least: int = 0, at_most: int | None = None) -> int:
    """A whole number.

    Raises:
        ConfigTypeError: it is not an ``int``.
        ConfigError: it is below ``at_least`` or above ``at_most``.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigTypeError(name, f"must be a whole number, not {_shown(value)}")
    if at_most is not None and value > at_most:
        raise ConfigError(name, f"must be at most {at_most}, not {value!r}")
    if value < at_least:
        raise ConfigError(name, f"must be at least {at_least}, not {value!r}")
    return value


def whole_numbers(name: str, value: object) -> tuple[int, ...]:
    """Several whole numbers, from any iterable but a string.

    Raises:
        ConfigTypeError: it is no such iterable, or an item is not an ``int``.
        ConfigError: an item is negative.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ConfigTypeError(name, f"must be a sequence of whole numbers, not {_shown(value)}")
    return tuple(whole_number(name, item) for item in value)


def seconds(name: str, value: object) -> float | None:
    """Seconds to wait, or None for no limit.

    Raises:
        ConfigTypeError: it is neither.
        ConfigError: it is negative or not finite.
    """
    return None if value is None else number(name, value)


def statuses(name: str, value: object) -> tuple[str, ...]:
    """One member status or several.

    Raises:
        ConfigTypeError: as ``texts``.
        ConfigError: there is no such status.
    """
    wanted = (value,) if isinstance(value, str) else texts(name, value)
    for word in wanted:
        if word not in tuple(MemberStatus):
            raise ConfigError(name, f"must be one of {', '.join(MemberStatus)}, not {word!r}")
    return wanted


def port(name: str, value: object) -> int:
    """A port.

    Raises:
        ConfigTypeError: it is not an ``int``.
        ConfigError: it is not from 0 to 65535.
    """
    return whole_number(name, value, at_most=_PORT_MAX)


def endpoints(name: str, value: object) -> tuple[tuple[str, int], ...]:
    """Several endpoints.

    Raises:
        ConfigTypeError: it is no iterable, or is one endpoint; otherwise as ``endpoint``.
        ConfigError: as ``endpoint``.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigTypeError(name, f"must be a sequence of endpoints, not {_shown(value)}")
    return tuple(endpoint(name, item) for item in value)


def instance(
    what: str, *kinds: type, but: tuple[type, ...] = (), call: bool = False, method: str = ""
) -> Reader:
    """A reader of objects of some class.

    Args:
        what: how an error calls them, with its article.
        kinds: the classes.
        but: classes that are refused though they are among ``kinds``, as a string is that is iterable.
        call: anything callable will do, too.
        method: anything with a method of that name will do, too.
    """

    def read(name: str, value: object) -> object:
        is_kind = isinstance(value, kinds) and not isinstance(value, but)
        if is_kind or (call and callable(value)) or (method and hasattr(value, method)):
            return value
        raise ConfigTypeError(name, f"must be {what}, not {_shown(value)}")

    return read


def optional(read: Reader) -> Reader:
    """A reader that takes None, too."""
    return lambda name, value: None if value is None else read(name, value)


def arguments(**readers: Reader) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Checks a function's arguments, by their names, before it runs; not for what is called in a hot loop."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        names = function.__code__.co_varnames
        assert readers.keys() <= set(names)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            for name, value in (*zip(names, args, strict=False), *kwargs.items()):
                if name in readers:
                    readers[name](name, value)
            return function(*args, **kwargs)

        return checked

    return decorate


def _shown(value: object) -> str:
    """The value and, unless it is obvious from the value, its type."""
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:60]}..."
    return text if value is None or isinstance(value, (str, bool)) else f"{text} ({type(value).__name__})"


def parse_duration(text: str) -> float:
    """Seconds of ``20``, ``1.5s``, ``250ms``, ``2m`` or ``1h``.

    Raises:
        ValueError: for anything else, negative numbers and more than three years included.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|)", text.strip(), re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is not a duration such as 20, 1.5s, 250ms or 2m")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is longer than three years")
    return seconds
