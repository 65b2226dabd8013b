"""By which versions each process goes, stated in the store and as figures; and who does not go by the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.clock import Clock
from monitor.configurations.in_force import InForce
from sinks.store.batch import add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["ConfigurationMetrics", "Laggard", "Taken", "laggards"]

STATE_EVERY_S = 10.0
STATE_ALL_EVERY_S = 86_400.0
"""What has not been stated for 30 days goes."""

SILENT_AFTER_S = 60.0
GONE_AFTER_S = 600.0
"""Who has not stated for so long that it follows changes is not waited for; nor is who has stopped."""

EVERY_MODEL = ""
"""In place of a model: that a process follows changes at all."""

STOPPED = -1
"""In place of a version of every model."""


class Taken:
    """What one process states.

    Parameters
    ----------
    store : Store
    clock : Clock
    instance : str
        Which process this is.
    """

    def __init__(self, store: Store, clock: Clock, instance: str) -> None:
        self._store, self._clock, self._instance = store, clock, instance
        self._stated: dict[str, tuple[int, str]] = {}
        self._due_s = self._all_due_s = float("-inf")
        self._stated_ms: int | None = None

    def state(self, in_force: InForce) -> None:
        """State by which version of each model this process goes, if that is news; and now and then that it follows.

        Raises
        ------
        StoreError
        """
        current = in_force.stated
        gone = dict.fromkeys(self._stated.keys() - current.keys(), (0, ""))
        if self._clock.monotonic_s() >= self._all_due_s:
            self._stated, self._all_due_s = {}, self._clock.monotonic_s() + STATE_ALL_EVERY_S
        news = {name: each for name, each in (current | gone).items() if self._stated.get(name) != each}
        if news or self._clock.monotonic_s() >= self._due_s:
            self._write({**news, EVERY_MODEL: (0, "")})
            self._stated, self._due_s = current, self._clock.monotonic_s() + STATE_EVERY_S

    def stop(self) -> None:
        """State that this process follows no more.

        Raises
        ------
        StoreError
        """
        self._write({EVERY_MODEL: (STOPPED, "")})

    def _write(self, news: Mapping[str, tuple[int, str]]) -> None:
        rows = empty_rows("configurations_taken")
        at_ms = max(self._clock.now_ms(), self._last_ms() + 1)
        for name, (version, trouble) in sorted(news.items()):
            row = {"model": name, "instance": self._instance, "at_ms": at_ms, "version": version, "trouble": trouble}
            add_row(rows, row)
        append(self._store, "configurations_taken", rows)
        self._stated_ms = at_ms

    def _last_ms(self) -> int:
        """When this process, or one of its name, last stated anything: behind now if the clock was set back."""
        if self._stated_ms is None:
            own = Query("configurations_taken", {"instance": self._instance}, columns=("at_ms",))
            self._stated_ms = max(self._store.read(own)["at_ms"], default=0)
        return int(self._stated_ms)


@dataclass(frozen=True)
class Laggard:
    """A process that does not go by the last version of a model.

    Attributes
    ----------
    instance : str
        Empty if none is known.
    version : int
        By which one it goes; 0 if by none that is known.
    why : str
        Empty if it has not said yet why.
    """

    instance: str
    version: int
    why: str


def laggards(store: Store, now_ms: int, model: str, version: int) -> list[Laggard]:
    """Return which processes do not go by the last version of a model, of those that are there.

    Parameters
    ----------
    store : Store
    now_ms : int
    model : str
    version : int
        The last one.

    Raises
    ------
    StoreError
    """
    rows = rows_of(store.read(Query("configurations_taken", {"model": [EVERY_MODEL, model]})))
    silent_s = {
        row["instance"]: (now_ms - row["at_ms"]) // 1000
        for row in rows
        if row["model"] == EVERY_MODEL and row["version"] != STOPPED and now_ms - row["at_ms"] < 1000 * GONE_AFTER_S
    }
    if not any(seconds < SILENT_AFTER_S for seconds in silent_s.values()):
        return [Laggard("", 0, "no process says that it follows changes: is the service running?")]
    taken = {row["instance"]: row for row in rows if row["model"] == model}
    return [
        Laggard(instance, taken[instance]["version"] if instance in taken else 0, _why(taken.get(instance), seconds))
        for instance, seconds in sorted(silent_s.items())
        if instance not in taken or taken[instance]["version"] != version
    ]


def _why(row: dict[str, object] | None, silent_s: int) -> str:
    if silent_s >= SILENT_AFTER_S:
        return f"it has said nothing for {silent_s} s: it is stuck, or gone without having been stopped"
    return "" if row is None else str(row["trouble"])


class ConfigurationMetrics(Collector):
    """Which models a process does not watch as the store has it last.

    Parameters
    ----------
    in_force : callable
    """

    def __init__(self, in_force: Callable[[], InForce]) -> None:
        self._in_force = in_force

    def collect(self) -> Iterable[Metric]:
        """Every figure; names and meanings are in ``docs/metrics.md``."""
        yield from self._collect()

    def _collect(self) -> Iterator[Metric]:
        in_force = self._in_force()
        version = GaugeMetricFamily(
            "leeway_configuration_version", "Which version of its configuration a model goes by.", labels=["model"]
        )
        behind = GaugeMetricFamily(
            "leeway_configuration_behind",
            "1 while a model cannot go by its last version here, or is not read, else 0.",
            labels=["model"],
        )
        for name in sorted(in_force.configuration.models):
            version.add_metric([name], in_force.versions.get(name, 0))
        behind_models = in_force.behind.keys() | in_force.refused.keys()
        for name in sorted(in_force.configuration.models.keys() | behind_models):
            behind.add_metric([name], name in behind_models)
        yield from (version, behind)
