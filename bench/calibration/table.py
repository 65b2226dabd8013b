"""The tables of the bench, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from bench.calibration.false_alarms import FIRST_DAYS, Counted, interval, pooled
from bench.calibration.power import NEVER, Found
from monitor.cli.output import duration
from monitor.values import DAY_MS

__all__ = ["delay_lines", "false_alarm_lines", "power_lines"]


def false_alarm_lines(cells: Sequence[Counted]) -> Iterator[str]:
    """Yield a table for each budget: after the first days, and in them."""
    for budget in dict.fromkeys(cell.budget for cell in cells):
        of_budget = [cell for cell in cells if cell.budget == budget]
        yield f"### False alarms / budget, {budget}"
        yield ""
        yield f"After {FIRST_DAYS} days, with the 95 % interval:"
        yield ""
        yield from _by_setting(of_budget, [*map(_ratio, of_budget)], [*map(_ratio, pooled(of_budget))])
        yield ""
        yield f"### In the first {FIRST_DAYS} days, alerts of those accepted, {budget}"
        yield ""
        yield from _by_setting(of_budget, [*map(_first, of_budget)], [*map(_first, pooled(of_budget))])
        yield ""


def _by_setting(cells: Sequence[Counted], texts: Iterable[str], sums: Iterable[str]) -> Iterator[str]:
    settings = list(dict.fromkeys((cell.window, cell.features) for cell in cells))
    by_stream: dict[str, dict[tuple[str, int], str]] = {}
    for cell, text in zip(cells, texts, strict=True):
        by_stream.setdefault(cell.stream, {})[cell.window, cell.features] = text
    yield row("stream", *(f"{window}, {features} features" for window, features in settings))
    yield "|---" * (len(settings) + 1) + "|"
    for stream, of_stream in by_stream.items():
        yield row(stream, *(of_stream.get(setting, "–") for setting in settings))
    yield row("all", *sums)


def row(*texts: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(texts)} |"


def _ratio(cell: Counted) -> str:
    low, high = interval(cell.later)
    accepted = cell.accepted_later
    return f"{cell.later / accepted:.2f} ({low / accepted:.2f}–{high / accepted:.2f})"


def _first(cell: Counted) -> str:
    return f"{cell.first} of {cell.accepted_first:.1f}"


def delay_lines(cells: Sequence[Found]) -> Iterator[str]:
    """Yield tables for each length of windows: of each stream, how soon half of each injection was found.

    Streams to which the same things happen share a table.
    """
    for window in dict.fromkeys(cell.window for cell in cells):
        by_course: dict[str, dict[str, str]] = {}
        for cell in cells:
            if cell.window == window:
                by_course.setdefault(cell.course, {})[cell.injection] = _when_and_how_many(cell)
        yield f"### What is found, windows of {window}"
        yield ""
        yield "When half were found, and how many within 7 days:"
        yield ""
        for injections in dict.fromkeys(map(tuple, by_course.values())):
            courses = [course for course, of_course in by_course.items() if tuple(of_course) == injections]
            yield row("injection", *courses)
            yield "|---" * (len(courses) + 1) + "|"
            for injection in injections:
                yield row(injection, *(by_course[course][injection] for course in courses))
            yield ""


def _when_and_how_many(found: Found) -> str:
    windows = float(np.median(found.delays)) + 1
    length_ms = DAY_MS // found.per_day
    when = "–" if windows == NEVER else duration(math.ceil(windows) * length_ms)
    return f"{when}, {100 * found.within_days(7):.0f} %"


COLUMNS: Mapping[str, Callable[[Found], float]] = {
    "1 window": lambda found: found.within(1),
    "2 windows": lambda found: found.within(2),
    "1 day": lambda found: found.within_days(1),
    "4 days": lambda found: found.within_days(4),
    "7 days": lambda found: found.within_days(7),
    "10 days": lambda found: found.within_days(10),
    "14 days": lambda found: found.within_days(14),
}
"""Shares of trials."""


def power_lines(cells: Sequence[Found]) -> Iterator[str]:
    """Yield a table of what was found how soon."""
    if not cells:
        return
    yield "### Found within"
    yield ""
    yield row("window", "stream", "injection", "trials", *COLUMNS, "median delay, windows", "told all: 1 window, 1 day")
    yield "|---" * (len(COLUMNS) + 6) + "|"
    for found in cells:
        shares = [f"{share(found):.2f}" for share in COLUMNS.values()]
        recurrences = f", {found.recurrences_found} of {found.recurrences} times" if found.recurrences else ""
        yield row(
            found.window,
            found.course,
            found.injection + recurrences,
            str(len(found.delays)),
            *shares,
            _delay(float(np.median(found.delays))),
            f"{found.oracle_within(1):.2f}, {found.oracle_within(found.per_day):.2f}" if found.oracle else "–",
        )


def _delay(windows: float) -> str:
    return "never" if windows == NEVER else f"{windows:g}"
