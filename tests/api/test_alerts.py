"""Alerts as they stand, their log, and the stream of what happens to them."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from monitor.alerts.own import MODEL as OWN
from monitor.api.server import Server
from tests.api.world import Client, World, configured, model, step


def test_an_alert_stands_as_its_last_transition_says() -> None:
    world = World()
    world.add(
        "alerts",
        [
            step("a", 0, "pending", 1_000),
            step("a", 1, "firing", 2_000),
            step("a", 2, "updated", 4_000, severity="critical"),
            step("b", 0, "firing", 2_000),
            step("b", 1, "resolved", 3_000),
            step("c", 0, "pending", 2_500, model="churn"),
            step("c", 1, "cancelled", 5_000, model="churn"),
        ],
    )
    items = Client(world).items("/v1/alerts")
    assert [(item["alert_id"], item["state"], item["transition"]) for item in items] == [
        ("c", "cancelled", "cancelled"),
        ("a", "firing", "updated"),
        ("b", "resolved", "resolved"),
    ]
    assert (items[1]["severity"], items[1]["ends_ms"], items[2]["ends_ms"]) == ("critical", None, 3_000)
    assert items[1]["labels"] == {"model": "fraud"}
    assert items[1]["signals"] == [{"signal": "feature:amount", "reason": "amount moved"}]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"model": "churn"}, ["c"]),
        ({"state": "firing"}, ["a"]),
        ({"state": "pending"}, []),
        ({"from_": 3_000}, ["c", "a"]),
        ({"from_": 2_999}, ["c", "a", "b"]),
        ({"to": 1_000}, []),
        ({"to": 1_001}, ["c", "a", "b"]),
    ],
)
def test_alerts_are_chosen_by_state_and_by_when_they_held(parameters: dict[str, Any], found: list[str]) -> None:
    world = World()
    world.add(
        "alerts",
        [
            step("a", 0, "firing", 2_000),
            step("a", 1, "updated", 4_000),
            step("b", 0, "firing", 2_000),
            step("b", 1, "resolved", 3_000),
            step("c", 0, "firing", 5_000, model="churn"),
            step("c", 1, "resolved", 6_000, model="churn"),
        ],
    )
    assert [item["alert_id"] for item in Client(world).items("/v1/alerts", **parameters)] == found


def test_pages_of_alerts_hold_each_alert_once() -> None:
    world = World()
    world.add("alerts", [step(f"a{n}", k, "firing", 1_000 + n + k) for n in range(7) for k in range(2)])
    client = Client(world)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/v1/alerts", limit=3, **cursor).json()
        seen += [item["alert_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"a{n}" for n in reversed(range(7))]


def test_the_log_of_transitions_is_shown_when_asked_for() -> None:
    world = World()
    world.add(
        "alerts", [step("a", 0, "firing", 2_000), step("a", 1, "updated", 4_000), step("a", 2, "resolved", 6_000)]
    )
    client = Client(world)
    assert [item["state"] for item in client.items("/v1/alerts", transitions=True)] == [
        "resolved",
        "updated",
        "firing",
    ]
    assert [item["at_ms"] for item in client.items("/v1/alerts", transitions=True, state="updated")] == [4_000]
    assert [item["at_ms"] for item in client.items("/v1/alerts", transitions=True, to=4_000)] == [2_000]


def test_one_alert_shows_its_steps_and_who_was_told() -> None:
    world = World()
    world.add("alerts", [step("a", 1, "resolved", 6_000), step("a", 0, "firing", 2_000), step("b", 0, "firing", 1)])
    told = {"alert_id": "a", "receiver": "slack", "outcome": "delivered", "attempts": 2}
    world.add("notifications", [told, told | {"sequence": 1}])
    document = Client(world).get("/v1/alerts/a").json()
    assert document["alert"]["state"] == "resolved"
    assert [transition["state"] for transition in document["transitions"]] == ["firing", "resolved"]
    assert [notification["sequence"] for notification in document["notifications"]] == [0, 1]


@contextmanager
def served(world: World, port: int = 0) -> Iterator[str]:
    """The API of ``world`` on a port of this machine, a free one unless it is said which."""
    app = Client(world, alert_poll_s=0.01).app
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    socket = server.config.bind_socket()
    socket.listen()  # at once: whoever asks before the server has started waits instead of being refused
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        app.state.stopping.set()
        server.should_exit = True
        thread.join(120)
        socket.close()
    assert not thread.is_alive()


def events(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """Read server-sent events, as the HTML standard says."""
    event: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def test_a_stream_shows_what_happens_and_resumes_where_it_was_cut_off() -> None:
    world = World()
    world.add("alerts", [step("old", 0, "firing", 1_000)])
    with served(world) as url, httpx.Client(timeout=120) as client:
        with client.stream("GET", f"{url}/v1/alerts/stream") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            arriving = events(answer)
            assert set(next(arriving)) == {"id", "retry"}
            world.add("alerts", [step("new", 0, "firing", 2_000), step("new", 1, "updated", 3_000)])
            first = next(arriving)
            assert first["event"] == "firing"
            assert json.loads(first["data"])["alert_id"] == "new"
        # The client has seen the first of two transitions; the other model is behind in event time.
        world.add("alerts", [step("other", 0, "firing", 500, model="churn"), step("new", 2, "resolved", 9_000)])
        headers = {"Last-Event-ID": first["id"]}
        with client.stream("GET", f"{url}/v1/alerts/stream", headers=headers) as answer:
            arriving = events(answer)
            next(arriving)
            resumed = [next(arriving) for _ in range(3)]
        assert [(event["event"], json.loads(event["data"])["alert_id"]) for event in resumed] == [
            ("firing", "other"),
            ("updated", "new"),
            ("resolved", "new"),
        ]
        with client.stream("GET", f"{url}/v1/alerts/stream", params={"model": "churn"}) as answer:
            arriving = events(answer)
            next(arriving)
            world.add("alerts", [step("x", 0, "firing", 10_000), step("y", 0, "firing", 600, model="churn")])
            names = (json.loads(event["data"])["alert_id"] for event in arriving)
            # The reader of all streams may not have come to what was stored right before this one began.
            assert next(name for name in names if name != "other") == "y"


@pytest.mark.parametrize("parameters", [{}, {"model": OWN}])
def test_a_stream_shows_alerts_about_leeway_itself(parameters: dict[str, str]) -> None:
    world = World()
    with (
        served(world) as url,
        httpx.Client(timeout=120) as client,
        client.stream("GET", f"{url}/v1/alerts/stream", params=parameters) as answer,
    ):
        arriving = events(answer)
        next(arriving)
        world.add("alerts", [step("own", 0, "firing", 1_000, model=OWN)])
        assert json.loads(next(arriving)["data"])["alert_id"] == "own"


def test_a_stream_shows_only_alerts_that_all_matchers_match() -> None:
    world = World()

    def happens(name: str, at_ms: int, labels: str, title: str = "") -> None:
        world.add("alerts", [step(name, 0, "firing", at_ms, labels=labels, title=title, signals="[]")])

    with served(world) as url, httpx.Client(timeout=120) as client:
        wanted = {
            "matcher": ['severity=~"warning|critical"', '{team!="growth", "größe.x"=""}', "annotation:summary!~known.*"]
        }
        with client.stream("GET", f"{url}/v1/alerts/stream", params=wanted) as answer:
            arriving = events(answer)
            next(arriving)
            happens("a", 1_000, '{"severity":"info"}')
            happens("b", 2_000, '{"severity":"critical","team":"growth"}')
            happens("c", 3_000, '{"severity":"critical","größe.x":"1"}')
            happens("k", 3_500, '{"severity":"critical"}', title="known: amount moved")
            happens("d", 4_000, '{"severity":"critical","team":"risk"}')
            seen = next(arriving)
            assert json.loads(seen["data"])["alert_id"] == "d"
        happens("e", 5_000, '{"severity":"info"}')
        happens("f", 6_000, '{"severity":"warning"}')
        headers = {"Last-Event-ID": seen["id"]}
        with client.stream("GET", f"{url}/v1/alerts/stream", params=wanted, headers=headers) as answer:
            arriving = events(answer)
            next(arriving)
            assert json.loads(next(arriving)["data"])["alert_id"] == "f", "what was seen is not shown again"
    refused = Client(World()).get("/v1/alerts/stream", matcher="severity")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "matcher"


def test_a_stream_of_thousands_of_models_resumes_where_it_was_cut_off() -> None:
    names = [f"model-{number:04}" for number in range(3_000)]
    world = World(configuration=configured(*map(model, names)))
    digests = [hashlib.sha256(name.encode()).hexdigest()[:16] for name in names]
    first_ms = 1_700_000_000_000
    world.add(
        "alerts",
        [
            step(digest, 0, "firing", first_ms + 61_000 * n, model=name)
            for n, (name, digest) in enumerate(zip(names, digests, strict=True))
        ],
    )
    app = Client(world, alert_poll_s=0.01).app
    server = Server(socket.create_server(("127.0.0.1", 0)), 5)
    server.answer(app, app.state.connections, None)
    address = f"{server.url(None)}/v1/alerts/stream"
    try:
        with httpx.Client(timeout=120) as client:
            with client.stream("GET", address) as answer:
                seen = next(events(answer))
            world.add("alerts", [step("new", 0, "firing", first_ms, model=names[7])])
            world.add("alerts", [step("newer", 0, "firing", 2 * first_ms, model=names[7])])
            with client.stream("GET", address, headers={"Last-Event-ID": seen["id"]}) as answer:
                assert answer.status_code == 200
                arriving = events(answer)
                assert next(arriving)["id"] == seen["id"]
                assert json.loads(next(arriving)["data"])["alert_id"] == "newer"
    finally:
        app.state.stopping.set()
        server.close()


def test_a_stream_does_not_keep_the_server_from_stopping() -> None:
    with served(World()) as url, httpx.Client(timeout=120) as client:
        answer = client.send(client.build_request("GET", f"{url}/v1/alerts/stream"), stream=True)
        next(events(answer))
    answer.close()


HALF = "\ud800"
UNSTORABLE = [{"fraud": [1, HALF, 0]}, {HALF: [1, "a", 0]}, {"fraud": [1, "a", 2**70]}, {"fraud": ["1", "a", 0]}]


def packed(text: str) -> str:
    """An id as the stream writes it."""
    return base64.urlsafe_b64encode(zlib.compress(text.encode())).decode().rstrip("=")


NONSENSE = [
    "nonsense", packed("[1]"), packed("{}") + "AA", packed('{"fraud": [1, "a", 0]}')[:-4], packed("[" * 100_000),
    packed(" " * (5 << 20) + "{}"), *(packed(json.dumps(each)) for each in UNSTORABLE),
]  # fmt: skip


@pytest.mark.parametrize("last_event_id", NONSENSE)
def test_a_stream_cannot_resume_from_nonsense(last_event_id: str) -> None:
    answer = Client(World()).request("GET", "/v1/alerts/stream", headers={"Last-Event-ID": last_event_id})
    assert answer.json()["type"] == "/v1/problems#bad-cursor"
