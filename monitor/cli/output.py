"""How commands print: JSON for programs, tables for people."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from monitor.cells import columns_of, duration, number, when
from monitor.resources.contract import Row

__all__ = ["as_json", "as_rows", "as_table", "duration", "json_line", "number", "printable", "sparkline", "when"]

# Piped output is for grep and files: nothing is wrapped or cut off there.
PIPED_WIDTH = 500
BARS = "▁▂▃▄▅▆▇█"
_CONTROLS = re.compile("[\x7f-\x9f]")
"""Those that JSON may hold as they are."""


def as_json(document: object) -> None:
    """Print one document on one line; NaN is null."""
    click.echo(json_line(document))


def json_line(document: object) -> str:
    """Return one document as one line; NaN is null.

    Examples
    --------
    >>> json_line({"effect": float("nan")})
    '{"effect": null}'
    """
    line = json.dumps(_finite(document), ensure_ascii=False, allow_nan=False, default=str)
    return _CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", line)


def as_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print a table for people: colour and the terminal's width only on a terminal, ``NO_COLOR`` honoured."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH, no_color=True)
    table = Table(*columns, title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(str(cell)), style=_STYLES.get(str(cell), "")) for cell in row))
    # Captured, since rich ends the process by itself when the reader of a pipe has gone.
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def printable(text: str) -> str:
    r"""Return a text with escapes for what does not print: it may be a stranger's, and a terminal would obey it.

    Examples
    --------
    >>> printable("fraud \x1b[2J")
    'fraud \\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def as_rows(row: type[Row], rows: Iterable[Mapping[str, Any]], *, title: str = "") -> None:
    """Print rows as the table that their declaration describes."""
    columns = columns_of(row)
    as_table(
        [column.heading for column in columns],
        ([column.write(each) for column in columns] for each in rows),
        title=title,
    )


_STYLES = {
    "drift": "bold red",
    "firing": "bold red",
    "blind": "bold yellow",
    "warning": "yellow",
    "learning": "dim",
    "no_data": "dim",
}


def sparkline(values: Sequence[float | None], least_top: float = 0.0) -> str:
    """Draw numbers as a line of bars, from zero to the largest, or to ``least_top``; a missing one is a gap.

    Examples
    --------
    >>> sparkline([0.0, 1.0, 2.0, None, 4.0]), sparkline([1.0, 2.0], 8.0)
    ('▁▃▅ █', '▂▃')
    """
    top = max([least_top, *(value for value in values if value is not None and math.isfinite(value))]) or 1.0
    return "".join(
        " " if value is None or not math.isfinite(value) else BARS[min(7, int(max(0.0, value) / top * 7 + 0.5))]
        for value in values
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
