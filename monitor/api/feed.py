"""What happens to alerts, as it happens: the log of transitions followed from a position in it.

A position is the last transition seen of each model. Transitions of one model are stored in the order of event time;
between models there is no order that a single number could stand for, since each is read at its own pace.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import anyio.to_thread
from sse_starlette.event import ServerSentEvent

from monitor.api.buckets import EARLIEST_MS
from monitor.api.reading import CursorError, Row, decode_cursor, encode_cursor, query_for
from monitor.api.reading import read_all as read_rows
from monitor.api.standing_alerts import is_matched, transition
from monitor.routing.matchers import Matcher
from sinks.store.contract import Query, Store

__all__ = ["Feed"]

KIND = "feed"
Position = tuple[int, str, str, int]


class Feed:
    """The transitions of some models behind a position.

    Parameters
    ----------
    store : Store
    models : sequence of str
    last_event_id : str or None
        The position to continue from, as an earlier feed returned it; without one, the feed starts now.
    matchers : sequence of Matcher
        Only alerts whose labels all of them match.

    Raises
    ------
    CursorError
        If ``last_event_id`` is not such a position.
    """

    def __init__(
        self,
        store: Store,
        models: Sequence[str],
        last_event_id: str | None = None,
        matchers: Sequence[Matcher] = (),
    ) -> None:
        self._store, self._matchers = store, matchers
        self._models = list(models)
        self._positions = _decode(last_event_id) if last_event_id else self._end()

    @property
    def position(self) -> str:
        """The position now: the ``id`` of the last event."""
        positions = {model: list(position) for model, position in sorted(self._positions.items())}
        return encode_cursor(KIND, [json.dumps(positions, separators=(",", ":"))])

    def read(self) -> list[tuple[str, Row]]:
        """Return what was stored since the last call: the position behind each transition, and the transition."""
        floors = {
            model: self._positions[model][0] if model in self._positions else EARLIEST_MS for model in self._models
        }
        rows = read_rows(self._store, Query("alerts", floors={"at_ms": floors}, order=("at_ms",)))
        happened = []
        for row in sorted((row for row in rows if self._is_behind(row)), key=_position):
            self._positions[row["model"]] = _position(row)
            shown = transition(row)
            if is_matched(shown, self._matchers):
                happened.append((self.position, shown))
        return happened

    async def events(self, poll_s: float, stopping: threading.Event, retry_ms: int) -> AsyncIterator[ServerSentEvent]:
        """Yield server-sent events until the client leaves or ``stopping`` is set.

        The first holds nothing but the position, so that a client that is cut off before anything happens can resume.
        """
        yield ServerSentEvent(id=self.position, retry=retry_ms, sep="\n")
        while not stopping.is_set():
            for position, row in await anyio.to_thread.run_sync(self.read):
                data = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
                yield ServerSentEvent(data, event=row["state"], id=position, sep="\n")
            await anyio.sleep(poll_s)

    def _is_behind(self, row: Row) -> bool:
        return row["model"] not in self._positions or _position(row) > self._positions[row["model"]]

    def _end(self) -> dict[str, Position]:
        """The newest transition of each model."""
        ends = {}
        for model in self._models:
            newest = query_for("alerts", {"model": model}, descending=True, limit=1)
            columns: dict[str, Any] = self._store.read(newest)
            if len(columns["at_ms"]):
                ends[model] = _position({name: values[0] for name, values in columns.items()})
        return ends


def _position(row: Row) -> Position:
    """The values of the order of time, and of the rest of the natural key."""
    return int(row["at_ms"]), row["model"], row["alert_id"], int(row["sequence"])


def _decode(last_event_id: str) -> dict[str, Position]:
    wrong = CursorError(f"{last_event_id!r} is not an event's id")
    try:
        (text,) = decode_cursor(KIND, last_event_id, (str,))
        positions = json.loads(text)
        decoded = {model: (at_ms, name, alert_id, seq) for model, (at_ms, name, alert_id, seq) in positions.items()}
    except (CursorError, ValueError, AttributeError, TypeError) as error:
        raise wrong from error
    for position in decoded.values():
        if [type(value) for value in position] != [int, str, str, int]:
            raise wrong
    return decoded
