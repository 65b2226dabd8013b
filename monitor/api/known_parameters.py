"""A parameter that a route does not have, or has once, is a mistake: to ignore it would answer another question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from starlette.datastructures import QueryParams

from monitor.api.problems import ProblemError, bad_parameter

__all__ = ["refuse_unknown"]


async def refuse_unknown(request: Request) -> None:
    """Raise a problem that names each parameter that the route does not have, and the nearest that it has."""
    # The query of a page is what it shows, which its module reads; and a provider sends browsers back with whatever
    # it likes to say.
    if not request.query_params or not request.scope["route"].include_in_schema:
        return
    parameters = dict(_parameters(request.scope["route"].dependant))
    names = sorted(parameters)
    errors = [{"field": name, "message": _hint(name, names)} for name in request.query_params if name not in names]
    if not errors:
        _refuse_repeated(request.query_params, parameters)
    if errors:
        unknown = ", ".join(error["field"] for error in errors)
        raise ProblemError("bad-parameter", f"unknown here: {unknown}; {errors[0]['message']}", errors=errors)


def _refuse_repeated(query: QueryParams, parameters: Mapping[str, Any]) -> None:
    for name, annotation in parameters.items():
        if len(query.getlist(name)) > 1 and not _is_list(annotation):
            raise bad_parameter(name, f"{name} is there more than once: which is it?")


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(member) for member in get_args(annotation))


def _parameters(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    yield from ((parameter.alias, parameter.field_info.annotation) for parameter in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _parameters(needed)


def _hint(name: str, names: list[str]) -> str:
    if not names:
        return "there are no parameters"
    close = get_close_matches(name, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
