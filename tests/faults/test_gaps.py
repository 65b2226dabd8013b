"""Messages that were gone before they were read: what people are told, and which windows say that they lack them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.alerts.own import MODEL
from monitor.clock import ManualClock
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import Horizon
from monitor.events import ENDED, Records
from monitor.heartbeat.lost_messages import STANDS_S, LostMessages
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.ingest.worker import Worker
from monitor.messages import LIFE
from monitor.sources.contract import Resume
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.faults.killing import SPEC
from tests.monitor.streams import HOUR_MS, TOPIC, applications, as_lines, configured, rows, written

CONFIGURATION = configured(**SPEC)
LOST = range(700, 900)


class Holey(FileSource):
    """A file of which some lines were removed before they could be read."""

    def open(self, resume: Resume) -> None:
        super().open(resume)
        self._at = resume(TOPIC, 0) or 0

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        if self._at == LOST.start:
            while self._at < LOST.stop:
                [gone] = super().poll(LOST.stop - self._at, timeout_s)
                self._at = int(gone.offsets[-1]) + 1
            self.gaps.append((TOPIC, 0, LOST.start, LOST.stop))
        ahead = LOST.start - self._at
        found = super().poll(min(max_records, ahead) if ahead > 0 else max_records, timeout_s)
        if found:
            self._at = int(found[-1].offsets[-1]) + 1
        return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    [path] = written(tmp_path, [as_lines(applications(5, days=6, per_day=300))])
    return path


def read(store: MemoryStore, log: Path, batch: int, stops: Sequence[int] = ()) -> None:
    """Read to the end, begun anew at the checkpoint after so many records each time."""
    for left in [*stops, 10**9]:
        source = Holey({TOPIC: [log]})
        ingest = Ingest(Readers([compile_watch(CONFIGURATION, "loans")]), store, source)
        ingest.open()
        done = 0
        while done < left and (count := ingest.step(batch, timeout_s=0.0)):
            done += count
            if count > 1 or done % 50 == 0:
                ingest.save()
        source.close()


def judged(store: MemoryStore) -> list[dict[str, object]]:
    Evaluation(compile_watch(CONFIGURATION, "loans"), store).advance(Horizon(frozenset({(TOPIC, 0)})))
    return [row for row in rows(store, "scores") if row["signal"] == "volume"]


def event_ms(log: Path, offset: int) -> int:
    return int(json.loads(log.read_bytes().splitlines()[offset])["ts"])


@pytest.mark.parametrize(
    ("batch", "stops"),
    [(1, ()), (50, ()), (350, ()), (50, (350, 400)), (350, (350, 400)), (50, (720, 10, 10)), (350, (720, 10, 10))],
)
def test_windows_that_lack_lost_messages_say_so_whatever_the_batches_and_crashes(
    log: Path, batch: int, stops: Sequence[int]
) -> None:
    store = MemoryStore()
    read(store, log, batch, stops)
    scores = judged(store)
    low, high = event_ms(log, LOST.start), event_ms(log, LOST.stop)
    said = {int(str(row["window_end_ms"])) for row in scores if row["idle"] == f"{TOPIC}/0:lost"}
    lacking = {
        end_ms
        for row in scores
        if (end_ms := int(str(row["window_end_ms"]))) > low and end_ms - int(str(row["window_ms"])) < high
    }
    assert lacking <= said
    # Nor do others, but those into which a lost message may have fallen, by the lateness and the pane that was open.
    width_ms = 4 * HOUR_MS
    assert all(low - 2 * HOUR_MS - width_ms <= end_ms <= high + HOUR_MS + 2 * width_ms for end_ms in said)
    assert len(said) < len(scores) / 2
    assert {row["idle"] for row in scores} == {"", f"{TOPIC}/0:lost"}


def test_a_gap_without_an_end_is_kept_until_an_event_comes(log: Path) -> None:
    store = MemoryStore()
    source = Holey({TOPIC: [log]})
    ingest = Ingest(Readers([compile_watch(CONFIGURATION, "loans")]), store, source)
    ingest.open()
    ingest.step(LOST.start, timeout_s=0.0)
    source.gaps.append((TOPIC, 0, LOST.start, LOST.stop))
    source.poll = lambda max_records, timeout_s: []  # type: ignore[method-assign]
    ingest.step(1, timeout_s=0.0)
    [gap] = rows(store, "gaps")
    assert (gap["first_offset"], gap["next_offset"], gap["to_ms"]) == (LOST.start, LOST.stop, ENDED)
    source.close()


def test_an_event_that_waits_for_witnesses_when_its_log_ends_is_not_believed(tmp_path: Path) -> None:
    events = list(applications(5, days=1, per_day=20))
    events[-1]["ts"] += 9 * 24 * HOUR_MS
    store = MemoryStore()
    source = FileSource({TOPIC: written(tmp_path, [as_lines(events)])})
    ingest = Ingest(Readers([compile_watch(CONFIGURATION, "loans")]), store, source)
    ingest.open()
    ingest.step(20, timeout_s=0.0)
    ingest.save()
    [waiting] = rows(store, "checkpoints", stage="ingest")
    source.gaps.append((TOPIC, 0, 20, LIFE))
    ingest.step(1, timeout_s=0.0)
    ingest.save()
    [settled] = rows(store, "checkpoints", stage="ingest")
    assert (waiting["position"], settled["position"]) == (19, LIFE)
    found = {row["offset"]: (row["reason"], bytes.fromhex(row["payload"])) for row in rows(store, "dead_letters")}
    assert found == {19: ("future", as_lines(events)[-1]), 20: ("log_truncated", b"")}
    source.close()


def test_everybody_is_told_and_told_when_it_is_over(log: Path) -> None:
    store, clock = MemoryStore(), ManualClock()
    source = Holey({TOPIC: [log]})
    ingest = Ingest(Readers([compile_watch(CONFIGURATION, "loans")]), store, source)
    settings = {"checkpoint_every_s": 3_600.0, "idle_after_s": 3_600.0}
    Worker(ingest, store, clock, threading.Event(), **settings).run()
    # Nobody would be notified of what is over at the next checkpoint: groups wait.
    [firing] = rows(store, "alerts", model=MODEL)
    lost = LostMessages(store, clock)
    lost.step()
    clock.advance(STANDS_S)
    lost.step()
    [firing, resolved] = rows(store, "alerts", model=MODEL)
    assert (firing["state"], resolved["state"], firing["alert_id"]) == ("firing", "resolved", resolved["alert_id"])
    assert firing["title"] == "200 messages of loans/0, from offset 700 on, were lost unread"
    assert json.loads(str(firing["labels"]))["alertname"] == "offsets_lost"
    [letter] = [row for row in rows(store, "dead_letters") if row["reason"] == "offsets_lost"]
    assert letter["offset"] == LOST.start
    assert store.read(Query("gaps"))["to_ms"].tolist() != [ENDED]
