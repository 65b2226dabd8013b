"""Alerts as they stand, page by page: the log is read back from where a page begins, no further than it needs.

A transition is shown if no other of its alert follows, so that an alert stands at one place in the log, however long
ago it changed. A cursor is that place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from monitor.alerts.alert_log import read_alert_log
from monitor.api.problems import ProblemError
from monitor.api.reading import MAX_LIMIT, Page, Row, query_for, read_all
from monitor.api.standing_alerts import STANDING_ORDER, Span, as_it_stands, is_matched, overlaps, transition
from monitor.api.tables import schema
from monitor.resources.alerts import Alert
from monitor.routing.acknowledgement_log import Acknowledgement, acknowledgements_of
from monitor.routing.matchers import Matcher
from sinks.store.contract import Query, Store
from sinks.store.rows import row_count, rows_of

__all__ = ["AlertFilter", "read_alert", "read_alerts"]

FEWEST_ROWS = 500
"""How many transitions are read at once at first; then twice as many, up to `MAX_LIMIT`."""


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts are shown.

    Attributes
    ----------
    models : sequence of str or None
    span : (int or None, int or None)
        In which their condition held at some time.
    state : str or None
        One of :data:`~monitor.resources.alerts.STANDING`.
    severity : str or None
    signal : str or None
        That moved in them.
    matchers : sequence of Matcher
        All of which match their labels.
    acknowledged : bool or None
        Whether somebody has taken them on as they stand.
    text : str or None
        Words that all stand in them.
    """

    models: Sequence[str] | None = None
    span: Span = (None, None)
    state: str | None = None
    severity: str | None = None
    signal: str | None = None
    matchers: Sequence[Matcher] = ()
    acknowledged: bool | None = None
    text: str | None = None

    @property
    def where(self) -> dict[str, Any]:
        """What holds of the last transition of each of them."""
        states = None if self.state is None else ["firing", "updated"] if self.state == "firing" else [self.state]
        models = None if self.models is None else list(self.models)
        conditions = {"model": models, "state": states, "severity": self.severity}
        return {name: value for name, value in conditions.items() if value is not None}

    def passes(self, alert: Row) -> bool:
        """Whether an alert of which `where` and the span hold is shown, but for who has taken it on."""
        signals = [moved.get("signal") for moved in alert["signals"]]
        return (
            is_matched(alert, self.matchers)
            and (self.signal is None or self.signal in signals)
            and (self.text is None or _has_words(alert, signals, self.text))
        )

    def takes(self, alert: Row) -> bool:
        """Whether it is shown by who has taken it on."""
        return self.acknowledged is None or (alert["acknowledged_by"] is not None) is self.acknowledged


def _has_words(alert: Row, signals: Sequence[str | None], text: str) -> bool:
    labels = (f"{name}={value}" for name, value in alert["labels"].items())
    texts = " ".join([alert["title"], alert["model"], *labels, *filter(None, signals)]).casefold()
    return all(word in texts for word in text.casefold().split())


def read_alerts(store: Store, chosen: AlertFilter, limit: int = 1_000, cursor: str | None = None) -> Page:
    """Return alerts as they stand, the latest changed first.

    Raises
    ------
    CursorError
    StoreError
    """
    # One alert more shows whether there is another page.
    shown = list(islice(_alerts(store, chosen, limit + 1, STANDING_ORDER.place(cursor)), limit + 1))
    page = shown[:limit]
    following = STANDING_ORDER.cursor(page[-1]) if len(shown) > limit else None
    return Page.of(page, schema(Alert).names, following)


def _alerts(store: Store, chosen: AlertFilter, count: int, after: tuple[Any, ...]) -> Iterator[Row]:
    first_rows = min(max(count, FEWEST_ROWS), MAX_LIMIT)
    query = Query("alerts", chosen.where, order=("at_ms",), descending=True, limit=first_rows)
    # Transitions of one alert at one time stand behind each other, and the last of them was shown.
    query = replace(query, after=(*after, -1) if after else ())
    # What changes while the first page is read would be on none: it would have moved in front of it.
    until_ms = None if after else _newest_ms(store)
    while True:
        columns = read_alert_log(store, query)
        rows = [as_it_stands(row) for row in rows_of(columns) if overlaps(row, chosen.span)]
        # What a row itself says is asked first, and of few of them the store what follows.
        standing = _last(store, list(filter(chosen.passes, rows)), until_ms)
        yield from filter(chosen.takes, _acknowledged(store, standing))
        assert query.limit is not None
        if row_count(columns) < query.limit:
            return
        query = replace(query, after=query.cursor(columns), limit=min(2 * query.limit, MAX_LIMIT))


def _newest_ms(store: Store) -> int | None:
    newest = Query("alerts", order=("at_ms",), descending=True, limit=1, columns=("at_ms",))
    return next(iter(map(int, read_alert_log(store, newest)["at_ms"])), None)


def _last(store: Store, rows: Sequence[Row], until_ms: int | None) -> list[Row]:
    """Return the transitions that no other of their alert follows, of those up to a time."""
    if not rows:
        return []
    where = {name: sorted({row[name] for row in rows}) for name in ("model", "alert_id")}
    newest: dict[tuple[str, str], int] = {}
    columns = ("model", "alert_id", "sequence")
    high = {} if until_ms is None else {"at_ms": until_ms + 1}
    for row in read_all(store, Query("alerts", where, high=high, columns=columns)):
        # By alert, and then by sequence.
        newest[row["model"], row["alert_id"]] = row["sequence"]
    return [row for row in rows if newest.get((row["model"], row["alert_id"])) == row["sequence"]]


def _acknowledged(store: Store, alerts: Sequence[Row]) -> list[Row]:
    """Return alerts with who has taken them on as they stand.

    Raises
    ------
    StoreError
    """
    taken = acknowledgements_of(store, [alert["alert_id"] for alert in alerts])
    return [alert | {"acknowledged_by": _taken_by(taken.get(alert["alert_id"]), alert)} for alert in alerts]


def _taken_by(taken: Acknowledgement | None, alert: Row) -> str | None:
    return None if taken is None or not taken.holds(alert["sequence"]) else taken.created_by


def read_alert(store: Store, alert_id: str) -> Row:
    """Return one alert with its transitions and notifications, oldest first, or a problem."""
    rows = list(read_all(store, query_for("alerts", {"alert_id": alert_id})))
    if not rows:
        raise ProblemError("unknown-alert", f"no alert has the id {alert_id!r}")
    notifications = read_all(store, Query("notifications", where={"alert_id": alert_id}))
    [alert] = _acknowledged(store, [as_it_stands(rows[-1])])
    return {
        "alert": alert,
        "transitions": [transition(row) for row in rows],
        "notifications": list(notifications),
    }
