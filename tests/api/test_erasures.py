"""Erasing over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.client import Leeway
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query
from tests.api.world import Client, World, configured, model, serving
from tests.cli.console import Console
from tests.sinks.store.samples import plain

KEEP = {"events": True, "subject": "user.id"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("erasures") / "store"
    made = ChdbStore(folder)
    made.migrate()
    made.close()
    store = ChdbStore(folder)
    subjects = ["anna", "bert", "anna", "carl"]
    # What a text may hold that some take for the end of a line.
    fields = ['{"feature:note": "one\u2028two\x85three"}'] * 4
    held = plain("events", 4, model="fraud", offset=range(4), subject=subjects, event_ms=1_000, fields=fields)
    store.append("events", held, "one")
    yield World(store=store, configuration=configured(model("fraud", keep=KEEP), model("churn")))
    store.close()


def asked(world: World, **body: Any) -> Any:
    return Client(world).post("/v1/erasures", json.dumps(body).encode(), content_type="application/json")


def subjects(world: World) -> list[str]:
    return sorted(world.store.read(Query("events"))["subject"])


def test_all_that_is_held_about_a_subject_is_exported_in_lines(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    body = json.dumps({"subject": "carl"}).encode()
    answer = Client(world).post("/v1/exports", body, content_type="application/json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    [record] = map(json.loads, answer.text.splitlines())
    assert (record["table"], record["key"]["offset"], record["row"]["subject"]) == ("events", 3, "carl")
    # and the client and the command line give the same
    with serving(World(world.store, configuration=world.configuration)) as url, Leeway(url) as leeway:
        assert list(leeway.export("carl")) == [record]
        said = Console(capsys)("export", "--subject", "carl", "--url", url)
    assert [json.loads(line) for line in said.out.splitlines()] == [record]


def test_a_subject_is_erased_and_the_answer_is_the_proof(world: World) -> None:
    planned = asked(world, subject="anna", dry_run=True).json()
    assert (planned["state"], planned["rows"]["events"]) == ("planned", 2)
    assert subjects(world) == ["anna", "anna", "bert", "carl"]
    answer = asked(world, subject="anna", model="fraud")
    assert answer.status_code == 200
    done = answer.json()
    assert (done["state"], done["remaining"], done["rows"]["events"]) == ("done", 0, 2)
    assert "anna" not in answer.text
    assert subjects(world) == ["bert", "carl"]
    [item] = Client(world).get("/v1/erasures").json()["items"]
    assert item["subject_hash"] == done["subject_hash"]
    assert item["until_ms"] == world.clock.now_ms()
    assert item["report"]["rows"] == done["rows"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"subject": ""}, 422),
        ({"subject": "x", "tables": ["scores"]}, 422),
        ({"subject": "x", "model": "none"}, 422),
        ({"subject": "x", "fields": ["feature:nothing"]}, 422),
        ({"subject": "x", "model": "churn"}, 422),
    ],
)
def test_requests_that_cannot_be_met_are_refused(body: dict[str, Any], status: int, world: World) -> None:
    answer = asked(world, **body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("dry_run", [0, 1, 0.0, "false", "true", "no", "off", None])
def test_what_is_no_boolean_is_not_taken_for_one(dry_run: object, world: World) -> None:
    """`"dry_run": 0` meant to look, or not to: nobody knows, so nothing is erased or put back."""
    before = subjects(world)
    answer = asked(world, subject="carl", dry_run=dry_run)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "dry_run")
    assert subjects(world) == before
    places = [{"topic": "fraud", "partition": 0, "offset": 1}]
    retries = json.dumps({"places": places, "dry_run": dry_run}).encode()
    answer = Client(world).post("/v1/dead-letters/retries", retries, content_type="application/json")
    assert answer.status_code == 422
    assert world.retried == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/alerts/a1/ack", {"created_by": "ann", "undo": 0}),
        ("/v1/alerts/a1/ack", {"created_by": "ann", "undoo": True}),
        (
            "/api/v2/silences",
            {
                "matchers": [{"name": "model", "value": "fraud", "isEqual": 0}],
                "startsAt": "2024-01-01T00:00:00Z",
                "endsAt": "2034-01-01T00:00:00Z",
                "createdBy": "ann",
                "comment": "",
            },
        ),
    ],
)
def test_nor_elsewhere(path: str, body: dict[str, Any], world: World) -> None:
    answer = Client(world).post(path, json.dumps(body).encode(), content_type="application/json")
    assert answer.status_code in (400, 422)


def test_a_store_in_memory_says_that_it_erases_nothing() -> None:
    answer = asked(World(configuration=configured(model("fraud", keep=KEEP))), subject="x")
    assert answer.status_code == 422
    assert "forgets everything" in answer.json()["detail"]
