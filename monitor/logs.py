"""Where the log goes: stderr, for people or for programs."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TextIO

import structlog

__all__ = ["errors_only", "log_to_stderr", "warn_on_stderr", "warnings_only"]


SPAN_S, FEW, MOST_KINDS = 600.0, 3, 1_000
LEFT_OUT = "more of this kind is left out for ten minutes"


def log_to_stderr(*, as_json: bool, quiet: bool = False) -> None:
    """Set the log up for this process.

    Parameters
    ----------
    as_json : bool
        One JSON object per line.
    quiet : bool
        Warnings and errors only.
    """
    level = logging.WARNING if quiet else logging.INFO
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[_without_notes, structlog.contextvars.merge_contextvars, *shared, _FewOfTheStore(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Libraries log through the standard library; their chatter is not ours.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # warns whenever a batch takes 0.1 s
    # Warns each time that a job is due and still runs, as those that catch up do; one that does not end is alerted of.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name if as_json else _with_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    for library in ("kafka", "opentelemetry"):
        handler.addFilter(_FewOfAKind(library))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    if as_json:
        warnings.showwarning = _log_warning


def warn_on_stderr() -> None:
    """Have warnings of a command that keeps no log go to stderr: stdout, where they went, has its answer."""
    if not structlog.is_configured():
        log_to_stderr(as_json=False, quiet=True)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Write a warning of Python's as a line of the log, under the name that the standard library gives it."""
    where = f"{filename}:{lineno}"
    structlog.get_logger().warning(str(message), logger="py.warnings", category=category.__name__, where=where)


@contextmanager
def warnings_only() -> Iterator[None]:
    """Leave out of the log what this thread says meanwhile that is no warning or error."""
    with _leaving_out("debug", "info"):
        yield


@contextmanager
def errors_only() -> Iterator[None]:
    """Leave out of the log what this thread says meanwhile that is no error: whoever asks is told by other means."""
    with _leaving_out("debug", "info", "warning"):
        yield


@contextmanager
def _leaving_out(*methods: str) -> Iterator[None]:
    token = _LEFT_OUT.set(frozenset(methods))
    try:
        yield
    finally:
        _LEFT_OUT.reset(token)


def _without_notes(logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    if method in _LEFT_OUT.get():
        raise structlog.DropEvent
    return event


_LEFT_OUT: ContextVar[frozenset[str]] = ContextVar("left_out", default=frozenset())


def _with_name(record_logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Say in front who says it: nobody else's lines have that."""
    record = event["_record"]
    return {**event, "event": f"{record.name}: {event['event']}"}


class _Kinds:
    """Counts lines of a kind, anew after :data:`SPAN_S`."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}

    def count(self, kind: tuple[str, str], at_s: float) -> int:
        """Return the how many-th of its kind one is."""
        since_s, count = self._counts.get(kind, (at_s, 0))
        if not 0 <= at_s - since_s < SPAN_S:
            since_s, count = at_s, 0
        if len(self._counts) >= MOST_KINDS:
            self._counts.clear()
        self._counts[kind] = since_s, count + 1
        return count + 1


class _FewOfTheStore:
    """Lets through :data:`FEW` warnings of a kind in :data:`SPAN_S` whose reason is the store.

    While it is away everything that uses it says so, at every try.
    """

    def __init__(self) -> None:
        self._kinds = _Kinds()

    def __call__(self, logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        reason = str(event.get("error") or event.get("reason") or "")
        if method != "warning" or not reason.startswith("store at "):
            return event
        # Tries, sizes and identifiers in it make no other kind.
        count = self._kinds.count(
            (str(event["event"]), re.sub(r"\d+", "", reason)), datetime.fromisoformat(event["timestamp"]).timestamp()
        )
        if count > FEW:
            raise structlog.DropEvent
        return {**event, "event": f"{event['event']} ({LEFT_OUT})"} if count == FEW else event


class _FewOfAKind(logging.Filter):
    """Lets through :data:`FEW` lines of a kind in :data:`SPAN_S`; the last of them says that others are left out.

    Kafka's client says ten times a second that a topic is missing; a collector that is away is said with each batch.

    Parameters
    ----------
    names : str
        Of the loggers that it holds for, such as ``kafka`` for ``kafka.cluster``.
    """

    def __init__(self, names: str) -> None:
        super().__init__(names)
        self._kinds = _Kinds()

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        count = self._kinds.count((record.name, str(record.msg)), record.created)
        if count == FEW:
            record.msg, record.args = f"{record.getMessage()} ({LEFT_OUT})", ()
        return count <= FEW
