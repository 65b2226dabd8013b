"""The command line: ``leeway COMMAND``.

Every command is one file of this folder and one line of :data:`COMMANDS`, or a question of ``monitor/resources/``; a
file is imported when its command runs, so that ``leeway --help`` answers at once. Conventions that all commands keep:

* the answer goes to stdout, everything else to stderr;
* ``--json`` gives one JSON document, or one JSON object per line;
* the exit code is one of :data:`EXIT_CODES`.
"""

from __future__ import annotations

import gc
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from monitor.cli.program import program, runnable
from monitor.resources import questions

__all__ = ["COMMANDS", "EXIT_CODES", "LazyGroup", "cli", "execute", "main"]

_OWN: dict[str, tuple[str, str]] = {
    "init": ("monitor.cli.init", "Write a file that watches a model, drafted from a sample of its events."),
    "check": ("monitor.cli.check", "Check a configuration, and show what will be watched."),
    "apply": ("monitor.cli.apply", "Change a model's configuration while the service runs."),
    "versions": ("monitor.cli.versions", "List the versions of a model's configuration, and who lags behind."),
    "diff": ("monitor.cli.diff", "Show what a change of a model's configuration does, or would do."),
    "rollback": ("monitor.cli.rollback", "Put an earlier version of a model's configuration in force again."),
    "baseline": ("monitor.cli.baseline", "Build, promote and freeze baselines: what a model is compared with."),
    "release": ("monitor.cli.release", "Give up a model that the API owns: it is watched no more."),
    "get": ("monitor.cli.get", "Print a model's configuration, and where each value comes from."),
    "schema": ("monitor.cli.schema", "Print the JSON Schema of configuration files, for editors."),
    "run": ("monitor.cli.run", "Watch models: read, evaluate, alert, and serve the API."),
    "replay": ("monitor.cli.replay", "Run a configuration over recorded events, as fast as they can be read."),
    "demo": ("monitor.cli.demo", "Show how a drift is found, with data that comes along."),
    "backtest": ("monitor.cli.backtest", "Show what would have fired under another configuration."),
    "route": ("monitor.cli.route", "Show who would be notified of an alert, and when."),
    "rollout": ("monitor.cli.rollout", "Compare a candidate version with its champion: may it stay?"),
    "ack": ("monitor.cli.ack", "Take an alert on, so that it is not repeated."),
    "accept": ("monitor.cli.accept", "Accept the level that a signal has as its new normal."),
    "mark": ("monitor.cli.mark", "Say what an alert was: false, harmless or real."),
    "subscribe": ("monitor.cli.subscribe", "Subscribe to alerts that matchers match."),
    "unsubscribe": ("monitor.cli.unsubscribe", "End subscriptions."),
    "silence": ("monitor.cli.silence", "Silence alerts for a while."),
    "sql": ("monitor.cli.sql", "Run a statement in ClickHouse's SQL on a store."),
    "store": ("monitor.cli.store", "Look after the store: status, upgrades, room, backups."),
    "explain": ("monitor.cli.explain", "Say why a window alarmed, or did not."),
    "doctor": ("monitor.cli.doctor", "Say what keeps a service from working, and what to do."),
    "token": ("monitor.cli.token", "Make, list and revoke tokens: who may ask and change what."),
    "whoami": ("monitor.cli.whoami", "Show as whom a service sees you, and with which role."),
    "erase": ("monitor.cli.erase", "Erase a data subject from everything that is kept, and prove it."),
    "export": ("monitor.cli.export", "Print all that is held about a data subject."),
    "estimator": ("monitor.cli.estimator", "Fit and show what says how good predictions are before labels come."),
    "detect": ("monitor.cli.detect", "Run one detector over a column of a file."),
    "detectors": ("monitor.cli.detectors", "List detectors with their parameters."),
    "completion": ("monitor.cli.completion", "Print the completion script of a shell."),
}

COMMANDS: dict[str, tuple[str, str]] = _OWN | {
    verb: (f"monitor.cli.{verb.replace('-', '_')}", question.verb) for verb, question in questions().items()
}
"""Every command: its module, which holds a click command named ``command``, and its line in the help.

A question of ``monitor/resources/`` is a command by its declaration; it needs a module only where it does more than
show what answers it.
"""

FINE, ALERTED, WRONG_INPUT, UNREACHABLE, BUG, HELD, ROLLED_BACK, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130
EXIT_CODES: dict[int, str] = {
    FINE: "fine",
    ALERTED: "an alert fired, and --fail-on-alert was given; or a store is damaged; or a change is not in force yet; "
    "or a job failed; or `doctor` found something wrong",
    WRONG_INPUT: "bad input, configuration or usage",
    UNREACHABLE: "a service, broker or store cannot be reached or opened",
    BUG: "internal error: a bug (LEEWAY_DEBUG=1 shows the traceback)",
    HELD: "`rollout status`: there is no verdict, or not yet",
    ROLLED_BACK: "`rollout status`: the candidate has to go",
    INTERRUPTED: "interrupted",
}
"""What the exit codes mean."""


class ReaderGoneError(Exception):
    """The reader of stdout has closed it."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # Click would end the process with 1, which here means that an alert fired.
            raise ReaderGoneError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        close = [] if args[0] in COMMANDS else get_close_matches(args[0], COMMANDS, 1)
        if close:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = COMMANDS[cmd_name][0]
        if find_spec(module) is None:
            from monitor.cli.answers import list_command

            return list_command(cmd_name, questions()[cmd_name], COMMANDS[cmd_name][1])
        command = import_module(module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The inherited method would import every command for its help.
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in _OWN])
        with formatter.section("Questions"):
            formatter.write_dl([(name, question.verb) for name, question in questions().items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        matching = [CompletionItem(n, help=h) for n, (_, h) in COMMANDS.items() if n.startswith(incomplete)]
        return matching + click.Command.shell_complete(self, ctx, incomplete)


@click.command(
    cls=LazyGroup, name="leeway", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="leeway", prog_name="leeway", message="%(prog)s %(version)s")
def cli() -> None:
    """Streaming drift monitoring for machine-learning models, with a stated false-alarm budget."""


def main() -> NoReturn:
    """Run the command line of this process."""
    # What is imported stays: to look for garbage among it again and again takes a tenth of the time of a start.
    gc.set_threshold(100_000)
    _leave(execute(sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """End the process with its exit code, whatever its other threads are at.

    Python would wait for some of them, without end, and end others wherever they are. In a library of C++, such as the
    engine of the embedded store, that is a crash: it takes down at the end what they still use.
    """
    # The outcome is known: a second Ctrl-C or SIGTERM would only change the exit code.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if threading.active_count() == 1:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


def execute(arguments: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.

    Returns
    -------
    int
        The exit code: a key of :data:`EXIT_CODES`.
    """
    try:
        result = cli.main(list(arguments), prog_name=program(), complete_var="_LEEWAY_COMPLETE", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        # As all other errors are written, for whoever looks for them in what a command has said.
        in_one_form = re.sub("^Error: ", "error: ", shown.getvalue(), count=1, flags=re.MULTILINE)
        click.echo(runnable(in_one_form), err=True, nl=False)
        return WRONG_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except (BrokenPipeError, ReaderGoneError):
        return _reader_has_gone()
    except Exception as error:  # noqa: BLE001 -- the last line of defence: a bug becomes an exit code
        return _report(error, arguments)
    return result if isinstance(result, int) else FINE


def _reader_has_gone() -> int:
    """End quietly, as in `leeway history | head`; Python would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return FINE


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """Return the options of the command that arguments name, by what the API calls them."""
    command: click.Command = cli
    for argument in arguments:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), argument) or command
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {str(option.name).removesuffix("_"): option.opts[0] for option in options}


def _by_options(error: Exception, arguments: Sequence[str]) -> str:
    """Return what is wrong with the options of a command, where an answer of the API names its own parameters."""
    options = _options(arguments)
    return re.sub(r"`(\w+)`", lambda name: options.get(name[1], name[0]), str(error))


def _report(error: Exception, arguments: Sequence[str]) -> int:
    """Print what went wrong, and return the exit code for it."""
    from monitor.errors import LeewayError, SourceError
    from sinks.store.contract import StoreError

    if os.environ.get("LEEWAY_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    if isinstance(error, (LeewayError, StoreError)):
        for line in runnable(_by_options(error, arguments)).splitlines():
            click.echo(f"error: {line}", err=True)
        return UNREACHABLE if isinstance(error, (SourceError, StoreError)) else WRONG_INPUT
    click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
    click.echo("this is a bug; LEEWAY_DEBUG=1 shows where it happened", err=True)
    return BUG
