"""The client for event loops: the same methods, and the same answers, as the one that blocks."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from monitor.api.app import create_app
from monitor.client import Answer, AsyncAnswer, AsyncLeeway, Leeway, QuestionError, UnavailableError, UnreachableError
from monitor.client.configurations import AsyncConfigurations, Configurations
from monitor.client.inprocess import AsyncInProcess, InProcess
from tests.api.test_alerts import served as alerts_served
from tests.api.world import World, step
from tests.client.test_client import QUESTIONS, Flaky, busy, fill


def methods(of: type) -> dict[str, list[inspect.Parameter]]:
    """The public methods of a class, with the parameters behind the object itself."""
    public = {name: getattr(of, name) for name in vars(of) if not name.startswith("_") and callable(getattr(of, name))}
    return {
        name: [each.replace(annotation=None) for each in inspect.signature(method).parameters.values()][1:]
        for name, method in public.items()
    }


@pytest.mark.parametrize(
    ("blocking", "waiting"),
    [(Leeway, AsyncLeeway), (Answer, AsyncAnswer), (Configurations, AsyncConfigurations)],
    ids=lambda kind: kind.__name__,
)
def test_both_clients_have_the_same_methods(blocking: type, waiting: type) -> None:
    assert methods(waiting) == methods(blocking)
    assert all(getattr(waiting, name).__doc__ for name in methods(waiting) if name != "embedded")


def test_both_clients_are_made_alike() -> None:
    made = [
        {name: each.default for name, each in inspect.signature(kind).parameters.items()}
        for kind in (Leeway, AsyncLeeway)
    ]
    assert made[0] == made[1]


def test_every_question_has_the_same_answer(tmp_path: Path) -> None:
    app = create_app(fill(World()))

    async def answers() -> None:
        with Leeway("http://leeway", transport=InProcess(app)) as blocking:
            async with AsyncLeeway("http://leeway", transport=AsyncInProcess(app)) as leeway:
                # The questions take either client.
                client: Any = leeway
                for question in QUESTIONS.values():
                    asked: Any = question(client)
                    assert [row async for row in asked] == list(question(blocking))
                history = leeway.history("fraud", limit=6)
                assert (await history.arrow()).equals(blocking.history("fraud", limit=6).arrow())
                assert (await history.pandas()).equals(blocking.history("fraud", limit=6).pandas())
                assert (await history.polars()).equals(blocking.history("fraud", limit=6).polars())
                assert (await history.document()).keys() == blocking.history("fraud").document().keys()
                target = await history.save(tmp_path / "history.csv")
                assert target.read_bytes() == b"".join(blocking.history("fraud", limit=6).stream("csv"))
                with pytest.raises(QuestionError, match="known are fraud"):
                    await leeway.history("fruad").save(tmp_path / "none.csv")
                assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]
                with pytest.raises(ValueError, match="no form 'xlsx'"):
                    leeway.alerts().stream("xlsx")

    asyncio.run(answers())


def test_pages_do_not_show_in_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pages() -> tuple[list[Any], list[Any]]:
        async with AsyncLeeway("http://leeway", transport=AsyncInProcess(create_app(fill(World())))) as leeway:
            whole = [row async for row in leeway.history("fraud")]
            monkeypatch.setattr("monitor.client.requests.PAGE", 4)
            return whole, [row async for row in leeway.history("fraud")]

    whole, paged = asyncio.run(pages())
    assert paged == whole
    assert len(whole) == 13


def test_what_is_done_is_awaited() -> None:
    async def done() -> dict[str, Any]:
        async with AsyncLeeway("http://leeway", transport=AsyncInProcess(create_app(World()))) as leeway:
            assert await leeway.subscriptions() == []
            return await leeway.accept("fraud", "volume", at="-1h", reason="more customers", created_by="ann")

    mark = asyncio.run(done())
    assert (mark["says"], mark["created_by"]) == ("accepted", "ann")


def test_an_event_loop_asks_again_as_often_as_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.client.requests.MOST_WAIT_S", 0.0)

    async def asked(service: Flaky) -> list[Any]:
        async with AsyncLeeway("http://leeway", transport=httpx.MockTransport(service)) as leeway:
            return [row async for row in leeway.alerts()]

    passing, lasting = Flaky(httpx.ConnectError("refused"), busy(), busy("3")), Flaky(*[busy("60")] * 9)
    assert asyncio.run(asked(passing)) == [{"n": 1}]
    with pytest.raises(UnavailableError, match="busy"):
        asyncio.run(asked(lasting))
    assert (passing.calls, lasting.calls) == (4, 4)
    with pytest.raises(UnreachableError, match="cannot be reached: refused"):
        asyncio.run(asked(Flaky(*[httpx.ConnectError("refused")] * 4)))


def test_a_change_is_sent_once_by_either_client() -> None:
    async def marked(service: Flaky) -> None:
        async with AsyncLeeway("http://leeway", transport=httpx.MockTransport(service)) as leeway:
            await leeway.mark("fraud", "volume", "false", created_by="ann")

    service = Flaky(busy(), busy())
    with pytest.raises(UnavailableError):
        asyncio.run(marked(service))
    assert service.calls == 1


def test_alerts_are_followed_in_an_event_loop_across_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.client.stream.PAUSE_S", 0.05)
    world = World()

    async def followed(stack: ExitStack) -> list[str]:
        with alerts_served(world) as url:
            leeway = AsyncLeeway(url)
            happening: Any = leeway.follow(matchers=["model=fraud"])
            assert (await anext(happening))[1] is None
            world.add("alerts", [step("a", 0, "firing", 2_000)])
            _, first = await anext(happening)
        world.add("alerts", [step("b", 0, "firing", 3_000)])
        stack.enter_context(alerts_served(world, int(url.rpartition(":")[2])))
        async with leeway, aclosing(happening):
            seen = [first["alert_id"]]
            async for _, happened in happening:
                if happened is not None:
                    return [*seen, happened["alert_id"]]
        return seen

    with ExitStack() as stack:
        assert asyncio.run(followed(stack)) == ["a", "b"]


class Endless:
    """An application whose answers never end, or never begin; it says when it is asked, and when it has ended."""

    def __init__(self, *, begins: bool) -> None:
        self.begins, self.is_asked, self.has_ended = begins, threading.Event(), threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            if self.begins:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            self.is_asked.set()
            while self.begins:
                await send({"type": "http.response.body", "body": b"part", "more_body": True})
            await receive()
            await receive()
        finally:
            self.has_ended.set()


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize("by_task", [True, False])
def test_a_question_that_is_cancelled_leaves_nothing_behind(tmp_path: Path, begins: bool, by_task: bool) -> None:
    app = Endless(begins=begins)

    async def cancelled() -> None:
        async with AsyncLeeway("http://leeway", transport=AsyncInProcess(app)) as leeway:
            saved = leeway.alerts().save(tmp_path / "alerts.csv")
            if by_task:
                task = asyncio.create_task(saved)
                assert await asyncio.to_thread(app.is_asked.wait, 10)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(lambda: saved)
                    assert await asyncio.to_thread(app.is_asked.wait, 10)
                    tasks.cancel_scope.cancel()
            assert await asyncio.to_thread(app.has_ended.wait, 10)

    asyncio.run(cancelled())
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_is_left_early_gives_its_connection_back() -> None:
    class Parts(httpx.AsyncByteStream):
        is_closed = False

        async def __aiter__(self) -> Any:
            for _ in range(3):
                yield b'{"row": 1}\n'

        async def aclose(self) -> None:
            self.is_closed = True

    answers: list[Parts] = []

    def answered(request: httpx.Request) -> httpx.Response:
        answers.append(Parts())
        return httpx.Response(200, stream=answers[-1])

    async def left() -> None:
        async with AsyncLeeway("http://leeway", transport=httpx.MockTransport(answered)) as leeway:
            for stream in (leeway.alerts().stream("csv"), leeway.export("4711")):
                parts: Any = stream
                async with aclosing(parts):
                    assert await anext(parts)
                assert answers[-1].is_closed

    asyncio.run(left())


def test_a_client_closes_while_an_answer_is_half_read() -> None:
    app = Endless(begins=True)
    leeway = Leeway("http://leeway", transport=InProcess(app), retries=0)
    parts = leeway.alerts().stream("csv")
    assert next(parts) == b"part"
    leeway.close()
    assert app.has_ended.is_set()
    with pytest.raises(UnreachableError, match="ended before it was complete"):
        list(parts)
    leeway.close()
