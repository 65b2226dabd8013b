"""What a killed process has written and not saved is made again under its configuration, whatever comes in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.config import load
from monitor.decoders.schemas import NO_SCHEMAS
from monitor.erasure.erased import ErasureList
from monitor.events import Partition, Records
from monitor.ingest.ingest import Ingest
from monitor.ingest.intake import Intake, Reading
from monitor.ingest.readers import Readers
from monitor.ingest.worker import Worker
from monitor.watch import Watch, compile_watch
from sinks.store.contract import StoreError
from sinks.store.memory import MemoryStore
from tests.ingest.held_log import EVENTS, TOPICS, HeldLog
from tests.service import shop

BY_COUNTRY = {"segments": [{"by": ["country"], "values": ["DE"]}]}


class BrokenStore(MemoryStore):
    """A store that refuses some writes of panes."""

    refusals = 0

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if table == "panes" and self.refusals:
            self.refusals -= 1
            raise StoreError("read-only for a moment", retryable=True)
        super().append(table, columns, token)


@pytest.fixture
def store() -> BrokenStore:
    store = BrokenStore()
    store.migrate()
    return store


@pytest.fixture
def watch(tmp_path: Path) -> Callable[..., Watch]:
    def compiled(name: str = "orders", topic: str = TOPICS[0], **spec: Any) -> Watch:
        document = shop.model(name, {"kafka": topic}, **spec)
        return compile_watch(load(shop.configured(tmp_path, document, models=[f"models/{name}.yaml"])), name)

    return compiled


def readers_of(*watches: Watch, former: Sequence[Watch] = ()) -> Readers:
    by_hash = {(watch.name, watch.fold_hash): watch for watch in former}
    return Readers(watches, former=lambda model, config: by_hash.get((model, config)))


def log_of(*watches: Watch) -> HeldLog:
    return HeldLog(*(topic for watch in watches for source in watch.model.spec.sources for topic in source.kafka or ()))


def killed(store: MemoryStore, *watches: Watch, saved: int = 400) -> None:
    """Leave a checkpoint, and rows behind it."""
    ingest = Ingest(readers_of(*watches), store, log_of(*watches))
    ingest.open()
    ingest.step(saved, 0)
    ingest.save()
    for _ in range(3):
        ingest.step(200, 0)


def stopped(store: MemoryStore, *watches: Watch, polls: int = 1) -> None:
    """Read 500 messages a poll, with the rest of the log behind them, and stop as a service does."""
    stop = threading.Event()

    class StoppedLog(HeldLog):
        polls = 0

        def poll(self, max_records: int, timeout_s: float) -> list[Records]:
            self.polls += 1
            if self.polls == polls:
                stop.set()
            return super().poll(500, timeout_s)

        def ends(self) -> dict[Partition, int]:
            return dict.fromkeys(super().ends(), self.polls * 500)

    source = StoppedLog(
        *(topic for watch in watches for source in watch.model.spec.sources for topic in source.kafka or ())
    )
    Worker(
        Ingest(readers_of(*watches), store, source), store, ManualClock(), stop, checkpoint_every_s=10, idle_after_s=60
    ).run()


def begun(store: MemoryStore, *watches: Watch, former: Sequence[Watch]) -> tuple[Ingest, HeldLog]:
    source = log_of(*watches)
    ingest = Ingest(readers_of(*watches, former=former), store, source)
    ingest.open()
    return ingest, source


def go_back(ingest: Ingest, source: HeldLog) -> None:
    source.rewind()
    ingest.forget()


def read_on(ingest: Ingest, source: HeldLog) -> None:
    """Read to the end, as a worker does."""
    for _ in range(40):
        ingest.step(200, 0)
        if ingest.has_caught_up:
            ingest.save()
            ingest.end_catch_ups()
            go_back(ingest, source)
    ingest.save()


def epochs(store: MemoryStore, watch: Watch) -> list[tuple[int, bool]]:
    """The offsets from which models of a name are folded, and whether it is as the given one."""
    rows = shop.rows(store, "epochs", only=["number", "from_offset", "config"], model=watch.name)
    return [(offset, config == watch.fold_hash) for _, offset, config in sorted(rows)]


WHOLE = [(0, True), (len(EVENTS), False)]
"""Up to the end of the log under the configuration of the process that was killed."""


def test_a_partition_that_is_assigned_between_two_polls_catches_up(
    store: BrokenStore, watch: Callable[..., Watch]
) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former)
    ingest, source = begun(store, present, former=[former])
    source.changed = [(kind, frozenset({(TOPICS[0], 0)})) for kind in ("revoked", "assigned")]
    read_on(ingest, source)
    assert epochs(store, former) == WHOLE


def test_people_are_told_which_models_catch_up_until_they_have(store: BrokenStore, watch: Callable[..., Watch]) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former)
    ingest, source = begun(store, present, former=[former])
    intake = Intake(NO_SCHEMAS, ErasureList(store))
    worker = Worker(ingest, store, ManualClock(), threading.Event(), checkpoint_every_s=10, idle_after_s=60)
    intake.reading["kafka", 0] = Reading((), worker)
    ingest.step(100, 0)
    worker.status.catching_up = ingest.catching_up
    sentence = "payments/0 is read under its former configuration, as far as a killed process may have come"
    assert intake.notes() == [f"model orders catches up: {sentence}"]
    assert intake.catching_up() == {"orders": ["payments/0"]}
    worker.status.catching_up = {("payments", 0): tuple(f"m{number:04}" for number in range(1_500))}
    assert (len(intake.notes()), intake.notes()[-1].partition(":")[0]) == (21, "1,480 more models catch up")

    read_on(ingest, source)
    assert ingest.catching_up == {}


def test_changes_of_other_models_do_not_cut_a_catch_up_short(store: BrokenStore, watch: Callable[..., Watch]) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former)
    ingest, source = begun(store, present, former=[former])
    for number in range(3):
        ingest.step(100, 0)
        ingest.save()
        ingest.read_as(readers_of(present, watch(f"m{number}", TOPICS[1]), former=[former]), is_saved=True)
        go_back(ingest, source)
    read_on(ingest, source)
    assert epochs(store, former) == WHOLE


def test_a_change_soon_after_a_start_waits_for_what_was_written_before_the_start(
    store: BrokenStore, watch: Callable[..., Watch]
) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former)
    ingest, source = begun(store, former, former=[])
    ingest.step(100, 0)
    ingest.save()
    ingest.read_as(readers_of(present, former=[former]), is_saved=True)
    go_back(ingest, source)
    read_on(ingest, source)
    assert epochs(store, former) == WHOLE


def test_writes_that_fail_do_not_end_a_catch_up(store: BrokenStore, watch: Callable[..., Watch]) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former)
    ingest, source = begun(store, present, former=[former])
    store.refusals = 3
    for _ in range(store.refusals):
        with pytest.raises(StoreError):
            read_on(ingest, source)
        go_back(ingest, source)
    read_on(ingest, source)
    assert epochs(store, former) == WHOLE


def test_a_former_configuration_that_fails_is_given_up(
    store: BrokenStore, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former)
    ingest, source = begun(store, present, former=[former])
    with monkeypatch.context() as broken:
        broken.setattr("monitor.ingest.lane.Lane.fold", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ingest.step(200, 0)
    go_back(ingest, source)
    read_on(ingest, source)
    assert epochs(store, former) == [(0, True), (400, False)]
    assert "a former configuration fails" in capsys.readouterr().out


def test_a_former_version_that_is_not_found_is_named(
    store: BrokenStore, watch: Callable[..., Watch], capsys: pytest.CaptureFixture[str]
) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former)
    ingest, source = begun(store, present, former=[])
    read_on(ingest, source)
    assert epochs(store, former) == [(0, True), (400, False)]
    assert "are not made again" in capsys.readouterr().out


@pytest.mark.parametrize("moved", [False, True], ids=["released", "moved"])
def test_a_model_that_left_the_topic_meanwhile_catches_up_there(
    store: BrokenStore, watch: Callable[..., Watch], *, moved: bool
) -> None:
    former, other = watch(**BY_COUNTRY), watch("other")
    killed(store, former, other)
    present = [watch(topic=TOPICS[1])] if moved else []
    ingest, source = begun(store, other, *present, former=[former])
    read_on(ingest, source)
    rows = shop.rows(store, "epochs", only=["number", "from_offset", "config"], model="orders", topic=TOPICS[0])
    assert [row[1:] for row in sorted(rows)] == [(0, former.fold_hash), (len(EVENTS), "")]


def test_a_partition_whose_checkpoint_is_at_its_end_is_begun_once(
    store: BrokenStore, watch: Callable[..., Watch]
) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    killed(store, former, saved=len(EVENTS))
    looked_for: list[str] = []

    def look_for(model: str, config: str) -> Watch:
        looked_for.append(model)
        return former

    source = log_of(present)
    ingest = Ingest(Readers([present], former=look_for), store, source)
    ingest.open()
    for _ in range(3):
        read_on(ingest, source)
    assert looked_for == ["orders"]
    assert epochs(store, former) == WHOLE


AMOUNT = {"amount": {"type": "numeric"}}
COUNTRY = {"country": {"type": "category"}}


def of_features(features: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": {"id": "id", "features": dict(features)},
        "detect": {"pane": "10s", "defaults": {"window": "10s"}},
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(AMOUNT, AMOUNT | COUNTRY, id="added"),
        pytest.param(AMOUNT | COUNTRY, AMOUNT, id="removed"),
        pytest.param(AMOUNT, {"total": {"type": "numeric", "path": "amount"}}, id="renamed"),
    ],
)
def test_behind_a_clean_stop_a_changed_model_begins_at_the_checkpoint(
    store: BrokenStore, watch: Callable[..., Watch], before: dict[str, Any], after: dict[str, Any]
) -> None:
    former = watch(**of_features(before))
    present = watch(**of_features(after))
    stopped(store, former, watch("other", TOPICS[1]))
    ingest, source = begun(store, present, watch("other", TOPICS[1]), former=[former])
    read_on(ingest, source)
    assert epochs(store, former) == [(0, True), (500, False)]
    assert ingest.sightings.seen() >= {("orders", TOPICS[0], f"feature:{name}") for name in after}


def test_what_is_written_behind_a_clean_stop_is_made_again(store: BrokenStore, watch: Callable[..., Watch]) -> None:
    former, present = watch(**BY_COUNTRY), watch()
    stopped(store, former)
    ingest, _ = begun(store, former, former=[])
    ingest.step(100, 0)
    ingest, source = begun(store, present, former=[former])
    read_on(ingest, source)
    assert epochs(store, former) == WHOLE


def test_a_former_configuration_of_fewer_fields_catches_up(store: BrokenStore, watch: Callable[..., Watch]) -> None:
    former = watch(**of_features(AMOUNT))
    present = watch(**of_features(AMOUNT | COUNTRY))
    killed(store, former)
    ingest, source = begun(store, present, former=[former])
    read_on(ingest, source)
    assert epochs(store, former) == WHOLE
