"""What a change of a configuration would do: fields, series, and what would have fired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from anyio import from_thread
from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from monitor.api.comparisons import Comparisons, TheComparisons
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService
from monitor.configurations.difference import changed_fields, changed_series
from monitor.errors import InputError
from monitor.evaluate.backtest import backtest, span_of
from monitor.panes.coverage import complete_ms
from monitor.performance.backtest import with_labels
from monitor.values import DAY_MS
from monitor.watch import Watch

__all__ = ["Days", "Difference", "TheDifference"]

MOST_DAYS = 90
Days = Annotated[int, Query(ge=0, le=MOST_DAYS, description="of the last so many days, what would have fired; 0: not")]


class FieldDifference(BaseModel):
    """A field that differs."""

    path: str = Field(description="of the key, with all defaults written out")
    before: Any = Field(description="null where it was not there")
    after: Any = Field(description="null where it is not there")


class SeriesDifference(BaseModel):
    """What becomes of the series of a signal."""

    signal: str
    folds: str = Field(description="open panes, per-event detectors: `keeps`, `starts afresh`, `begins`, `ends`")
    learns: str = Field(description="what is usual: as above, or `learns again`, from stored panes")
    why: str = Field(description="empty where everything is kept")


class BacktestedAlert(BaseModel):
    """An alert on one side, or on both."""

    which: str = Field(description="`both`, `only before` or `only now`")
    starts_ms: int = Field(description="when its condition began, in ms since the epoch")
    title: str = Field(description="what it says")


class Backtested(BaseModel):
    """What would have fired."""

    from_ms: int = Field(description="start of what was evaluated again, in ms since the epoch")
    to_ms: int = Field(description="its end, in ms since the epoch")
    fired_before: int = Field(description="alerts that fired")
    fired_now: int = Field(description="alerts that would have fired")
    false_alarms_allowed: float = Field(description="that the budget accepts in this time")
    alerts: list[BacktestedAlert] = Field(description="in the order of their starts")
    not_judged: dict[str, str] = Field(description="what stored panes say nothing about, with the reason")


class Difference(BaseModel):
    """What differs between two configurations, and what that does."""

    fields: list[FieldDifference] = Field(description="what differs, by path")
    series: list[SeriesDifference] = Field(description="what becomes of the series of each signal")
    backtest: Backtested | None = Field(description="null where none was asked for, or none can be made")
    no_backtest: str = Field(description="why none can be made")


def _stops_for(request: Request) -> Callable[[], None]:
    """Return what raises InputError, called from the thread of a request, once nobody waits for its answer any more."""

    def stop_if_gone() -> None:
        if from_thread.run(request.is_disconnected):
            raise InputError("nobody waits for the answer any more")

    return stop_if_gone


def _difference(
    service: ApiService,
    comparisons: Comparisons,
    former: Watch | None,
    watch: Watch,
    days: int,
    stop_if_gone: Callable[[], None],
) -> dict[str, Any]:
    """Return what differs, and with some days what would have fired; that takes long, and stops if nobody waits."""
    tested, why = None, ""
    if days:
        with comparisons.turn():
            try:
                tested = _backtested(service, watch, days, stop_if_gone)
            except InputError as error:
                why = str(error)
    return {
        "fields": [asdict(each) for each in changed_fields(former, watch)],
        "series": [asdict(each) for each in changed_series(former, watch)],
        "backtest": tested,
        "no_backtest": why,
    }


async def difference_of(
    service: TheService, comparisons: TheComparisons, request: Request, days: Days = 0
) -> Callable[[Watch | None, Watch], dict[str, Any]]:
    """Return what says the difference between two configurations, as whoever asks wants it."""
    return partial(_difference, service, comparisons, days=days, stop_if_gone=_stops_for(request))


TheDifference = Annotated[Callable[[Watch | None, Watch], dict[str, Any]], Depends(difference_of)]


def _backtested(service: ApiService, watch: Watch, days: int, stop_if_gone: Callable[[], None]) -> dict[str, Any]:
    # Events may be old: of what there is, the last days.
    end_ms = complete_ms(service.store, watch.name) or service.clock.now_ms()
    span = span_of(service.store, watch, end_ms - days * DAY_MS)
    windows = backtest(service.store, watch, span, lambda _done, _all: stop_if_gone(), skip_changed=True)
    done = with_labels(service.store, watch, windows)
    return {
        "from_ms": span.from_ms,
        "to_ms": span.to_ms,
        "fired_before": sum(alert.at_ms > span.from_ms for alert in done.before),
        "fired_now": done.fired_within(),
        "false_alarms_allowed": done.allowed,
        "alerts": [
            {"which": outcome.which, "starts_ms": outcome.starts_ms, "title": (outcome.now or outcome.before)[0].title}
            for outcome in done.outcomes
        ],
        "not_judged": done.not_judged,
    }
