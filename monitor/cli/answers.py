"""What the commands that ask share: whom to ask, when, how much, and the form of the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.output import as_json, json_line

if TYPE_CHECKING:
    from monitor.client import Answer, Leeway

__all__ = ["DEFAULT_URL", "FORMATS", "Row", "Wanted", "asks", "between", "write_parts"]

DEFAULT_URL = "http://127.0.0.1:8080"
FORMATS = ("table", "json", "csv", "parquet", "arrow")
BINARY = ("parquet", "arrow")
TABLE_ROWS = 1_000

Row = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Wanted:
    """Whom to ask and how to answer, as the options say.

    Attributes
    ----------
    url : str or None
        Of a running service; the one on this machine if neither is given.
    store : Path or None
        The directory of an embedded store.
    config : Path or None
        The configuration of that store's models.
    from_, to : str or None
    limit : int or None
    form : str
        One of :data:`FORMATS`.
    output : Path or None
        The file to write; stdout if None.
    """

    url: str | None
    store: Path | None
    config: Path | None
    from_: str | None
    to: str | None
    limit: int | None
    form: str
    output: Path | None

    @classmethod
    def of(cls, *, form: str | None, json_: bool, csv_: bool, **given: Any) -> Wanted:
        """Read the options that :func:`asks` adds.

        Raises
        ------
        click.UsageError
            If options exclude each other.
        """
        forms = [*([form] if form else []), *(["json"] if json_ else []), *(["csv"] if csv_ else [])]
        wanted = cls(form=forms[0] if forms else "table", **given)
        if len(forms) > 1:
            raise click.UsageError("--format, --json and --csv exclude each other.")
        if wanted.url is not None and wanted.store is not None:
            raise click.UsageError("--url and --store exclude each other.")
        if wanted.config is not None and wanted.store is None:
            raise click.UsageError("--config goes with --store: a running service has its own.")
        return wanted

    @contextmanager
    def opened(self) -> Iterator[Leeway]:
        """Lend a client of the service or the store.

        Raises
        ------
        InputError, SourceError, StoreError
            If the question is wrong, the service does not answer, or the store cannot be opened.
        """
        from monitor.client import Leeway, UnreachableError
        from monitor.errors import SourceError

        if self.store is not None:
            with Leeway.embedded(self.store, config=self.config) as leeway:
                yield leeway
            return
        try:
            # Once more, since a person waits, and sees at once what is wrong.
            with Leeway(self.url or DEFAULT_URL, retries=1) as leeway:
                yield leeway
        except UnreachableError as error:
            hint = "--store DIR reads a store that no service has open"
            raise SourceError(f"{error}; {hint}", retryable=True) from error

    @property
    def most(self) -> int | None:
        """How many rows to ask for: all of them, but for a table."""
        return TABLE_ROWS + 1 if self.limit is None and self.form == "table" else self.limit

    def show(self, answer: Answer, table: Callable[[Iterable[Row]], None]) -> list[Row]:
        """Print an answer, and return the rows if they had to be held for it.

        Parameters
        ----------
        answer : Answer
        table : callable
            Prints rows for people.
        """
        if self.form == "json":
            rows = list(answer)
            self._write_lines(rows)
            return rows
        if self.form != "table":
            write_parts(answer.stream(self.form), self.form, self.output)
            return []
        rows = list(answer)
        cut = self.limit is None and len(rows) > TABLE_ROWS
        table(rows[:TABLE_ROWS] if cut else rows)
        if cut:
            click.echo(f"These are the first {TABLE_ROWS:,}; --limit shows more, --format csv everything.", err=True)
        return rows

    def _write_lines(self, rows: Iterable[Row]) -> None:
        if self.output is None:
            for row in rows:
                as_json(row)
        else:
            write_parts((f"{json_line(row)}\n".encode() for row in rows), "json", self.output)


def write_parts(parts: Iterator[bytes], form: str, output: Path | None) -> None:
    """Write bytes to a file, which appears when all has come, or to stdout.

    Raises
    ------
    click.UsageError
        If they are not text, and would go to a terminal.
    """
    from monitor.cli.progress import counted

    if output is None:
        if form in BINARY and sys.stdout.isatty():
            raise click.UsageError(f"{form} is not for a terminal: name a file with --output, or use a pipe.")
        stdout = sys.stdout.buffer
        for part in parts:
            stdout.write(part)
        stdout.flush()
        return
    partial = output.with_name(output.name + ".part")
    try:
        with partial.open("wb") as file:
            for part in counted(parts, output.name):
                file.write(part)
        partial.replace(output)
    except OSError as error:
        raise click.BadParameter(f"{output} cannot be written: {error.strerror}", param_hint="--output") from error
    finally:
        partial.unlink(missing_ok=True)


def between(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    """Read ``--from`` and ``--to``."""
    from monitor.api.times import parse_range
    from monitor.clock import SystemClock

    return parse_range(from_, to, SystemClock().now_ms())


def asks(function: F) -> F:
    """Add the options that say whom to ask, when, how much, and in which form to answer."""
    options = (
        click.option("--url", help=f"A running service.  [default: {DEFAULT_URL}]"),
        click.option("--store", type=click.Path(path_type=Path), help="A store's directory, while no service runs."),
        click.option(
            "--config", type=click.Path(path_type=Path), help="With --store: the configuration of its models."
        ),
        click.option("--from", "from_", metavar="TIME", help="ISO 8601, ms since the epoch, or relative: -1h."),
        click.option("--to", metavar="TIME", help="The end, excluded."),
        click.option("--limit", type=click.IntRange(min=1), help=f"Most rows.  [default: {TABLE_ROWS:,} in a table]"),
        click.option("--format", "form", type=click.Choice(FORMATS), help="How to answer.  [default: table]"),
        click.option("--json", "json_", is_flag=True, help="One JSON object per line: --format json."),
        click.option("--csv", "csv_", is_flag=True, help="CSV with a header: --format csv."),
        click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this file."),
    )
    for option in reversed(options):
        function = option(function)
    return function
