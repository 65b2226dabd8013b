"""Spans: what the stages do, when, and for how long, as OpenTelemetry has them.

Without `send_spans` a span is nothing, and costs a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

__all__ = ["Note", "Span", "Tracing", "span"]

Note = str | int | float | bool


class Span(Protocol):
    """What is noted of work while it is done."""

    def note(self, **attributes: Note) -> None:
        """Add attributes; their names get the prefix ``leeway.``."""

    def forget(self) -> None:
        """Nothing was done: the span is not worth sending."""


class _NoSpan:
    def note(self, **attributes: Note) -> None:
        pass

    def forget(self) -> None:
        pass


_NO_SPAN = _NoSpan()


class Tracing:
    """Who takes the spans of this process; nobody at first.

    Attributes
    ----------
    tracer : Tracer or None
    """

    tracer: Tracer | None = None


@contextmanager
def span(name: str, **attributes: Note) -> Iterator[Span]:
    """Let the body be a span; spans inside it, on the same thread, are its children.

    An exception ends it as failed, with the exception's type: what it says may name a person.

    Parameters
    ----------
    name : str
    **attributes : str, int, float or bool
        What is known from the beginning.

    Examples
    --------
    >>> with span("fold", topic="scores") as folding:
    ...     folding.note(records=17)
    """
    if Tracing.tracer is None:
        yield _NO_SPAN
        return
    with _sent_span(Tracing.tracer, name, attributes) as sent:
        yield sent


@contextmanager
def _sent_span(tracer: Tracer, name: str, attributes: Mapping[str, Note]) -> Iterator[Span]:
    from opentelemetry.trace import use_span

    sent = _SentSpan(tracer, name, attributes)
    try:
        with use_span(sent.span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            yield sent
    except Exception as error:
        sent.fail(error)
        raise
    finally:
        sent.end()


class _SentSpan:
    def __init__(self, tracer: Tracer, name: str, attributes: Mapping[str, Note]) -> None:
        self.span = tracer.start_span(name)
        self._is_worth_it = True
        self.note(**attributes)

    def note(self, **attributes: Note) -> None:
        self.span.set_attributes({f"leeway.{name}": value for name, value in attributes.items()})

    def forget(self) -> None:
        self._is_worth_it = False

    def fail(self, error: Exception) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._is_worth_it = True
        self.span.set_status(Status(StatusCode.ERROR))
        self.span.set_attribute("error.type", type(error).__qualname__)

    def end(self) -> None:
        # Only what has ended is sent.
        if self._is_worth_it:
            self.span.end()
