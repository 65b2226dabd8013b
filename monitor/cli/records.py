"""Options of a command as one record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any

__all__ = ["Option", "record"]

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def record(name: str, kind: type[Any], *options: Option) -> Option:
    """Return the decorator that adds options to a command, which it takes as one record.

    Parameters
    ----------
    name : str
        Of the command's parameter.
    kind : type
        A dataclass whose fields are named as the options' values. It may refuse them.
    *options : decorator
        Click's, in the order of the help.
    """
    names = [each.name for each in fields(kind) if each.init]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **values: Any) -> Any:
            taken = {field: values.pop(field) for field in names}
            return function(*args, **{name: kind(**taken)}, **values)

        command: Callable[..., Any] = call
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
