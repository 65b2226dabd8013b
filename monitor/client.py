"""Drift history for programs and notebooks.

>>> from monitor.client import Leeway
>>> with Leeway("http://127.0.0.1:8080") as leeway:
...     drift = leeway.history("fraud", "feature:amount", from_="-7d", step="auto")
...     frame = drift.pandas()                                          # doctest: +SKIP

Nothing is asked before rows are wanted. Errors are one tree::

    ClientError
    ├── UnreachableError        no answer, or one that was cut off: asked again a few times before
    ├── QuestionError           the question is wrong (4xx); its members say what would be right
    │   └── UnknownError        no such model, signal or alert (404)
    └── ServiceError            the service failed (5xx)
        └── UnavailableError    it says that waiting helps (503): asked again a few times before
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from monitor.errors import InputError, LeewayError, SourceError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = [
    "DEFAULT_URL",
    "FORMATS",
    "Answer",
    "ClientError",
    "Leeway",
    "QuestionError",
    "ServiceError",
    "UnavailableError",
    "UnknownError",
    "UnreachableError",
]

DEFAULT_URL = "http://127.0.0.1:8080"
FORMATS = ("csv", "parquet", "arrow")
TIMEOUT_S = 60.0
CONNECT_S = 5.0
MOST_WAIT_S = 8.0
PAGE = 10_000

Time = str | int | date | datetime | timedelta
"""A time in a question: ISO 8601, ms since the epoch, ``-1h``; a datetime or date (UTC without a zone); or how long
ago, as a timedelta."""
T = TypeVar("T")


class ClientError(LeewayError):
    """No answer to a question."""


class UnreachableError(ClientError, SourceError):
    """The service does not answer, or its answer was cut off."""

    def __init__(self, message: str) -> None:
        SourceError.__init__(self, message, retryable=True)


class _Problem:
    """What a problem document says.

    Attributes
    ----------
    kind : str
        A name in ``GET /v1/problems``, such as ``unknown-model``; empty if the answer was no problem document.
    status : int
    errors : list of dict
        ``field`` and ``message`` of each wrong parameter.
    retry_after_s : float
        How long to wait, as the service says; 0 if it does not.
    """

    kind: str = ""
    status: int = 0
    errors: Sequence[Mapping[str, str]] = ()
    retry_after_s: float = 0.0


class QuestionError(_Problem, ClientError, InputError):
    """The question is wrong; the message says what would be right."""


class UnknownError(QuestionError):
    """There is no such model, signal or alert."""


class ServiceError(_Problem, ClientError, SourceError):
    """The service, or its store, failed."""

    def __init__(self, message: str) -> None:
        SourceError.__init__(self, message, retryable=False)


class UnavailableError(ServiceError):
    """The service says that the same question may be answered later."""


class Answer:
    """Rows that a question is answered with, in the form that is wanted.

    Iterating gives the rows as the HTTP API shows them, over as many pages as it takes: dictionaries, times as
    milliseconds since the epoch.
    """

    def __init__(self, ask: _Ask, route: str, given: Mapping[str, Any], limit: int | None, *, paged: bool) -> None:
        self._ask, self._route, self._given = ask, route, given
        self._limit, self._paged = limit, paged
        self._table: pyarrow.Table | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for document in self.pages():
            yield from document["items"]

    def pages(self) -> Iterator[dict[str, Any]]:
        """Yield the documents that hold the rows; what else they say differs by question."""
        left, cursor = self._limit, None
        while True:
            size = {} if not self._paged else {"limit": PAGE if left is None else min(left, PAGE), "cursor": cursor}
            document = self._ask.document(self._route, {**self._given, **size})
            yield document
            cursor = document["next_cursor"]
            left = None if left is None else left - len(document["items"])
            if cursor is None or (left is not None and left <= 0):
                return

    def document(self) -> dict[str, Any]:
        """Return the first page: ``items``, and what else the HTTP API says."""
        return next(self.pages())

    def stream(self, form: str) -> Iterator[bytes]:
        """Yield the answer as ``csv``, ``parquet`` or ``arrow`` (an IPC stream), a part at a time.

        Raises
        ------
        ValueError
            If the form is none of these.
        """
        if form not in FORMATS:
            raise ValueError(f"no form {form!r}; there are {', '.join(FORMATS)}")
        return self._ask.stream(self._route, {**self._given, **self._most(), "format": form})

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> Path:
        """Write a file, without holding it; its name's end says the form unless ``form`` does.

        What was there is replaced when all has come.
        """
        target = Path(path)
        part = target.with_name(target.name + ".part")
        try:
            with part.open("wb") as file:
                for data in self.stream(form or target.suffix.lstrip(".")):
                    file.write(data)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def arrow(self) -> pyarrow.Table:
        """Return the rows as an Arrow table; times are timestamps in UTC, undefined numbers are null."""
        import pyarrow

        if self._table is None:
            data = self._ask.whole(self._route, {**self._given, **self._most(), "format": "arrow"})
            self._table = pyarrow.ipc.open_stream(data).read_all()
        return self._table

    def pandas(self) -> pandas.DataFrame:
        """Return the rows as a pandas data frame."""
        _need("pandas")
        frame: pandas.DataFrame = self.arrow().to_pandas()
        return frame

    def polars(self) -> polars.DataFrame:
        """Return the rows as a polars data frame."""
        frame: polars.DataFrame = _need("polars").from_arrow(self.arrow())
        return frame

    def _most(self) -> dict[str, int]:
        return {"limit": self._limit} if self._limit is not None else {}


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
        self._ask = _Ask(url.rstrip("/"), timeout_s, retries, transport)
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
        from monitor.archive import Archive
        from monitor.inprocess import InProcess

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
        transitions: bool = False,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Alerts as they stand, the latest changed first; or with ``transitions`` the log of what happened."""
        chosen = {"model": model, "namespace": namespace, "state": state, "severity": severity, "signal": signal}
        log = {"transitions": "true"} if transitions else {}
        return self._list("/v1/alerts", {**chosen, **log, **_span(from_, to)}, limit)

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

    def dead_letters(
        self,
        *,
        topic: str | None = None,
        model: str | None = None,
        reason: str | None = None,
        action: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Messages, or fields of messages, that could not be used, newest first."""
        chosen = {"topic": topic, "model": model, "reason": reason, "action": action}
        return self._list("/v1/dead-letters", {**chosen, **_span(from_, to)}, limit)

    def _list(self, route: str, given: Mapping[str, Any], limit: int | None = None, *, paged: bool = True) -> Answer:
        known = {name: value for name, value in given.items() if value is not None}
        return Answer(self._ask, route, known, limit, paged=paged)


class _Ask:
    """Sends questions, again where that may help, and turns what goes wrong into the errors above."""

    def __init__(self, url: str, timeout_s: float, retries: int, transport: httpx.BaseTransport | None) -> None:
        self._url = url
        limits = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        self._client = httpx.Client(timeout=limits, transport=transport)
        self._attempts = retries + 1

    def document(self, route: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of a list."""
        return self._again(lambda: self._page(route, given))

    def whole(self, route: str, given: Mapping[str, Any]) -> bytes:
        """Return a whole answer; one that is cut off is asked for again."""
        return self._again(lambda: b"".join(self._parts(route, given)))

    def stream(self, route: str, given: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield an answer part by part; it is asked for again only before the first part."""
        parts = self._again(lambda: _begun(self._parts(route, given)))
        yield from parts

    def close(self) -> None:
        self._client.close()

    def _again(self, call: Callable[[], T]) -> T:
        retrying = Retrying(
            retry=retry_if_exception_type((UnreachableError, UnavailableError)),
            stop=stop_after_attempt(self._attempts),
            wait=_wait_s,
            reraise=True,
        )
        return retrying(call)

    def _page(self, route: str, given: Mapping[str, Any]) -> dict[str, Any]:
        data = b"".join(self._parts(route, given))
        try:
            document = httpx.Response(200, content=data).json()
        except ValueError as error:
            raise ServiceError(f"{self._url} is no Leeway service: it does not answer JSON") from error
        if not isinstance(document, dict) or "items" not in document:
            raise ServiceError(f"{self._url} is no Leeway service")
        return document

    def _parts(self, route: str, given: Mapping[str, Any]) -> Iterator[bytes]:
        known = {name: value for name, value in given.items() if value is not None}
        try:
            with self._client.stream("GET", f"{self._url}{route}", params=known) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise _error(answer, f"{self._url}{route}")
                yield from answer.iter_bytes()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self._url} cannot be reached: {error}") from error


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    first = next(parts, b"")

    def all_of_them() -> Iterator[bytes]:
        yield first
        yield from parts

    return all_of_them()


def _wait_s(state: RetryCallState) -> float:
    """As long as the service says, else 0.5 s, 1 s, 2 s …."""
    error = state.outcome.exception() if state.outcome is not None else None
    said_s = error.retry_after_s if isinstance(error, UnavailableError) else 0.0
    return min(MOST_WAIT_S, said_s or 0.25 * 2**state.attempt_number)


def _error(answer: httpx.Response, address: str) -> Exception:
    """Return the error that a problem document tells of."""
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if not isinstance(document, dict) or "detail" not in document:
        error: _Problem = ServiceError(f"{address} is no Leeway service: it answers {answer.status_code}")
    else:
        kind = _KINDS.get(answer.status_code, ServiceError if answer.status_code >= 500 else QuestionError)
        error = kind(document["detail"] if issubclass(kind, QuestionError) else f"{address}: {document['detail']}")
        error.kind = str(document.get("type", "")).partition("#")[2]
        error.errors = document.get("errors", [])
    error.status = answer.status_code
    waits = answer.headers.get("retry-after", "")
    error.retry_after_s = float(waits) if waits.isdecimal() else 0.0
    assert isinstance(error, ClientError)
    return error


_KINDS: dict[int, type[QuestionError] | type[ServiceError]] = {404: UnknownError, 503: UnavailableError}


def _need(package: str) -> Any:
    """Import an optional package, or say how to get it."""
    from importlib import import_module

    try:
        return import_module(package)
    except ImportError as error:
        raise ClientError(f"this needs {package}: pip install {package}; .arrow() needs nothing more") from error


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
