"""Half of a surrogate pair: JSON can write it, and it is no character. What cannot be stored as UTF-8 is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request

from monitor.api.problems import ProblemError, is_json

__all__ = ["refuse_halves"]

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
"""Of JSON as it is written. A whole pair looks like that, too."""


async def refuse_halves(request: Request) -> None:
    """Raise a problem that names each field of a posted document that holds one.

    Raises
    ------
    ProblemError
    """
    # Other bodies than documents are the routes' own to read.
    if request.scope["route"].body_field is None or not is_json(request.headers.get("content-type", "")):
        return
    body = await request.body()
    if not _ESCAPED.search(body.decode(json.detect_encoding(body), "surrogatepass")):
        return
    fields = sorted({_HALF.sub("\ufffd", field) for field in _halves(await request.json())})
    if fields:
        errors = [{"field": field, "message": "half of a surrogate pair is no character"} for field in fields]
        detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
        raise ProblemError("bad-parameter", detail, errors=errors)


def _halves(document: Any) -> Iterator[str]:
    """Yield the names of the members that hold one, or whose own name does. It may be nested deep."""
    parts: list[tuple[str, Any]] = [("body", document)]
    while parts:
        name, value = parts.pop()
        if isinstance(value, str):
            if _HALF.search(value):
                yield name
        elif isinstance(value, dict):
            yield from (key for key in value if _HALF.search(key))
            parts.extend(value.items())
        elif isinstance(value, list):
            parts.extend((name, item) for item in value)
