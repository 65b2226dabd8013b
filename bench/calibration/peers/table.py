"""The tables of the comparison, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bench.calibration.peers.comparison import HORIZONS, WHAT_HAPPENS, Outcome
from bench.calibration.table import row

__all__ = ["lines_of"]

OURS = "leeway"
Counts = Mapping[str, tuple[int, ...]]


def lines_of(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the tables: false windows, what is found, and on how many streams ours do worse."""
    within = " and ".join(f"within {_days(days)}" for days in HORIZONS)
    yield "### False windows, % of all"
    yield ""
    yield from _by_stream(outcomes, _share_of_false)
    yield ""
    yield f"### Found {within}, % of trials; in brackets told apart from what is usual"
    yield ""
    yield from _by_stream(outcomes, lambda outcome: _shares([outcome]))
    yield ""
    yield "### The same by what happens"
    yield ""
    yield from _by_injection(outcomes)
    yield ""
    yield "### Summed over streams"
    yield ""
    yield from _sums(outcomes)
    yield ""
    yield "### Where ours do worse"
    yield ""
    yield from _worse(outcomes)


def _days(days: int) -> str:
    return "a day" if days == 1 else f"{days} days"


def _contestants(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.contestant for outcome in outcomes))


def _windows(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.window for outcome in outcomes))


def _by_stream(outcomes: Sequence[Outcome], text: Callable[[Outcome], str]) -> Iterator[str]:
    contestants = _contestants(outcomes)
    yield row("window", "stream", *contestants)
    yield "|---" * (len(contestants) + 2) + "|"
    cells: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        cells.setdefault((outcome.window, outcome.stream), []).append(text(outcome))
    for (window, stream), texts in cells.items():
        yield row(window, stream, *texts)


def _share_of_false(outcome: Outcome) -> str:
    return f"{100 * outcome.false_windows / outcome.windows:.1f}"


def _by_injection(outcomes: Sequence[Outcome]) -> Iterator[str]:
    contestants = _contestants(outcomes)
    yield row("window", "what happens", *contestants)
    yield "|---" * (len(contestants) + 2) + "|"
    for window in _windows(outcomes):
        for name in WHAT_HAPPENS:
            alike = [
                _only(outcome, name) for outcome in outcomes if outcome.window == window and name in outcome.within
            ]
            if alike:
                of_each = ([one for one in alike if one.contestant == contestant] for contestant in contestants)
                yield row(window, name, *map(_shares, of_each))


def _only(outcome: Outcome, name: str) -> Outcome:
    """Return what came of one injection."""
    return replace(outcome, within={name: outcome.within[name]}, told_apart={name: outcome.told_apart[name]})


def _shares(outcomes: Sequence[Outcome]) -> str:
    """Write the shares of trials that were found within each horizon, and of those that were told apart."""
    found, told_apart = (
        ", ".join(f"{100 * count / trials:.0f}" for count, trials in _summed(outcomes, counts))
        for counts in MEASURES.values()
    )
    return f"{found} ({told_apart})"


def _summed(outcomes: Sequence[Outcome], counts: Callable[[Outcome], Counts]) -> list[tuple[int, int]]:
    """Return of how many trials how many were found, for each horizon."""
    trials = sum(outcome.trials * len(outcome.within) for outcome in outcomes)
    return [
        (sum(of_injection[number] for outcome in outcomes for of_injection in counts(outcome).values()), trials)
        for number in range(len(HORIZONS))
    ]


MEASURES: Mapping[str, Callable[[Outcome], Counts]] = {
    "found": lambda outcome: outcome.within,
    "told apart": lambda outcome: outcome.told_apart,
}
TITLES = [f"{measure}, {_days(days)}" for measure in MEASURES for days in HORIZONS]


def _all_sums(outcomes: Sequence[Outcome]) -> list[tuple[int, int]]:
    """Return what is under `TITLES`: of how many trials how many."""
    return [pair for counts in MEASURES.values() for pair in _summed(outcomes, counts)]


def _sums(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield row("window", "", "false windows", *TITLES)
    yield "|---" * (len(TITLES) + 3) + "|"
    for window in _windows(outcomes):
        for contestant in _contestants(outcomes):
            alike = [one for one in outcomes if (one.window, one.contestant) == (window, contestant)]
            false, windows = (sum(getattr(one, name) for one in alike) for name in ("false_windows", "windows"))
            counted = (f"{count} of {trials}" for count, trials in _all_sums(alike))
            yield row(window, contestant, f"{false} of {windows}", *counted)


def _worse(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield row("than", "more false windows", *(f"fewer {title}" for title in TITLES))
    yield "|---" * (len(TITLES) + 2) + "|"
    ours = [outcome for outcome in outcomes if outcome.contestant == OURS]
    for contestant in [name for name in _contestants(outcomes) if not name.startswith(OURS)]:
        theirs = [outcome for outcome in outcomes if outcome.contestant == contestant]
        pairs = list(zip(ours, theirs, strict=True))
        worse = [[mine for mine, other in pairs if mine.false_windows > other.false_windows]]
        for number in range(len(TITLES)):
            worse.append([mine for mine, other in pairs if _all_sums([mine])[number] < _all_sums([other])[number]])
        yield row(contestant, *(_named(of_title, len(pairs)) for of_title in worse))


def _named(outcomes: Sequence[Outcome], pairs: int) -> str:
    names = ", ".join(f"{outcome.window} {outcome.stream}" for outcome in outcomes)
    return f"{len(outcomes)} of {pairs}: {names}" if outcomes else "none"
