"""Where the log goes: stderr, for people or for programs."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

import structlog

__all__ = ["log_to_stderr", "warn_on_stderr", "warnings_only"]


SPAN_S, FEW, MOST_KINDS = 600.0, 3, 1_000


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
        processors=[_without_notes, structlog.contextvars.merge_contextvars, *shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Libraries log through the standard library; their chatter is not ours.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # warns whenever a batch takes 0.1 s
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
        if as_json
        else logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s")
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
    token = _WARNINGS_ONLY.set(True)
    try:
        yield
    finally:
        _WARNINGS_ONLY.reset(token)


def _without_notes(logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    if _WARNINGS_ONLY.get() and method in ("debug", "info"):
        raise structlog.DropEvent
    return event


_WARNINGS_ONLY: ContextVar[bool] = ContextVar("warnings_only", default=False)


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
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        kind = record.name, str(record.msg)
        since_s, count = self._kinds.get(kind, (record.created, 0))
        if not 0 <= record.created - since_s < SPAN_S:
            since_s, count = record.created, 0
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        self._kinds[kind] = since_s, count + 1
        if count + 1 == FEW:
            record.msg, record.args = f"{record.getMessage()} (more of this kind is left out for ten minutes)", ()
        return count < FEW
