"""What the OpenAPI document says beside what FastAPI reads from the routes: how operations fail, what names mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from monitor.api.examples import add_examples
from monitor.api.glossary import meaning
from monitor.api.identities import SCHEMES
from monitor.api.needs import need_of
from monitor.api.operations import OPERATIONS
from monitor.api.problems import ALERTMANAGERS, MEDIA_TYPE, PROBLEMS, Problem

__all__ = ["IS_REQUIRED", "NEEDED_ROLE", "SCHEMAS", "install"]

IS_REQUIRED = "x-required"
"""Marks the schema of a parameter that FastAPI takes for optional, and its route does not."""

NEEDED_ROLE = "x-needed-role"
"""Names the smallest role that a token must have, where the service asks for tokens."""

SCHEMAS = "#/components/schemas/"
UNAVAILABLE, TOO_MANY = HTTPStatus.SERVICE_UNAVAILABLE.value, HTTPStatus.TOO_MANY_REQUESTS.value
RETRY_AFTER = {"description": "seconds after which it may be tried again", "schema": {"type": "integer"}}

Respond = Callable[[int, list[str]], tuple[str, dict[str, Any]]]
"""From a status and what it may mean to the status that is answered, and its response."""


def install(app: FastAPI, *, asks_for_tokens: bool) -> None:
    """Complete the OpenAPI document of ``app``."""
    app.openapi = cache(partial(_completed, app.openapi, asks_for_tokens))  # type: ignore[method-assign]


def _completed(generate: Callable[[], dict[str, Any]], asks_for_tokens: bool) -> dict[str, Any]:
    document = generate()
    # The problem document, which no route returns.
    problem = Problem.model_json_schema(ref_template=SCHEMAS + "{model}")
    schemas = document["components"]["schemas"]
    schemas.update({**problem.pop("$defs"), "Problem": problem})
    for path, operations in document["paths"].items():
        response = _text if path.startswith(f"{ALERTMANAGERS}/") else _document
        for method, operation in operations.items():
            operation["description"] = OPERATIONS.get(f"{method.upper()} {path}", "")
            _describe(path, {each["name"]: each for each in operation.get("parameters", ())})
            inputs = {path, *_inputs(operation, schemas)}
            if method != "get":
                inputs.add("change")
            if (need := need_of(f"{method.upper()} {path}")) != "nothing":
                operation[NEEDED_ROLE] = need
                inputs.add("client")
                if asks_for_tokens:
                    inputs.add("role")
                    operation["security"] = [{scheme: []} for scheme in SCHEMES]
            operation["responses"] = _responses(operation["responses"], _kinds(inputs), response)
            add_examples(f"{method.upper()} {path}", operation)
    if asks_for_tokens:
        document["components"]["securitySchemes"] = {
            name: scheme.model.model_dump(mode="json", by_alias=True, exclude_none=True)
            for name, scheme in SCHEMES.items()
        }
    for name, schema in schemas.items():
        _describe(name, schema.get("properties", {}))
    return document


def _describe(owner: str, named: dict[str, dict[str, Any]]) -> None:
    """Say what parameters or fields mean, where their declarations do not, and which their routes require."""
    for name, declared in named.items():
        if declared.get("schema", {}).pop(IS_REQUIRED, False):
            declared["required"] = True
        if not declared.get("description"):
            declared["description"] = meaning(name, owner)


def _inputs(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    """Yield the names of parameters, and of what is in a body, with ``body`` itself."""
    yield from (parameter["name"] for parameter in operation.get("parameters", ()))
    if "requestBody" in operation:
        yield "body"
        for media in operation["requestBody"]["content"].values():
            name = media["schema"].get("$ref", "").removeprefix(SCHEMAS)
            yield from schemas.get(name, {}).get("properties", ())


def _kinds(inputs: set[str]) -> dict[int, list[str]]:
    """Return the kinds of problem that an operation with such inputs may have, by status."""
    kinds: dict[int, list[str]] = {}
    for name, kind in sorted(PROBLEMS.items(), key=lambda item: item[1].status):
        if kind.of is None or not inputs.isdisjoint(kind.of):
            kinds.setdefault(kind.status, []).append(f"`{name}`: {kind.title}")
    return kinds


def _responses(declared: dict[str, Any], kinds: dict[int, list[str]], response: Respond) -> dict[str, Any]:
    """Return what a route declares of its answers, and of its own failures, with the problems beside them."""
    responses = {status: each for status, each in declared.items() if status < "4"}
    for kind_status, titles in kinds.items():
        status, described = response(kind_status, titles)
        own, earlier = declared.get(str(kind_status), {}), responses.get(status, {})
        described["content"] |= own.get("content", {})
        if earlier:
            described["description"] = f"{earlier['description']}; {described['description']}"
        if status in (str(UNAVAILABLE), str(TOO_MANY)):
            described["headers"] = {"Retry-After": RETRY_AFTER}
        responses[status] = described
    return responses


def _document(status: int, titles: list[str]) -> tuple[str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}Problem"}}}
    return str(status), {"description": "; ".join(titles), "content": content}


def _text(status: int, titles: list[str]) -> tuple[str, dict[str, Any]]:
    """Return a failure as Alertmanager's clients read it, who know no 422."""
    status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
    content = {"application/json": {"schema": {"type": "string"}}}
    return str(int(status)), {"description": "; ".join(titles), "content": content}
