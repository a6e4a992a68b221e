"""One request as a value: what is sent, and what becomes of the answer. Both clients send these.

A method of a client is a function that makes a request, under ``ask`` or, for a stream, ``follow``. So each
is written once, for both clients, with one signature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Sequence
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from agent_api.client.fitting import decoded, fits

__all__ = [
    "AsyncCalls",
    "BlockingCalls",
    "LineReader",
    "Pairs",
    "Request",
    "Stream",
    "ask",
    "follow",
    "json_of",
    "nothing",
    "text",
]

D = TypeVar("D")
P = ParamSpec("P")
T = TypeVar("T")
Pairs = Sequence[tuple[str, str]]
"""Query parameters, in order."""

_LINE_BYTES_MAX = 256 * 1024 * 1024


class Request(Generic[T]):
    """A request with one answer.

    Attributes:
        method: ``GET`` or ``PUT``.
        path: without query string.
        reply: the result for a body; ``ValueError`` if no agent sends such a body.
        parameters: the query string.
        body: empty for none.
        accepted: statuses that ``reply`` is for; every other one is an ``AgentError``.
    """

    __slots__ = ("accepted", "body", "method", "parameters", "path", "reply")

    def __init__(
        self,
        method: str,
        path: str,
        reply: Callable[[bytes], T],
        parameters: Pairs = (),
        body: bytes = b"",
        accepted: Sequence[int] = (200,),
    ) -> None:
        self.method: str = method
        self.path: str = path
        self.reply: Callable[[bytes], T] = reply
        self.parameters: Pairs = parameters
        self.body: bytes = body
        self.accepted: Sequence[int] = accepted


class LineReader(Generic[T]):
    """Makes items of the lines of one stream, each a JSON object.

    Args:
        first: type of the first item; ``rest`` if None.
        rest: type of the others.
        beats: whether empty objects, sent while nothing happens, are items too.
    """

    def __init__(self, rest: Any = dict, *, first: Any = None, beats: bool = False) -> None:
        self._rest = rest
        self._next = first or rest
        self._beats = beats
        self._waiting = bytearray()
        self._any = False

    def feed(self, received: bytes) -> Iterator[T]:
        """The items that are complete now; those before a line that is wrong come first.

        Raises:
            ValueError: no agent sends such a line.
        """
        end = received.rfind(b"\n")
        if end < 0:
            self._waiting += received
            if len(self._waiting) > _LINE_BYTES_MAX:
                raise ValueError("a line is too long")
            return
        lines = bytes(self._waiting) + received[:end]
        self._waiting = bytearray(received[end + 1 :])
        for line in lines.split(b"\n"):
            yield from self._items(line)

    def finish(self) -> None:
        """The stream has ended.

        Raises:
            ValueError: it ended within a line, or before the first.
            AgentUnreachable: it is not complete.
        """
        if self._waiting or not self._any:
            raise ValueError("not a whole line")

    def check(self, item: Any) -> bool:
        """Whether an agent sends such an object."""
        kind, self._next = self._next, self._rest
        return fits(item, kind)

    def _items(self, line: bytes) -> list[T]:
        item = decoded(line)
        if not isinstance(item, dict):
            raise ValueError("no object")
        self._any = True
        if not item:
            return [item] if self._beats else []  # type: ignore[list-item]
        if not self.check(item):
            raise ValueError("not such an object")
        return [item]  # type: ignore[list-item]


class Stream(Generic[T]):
    """A request that is answered by lines, for as long as the agent has some.

    Attributes:
        method: ``GET`` or ``PUT``.
        path: without query string.
        reader: makes the reader of one such stream.
        parameters: the query string.
        body: empty for none.
    """

    __slots__ = ("body", "method", "parameters", "path", "reader")
    accepted: Sequence[int] = (200,)

    def __init__(
        self,
        method: str,
        path: str,
        reader: Callable[[], LineReader[T]],
        parameters: Pairs = (),
        body: bytes = b"",
    ) -> None:
        self.method: str = method
        self.path: str = path
        self.reader: Callable[[], LineReader[T]] = reader
        self.parameters: Pairs = parameters
        self.body: bytes = body


@overload
def json_of(kind: type[D]) -> Callable[[bytes], D]: ...
@overload
def json_of(kind: type[D], pick: Callable[[D], T]) -> Callable[[bytes], T]: ...


def json_of(kind: type[D], pick: Callable[[D], Any] | None = None) -> Callable[[bytes], Any]:
    """The reply of a request whose answer is a JSON document of a type; ``pick`` takes what is wanted."""

    def reply(body: bytes) -> Any:
        document = decoded(body)
        if not fits(document, kind):
            raise ValueError("not such a document")
        return pick(document) if pick else document

    return reply


def text(body: bytes) -> str:
    """The reply of a request whose answer is text."""
    return body.decode("utf-8", "replace")


def nothing(body: bytes) -> None:
    """The reply of a request whose answer has no body.

    Raises:
        ValueError: it has one.
    """
    if body:
        raise ValueError("not an empty body")


class BlockingCalls(ABC):
    """What sends requests, and waits."""

    @abstractmethod
    def send(self, request: Request[T]) -> T:
        """Sends a request; returns the reply.

        Raises:
            AgentError: the agent refused.
            AgentUnreachable: it cannot be reached; see its subclasses.
        """

    @abstractmethod
    def follow(self, stream: Stream[T]) -> Generator[T, None, None]:
        """Opens a stream when the first item is asked for; closing the iterator ends it. See ``send``."""


class AsyncCalls(ABC):
    """What sends requests, on trio or asyncio."""

    @abstractmethod
    async def send(self, request: Request[T]) -> T:
        """See ``BlockingCalls``."""

    @abstractmethod
    def follow(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        """See ``BlockingCalls``. Use ``contextlib.aclosing``, so that it ends when your loop does."""


class ask(Generic[P, T]):  # noqa: N801  a decorator
    """Makes a method of both clients of a function that makes a request: it returns, or awaits, the reply."""

    def __init__(self, make: Callable[Concatenate[Any, P], Request[T]]) -> None:
        self._make = make
        update_wrapper(cast(Any, self), make)

    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, client: BlockingCalls, owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncCalls, owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: Any, owner: Any) -> Any:
        if client is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.send(self._make(client, *args, **kwargs))

        return update_wrapper(call, self._make)


class follow(Generic[P, T]):  # noqa: N801  a decorator
    """As ``ask``, for a function that makes a stream: the method returns an iterator, or an async one."""

    def __init__(self, make: Callable[Concatenate[Any, P], Stream[T]]) -> None:
        self._make = make
        update_wrapper(cast(Any, self), make)

    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, client: BlockingCalls, owner: Any) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, client: AsyncCalls, owner: Any) -> Callable[P, AsyncGenerator[T, None]]: ...

    def __get__(self, client: Any, owner: Any) -> Any:
        if client is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.follow(self._make(client, *args, **kwargs))

        return update_wrapper(call, self._make)
