"""What ``make detector-table`` measured, as Markdown: a page of all detectors, and a part of the page of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["CHANGES", "STREAMS", "behaviour_page", "measured_tables"]

Row = Mapping[str, Any]

_INTRODUCTION = """\
Measured by `make detector-table` on fixed seeds, all with their default settings. What runs in Leeway is called
`leeway`; "told" is a detector that was given mean and standard deviation before the change, others learn them from
the stream. river, MOA and frouros ran beside them on the same streams, the slow ones on fewer observations, as their
intervals show. Two detectors that know nothing show what silence, or haste, is worth by itself. A dash: not made for
such values."""

_ALARMS = """\
Alarms per 100,000 observations in which nothing changes, with the 95 % interval of a Poisson count. A detector runs
over stretches of 100,000 observations and goes on after an alarm. The normal values have mean 0.5 and standard
deviation 0.1, the uniform ones lie between 0 and 1, the others have scale 1."""

_HARDER = """\
Of the sparse values 95 % are zero, the others exponential; the log-normal ones have an sd of 1 in their logarithms; of
the Cauchy ones neither mean nor sd exist. Where a detector alarms more than once in 100,000, its page says which other
one to take."""

_NEIGHBOURS = """\
`AR(0.5)` carries on half of each value's deviation, `AR(0.9)` nine tenths. In `GARCH(1,1)` large deviations of either
sign come in bursts, as of prices: the variance is 0.05 + 0.1 x² + 0.85 of the one before. `cusum` and `ewma` learn with
their baseline what neighbours have in common, and take it out; told mean and sd, they learn nothing. Who learns for
long after an alarm is silent meanwhile, which keeps the worst rates down."""

_GROUPS = (
    ("Sparse values, heavy tails, few errors", _HARDER, ("heavy tails", "few errors")),
    ("Values that follow one another", _NEIGHBOURS, ("bursts", "neighbours")),
)

STREAMS: Mapping[str, tuple[str, ...]] = {
    "heavy tails": ("sparse", "log-normal", "Pareto(2.5)", "Cauchy"),
    "few errors": ("0/1, 1 %", "0/1, 0.1 %"),
    "bursts": ("GARCH(1,1)",),
    "neighbours": ("AR(0.5)", "AR(0.9)"),
}
"""Which of the streams that detectors are tried on belong to which of :data:`detectors.contract.SIGNALS`."""

CHANGES: Mapping[str, tuple[str, ...]] = {
    "few errors": ("0.01 to 0.03", "0.001 to 0.003"),
    "neighbours": ("AR(0.5) +1 sd", "AR(0.9) +2 sd"),
}
"""The changes of such streams that there were to find."""

_DELAYS = """\
Observations from a change to the first alarm, on average over the trials that saw one within 2,000, and the share
that saw none. The change comes after 2,000 observations. In brackets: what no detector with as few false alarms as it
had can beat in the long run, the logarithm of its average run length divided by the Kullback–Leibler divergence
(Lorden 1971)."""

_RARE = """\
Changes come after 5,000 observations, and may be found within 5,000, where 1 % are errors at first; after 50,000, and
within 50,000, where 0.1 % are."""


def behaviour_page(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the paragraphs of the page of all detectors."""
    yield "# How detectors of change behave"
    yield _INTRODUCTION
    yield "## False alarms"
    yield _ALARMS
    yield _compared(rows, "false_alarms", _independent(_columns(rows, "false_alarms"), STREAMS), _rate)
    for title, text, signals in _GROUPS:
        streams = [stream for kind in signals for stream in STREAMS[kind]]
        yield from _part(rows, "false_alarms", title, text, streams, _rate)
    yield "## Delay"
    yield _DELAYS
    yield _compared(rows, "delays", _independent(_columns(rows, "delays"), CHANGES), _delay)
    title = "Few errors, and values that follow one another"
    yield from _part(rows, "delays", title, _RARE, [change for kind in CHANGES.values() for change in kind], _delay)


def measured_tables(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the paragraphs about the detector `name`; nothing if it was not measured."""
    mine = [row for row in rows if row["name"] == name and row["whose"].startswith("leeway")]
    if not mine:
        return
    yield "**Measured** with the defaults, [beside all others](behaviour.md)."
    learns = {"leeway": "as it is", "leeway, told": "told mean and sd"}
    parts = (("false_alarms", "false alarms per 100,000", _rate, STREAMS), ("delays", "delay (bound)", _delay, CHANGES))
    for part, title, cell, special in parts:
        columns = [column for column in _columns(rows, part) if any(column in row[part] for row in mine)]
        usual = _independent(columns, special)
        for group in (usual, [column for column in columns if column not in usual]):
            if group:
                yield _table(title, group, [(learns[row["whose"]], row[part]) for row in mine], cell)


def _part(rows: Sequence[Row], part: str, title: str, text: str, columns: Sequence[str], cell: Any) -> Iterator[str]:
    """Yield a title, a text and the table of what was measured of `columns`, if anything was."""
    measured = [row for row in rows if any(column in row[part] for column in columns)]
    if measured:
        yield f"### {title}"
        yield text
        yield _compared(measured, part, columns, cell)


def _compared(rows: Sequence[Row], part: str, columns: Sequence[str], cell: Any) -> str:
    return _table("detector", columns, [(_name(row), row[part]) for row in rows], cell)


def _independent(columns: Sequence[str], by_signals: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the columns that are not of signals of a special kind."""
    return [column for column in columns if all(column not in special for special in by_signals.values())]


def _columns(rows: Sequence[Row], part: str) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row[part]))


def _name(row: Row) -> str:
    return f"{row['whose']} `{row['name']}`"


def _table(head: str, columns: Sequence[str], rows: Sequence[tuple[str, Row]], cell: Any) -> str:
    lines = [f"| {head} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cell(cells.get(column)) for column in columns)} |" for name, cells in rows]
    return "\n".join(lines)


def _rate(cell: Row | None) -> str:
    if cell is None:
        return "–"
    if "error" in cell:
        return "error"
    return f"{_short(cell['per_100k'])} ({_short(cell['low'])} to {_short(cell['high'])})"


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}"


def _delay(cell: Row | None) -> str:
    if cell is None:
        return "–"
    if "error" in cell:
        return "error"
    if cell["mean"] is None:
        return "missed"
    missed = f", {cell['missed']:.0%} missed" if cell["missed"] > 0.005 else ""
    return f"{cell['mean']:.0f} ({cell['bound']:.0f}){missed}"
