"""A progress bar on stderr, with lines above it; nothing but the lines where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import click

__all__ = ["Progress", "counted"]


class Progress:
    """Shows how far a long piece of work is.

    Parameters
    ----------
    text : str
        What is being done.
    total : callable
        Gives the size of the work, such as in bytes, or None as long as it is not known.
    unit : str
        Of what is counted besides.
    """

    def __init__(self, text: str, total: Callable[[], int | None], unit: str = "events") -> None:
        self._text, self._total, self._unit = text, total, unit
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[events]:,} " + self._unit),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._text, total=None, events=0)
            self._bar.start()
        return self

    def at(self, done: int, events: int) -> None:
        """Say how much is done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self._total(), events=events)

    def say(self, line: str) -> None:
        """Print a line to stdout, above the bar."""
        if self._bar is None:
            click.echo(line)
            return
        self._bar.stop()
        click.echo(line)
        self._bar.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def counted(parts: Iterator[bytes], text: str) -> Iterator[bytes]:
    """Yield ``parts``, and show on a terminal's stderr how many bytes have come."""
    if not sys.stderr.isatty():
        yield from parts
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        for part in parts:
            bar.advance(task, len(part))
            yield part
