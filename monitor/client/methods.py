"""Methods of clients, made of what stands elsewhere once: questions, and operations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from monitor.client.requests import Steps

__all__ = ["does", "does_async", "like"]

P = ParamSpec("P")
T = TypeVar("T")


def does(operation: Callable[P, Steps[T]]) -> Callable[Concatenate[Any, P], T]:
    """Return the method that runs an operation, and waits in the caller's thread."""

    def method(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = client._connection.run(operation(*args, **kwargs))
        return result

    return like(operation, method)


def does_async(operation: Callable[P, Steps[T]]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Return the method that runs an operation, and waits in the caller's event loop."""

    async def method(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await client._connection.run(operation(*args, **kwargs))
        return result

    return like(operation, method)


M = TypeVar("M", bound=Callable[..., Any])


def like(described: Callable[..., Any], method: M) -> M:
    """Give a method the name, the parameters and the documentation of what it is made of."""
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = inspect.signature(described).parameters.values()
    method.__signature__ = inspect.Signature([itself, *parameters])  # type: ignore[attr-defined]
    method.__name__, method.__doc__ = described.__name__, described.__doc__
    return method
