"""Where the log goes: stderr, for people or for programs."""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["log_to_stderr"]


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
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Libraries log through the standard library; their chatter is not ours.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # warns whenever a batch takes 0.1 s
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
