"""A parameter that a route does not have is a mistake: to ignore it would answer another question."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant

from monitor.api.problems import ProblemError
from monitor.api.web_login import CALLBACK

__all__ = ["refuse_unknown"]


async def refuse_unknown(request: Request) -> None:
    """Raise a problem that names each parameter that the route does not have, and the nearest that it has."""
    # A provider sends browsers back with whatever it likes to say.
    if not request.query_params or request.scope["route"].path == CALLBACK:
        return
    names = sorted(set(_names(request.scope["route"].dependant)))
    errors = [{"field": name, "message": _hint(name, names)} for name in request.query_params if name not in names]
    if errors:
        unknown = ", ".join(error["field"] for error in errors)
        raise ProblemError("bad-parameter", f"unknown here: {unknown}; {errors[0]['message']}", errors=errors)


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _names(needed)


def _hint(name: str, names: list[str]) -> str:
    if not names:
        return "there are no parameters"
    close = get_close_matches(name, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
