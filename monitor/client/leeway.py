"""The questions that can be asked of a service, or of a store that no service has open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from monitor.client.answer import Answer
from monitor.client.asking import Asking
from monitor.client.following import Happened

__all__ = ["DEFAULT_URL", "Leeway", "Time"]

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 60.0

Time = str | int | date | datetime | timedelta
"""A time in a question: ISO 8601, ms since the epoch, ``-1h``; a datetime or date (UTC without a zone); or how long
ago, as a timedelta."""


class Leeway:
    """Asks a running service, or a store that no service has open.

    Parameters
    ----------
    url : str
    timeout_s : float
        How long to wait for a part of an answer.
    retries : int
        How often a question is asked again while the service cannot be reached or says that waiting helps.
    transport : httpx.BaseTransport or None
        How requests are sent; over the network if None.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._ask = Asking(url.rstrip("/"), timeout_s, retries, transport)
        self._release: Callable[[], None] = lambda: None

    @classmethod
    def embedded(cls, path: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None) -> Leeway:
        """Open the directory of an embedded store, while no service runs.

        Parameters
        ----------
        path : path-like
        config : path-like or None
            The configuration, for what needs one: comparisons, distributions, namespaces.

        Raises
        ------
        InputError, ConfigError
            If there is no store, or the configuration has mistakes.
        StoreError
            If the store cannot be opened, for one because a service has it open.
        """
        from monitor.api.app import create_app
        from monitor.client.archive import Archive
        from monitor.client.inprocess import InProcess

        archive = Archive(path, config)
        leeway = cls("http://embedded", retries=0, transport=InProcess(create_app(archive)))
        leeway._release = archive.close
        return leeway

    def __enter__(self) -> Leeway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End connections, and give up a store."""
        self._ask.close()
        self._release()

    def models(self) -> Answer:
        """The models that are watched."""
        return self._list("/v1/models", {}, paged=False)

    def history(
        self,
        model: str,
        signal: str | None = None,
        *,
        segment: str | None = None,
        version: str | None = None,
        detector: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
        step: str | None = None,
        points: int | None = None,
        limit: int | None = None,
    ) -> Answer:
        """What detectors said of each window, oldest first; with ``step`` ("1h", "auto") in buckets of time.

        Parameters
        ----------
        model, signal, segment, version, detector : str or None
            None is all of them; the empty segment is all of the traffic.
        from_, to : time or None
        step : str or None
        points : int or None
            With ``step="auto"``: most buckets of each series and detector.
        limit : int or None
            Most rows; all if None.
        """
        series = {"model": model, "signal": signal, "segment": segment, "version": version, "detector": detector}
        return self._list("/v1/history", {**series, **_span(from_, to), "step": step, "points": points}, limit)

    def findings(
        self,
        model: str,
        signal: str | None = None,
        *,
        version: str | None = None,
        detector: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Observations at which a per-event detector fired, oldest first."""
        series = {"model": model, "signal": signal, "version": version, "detector": detector}
        return self._list("/v1/findings", {**series, **_span(from_, to)}, limit)

    def top(
        self,
        *,
        model: str | None = None,
        namespace: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int = 20,
    ) -> Answer:
        """The signals that drifted most, the strongest first."""
        given = {"model": model, "namespace": namespace, **_span(from_, to), "limit": limit}
        return self._list("/v1/top", given, paged=False)

    def compare(
        self,
        model: str,
        *,
        from_: Time,
        to: Time,
        against_from: Time | None = None,
        against_to: Time | None = None,
        version: str | None = None,
        against_version: str | None = None,
        segment: str = "",
        against_segment: str | None = None,
        signals: Sequence[str] | None = None,
        cells: bool = False,
        limit: int = 1_000,
    ) -> Answer:
        """Two stretches, versions or segments of a model, signal by signal: those that differ most first.

        Parameters
        ----------
        model : str
        from_, to : time
        against_from, against_to, against_version, against_segment
            The other side, the baseline; where None, it is as the first side.
        version : str or None
            None is all versions together.
        segment : str
        signals : sequence of str or None
            Only these.
        cells : bool
            The aligned histograms too.
        limit : int
        """
        baseline = {
            "against_from": _time(against_from),
            "against_to": _time(against_to),
            "against_version": against_version,
            "against_segment": against_segment,
        }
        given = {"model": model, **_span(from_, to), "version": version, "segment": segment, **baseline}
        more = {"signal": signals and list(signals), "cells": "true" if cells else None, "limit": limit}
        return self._list("/v1/compare", given | more, paged=False)

    def alerts(
        self,
        *,
        model: str | None = None,
        namespace: str | None = None,
        state: str | None = None,
        severity: str | None = None,
        signal: str | None = None,
        matchers: Sequence[str] | None = None,
        acknowledged: bool | None = None,
        transitions: bool = False,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Alerts as they stand, the latest changed first; or with ``transitions`` the log of what happened."""
        chosen: dict[str, Any] = {"model": model, "namespace": namespace, "state": state, "severity": severity}
        chosen |= {"signal": signal, "matcher": matchers and list(matchers)}
        chosen |= {} if acknowledged is None else {"acknowledged": str(acknowledged).lower()}
        log = {"transitions": "true"} if transitions else {}
        return self._list("/v1/alerts", {**chosen, **log, **_span(from_, to)}, limit)

    def alert(self, alert_id: str) -> dict[str, Any]:
        """One alert from its beginning: ``alert``, ``acknowledged``, ``transitions`` and ``notifications``.

        Raises
        ------
        UnknownError
            There is no such alert.
        """
        return self._ask.document(f"/v1/alerts/{quote(alert_id, safe='')}", {}, holds="transitions")

    def follow(
        self, *, model: str | None = None, matchers: Sequence[str] = (), after: str | None = None
    ) -> Iterator[Happened]:
        """What happens to alerts, as it happens and for ever: places in the stream, each with the transition before it.

        A connection that is lost is made again. The first place comes without a transition; given as ``after``, a place
        lets another call go on behind it.

        Raises
        ------
        UnreachableError
            The service does not answer the first time.
        """
        given = {"matcher": list(matchers), **({} if model is None else {"model": model})}
        return self._ask.follow(given, after)

    def explain(self, alert_id: str) -> dict[str, Any]:
        """Who was told about an alert, who was not, and why: ``alert``, ``receivers`` and ``decisions``.

        Raises
        ------
        UnknownError
            There is no such alert.
        """
        return self._ask.document(f"/v1/alerts/{quote(alert_id, safe='')}/explain", {}, holds="decisions")

    def subscriptions(self) -> list[dict[str, Any]]:
        """Who wants to be told about which alerts, beside the routes of the configuration."""
        found: list[dict[str, Any]] = self._ask.document("/v1/subscriptions", {})["items"]
        return found

    def alert_summary(
        self,
        *,
        model: str | None = None,
        namespace: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
    ) -> Answer:
        """How many alerts fired, by day, model and severity, and how long they held."""
        return self._list(
            "/v1/alerts/summary", {"model": model, "namespace": namespace, **_span(from_, to)}, paged=False
        )

    def incidents(
        self,
        *,
        model: str | None = None,
        namespace: str | None = None,
        state: str | None = None,
        severity: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Alerts that have one cause, and what it may be; the latest first."""
        chosen = {"model": model, "namespace": namespace, "state": state, "severity": severity}
        return self._list("/v1/incidents", {**chosen, **_span(from_, to)}, limit)

    def incident(self, incident_id: str) -> dict[str, Any]:
        """One incident with its ``causes`` and ``alerts``, found by the id of any of its alerts.

        Raises
        ------
        UnknownError
            No alert that fired has this id.
        """
        return self._ask.document(f"/v1/incidents/{quote(incident_id, safe='')}", {}, holds="alerts")

    def deployments(
        self,
        *,
        model: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int | None = None,
    ) -> Answer:
        """What was announced to have been changed; the latest first."""
        return self._list("/v1/deployments", {"model": model, **_span(from_, to)}, limit)

    def dead_letters(
        self,
        *,
        topic: str | None = None,
        model: str | None = None,
        reason: str | None = None,
        action: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        payload: bool = True,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Messages, or fields of messages, that could not be used, newest first; with their payload or without."""
        place = {"topic": topic, "partition": partition, "offset": offset}
        chosen = {**place, "model": model, "reason": reason, "action": action}
        chosen |= {} if payload else {"payload": "false"}
        return self._list("/v1/dead-letters", {**chosen, **_span(from_, to)}, limit)

    def retry_dead_letters(
        self, places: Iterable[tuple[str, int, int]], *, dry_run: bool = False
    ) -> list[dict[str, Any]]:
        """Put rejected messages back on their streams; say what became of each.

        Parameters
        ----------
        places : iterable of (str, int, int)
            Topic, partition and offset of each, a thousand at most.
        dry_run : bool
            Only say what would be done.
        """
        names = ("topic", "partition", "offset")
        listed = [dict(zip(names, place, strict=True)) for place in places]
        found: list[dict[str, Any]] = self._ask.send(
            "/v1/dead-letters/retries", {"places": listed, "dry_run": dry_run}
        )["items"]
        return found

    def _list(self, route: str, given: Mapping[str, Any], limit: int | None = None, *, paged: bool = True) -> Answer:
        known = {name: value for name, value in given.items() if value is not None}
        return Answer(self._ask, route, known, limit, paged=paged)


def _span(from_: Time | None, to: Time | None) -> dict[str, str | None]:
    return {"from": _time(from_), "to": _time(to)}


def _time(time: Time | None) -> str | None:
    """Return a time as parameters are written.

    Examples
    --------
    >>> _time(datetime(2024, 5, 1, 12)), _time(date(2024, 5, 1)), _time(timedelta(hours=1)), _time(5)
    ('2024-05-01T12:00:00+00:00', '2024-05-01T00:00:00+00:00', '-3600000ms', '5')
    """
    if isinstance(time, timedelta):
        return f"-{time // timedelta(milliseconds=1)}ms"
    if isinstance(time, date) and not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day)
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
    return None if time is None else str(time)
