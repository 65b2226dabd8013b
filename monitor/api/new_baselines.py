"""What another baseline would be before it is in force: over which events, how far the last week is from it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from monitor.api.comparisons import check_size
from monitor.api.contract import ApiService
from monitor.api.distributions import refuse_other_layouts
from monitor.config.baseline import DatasetBaseline, PeriodBaseline
from monitor.errors import InputError
from monitor.evaluate.backtest import Span, alarmed_before
from monitor.evaluate.columns import sums_of
from monitor.panes.coverage import begins_ms, complete_ms, table_for
from monitor.panes.differences import differences
from monitor.panes.distributions import Part, Summaries, summaries
from monitor.resources.configurations import BuiltSignal
from monitor.values import DAY_MS, Strict
from monitor.watch import Watch
from sinks.receivers.times import rfc3339, utc
from sinks.store.contract import Query

__all__ = ["NewBaseline", "frozen", "gap_of", "notes_on", "signals_of"]

WEEK_MS = 7 * DAY_MS


def _plain(value: object) -> object:
    """Say in words what is wrong with a value: the types that it may have would each say so in theirs."""
    is_plain = value is None or isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < 2**63)
    if not is_plain and not (isinstance(value, float) and isfinite(value)):
        raise ValueError("expected a text, a number, true, false or null")
    return value


Setting = Annotated[str | int | float | bool | None, BeforeValidator(_plain)]


class NewBaseline(Strict):
    """What a model is to be compared with."""

    baseline: dict[str, Setting] | None = Field(
        default=None,
        description="as `spec.baseline` of a file has it; null: the period that its present one was learned from",
    )


def frozen(service: ApiService, watch: Watch) -> dict[str, Any]:
    """Return the period from which the baseline of a model was learned, as it stands now.

    While a signal is alarmed its baseline stands still, and those of others go on: the period is as long as the longest
    of them, and ends where the first of them does.

    Raises
    ------
    InputError
        If the baseline stands still already, or nothing has been learned.
    """
    baseline = watch.model.spec.baseline
    if isinstance(baseline, DatasetBaseline | PeriodBaseline):
        raise InputError(f"the baseline of {watch.name} is a {baseline.kind}, which stands still already")
    spans = list(_spans(service, watch))
    if not spans:
        raise InputError(f"no baseline of a distance of {watch.name} has been learned yet: name a period")
    to_ms = min(span[1] for span in spans)
    from_ms = to_ms - max(end_ms - start_ms for start_ms, end_ms in spans)
    uri = {} if baseline.uri is None else {"uri": baseline.uri}
    return {"kind": "period", "from": rfc3339(from_ms), "to": rfc3339(to_ms), **uri}


def _spans(service: ApiService, watch: Watch) -> Iterator[tuple[int, int]]:
    """Yield from when to when the baseline of each signal reaches, in all of the traffic and the newest version."""
    columns = ("signal", "segment", "detector", "window_end_ms", "baseline_n", "baseline_from_ms", "baseline_to_ms")
    rows = service.store.read(Query("latest", {"model": watch.name}, columns=columns))
    newest: dict[str, tuple[int, int, int, int]] = {}
    for signal, segment, detector, *numbers in zip(*(list(rows[name]) for name in columns), strict=True):
        end_ms, n, from_ms, to_ms = map(int, numbers)
        if not segment and n and from_ms and detector in watch.uses.get(signal, ()):
            newest[signal] = max(newest.get(signal, (0, 0, 0, 0)), (end_ms, n, from_ms, to_ms))
    for _, _, from_ms, to_ms in newest.values():
        yield from_ms, to_ms


def gap_of(service: ApiService, watch: Watch) -> str:
    """Say why a model's period will never have an event; empty if it has some, or may have, or is none."""
    period = watch.model.spec.baseline
    if not isinstance(period, PeriodBaseline) or period.to_ms > _end_ms(service, watch) or _is_held(service, watch):
        return ""
    begins = begins_ms(service.store, watch.name, table_for(service.store, watch))
    if begins is not None and begins < period.to_ms:
        return ""
    since = "no pane of it is stored" if begins is None else f"panes of it are stored since {utc(begins)} only"
    return f"nothing can be compared with {utc(period.from_ms)} to {utc(period.to_ms)} of {watch.name}: {since}"


def _is_held(service: ApiService, watch: Watch) -> bool:
    """Whether a model is compared with this period already: what it was added up from may be gone."""
    present, period = service.watches.get(watch.name), watch.model.spec.baseline
    return present is not None and present.model.spec.baseline == period


def notes_on(service: ApiService, watch: Watch) -> Iterator[str]:
    """Yield what to know of a period before a model is compared with it."""
    period = watch.model.spec.baseline
    if not isinstance(period, PeriodBaseline):
        return
    if gap := gap_of(service, watch):
        yield gap
        return
    if period.to_ms > _end_ms(service, watch):
        yield f"nothing is compared with it before {utc(period.to_ms)}, when it is over"
    begins = begins_ms(service.store, watch.name, table_for(service.store, watch))
    if begins is not None and begins > period.from_ms and not _is_held(service, watch):
        yield f"panes are stored since {utc(begins)} only: what came before is not in it"
    alarmed = alarmed_before(service.store, watch.name, Span(0, period.from_ms, period.to_ms, 0), judged=False)
    if alarmed:
        most = ", ".join(f"{signal} ({windows})" for signal, windows in alarmed.most_common(3))
        yield f"windows in it have alarmed, and count as any others: {most}"


def signals_of(service: ApiService, watch: Watch) -> list[dict[str, Any]]:
    """Return rows of `BuiltSignal` of a period or a data set; of other baselines nothing, which learn by themselves.

    Raises
    ------
    ProblemError
        If these are too many panes for one answer, or were counted in other bins.
    """
    baseline, end_ms = watch.model.spec.baseline, _end_ms(service, watch)
    week = Part(end_ms - WEEK_MS, end_ms)
    if isinstance(baseline, PeriodBaseline):
        period = Part(baseline.from_ms, baseline.to_ms)
        check_size(watch, period, None)
        reference = summaries(service.store, watch, period)
        refuse_other_layouts(reference.other_layouts)
    elif isinstance(baseline, DatasetBaseline):
        reference = Summaries({signal: held for (segment, signal), held in watch.reference.items() if not segment})
    else:
        return []
    current = summaries(service.store, watch, week)
    compared = {each.signal: each.measured for each in differences(watch, reference, current)}
    rows = []
    for signal in watch.layouts:
        detector, measured = next(iter(compared.get(signal, {}).items()), ("", None))
        row = BuiltSignal(
            signal=signal,
            baseline_n=_events(reference, signal),
            current_n=_events(current, signal),
            detector=detector,
            effect=None if measured is None else measured.effect,
            min_effect=None if measured is None else measured.min_effect,
        )
        rows.append(vars(row))
    return rows


def _events(side: Summaries, signal: str) -> int:
    return int(sums_of(side.summaries[signal])[:3].sum()) if signal in side.summaries else 0


def _end_ms(service: ApiService, watch: Watch) -> int:
    """Up to where panes are complete; now, if there are none."""
    return complete_ms(service.store, watch.name) or service.clock.now_ms()
