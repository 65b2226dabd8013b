"""What the contract gives a source that only reads."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.events import Partition, Records
from monitor.sources.contract import Resume, Source


class Quiet(Source):
    """A stream of one partition without messages."""

    guarantee = "nothing comes"
    bounded = True

    def __init__(self) -> None:
        self.gaps = []

    def open(self, resume: Resume) -> None:
        resume("events", 0)

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Records]:
        return []

    def partitions(self) -> frozenset[Partition]:
        return frozenset([("events", 0)])

    def assigned(self) -> frozenset[Partition]:
        return self.partitions()

    def at_end(self) -> frozenset[Partition]:
        return self.partitions()

    def close(self) -> None:
        pass


def test_a_source_whose_partitions_and_logs_stay_says_only_what_it_reads() -> None:
    source = Quiet()
    source.recall(("events", 0), source.mark(("events", 0)))
    source.commit({("events", 0): 7})
    assert (source.mark(("events", 0)), source.ends(), source.changes()) == ({}, {}, [])
    assert source.starts() == {}
    assert not source.is_gone("events")
    assert source.paused_s == 0.0


def test_a_source_that_cannot_go_back_has_to_be_opened_again() -> None:
    assert Quiet().rewind() is False
