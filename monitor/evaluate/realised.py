"""Realised against stated: the alerts of a model beside the false alarms that its configuration accepts.

Nobody has said which of the alerts were false: it is what the rate of false alarms is at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitor.alerts.alert_log import ALARM_TABLES, is_no_alarm
from monitor.config.detect import Budget
from monitor.evaluate.change import DETECTOR
from monitor.watch import Watch
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Realised", "RealisedAlerts", "accepted"]

JUDGED = ("ok", "warning", "drift")


def accepted(budget: Budget, length_ms: int) -> float:
    """Return how many false alarms a budget accepts in some time.

    Examples
    --------
    >>> accepted(Budget(count=1, per_ms=1000), 2500)
    2.5
    """
    return budget.count * length_ms / budget.per_ms


@dataclass(frozen=True)
class Realised:
    """The alerts of a model.

    Attributes
    ----------
    model : str
    since_ms : int
        Start of the first window that could have alarmed.
    fired : int
        Alerts that fired and started since then.
    accepted : float
        False alarms that the configuration accepts from then to the newest window.
    """

    model: str
    since_ms: int
    fired: int
    accepted: float


class RealisedAlerts:
    """Reads a store for it, as often as somebody asks.

    Parameters
    ----------
    store : Store
    watches : mapping of str to Watch
    """

    def __init__(self, store: Store, watches: Mapping[str, Watch]) -> None:
        self._store, self._watches = store, watches
        # Where it once was, the first window stays, and to look for it takes longest.
        self._since_ms: dict[str, int] = {}

    def read(self) -> Iterator[Realised]:
        """Yield the alerts of each model that has been judged.

        Raises
        ------
        StoreError
        """
        for model, watch in sorted(self._watches.items()):
            since_ms = self._since(watch)
            if since_ms is None:
                continue
            newest = self._store.read(Query("latest", {"model": model}, columns=("window_end_ms",)))["window_end_ms"]
            until_ms = max(newest.tolist(), default=since_ms)
            stated = accepted(watch.model.spec.detect.false_alarms, until_ms - since_ms)
            yield Realised(model, since_ms, self._fired(model, since_ms), stated)

    def _since(self, watch: Watch) -> int | None:
        model = watch.name
        if model not in self._since_ms:
            where: dict[str, object] = {"model": model, "status": list(JUDGED)}
            if watch.model.spec.detect.rule == DETECTOR:
                # Distances are then for reading, and have a say sooner.
                where["detector"] = DETECTOR
            columns = ("window_end_ms", "window_ms")
            rows = self._store.read(Query("scores", where, order=("window_end_ms",), limit=1, columns=columns))
            if len(rows["window_end_ms"]):
                self._since_ms[model] = int(rows["window_end_ms"][0] - rows["window_ms"][0])
        return self._since_ms.get(model)

    def _fired(self, model: str, since_ms: int) -> int:
        where, low = {"model": model, "state": "firing"}, {"starts_ms": since_ms}
        rows = [
            row
            for table in ALARM_TABLES
            for row in rows_of(self._store.read(Query(table, where, low=low, columns=("alert_id", "labels"))))
        ]
        return len({row["alert_id"] for row in rows if not is_no_alarm(row["labels"])})
