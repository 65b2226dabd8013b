"""The tables of the comparison, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from bench.calibration.peers.comparison import HORIZONS, WHAT_HAPPENS, Outcome
from bench.calibration.table import row

__all__ = ["lines_of"]

OURS = "leeway"
Counts = Mapping[str, tuple[int, ...]]


def lines_of(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the tables: false windows, what is found, and on how many streams ours do worse."""
    yield "### False windows, % of all"
    yield ""
    yield from _by_stream(outcomes, _share_of_false)
    for number, days in enumerate(HORIZONS):
        yield ""
        yield f"### Found within {_days(days)}, % of trials (in brackets: told apart from what is usual)"
        yield ""
        yield from _by_stream(outcomes, partial(_shares_found, number))
    yield ""
    yield "### Found, by what happens (in brackets: told apart)"
    yield ""
    yield from _by_injection(outcomes)
    yield ""
    yield "### Summed over streams"
    yield ""
    yield from _sums(outcomes)


def _days(days: int) -> str:
    return "a day" if days == 1 else f"{days} days"


def _contestants(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.contestant for outcome in outcomes))


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


def _shares_found(number: int, outcome: Outcome) -> str:
    return _shares(_summed([outcome], lambda one: one.within, number), _summed([outcome], _told_apart, number))


def _told_apart(outcome: Outcome) -> Counts:
    return outcome.told_apart


def _summed(outcomes: Sequence[Outcome], counts: Callable[[Outcome], Counts], number: int) -> tuple[int, int]:
    """Return how many of the trials were found within a horizon, and how many there are."""
    return (
        sum(of_injection[number] for outcome in outcomes for of_injection in counts(outcome).values()),
        sum(outcome.trials * len(counts(outcome)) for outcome in outcomes),
    )


def _shares(within: tuple[int, int], told_apart: tuple[int, int]) -> str:
    return f"{100 * within[0] / within[1]:.0f} ({100 * told_apart[0] / told_apart[1]:.0f})"


def _by_injection(outcomes: Sequence[Outcome]) -> Iterator[str]:
    contestants = _contestants(outcomes)
    yield row("window", "what happens", "within", *contestants)
    yield "|---" * (len(contestants) + 3) + "|"
    for window in dict.fromkeys(outcome.window for outcome in outcomes):
        for name in WHAT_HAPPENS:
            for number, days in enumerate(HORIZONS):
                texts = [_of_injection(outcomes, window, name, contestant, number) for contestant in contestants]
                if all(texts):
                    yield row(window, name, _days(days), *texts)


def _of_injection(outcomes: Sequence[Outcome], window: str, name: str, contestant: str, number: int) -> str:
    alike = [
        outcome
        for outcome in outcomes
        if (outcome.window, outcome.contestant) == (window, contestant) and name in outcome.within
    ]
    trials = sum(outcome.trials for outcome in alike)
    within, told_apart = (
        sum(counts[name][number] for counts in of_all)
        for of_all in ([outcome.within for outcome in alike], [outcome.told_apart for outcome in alike])
    )
    return _shares((within, trials), (told_apart, trials)) if trials else ""


MEASURES: Mapping[str, Callable[[Outcome], Counts]] = {
    "found": lambda outcome: outcome.within,
    "told apart": _told_apart,
}
COLUMNS = [(title, counts, number) for title, counts in MEASURES.items() for number in range(len(HORIZONS))]


def _sums(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield row("", "false windows", *(f"{title} within {_days(HORIZONS[number])}" for title, _, number in COLUMNS))
    yield "|---" * (len(COLUMNS) + 2) + "|"
    for contestant in _contestants(outcomes):
        of_one = [outcome for outcome in outcomes if outcome.contestant == contestant]
        false, windows = (sum(getattr(outcome, name) for outcome in of_one) for name in ("false_windows", "windows"))
        counted = (_summed(of_one, counts, number) for _, counts, number in COLUMNS)
        yield row(contestant, f"{false} of {windows}", *(f"{count} of {trials}" for count, trials in counted))
    yield ""
    yield "Where ours do worse:"
    yield ""
    yield row("beside", "more false windows", *(f"fewer {title}, {_days(HORIZONS[n])}" for title, _, n in COLUMNS))
    yield "|---" * (len(COLUMNS) + 2) + "|"
    ours = [outcome for outcome in outcomes if outcome.contestant == OURS]
    for contestant in [name for name in _contestants(outcomes) if not name.startswith(OURS)]:
        theirs = [outcome for outcome in outcomes if outcome.contestant == contestant]
        pairs = list(zip(ours, theirs, strict=True))
        worse = [[_name(mine) for mine, other in pairs if mine.false_windows > other.false_windows]]
        worse += [
            [_name(mine) for mine, other in pairs if _summed([mine], counts, n) < _summed([other], counts, n)]
            for _, counts, n in COLUMNS
        ]
        yield row(contestant, *(_named(names, len(pairs)) for names in worse))


def _named(names: Sequence[str], pairs: int) -> str:
    return f"{len(names)} of {pairs}: {', '.join(names)}" if names else "none"


def _name(outcome: Outcome) -> str:
    return f"{outcome.window} {outcome.stream}"
