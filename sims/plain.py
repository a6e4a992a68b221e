"""Checks of functions that users pass in: they are called, never awaited, so async ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isgenerator, isgeneratorfunction
from typing import Any

from sims.errors import UsageError

__all__ = ["name_of", "plain_function", "plain_result"]


def name_of(call: Callable[..., object]) -> str:
    """The name of a function, a ``partial`` or any other callable in a message."""
    inner = call.func if isinstance(call, partial) else call
    return getattr(inner, "__qualname__", type(inner).__name__)


def plain_function(argument: str, call: Callable[..., object]) -> None:
    """Refuses ``async def`` functions and generators when they are passed in.

    Args:
        argument: what it was passed in as.
        call: the function.

    Raises:
        UsageError: it is one, or it is not callable.
    """
    if not callable(call):
        raise UsageError(f"{argument}: a function is needed, not {call!r}")
    inner = call.func if isinstance(call, partial) else call
    if iscoroutinefunction(inner) or isasyncgenfunction(inner) or isgeneratorfunction(inner):
        raise _refusal(call)


def plain_result(result: Any, call: Callable[..., object]) -> Any:
    """The result of a user's function, unless it shows that the function's body did not run.

    Raises:
        UsageError: a coroutine or a generator.
    """
    if isawaitable(result) or isgenerator(result) or hasattr(result, "__anext__"):
        if hasattr(result, "close"):
            result.close()
        raise _refusal(call)
    return result


def _refusal(call: Callable[..., object]) -> UsageError:
    return UsageError(f"{name_of(call)} must be a plain function: its result is neither awaited nor iterated")
