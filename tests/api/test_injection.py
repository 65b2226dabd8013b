"""Hostile values in every parameter of every route: refused, or compared literally, and nothing is harmed.

The parameters are those of the OpenAPI document, so that a new one is tried without anybody thinking of it. The
oracle is the store in memory, which has no SQL: the same request must give the same answer there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from sinks.store.chdb import ChdbStore
from sinks.store.contract import TABLES, Query
from tests.api.world import World, document, score, step

QUOTED = "' OR '1'='1"
TEXTS = [
    QUOTED,
    "'; DROP TABLE scores; --",
    '") UNION ALL SELECT name, 1 FROM system.tables --',
    "{p0:Identifier}\\' OR 1=1 --\\",
    "\\N",
    "fraud\0",
    "fraud\t\n\r\nX-Injected: 1",
    "ʼ ＯＲ １＝１ \u202e\U0010ffff😀",
    "../../../../etc/passwd%27%20OR%201%3D1",
    "[1,'a']) OR (1=1" + "a" * 20_000,
]
"""For parameters that take any text."""
ODD = [
    QUOTED,
    "99999999999999999999999",
    "-9223372036854775809",
    "9223372036854775807",
    "9" * 400 + "d",
    "1e309",
    "-" + "9" * 18 + "w",
    "-292277026596y",
    "NaN",
    "",
]
"""For numbers, times, choices and switches; they are nearly all refused."""
FITTING = {
    "model": "fraud",
    "signal": "feature:amount",
    "from": "0",
    "to": "20000",
    "against_from": "0",
    "against_to": "10000",
    "alert_id": "a",
    "stream": "fraud",
    "job": "keep_lifetimes",
    "rollout": "r",
    "step": "auto",
    "transitions": "true",
}
"""Values with which the other parameters of a route are right."""


def fill(world: World) -> World:
    world.add("scores", [score(minute) for minute in range(3)])
    world.add("scores", [score(1, version=text, segment=text) for text in TEXTS])
    world.add("scores", [score(1, signal=text, detector=text, status="drift") for text in TEXTS])
    world.add("alerts", [step("a", 0, "firing", 2_000), step(QUOTED, 0, "firing", 3_000, severity=QUOTED)])
    world.add("notifications", [{"alert_id": "a", "receiver": "log", "outcome": "delivered"}])
    world.add("findings", [{"model": "fraud", "signal": t, "detector": t, "version": t, "event_ms": 5} for t in TEXTS])
    letters = [{"topic": t, "reason": t, "model": "fraud", "action": "kept", "offset": 1} for t in TEXTS]
    world.add("dead_letters", letters)
    for start_ms in (0, 10_000):
        world.numbers("feature:amount", start_ms, [1.0, 2.0, 2.0 + start_ms])
        world.names("feature:country", start_ms, {QUOTED: 3}, segment=QUOTED)
    return world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    store = ChdbStore(tmp_path_factory.mktemp("injection") / "store")
    store.migrate()
    yield fill(World(store=store))
    store.close()


def asking(world: World) -> httpx.Client:
    app = create_app(world)
    app.state.stopping.set()  # streams end at once
    return httpx.Client(transport=InProcess(app), base_url="http://leeway")


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[httpx.Client]:
    with asking(world) as client:
        yield client


@pytest.fixture(scope="module")
def literal() -> Iterator[httpx.Client]:
    """The same rows where there is no SQL."""
    with asking(fill(World())) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def intact(world: World) -> Iterator[None]:
    """Nothing that was tried has changed a row or made a table."""
    tables = "SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    before = world.store.query(tables), contents(world)  # type: ignore[attr-defined]
    yield
    assert (world.store.query(tables), contents(world)) == before  # type: ignore[attr-defined]


def contents(world: World) -> str:
    return repr({name: world.store.read(Query(name)) for name in TABLES})


DOCUMENT = document()


def routes() -> list[tuple[str, str, str, str]]:
    """Every parameter of every route: method, path, where it stands, name."""
    return [
        (method.upper(), path, parameter["in"], parameter["name"])
        for path, methods in DOCUMENT["paths"].items()
        for method, described in methods.items()
        for parameter in described.get("parameters", [])
    ]


def required(method: str, path: str) -> dict[str, str]:
    described = DOCUMENT["paths"][path][method.lower()]
    names = [p["name"] for p in described.get("parameters", []) if p["in"] == "query"]
    wanted = {"model", "signal", "stream"} | ({"from", "to", "against_from"} if "against_from" in names else set())
    return {name: FITTING[name] for name in names if name in wanted}


def test_every_parameter_is_walked() -> None:
    found = routes()
    assert len(found) > 60
    assert ("GET", "/v1/compare", "query", "against_segment") in found
    assert ("GET", "/v1/alerts/stream", "header", "last-event-id") in found


def values_for(method: str, path: str, name: str) -> list[str]:
    """Free text has a pattern of its own only where it is a time or a duration, which the names tell."""
    described = DOCUMENT["paths"][path][method.lower()]["parameters"]
    (schema,) = (parameter["schema"] for parameter in described if parameter["name"] == name)
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    plain = all(kind.get("type") == "string" and "enum" not in kind for kind in kinds)
    return TEXTS if plain and not name.endswith(("from", "to", "step")) else ODD


@pytest.mark.parametrize(("method", "path", "place", "name"), routes(), ids=lambda part: part)
def test_a_hostile_value_is_refused_or_compared_literally(
    method: str, path: str, place: str, name: str, client: httpx.Client, literal: httpx.Client
) -> None:
    fitting = required(method, path)
    for value in values_for(method, path, name):
        how: dict[str, Any] = {"params": dict(fitting)}
        address = path.format(**FITTING | ({name: quote(value, safe="")} if place == "path" else {}))
        if place == "header":
            how["headers"] = {name: value.encode().replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")}
        elif place == "query":
            how["params"][name] = value
        if method == "POST":
            how |= {"content": b"{}", "headers": {"content-type": "application/json"}}
        assert_harmless(client.request(method, address, **how), literal.request(method, address, **how), value)


FORGED: list[Any] = [QUOTED, "\0", "\ud800", 2**63, -(2**62), None, 1.5, [0]]


@pytest.mark.parametrize(
    "question",
    [
        "/v1/history?model=fraud",
        "/v1/history?model=fraud&step=1h",
        "/v1/history?model=fraud&step=auto",
        "/v1/findings?model=fraud&order=desc",
        "/v1/alerts",
        "/v1/alerts?transitions=true",
        "/v1/dead-letters",
    ],
)
def test_a_forged_cursor_is_refused_or_a_place_like_any_other(
    question: str, client: httpx.Client, literal: httpx.Client
) -> None:
    cursor = client.get(question, params=httpx.QueryParams(question.partition("?")[2]).set("limit", 1)).json()
    place = json.loads(base64.urlsafe_b64decode(cursor["next_cursor"] + "=="))
    for position in range(len(place)):
        for value in FORGED:
            text = json.dumps([*place[:position], value, *place[position + 1 :]])
            forged = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
            asked = httpx.QueryParams(question.partition("?")[2]).set("limit", 2).set("cursor", forged)
            path = question.partition("?")[0]
            assert_harmless(client.get(path, params=asked), literal.get(path, params=asked), repr(value))


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow"])
def test_hostile_text_survives_every_form(form: str, client: httpx.Client, literal: httpx.Client) -> None:
    asked = {"model": "fraud", "version": QUOTED, "format": form}
    assert_harmless(client.get("/v1/history", params=asked), literal.get("/v1/history", params=asked), form)


@pytest.mark.parametrize("header", ["accept", "content-type", "content-encoding", "last-event-id", "host", "range"])
def test_hostile_headers_are_no_failures(header: str, client: httpx.Client) -> None:
    for value in (QUOTED, "a" * 20_000, ";;;q=,,,", "text/csv;q=nan", "\\x00", "😀"):
        for method, path in (("GET", "/v1/alerts"), ("POST", "/v1/events/fraud")):
            answer = client.request(method, path, headers=[(header.encode(), value.encode())], content=b"{}")
            assert answer.status_code < 500, (header, value[:80])


def assert_harmless(answer: httpx.Response, expected: httpx.Response, value: str) -> None:
    assert answer.status_code < 500, (value[:80], answer.text[:500])
    assert answer.status_code == expected.status_code, (value[:80], answer.text[:500], expected.text[:500])
    assert "x-injected" not in answer.headers
    if answer.status_code >= 400:
        problem = answer.json()
        # Below /api/v2 an error is a text, as Alertmanager's are.
        assert isinstance(problem, str) == answer.url.path.startswith("/api/v2")
        assert isinstance(problem, str) or problem["status"] == answer.status_code
    elif "text/plain" not in answer.headers["content-type"]:  # metrics tell of the process
        assert answer.content == expected.content, value[:80]
