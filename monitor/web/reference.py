"""The page of the HTTP API: what the OpenAPI document says, to be read without anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any

from fastapi import APIRouter, Request, Response

from monitor.api.openapi import NEEDED_ROLE, SCHEMAS
from monitor.web.page import rendered, shown

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

OTHERS = "others"
"""Where operations stand that have no tag."""


@router.get("/docs")
def show_reference(request: Request) -> Response:
    document, state = request.app.openapi(), request.app.state
    # Made once: it takes longer than most questions.
    made = getattr(state, "reference", None)
    if made is None or made[0] is not document:
        state.reference = made = document, _reference(request, document)
    return shown(made[1])


def _reference(request: Request, document: Mapping[str, Any]) -> str:
    return rendered(
        request,
        "reference.html",
        version=document["info"]["version"],
        groups=_groups(document),
        schemas=[_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())],
        asks_for_tokens="securitySchemes" in document["components"],
    )


def _groups(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return operations by their tag, both in the order of the document."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = _operation(method.upper(), path, operation)
            groups.setdefault(next(iter(operation.get("tags", ())), OTHERS), []).append(shown)
    return groups


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": method,
        "path": path,
        "anchor": _anchor(f"{method} {path}"),
        "summary": operation["summary"],
        "description": operation["description"],
        "role": operation.get(NEEDED_ROLE, ""),
        "parameters": [_parameter(parameter) for parameter in operation.get("parameters", ())],
        "bodies": list(_media(operation.get("requestBody", {}))),
        "answers": [
            {"status": status, "description": each["description"], "media": list(_media(each))}
            for status, each in operation["responses"].items()
        ],
    }


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    schema = parameter.get("schema", {})
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "is_required": parameter.get("required", False),
        "description": parameter.get("description", ""),
        **_typed(schema),
    }


def _media(described: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the kinds of a body, each with what it holds, and an example if there is one."""
    for media, content in described.get("content", {}).items():
        example = content.get("example")
        text = example if isinstance(example, str) else dumps(example, indent=2, ensure_ascii=False)
        yield {"media": media, **_typed(content.get("schema", {})), "example": "" if example is None else text}


def _schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    required = schema.get("required", ())
    fields = [
        {"name": field, "is_required": field in required, "description": each.get("description", ""), **_typed(each)}
        for field, each in schema.get("properties", {}).items()
    ]
    return {"name": name, "anchor": _anchor(name), "description": schema.get("description", ""), "fields": fields}


def _typed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a value is, in words, and the schema in which more of it stands."""
    named = next(_named(schema), "")
    default = schema.get("default")
    shown = "" if default is None or default == "" else dumps(default, ensure_ascii=False)
    return {"type": _words(schema), "refers_to": _anchor(named) if named else "", "default": shown}


def _words(schema: Mapping[str, Any]) -> str:
    """Return what a value is, in words.

    Examples
    --------
    >>> _words({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]})
    'list of string or null'
    >>> _words({"$ref": "#/components/schemas/Score"}), _words({"enum": ["firing", "resolved"]})
    ('Score', '"firing" or "resolved"')
    """
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(SCHEMAS)
    if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " or ".join(dumps(choice, ensure_ascii=False) for choice in choices)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(map(_words, schema[several])))
    if schema.get("type") == "array":
        return f"list of {_words(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _named(schema: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield str(schema["$ref"]).removeprefix(SCHEMAS)
    for several in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(several, ()):
            yield from _named(each)
    if isinstance(schema.get("items"), dict):
        yield from _named(schema["items"])


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
