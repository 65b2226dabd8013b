"""One process around the stages: what it does when a part of it fails, ends or changes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numba.core.event
import pytest
from structlog.testing import capture_logs

from monitor.build import bounded_source
from monitor.clock import ManualClock, SystemClock
from monitor.config import load
from monitor.errors import InputError, StartStoppedError
from monitor.evaluate.loop import EvaluateLoop
from monitor.service import Service
from sinks.store import STORES
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from tests.service import shop

Log = list[bytes]


@pytest.fixture(scope="module")
def log() -> tuple[Log, int]:
    [log], end_ms = shop.traffic(7, windows=40, per_window=80, partitions=1)
    return log, end_ms


@pytest.fixture
def file(tmp_path: Path, log: tuple[Log, int]) -> Path:
    path = tmp_path / "models" / "events.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"\n".join(log[0]) + b"\n")
    return path


def on_a_file(tmp_path: Path, name: str = "events.jsonl", **spec: Any) -> Any:
    settings = {"idle_after": "1h", "checkpoint_every": "100ms", "store": {"kind": "memory"}}
    return load(shop.configured(tmp_path, shop.model("shop", {"file": name}), **settings, **spec))


class Stumbling(MemoryStore):
    """A memory store that does not answer for a while, in the midst of the evaluation."""

    def __init__(self, retryable: bool = True) -> None:
        super().__init__()
        self.refusals = self.failures = 0
        self._retryable = retryable

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        super().append(table, columns, token)
        if table == "scores" and self.failures == 0:
            # The rows are there, but nobody is told so; and what follows finds the store gone.
            self.failures, self.refusals = 1, 3
            raise StoreError("no answer", retryable=self._retryable)

    def read(self, query: Query) -> Columns:
        if self.refusals and query.table in ("checkpoints", "progress"):
            self.refusals -= 1
            raise StoreError("no answer", retryable=self._retryable)
        return super().read(query)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.evaluate.loop.RETRY_S", 0.01)
    monkeypatch.setattr("monitor.evaluate.loop.EVALUATE_EVERY_S", 0.02)


def test_a_file_is_watched_to_its_end(tmp_path: Path, file: Path, log: tuple[Log, int]) -> None:
    lines, end_ms = log
    configuration, store = on_a_file(tmp_path), MemoryStore()
    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
        assert service.status()["records"] == len(lines)
        assert not service.stopping.is_set()
    expected = shop.results(shop.replayed(tmp_path, configuration, {"events.jsonl": [lines]}), end_ms)
    assert shop.results(store, end_ms) == expected


def test_a_store_that_does_not_answer_for_a_while_costs_nothing(
    tmp_path: Path, file: Path, log: tuple[Log, int]
) -> None:
    lines, end_ms = log
    configuration, store = on_a_file(tmp_path), Stumbling()
    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
    assert (store.failures, store.refusals) == (1, 0)
    expected = shop.results(shop.replayed(tmp_path, configuration, {"events.jsonl": [lines]}), end_ms)
    assert shop.results(store, end_ms) == expected


def test_a_store_that_is_broken_is_said_and_costs_nothing_once_it_is_mended(
    tmp_path: Path, file: Path, log: tuple[Log, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.threads.FIRST_PAUSE_S", 0.3)
    monkeypatch.setattr("monitor.threads.STEADY_S", 0.5)
    lines, end_ms = log
    configuration, store = on_a_file(tmp_path), Stumbling(retryable=False)
    with shop.serving(configuration, store) as service:
        why = "the stage evaluate failed, and is started again: StoreError: no answer"
        shop.wait_until(lambda: why in service.ready(), "the service says why")
        judged = Query("scores", {"signal": "volume"}, low={"window_end_ms": end_ms})
        shop.wait_until(lambda: len(store.read(judged)["model"]) > 0, "the last window is judged")
        shop.wait_until(lambda: not service.ready(), "it is ready again")
    expected = shop.results(shop.replayed(tmp_path, configuration, {"events.jsonl": [lines]}), end_ms)
    assert shop.results(store, end_ms) == expected


def test_a_source_that_was_taken_out_of_the_configuration_holds_nothing_back(
    tmp_path: Path, file: Path, log: tuple[Log, int]
) -> None:
    lines, end_ms = log
    store = MemoryStore()
    (file.parent / "old.jsonl").write_bytes(b"\n".join(lines[:1000]) + b"\n")
    old = load(
        shop.configured(tmp_path, shop.model("shop", {"file": "old.jsonl", "follow": True}), store={"kind": "memory"})
    )
    with shop.serving(old, store) as service:
        shop.wait_until(lambda: shop.rows(store, "progress"), "the old file is read")
    with shop.serving(on_a_file(tmp_path), store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")


def test_a_file_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file matches .*nothing-\*\.jsonl"):
        Service(on_a_file(tmp_path, "nothing-*.jsonl"), SystemClock(), MemoryStore())


def test_a_bounded_run_reads_kafka_only(tmp_path: Path, file: Path) -> None:
    with pytest.raises(InputError, match="leeway replay"):
        bounded_source(on_a_file(tmp_path))


class Counting(MemoryStore):
    """A memory store that counts what it is asked, by table."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def read(self, query: Query) -> Columns:
        self.asked[query.table] += 1
        return super().read(query)


def test_however_many_models_there_are_one_question_tells_whether_there_is_something_new(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a service with five models that evaluates only when it is told to
    monkeypatch.setattr("monitor.evaluate.loop.EVALUATE_EVERY_S", 3_600)
    models = [shop.model(f"shop-{number}", {"file": "events.jsonl"}) for number in range(5)]
    store = Counting()
    with shop.serving(load(shop.configured(tmp_path, *models, store={"kind": "memory"})), store) as service:
        shop.wait_until(lambda: not service.ready(), "the file is open")
        # when it looks whether there is something new
        store.asked.clear()
        service.loop.evaluate_now()
        # then the number of models does not show
        assert store.asked["progress"] == 1


class Away(MemoryStore):
    """A store that answers only from some call on."""

    def __init__(self, failures: int, *, retryable: bool) -> None:
        super().__init__()
        self.failures, self.retryable = failures, retryable

    def migrate(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("Connection refused", retryable=self.retryable)
        super().migrate()


def test_a_start_waits_for_a_store_that_is_away(tmp_path: Path) -> None:
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    clock = ManualClock()
    with capture_logs() as log:
        reasons: list[str] = []
        Service(configuration, clock, Away(3, retryable=True), waits_for_store=True, on_wait=reasons.append).stop()
    assert reasons[:4] == [*3 * ["Connection refused"], ""]
    assert [line["error"] for line in log if line["event"] == "the start waits for the store"] == 3 * [
        "Connection refused"
    ]
    assert 3 <= clock.monotonic_s() <= 10


class WithoutTables(MemoryStore):
    """A store whose tables another process makes, after some looks."""

    looks = 0

    def is_current(self) -> bool:
        self.looks += 1
        return self.looks > 2


def test_a_start_says_that_it_waits_for_the_process_that_makes_the_tables(tmp_path: Path) -> None:
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    reasons: list[str] = []
    store = WithoutTables()
    store.migrate()
    service = Service(configuration, ManualClock(), store, ["alert"], waits_for_store=True, on_wait=reasons.append)
    service.stop()
    assert reasons[:3] == [*2 * ["the process that evaluates has not made the tables yet"], ""]


def test_a_start_waits_for_a_store_that_cannot_be_opened_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = iter([Away(1, retryable=True), Away(1, retryable=True), MemoryStore()])
    monkeypatch.setitem(STORES, "memory", lambda: next(stores))
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), store={"kind": "memory"}))
    with capture_logs() as log:
        Service(configuration, ManualClock(), waits_for_store=True).stop()
    assert [line["event"] for line in log].count("the start waits for the store") == 2


def test_a_start_that_waits_for_a_store_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    store, stop = Away(2, retryable=True), threading.Event()
    stop.set()
    with pytest.raises(StartStoppedError):
        Service(configuration, ManualClock(), store, waits_for_store=True, stop=stop)
    assert store.failures == 1


class Closing(MemoryStore):
    """A store that counts how often it was closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_a_start_that_fails_closes_its_store_and_everything_else_that_it_has_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise InputError("wrong")

    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    for place in ("build.keep_lifetimes", "service.EvaluateLoop", "service.build_router", "service.StageMetrics"):
        store = Closing()
        with monkeypatch.context() as patched:
            patched.setattr(f"monitor.{place}", fail)
            with pytest.raises(InputError, match="wrong"):
                Service(configuration, ManualClock(), store)
        assert store.closed == 1, place
    # Nobody has the log of HTTP events any more.
    Service(configuration, ManualClock(), MemoryStore()).stop()


class AwayAtTimes(MemoryStore):
    """A store that does not answer some questions."""

    refusals = 0

    def read(self, query: Query) -> Columns:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("Connection refused", retryable=True)
        return super().read(query)


def test_a_start_waits_for_a_store_that_goes_away_in_the_middle_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.build.RETRY_S", 0.01)
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    store = AwayAtTimes()
    store.migrate()
    store.refusals = 2
    with capture_logs() as log:
        service = Service(configuration, SystemClock(), store, waits_for_store=True)
        store.refusals = 2
        service.start()
        service.stop()
    service.raise_failure()
    assert [line["event"] for line in log].count("the start waits for the store") == 4


def test_a_service_ends_well_although_its_store_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: EvaluateLoop) -> None:
        raise StoreError("Connection refused", retryable=True)

    monkeypatch.setattr(EvaluateLoop, "save", refuse)
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    with capture_logs() as log:
        service = Service(configuration, SystemClock(), MemoryStore())
        service.start()
        service.stop()
    service.raise_failure()
    assert "evaluation is not saved: the next start goes on from what is stored" in [line["event"] for line in log]


class Unclosable(MemoryStore):
    """A store that waits for somebody's question, which is never answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = threading.Event()

    def close(self) -> None:
        self.answered.wait(60)
        super().close()


def test_a_service_ends_although_its_store_never_answers_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.CLOSE_WITHIN_S", 0.2)
    store = Unclosable()
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    service = Service(configuration, SystemClock(), store)
    service.start()
    ending = threading.Thread(target=service.stop)
    with capture_logs() as log:
        ending.start()
        ending.join(120)
        has_ended = not ending.is_alive()
        store.answered.set()
        ending.join()
    assert has_ended
    assert "the store is left open: it does not answer a request" in [line["event"] for line in log]


def test_a_service_ends_although_its_store_never_takes_what_it_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr("monitor.service.SAVE_WITHIN_S", 0.2)
    monkeypatch.setattr(EvaluateLoop, "save", lambda _: answered.wait(60))
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    service = Service(configuration, SystemClock(), MemoryStore())
    service.start()
    ending = threading.Thread(target=service.stop, name="ending")
    with capture_logs() as log:
        ending.start()
        ending.join(30)
        has_ended = not ending.is_alive()
        answered.set()
        ending.join()
    assert has_ended
    [line] = [line for line in log if line["event"] == "threads that have not ended end with the process"]
    assert "save" in line["threads"]
    assert "ending" not in line["threads"]
    service.intake.close()


def test_what_is_wrong_with_the_store_at_the_end_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: EvaluateLoop) -> None:
        raise StoreError("no such table", retryable=False)

    monkeypatch.setattr(EvaluateLoop, "save", refuse)
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    service = Service(configuration, SystemClock(), MemoryStore())
    service.start()
    with pytest.raises(StoreError, match="no such table"):
        service.stop()


class AwayOnce(MemoryStore):
    """A store that does not answer one of its questions."""

    def __init__(self, unanswered: int) -> None:
        super().__init__()
        self.unanswered = unanswered

    def read(self, query: Query) -> Columns:
        self.unanswered -= 1
        if self.unanswered == -1:
            raise StoreError("Connection refused", retryable=True)
        return super().read(query)


def test_a_start_waits_for_a_store_whatever_it_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.build.RETRY_S", 0.001)
    models = [shop.model("shop", {"http": "shop"}), shop.model("desk", {"kafka": "desk"})]
    configuration = load(shop.configured(tmp_path, *models))
    for unanswered in range(100):
        store = AwayOnce(unanswered)
        with capture_logs() as log:
            service = Service(configuration, SystemClock(), store, waits_for_store=True)
        is_answered = store.unanswered >= 0
        service.stop()
        if [line["event"] for line in log].count("the start waits for the store") == 0:
            break
    assert is_answered, "every question of a start was once without an answer"
    assert unanswered > 5


@pytest.mark.parametrize(("retryable", "waits"), [(False, True), (True, False)])
def test_a_store_that_cannot_be_used_is_an_error_and_so_is_one_that_nobody_waits_for(
    retryable: bool, waits: bool, tmp_path: Path
) -> None:
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    with pytest.raises(StoreError, match="refused"):
        Service(configuration, ManualClock(), Away(1, retryable=retryable), waits_for_store=waits)


def test_a_service_whose_kernels_are_compiled_says_so_while_that_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a compiler that is at work, and no cache on disk
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.compiling.TOLD_AFTER_S", 0.2)
    monkeypatch.setattr("monitor.heartbeat.compiling.PAUSE_S", 0.2)
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), store={"kind": "memory"}))
    with capture_logs() as log, shop.serving(configuration, MemoryStore()) as service:
        shop.wait_until(lambda: not service.notes(), "nothing is compiled")
        with numba.core.event.trigger_event("numba:compile"):
            shop.wait_until(service.notes, "it is said")
            [note] = service.notes()
        # then it is over
        shop.wait_until(lambda: not service.notes(), "it is no longer said")
        shop.wait_until(lambda: any(line["event"] == "compiled" for line in log), "that it is over is in the log")
        assert service.ready() == []
    assert note.startswith("kernels are being compiled, for ")
    assert any(line["event"].startswith("compiling: ") for line in log)
