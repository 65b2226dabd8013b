"""What the commands that ask share: the service or store, the question, and the form of the answer."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, dataclass, fields
from functools import wraps
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click
from click.core import ParameterSource

from monitor.cli.credentials import NO_CREDENTIALS, Credentials, credentials
from monitor.cli.output import as_json, as_rows, json_line
from monitor.cli.records import Option, record
from monitor.resources.contract import Moment, Question, hints, parameters, wire_name

if TYPE_CHECKING:
    from monitor.client import Answer, Leeway

__all__ = [
    "DEFAULT_URL",
    "FORMATS",
    "Form",
    "Target",
    "asks",
    "between",
    "has_subcommand",
    "list_command",
    "sentence",
    "target",
    "write_parts",
]

DEFAULT_URL = "http://127.0.0.1:8080"
FORMATS = ("table", "json", "csv", "parquet", "arrow")
BINARY = ("parquet", "arrow")
TABLE_ROWS = 1_000


@dataclass(frozen=True)
class Target:
    """What answers: a running service, or a store that no service has open.

    Attributes
    ----------
    url : str or None
        Of a running service; the one on this machine if neither is named.
    store : Path or None
        The directory of an embedded store.
    config : Path or None
        The configuration of that store's models.
    credentials : Credentials
        With which the service is asked.

    Raises
    ------
    click.UsageError
        If options exclude each other.
    """

    url: str | None = None
    store: Path | None = None
    config: Path | None = None
    credentials: Credentials = NO_CREDENTIALS

    def __post_init__(self) -> None:
        if self.url is not None and self.store is not None:
            raise click.UsageError("--url and --store exclude each other.")
        if self.config is not None and self.store is None:
            raise click.UsageError("--config goes with --store: a running service has its own.")

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
            from monitor.logs import warn_on_stderr

            warn_on_stderr()
            with Leeway.embedded(self.store, config=self.config) as leeway:
                yield leeway
            return
        try:
            # Once more, since a person waits, and sees at once what is wrong.
            shown = self.credentials
            with Leeway(self.url or DEFAULT_URL, token=shown.token, tls=shown.tls, retries=1) as leeway:
                yield leeway
        except UnreachableError as error:
            hint = "--store DIR reads a store that no service has open"
            raise SourceError(f"{error}; {hint}", retryable=True) from error


target = record(
    "target",
    Target,
    click.option("--url", help=f"A running service.  [default: {DEFAULT_URL}]"),
    click.option("--store", type=click.Path(path_type=Path), help="A store's directory, while no service runs."),
    click.option("--config", type=click.Path(path_type=Path), help="With --store: the configuration of its models."),
    credentials,
)
"""Adds the options that name a service or a store; the command takes ``target``."""


@dataclass(frozen=True)
class Form:
    """The form of an answer, as the options state it.

    Attributes
    ----------
    form : str or None
        One of :data:`FORMATS`.
    json_, csv_ : bool
        Short for one of them.
    output : Path or None
        The file to write; stdout if None.
    limit : int or None
        Most rows.

    Raises
    ------
    click.UsageError
        If options exclude each other.
    """

    limit: int | None
    form: str | None
    json_: bool
    csv_: bool
    output: Path | None

    def __post_init__(self) -> None:
        if (self.form is not None) + self.json_ + self.csv_ > 1:
            raise click.UsageError("--format, --json and --csv exclude each other.")

    @property
    def name(self) -> str:
        """One of :data:`FORMATS`."""
        short = "json" if self.json_ else "csv" if self.csv_ else "table"
        return self.form or short

    @property
    def most(self) -> int | None:
        """How many rows to ask for: all of them, but for a table."""
        return TABLE_ROWS + 1 if self.limit is None and self.name == "table" else self.limit

    def show(
        self,
        answer: Answer,
        ahead: Sequence[dict[str, Any]] = (),
        say: Callable[[Sequence[dict[str, Any]]], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Print an answer, and return the rows if they had to be held for it.

        JSON has those ``ahead`` first; before a table, ``say`` prints what people should read of its rows first.
        """
        if self.name not in ("json", "table"):
            write_parts(answer.stream(self.name), self.name, self.output)
            return []
        rows = list(answer)
        if self.name == "json":
            self._write_lines([*ahead, *rows])
            return rows
        if say is not None:
            say(rows)
        is_cut = self.limit is None and len(rows) > TABLE_ROWS
        as_rows(answer.row, rows[:TABLE_ROWS] if is_cut else rows)
        if is_cut:
            click.echo(f"These are the first {TABLE_ROWS:,}; --limit shows more, --format csv everything.", err=True)
        return rows

    def _write_lines(self, rows: Iterable[dict[str, Any]]) -> None:
        if self.output is None:
            for row in rows:
                as_json(row)
        else:
            write_parts((f"{json_line(row)}\n".encode() for row in rows), "json", self.output)


_form = record(
    "form",
    Form,
    click.option("--limit", type=click.IntRange(min=1), help=f"Most rows.  [default: {TABLE_ROWS:,} in a table]"),
    click.option("--format", "form", type=click.Choice(FORMATS), help="The form of the answer.  [default: table]"),
    click.option("--json", "json_", is_flag=True, help="One JSON object per line: --format json."),
    click.option("--csv", "csv_", is_flag=True, help="CSV with a header: --format csv."),
    click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this file."),
)


def asks(
    question: type[Question], *, without: Iterable[str] = (), arguments: Sequence[str] = (), **overrides: dict[str, Any]
) -> Option:
    """Return the decorator that adds a question's options, and those of who answers it and how.

    Parameters
    ----------
    question : type of Question
    without : iterable of str
        Fields that are no options.
    arguments : sequence of str
        Fields that are arguments, in order.
    **overrides : dict
        By field, what click is to know of its option beside what the declaration says.

    Returns
    -------
    decorator
        The command takes ``question``, ``target`` and ``form``.
    """
    declared = {each.name: each for each in parameters(question)}
    types = hints(question)
    # The limit of a question without pages is the limit of the form, too.
    names = [name for name in declared if name not in (*without, "from_", "to", "limit")]
    ends = [name for name in ("from_", "to") if name in declared]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, form: Form, **values: Any) -> Any:
            chosen = {name: values.pop(name) for name in (*names, *ends)}
            if any(chosen[name] is None and declared[name].default is MISSING for name in ends):
                raise click.UsageError("Give --from and --to.")
            if (limit := form.most if question.is_paged else form.limit) is not None and _has_limit(question):
                chosen["limit"] = limit
            stated = {name: value for name, value in chosen.items() if value not in (None, ())}
            return function(*args, question=question(**stated), form=form, **values)

        own = [
            click.argument(name) if name in arguments else _option(declared[name], types[name], overrides.get(name, {}))
            for name in names
        ]
        command: Callable[..., Any] = call
        for option in reversed([*own, target, *(_end(declared[name]) for name in ends), _form]):
            command = option(command)
        return command

    return decorate


def _has_limit(question: type[Question]) -> bool:
    return any(each.name == "limit" for each in fields(question))


def _option(declared: Field[Any], kind: Any, overrides: dict[str, Any]) -> Option:
    """Return the option of a question's field."""
    kinds = [member for member in get_args(kind) if member is not NoneType] if NoneType in get_args(kind) else [kind]
    settings: dict[str, Any] = {"help": sentence(declared.metadata.get("description", ""))}
    if declared.default is MISSING:
        settings["required"] = True
    elif declared.default not in (None, ""):
        settings["default"] = declared.default
    if kind in (Moment, Moment | None):
        settings["metavar"] = "TIME"
    elif get_origin(kinds[0]) is Literal:
        settings["type"] = click.Choice(get_args(kinds[0]))
    elif kinds[0] is bool:
        settings |= {"is_flag": True} if "flags" not in declared.metadata else {"default": None}
    elif kinds[0] is int:
        settings["type"] = click.IntRange(declared.metadata.get("low"), declared.metadata.get("high"))
    elif getattr(get_origin(kinds[0]), "__name__", "") == "Sequence":
        settings["multiple"] = True
    flags = declared.metadata.get("flags", f"--{wire_name(declared).replace('_', '-')}")
    return click.option(flags, declared.name, **{**settings, **overrides})


def _end(declared: Field[Any]) -> Option:
    is_start = declared.name == "from_"
    help_text = "ISO 8601, ms since the epoch, or relative: -1h." if is_start else "The end, excluded."
    return click.option(f"--{wire_name(declared)}", declared.name, metavar="TIME", help=help_text)


def sentence(phrase: str) -> str:
    """Return a description as help is written.

    Examples
    --------
    >>> sentence("`segment` if absent"), sentence("only this; may be repeated"), sentence("")
    ('--segment if absent.', 'Only this; may be repeated.', '')
    """
    plain = re.sub(r"`(\w+)` if absent", r"--\1 if absent", phrase).replace("`", "")
    return plain and f"{plain[0].upper()}{plain[1:]}."


def list_command(name: str, question: type[Question], summary: str) -> click.Command:
    """Return the command that shows the rows that answer a question."""

    @asks(question)
    def command(question: Question, target: Target, form: Form) -> None:
        with target.opened() as leeway:
            form.show(leeway.ask(question))

    return click.command(name, help=summary)(command)


def has_subcommand(context: click.Context) -> bool:
    """Whether a group that lists by itself has a subcommand; before its name, options would do nothing.

    Raises
    ------
    click.UsageError
        If there are such options.
    """
    name = context.invoked_subcommand
    if name is not None and any(
        context.get_parameter_source(each) is ParameterSource.COMMANDLINE for each in context.params
    ):
        raise click.UsageError(f"options go behind {name!r}: {context.command_path} {name} …")
    return name is not None


def write_parts(parts: Iterator[bytes], form: str, output: Path | None) -> None:
    """Write bytes to a file, which appears when all have come, or to stdout.

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
