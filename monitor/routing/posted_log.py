"""Alerts from elsewhere in the store: what was posted.

Who takes posts (the API) writes the table ``posted``, a row for each alert. Who notifies people looks at it
(:mod:`monitor.routing.posting`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from monitor.routing.bell import bell_of
from monitor.routing.matchers import ANNOTATION, Matcher
from monitor.routing.posted import Posted
from monitor.routing.quarantine import Quarantine
from monitor.routing.routed_alert import INCIDENT
from sinks.store.change_log import ChangeLog, Row
from sinks.store.contract import Query, Store
from sinks.store.rows import each_row

__all__ = ["MOST_NAMED", "PostedLog", "as_posted", "as_signals", "read"]

MOST_NAMED = 1_000
"""Alerts that one question names."""

FEW = 50
"""Of more alerts all rows of a time are read, which is faster than to name them."""

_as_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


class PostedLog:
    """What was posted to one store.

    Parameters
    ----------
    store : Store

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> log = PostedLog(MemoryStore())
    >>> log.put([Posted({"alertname": "Disk"}, {}, 10, 100, 10), Posted({"alertname": "Disk"}, {}, 20, 200, 20)])
    >>> [(alert.starts_ms, alert.ends_ms) for alert in log.firing(150)]
    [(10, 200)]
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log, self._quarantine = ChangeLog(store, "posted"), Quarantine.of(store)

    def since(self, position: int) -> dict[str, int]:
        """Return the positions of alerts that were posted since, by fingerprint; :meth:`at` reads them.

        Raises
        ------
        StoreError
        """
        query = Query("posted", low={"position": position}, columns=("fingerprint", "position"))
        columns = self._store.read(query)
        return dict(zip(columns["fingerprint"], map(int, columns["position"]), strict=True))

    def at(self, positions: Mapping[str, int]) -> dict[str, Row]:
        """Return the rows of alerts that stand at positions, by fingerprint, unread; :func:`read` reads one.

        Raises
        ------
        StoreError
        """
        if len(positions) <= FEW:
            return self._log.named(positions) if positions else {}
        rows = self._log.rows(low={"position": min(positions.values())})
        return {row["fingerprint"]: row for row in rows if row["fingerprint"] in positions}

    def firing(self, now_ms: int, choices: Sequence[Sequence[Matcher]] = ((),)) -> list[Posted]:
        """Return what is not over.

        Parameters
        ----------
        now_ms : int
        choices : sequence of sequence of Matcher
            Only what all matchers of one of them may match; whether they do, whoever asks finds out.

        Raises
        ------
        StoreError
        """
        parts = [_parts(matchers) for matchers in choices]
        containing = {"labels": parts} if all(parts) else {}
        columns = self._store.read(Query("posted", low={"ends_ms": now_ms + 1}, containing=containing))
        return self._quarantine.usable("posted", "fingerprint", each_row(columns), read)

    def named(self, names: Iterable[str]) -> dict[str, Posted]:
        """Return what was posted last of alerts, by fingerprint.

        Raises
        ------
        StoreError
        """
        alerts = self._quarantine.usable("posted", "fingerprint", self._rows(list(names)).values(), read)
        return {alert.fingerprint: alert for alert in alerts}

    def _rows(self, names: Sequence[str]) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        for first in range(0, len(names), MOST_NAMED):
            rows |= self._log.named(names[first : first + MOST_NAMED])
        return rows

    def all(self, names: Iterable[str], now_ms: int) -> dict[str, Row]:
        """Return the rows of alerts that are not over, and of some that may be, by fingerprint.

        Raises
        ------
        StoreError
        """
        rows = self._log.rows(low={"ends_ms": now_ms + 1})
        return {row["fingerprint"]: row for row in rows} | self._log.named(names)

    def put(self, alerts: Iterable[Posted]) -> None:
        """Take alerts up, each merged with the one that stands.

        Raises
        ------
        StoreError
        """
        posts = list(alerts)
        if not posts:
            return
        stored = self._log.named(alert.fingerprint for alert in posts)
        former = self._quarantine.usable("posted", "fingerprint", stored.values(), read)
        merged = {alert.fingerprint: alert for alert in former}
        for alert in posts:
            merged[alert.fingerprint] = alert.after(merged.get(alert.fingerprint))
        self._log.put(map(_row, merged.values()), replaced=stored)
        bell_of(self._store).set()


def _parts(matchers: Sequence[Matcher]) -> list[str]:
    """What the labels of an alert hold, as they are stored, if it matches; to look for that is faster than to read."""
    return [
        _json({matcher.name: matcher.value})[1:-1]
        for matcher in matchers
        # An incident is no label that was posted.
        if matcher.operator == "="
        and matcher.value
        and matcher.name != INCIDENT
        and not matcher.name.startswith(ANNOTATION)
    ]


def as_posted(alert: Posted, now_ms: int, *, is_over: bool) -> Row:
    """Return what a post says of an alert, as its transition has it."""
    ends: Row = {"ends_ms": min(alert.ends_ms, now_ms)} if is_over else {}
    return {"starts_ms": alert.starts_ms, "signals": as_signals(alert), **ends}


def as_signals(alert: Posted) -> str:
    """What was posted with an alert, in the place of the signals that moved."""
    entry = {"signal": "", "reason": "", "annotations": dict(alert.annotations), "link": alert.link}
    return _as_json([entry])


def _row(alert: Posted) -> Row:
    return {
        "fingerprint": alert.fingerprint,
        "position": alert.updated_ms,
        "labels": _json(alert.labels),
        "annotations": _json(alert.annotations),
        "starts_ms": alert.starts_ms,
        "ends_ms": alert.ends_ms,
        "updated_ms": alert.updated_ms,
        "has_timeout": int(alert.has_timeout),
        "link": alert.link,
    }


def read(row: Row) -> Posted:
    """Return the alert that a row of the table ``posted`` holds."""
    alert = Posted(
        msgspec.json.decode(row["labels"], type=dict[str, str]),
        msgspec.json.decode(row["annotations"], type=dict[str, str]),
        row["starts_ms"],
        row["ends_ms"],
        row["updated_ms"],
        bool(row["has_timeout"]),
        row["link"],
    )
    # To work it out again takes longer than all the rest.
    vars(alert)["fingerprint"] = row["fingerprint"]
    return alert


def _json(names: Mapping[str, str]) -> str:
    return _as_json(dict(names))
