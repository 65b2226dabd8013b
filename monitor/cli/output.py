"""How commands print: JSON for programs, tables for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

__all__ = ["as_json", "as_table", "number", "when"]

# Piped output is for grep and files: nothing is wrapped or cut off there.
PIPED_WIDTH = 500


def as_json(document: object) -> None:
    """Print one document on one line; NaN is null."""
    click.echo(json.dumps(_finite(document), ensure_ascii=False, allow_nan=False, default=str))


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
        table.add_row(*(Text(str(cell), style=_STYLES.get(str(cell), "")) for cell in row))
    # Captured, since rich ends the process by itself when the reader of a pipe has gone.
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


_STYLES = {"drift": "bold red", "firing": "bold red", "warning": "yellow", "learning": "dim", "no_data": "dim"}


def number(value: float | None) -> str:
    """Write a number with four significant digits; nothing for a missing one.

    Examples
    --------
    >>> number(0.123456), number(None)
    ('0.1235', '')
    """
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def when(time_ms: int | None) -> str:
    """Write a time as ISO 8601 in UTC; nothing for a missing one.

    Examples
    --------
    >>> when(1_700_000_000_000)
    '2023-11-14T22:13:20Z'
    """
    if not time_ms:
        return ""
    time = datetime.fromtimestamp(time_ms / 1000, UTC)
    text = time.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
