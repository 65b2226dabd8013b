"""Many streams of alerts: one reader for all, a bound on how many, and none that misses anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from monitor.alerts.alert_log import ALERT_TABLES
from monitor.api import feed, streams
from monitor.api.feed import Happened, event_id
from monitor.api.streams import Stream, Streams
from monitor.config import Configuration, Service
from monitor.config.service import Api, ServiceSpec
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.api.world import Client, World, model, step

POLL_S = 0.002


class Counted(MemoryStore):
    """A store that counts what it is asked, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.away = False

    def read(self, query: Any) -> Columns:
        self.reads += 1
        if self.away:
            raise StoreError("away", retryable=True)
        return super().read(query)


class Following:
    """Streams over a world."""

    def __init__(self) -> None:
        self.store = Counted()
        self.world = World(store=self.store)
        self.app = Client(self.world, alert_poll_s=POLL_S).app
        self.streams: Streams = self.app.state.streams
        self.stack = AsyncExitStack()

    def happens(self, name: str, at_ms: int, sequence: int = 0, **more: Any) -> None:
        self.world.add("alerts", [step(name, sequence, "firing", at_ms, **more)])

    async def open(self, last_event_id: str | None = None) -> Shown:
        await self.stack.enter_async_context(self.streams.place())
        return Shown(await self.streams.stream(["fraud"], last_event_id, ()))


class Shown:
    """What one stream shows."""

    def __init__(self, stream: Stream) -> None:
        self._events = stream.events()
        self.id = ""

    async def next(self) -> str:
        """The id of the next alert; empty for the event that only says where the stream is."""
        event = await asyncio.wait_for(anext(self._events), 20)
        self.id = str(event.id or self.id)
        assert len((event.data or "{}").splitlines()) == 1
        return str(json.loads(event.data)["alert_id"]) if event.data else ""


def run(scenario: Callable[[Following], Any]) -> None:
    following = Following()

    async def scene() -> None:
        async with following.stack:
            await scenario(following)

    asyncio.run(scene())
    assert following.streams.open == 0


def test_idle_streams_ask_the_store_no_more_than_one_does() -> None:
    async def scenario(following: Following) -> None:
        first = await following.open()
        await first.next()
        asked = following.store.reads
        others = [await following.open() for _ in range(100)]
        for stream in others:
            await stream.next()
        assert following.store.reads - asked < 50, "one reader goes on; a stream more asks nothing"
        following.happens("a", 2_000)
        assert {await stream.next() for stream in (first, *others)} == {"a"}

    run(scenario)


def test_a_stream_that_reads_slowly_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RING", 3)
    monkeypatch.setattr(feed, "PAGE", 2)

    async def scenario(following: Following) -> None:
        slow, quick = await following.open(), await following.open()
        await slow.next(), await quick.next()
        for number in range(9):
            following.happens(f"a{number}", 2_000 + number)
            assert await quick.next() == f"a{number}"
        assert [await slow.next() for _ in range(9)] == [f"a{number}" for number in range(9)]
        following.happens("b", 3_000)
        assert (await slow.next(), await quick.next()) == ("b", "b")

    run(scenario)


def test_a_stream_resumes_behind_what_it_showed_and_goes_on_with_the_others() -> None:
    async def scenario(following: Following) -> None:
        first = await following.open()
        await first.next()
        for number in range(3):
            following.happens(f"a{number}", 2_000 + number)
        assert await first.next() == "a0"
        resumed = await following.open(first.id)
        assert [await resumed.next() for _ in range(3)] == ["", "a1", "a2"]
        following.happens("b", 3_000)
        following.happens("c", 4_000, model="churn")
        following.happens("d\u2028\x85", 5_000)
        assert [await resumed.next() for _ in range(2)] == ["b", "d\u2028\x85"], "of its own models only, and once"

    run(scenario)


def test_the_id_of_an_event_is_written_once_for_all_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def counted(positions: Any) -> str:
        written.append(event_id(positions))
        return written[-1]

    monkeypatch.setattr(feed, "event_id", counted)

    async def scenario(following: Following) -> None:
        shown = [await following.open() for _ in range(50)]
        for stream in shown:
            await stream.next()
        for number in range(5):
            following.happens(f"a{number}", 2_000 + number)
            assert {await stream.next() for stream in shown} == {f"a{number}"}
            assert {stream.id for stream in shown} == {written[-1]}

    run(scenario)
    assert len(written) == 6, "of thousands of models each takes milliseconds"


def test_streams_hold_little_for_clients_that_have_not_read_it_and_miss_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(following: Following) -> None:
        first = await following.open()
        await first.next()
        names = [f"a{number:03}" for number in range(300)]
        for number, name in enumerate(names):
            following.happens(name, 2_000 + number // 100)  # of many at one time none comes twice, or never
        size = Happened(rows_of(following.store.read(Query("alerts", limit=1)))[0]).size
        monkeypatch.setattr(streams, "HELD_BYTES", 60 * size)
        resumed = [await following.open(first.id) for _ in range(5)]
        for stream in resumed:
            assert [await stream.next(), await stream.next()] == ["", "a000"]
        assert 0 < following.streams.figures.held_bytes <= 60 * size
        for stream in (first, *resumed):
            shown = names if stream is first else names[1:]
            assert [await stream.next() for _ in shown] == shown
        following.happens("b", 9_000)
        assert {await stream.next() for stream in (first, *resumed)} == {"b"}

    run(scenario)


def test_a_stream_whose_token_ends_while_its_client_reads_slowly_shows_no_more() -> None:
    async def scenario(following: Following) -> None:
        first = await following.open()
        await first.next()
        for number in range(9):
            following.happens(f"a{number}", 2_000 + number)
        good = True

        async def is_good() -> bool:
            return good

        await following.stack.enter_async_context(following.streams.place())
        events = (await following.streams.stream(["fraud"], first.id, ())).events(is_good)
        shown = [await anext(events) for _ in range(3)]
        assert [json.loads(event.data)["alert_id"] for event in shown if event.data] == ["a0", "a1"]
        good = False
        assert "its token is not good any more" in str((await anext(events)).comment)
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    run(scenario)


def test_streams_end_while_the_store_is_away_and_begin_again_with_it() -> None:
    async def scenario(following: Following) -> None:
        stream = await following.open()
        await stream.next()
        following.store.away = True
        assert await stream.next() == "", "why it ends"
        with pytest.raises(StopAsyncIteration):
            await stream.next()
        following.happens("a", 2_000)
        following.store.away = False
        resumed = await following.open(stream.id)
        assert [await resumed.next(), await resumed.next()] == ["", "a"]

    run(scenario)


def test_one_stream_too_many_is_refused_with_the_reason_until_another_ends() -> None:
    service = Service(spec=ServiceSpec(api=Api(max_streams=1)))
    configuration = Configuration(service, {"fraud": model("fraud")}, root=None)  # type: ignore[arg-type]
    client = Client(World(configuration=configuration))
    places: Streams = client.app.state.streams

    async def beside_another() -> Any:
        async with places.place():
            return await client._request("GET", "/v1/alerts/stream")

    refused = asyncio.run(beside_another())
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert refused.json()["type"] == "/v1/problems#busy"
    assert "max_streams" in refused.json()["detail"]
    client.app.state.stopping.set()
    assert [client.get("/v1/alerts/stream").status_code for _ in range(3)] == [200] * 3, "each gives its place back"


def test_where_the_logs_of_a_thousand_models_end_is_one_question_of_each_table() -> None:
    store, names = Counted(), [f"m{number:03}" for number in range(1_000)]
    world = World(store=store)
    transitions = [
        step(f"a{number}", 0, "firing", number // 2, model=f"m{number % 1_000:03}") for number in range(1_500)
    ]
    world.add("alerts", transitions)
    world.add("freshness_alerts", [step("silent", 3, "firing", 7, model="m007")])
    store.reads = 0
    ends = feed.ends_of(store, names)
    assert store.reads == len(ALERT_TABLES)
    newest = {
        f"m{number % 1_000:03}": (number // 2, f"m{number % 1_000:03}", f"a{number}", 0) for number in range(1_500)
    }
    assert ends == newest | {"freshness_alerts/m007": (7, "m007", "silent", 3)}
