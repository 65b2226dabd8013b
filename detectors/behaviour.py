"""What ``make detector-table`` measured, as Markdown: a page of all detectors, and a part of the page of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["behaviour_page", "measured_tables"]

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

_DELAYS = """\
Observations from a change to the first alarm, on average over the trials that saw one within 2,000, and the share
that saw none. The change comes after 2,000 observations. In brackets: what no detector with as few false alarms as it
had can beat in the long run, the logarithm of its average run length divided by the Kullback–Leibler divergence
(Lorden 1971)."""


def behaviour_page(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the paragraphs of the page of all detectors."""
    yield "# How detectors of change behave"
    yield _INTRODUCTION
    yield "## False alarms"
    yield _ALARMS
    yield _table("detector", _columns(rows, "false_alarms"), [(_name(row), row["false_alarms"]) for row in rows], _rate)
    yield "## Delay"
    yield _DELAYS
    yield _table("detector", _columns(rows, "delays"), [(_name(row), row["delays"]) for row in rows], _delay)


def measured_tables(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the paragraphs about the detector `name`; nothing if it was not measured."""
    mine = [row for row in rows if row["name"] == name and row["whose"].startswith("leeway")]
    if not mine:
        return
    yield "**Measured** with the defaults, [beside all others](behaviour.md)."
    learns = {"leeway": "as it is", "leeway, told": "told mean and sd"}
    for part, title, cell in (("false_alarms", "false alarms per 100,000", _rate), ("delays", "delay (bound)", _delay)):
        columns = [column for column in _columns(rows, part) if any(column in row[part] for row in mine)]
        yield _table(title, columns, [(learns[row["whose"]], row[part]) for row in mine], cell)


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
