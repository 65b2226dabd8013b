"""Half of a surrogate pair is no character: no route takes one, wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.api.full_world import full_world
from tests.api.world import Client, document

JSON = "application/json"
HALF = "x\ud800"
NAMED = {"model": "fraud", "incident_id": "a", "alert_id": "a", "job": "log_status", "rollout": "r"}
TAKEN = {
    # Read as Alertmanager does: one bad alert keeps no other back.
    "/api/v2/alerts",
    # What is wrong with events shows when they are read.
    "/v1/events",
    "/v1/events/{stream}",
}
READ_AS_YAML = "/v1/models/{model}/configuration"
POSTED = [
    (method.upper(), path, operation["requestBody"]["content"][JSON])
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
    if JSON in operation.get("requestBody", {}).get("content", {}) and path not in TAKEN | {READ_AS_YAML}
]


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(full_world())


def with_halves(schema: dict[str, Any], example: Any) -> Iterator[tuple[str, Any]]:
    """Yield documents with a half in place of each text that a schema speaks of, and the name of where it stands."""
    for part in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            yield from with_halves(document()["components"]["schemas"][name], example)
        if part.get("type") == "string":
            yield "", HALF
        for name, member in part.get("properties", {}).items():
            members = example if isinstance(example, dict) else {}
            for inner, value in with_halves(member, members.get(name)):
                yield inner or name, {**deepcopy(members), name: value}
        if part.get("type") == "array":
            first, *others = example if isinstance(example, list) and example else [None]
            for inner, value in with_halves(part["items"], first):
                yield inner, [value, *deepcopy(others)]
        if isinstance(part.get("additionalProperties"), dict):
            yield HALF, {HALF: "v"}
            yield "name", {"name": HALF}


@pytest.mark.parametrize(("method", "path", "content"), POSTED, ids=[f"{method} {path}" for method, path, _ in POSTED])
def test_no_text_that_is_posted_holds_half_a_surrogate_pair(
    method: str, path: str, content: dict[str, Any], client: Client
) -> None:
    documents = list(with_halves(content["schema"], content["example"]))
    assert documents or path.endswith("/baseline")
    for field, body in [*documents, ("body", [HALF]), ("y", {**content["example"], "x": {"y": [HALF]}, "z": HALF})]:
        answer = client.request(
            method, path.format(**NAMED), content=json.dumps(body).encode(), headers={"content-type": JSON}
        )
        shown = (body, answer.status_code, answer.text)
        if path.startswith("/api/v2/"):
            assert answer.status_code == 400, shown
            assert "half of a surrogate pair is no character" in answer.json(), shown
        else:
            assert answer.status_code == 422, shown
            fields = {error["field"] for error in answer.json()["errors"]}
            assert field.replace("\ud800", "\ufffd") in fields, shown


@pytest.mark.parametrize(
    "comment",
    [rb"\ud800", rb"\uDFFF\uD800", rb"\ud83d\ude00\udead", "\ud800".encode("utf-8", "surrogatepass")],
    ids=["the first", "the wrong way round", "behind a whole one", "as bytes"],
)
@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "application/merge-patch+json"])
def test_a_half_is_one_however_it_is_written(comment: bytes, content_type: str, client: Client) -> None:
    for body in (written := b'{"created_by":"ann","comment":"%s"}' % comment, in_utf_16(written)):
        answer = client.post("/v1/alerts/a/ack", body, content_type=content_type)
        assert (answer.status_code, answer.json()["detail"]) == (
            422,
            "comment: half of a surrogate pair is no character",
        )


def test_a_whole_pair_is_a_character(client: Client) -> None:
    for comment in (rb"\ud83d\ude00", "😀".encode()):
        body = b'{"created_by":"ann","comment":"%s"}' % comment
        answer = client.post("/v1/alerts/b/ack", body, content_type=JSON)
        assert (answer.status_code, answer.json()["acknowledged"]["comment"]) == (200, "😀"), answer.text


def in_utf_16(written: bytes) -> bytes:
    return written.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
