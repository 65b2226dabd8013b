"""``leeway backtest``: what would have fired under another configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json, as_table, number, when
from monitor.cli.records import record

if TYPE_CHECKING:
    from monitor.alerts.counterparts import Fired, Outcome
    from monitor.config import Configuration
    from monitor.evaluate.backtest import Backtest, Span
    from monitor.watch import Watch
    from sinks.store.contract import Store

__all__ = ["command", "document"]

TIME = "ISO 8601, ms since the epoch, or relative to now: -30d."


@dataclass(frozen=True)
class Scope:
    """What to evaluate, as the options state it."""

    store_dir: Path | None
    models: tuple[str, ...]
    from_: str | None
    to: str | None
    learn_from: str | None
    skip_changed: bool

    def span(self, store: Store, watch: Watch) -> Span:
        """Return the span that is evaluated, and from where on it is learned from.

        Raises
        ------
        InputError, StoreError
        """
        from monitor.cli.answers import between
        from monitor.evaluate.backtest import span_of

        from_ms, to_ms = between(self.from_, self.to)
        learn_from_ms, _ = between(self.learn_from, None)
        return span_of(store, watch, from_ms, to_ms, learn_from_ms)


@click.command("backtest")
@click.argument("config", type=click.Path())
@record(
    "scope",
    Scope,
    click.option(
        "--store", "store_dir", type=click.Path(path_type=Path), help="An embedded store; CONFIG's own if absent."
    ),
    click.option("--model", "models", multiple=True, help="Only this model of CONFIG; may be repeated."),
    click.option("--from", "from_", metavar="TIME", help=f"Evaluate windows from here on: {TIME}"),
    click.option("--to", metavar="TIME", help="Evaluate windows up to here."),
    click.option("--learn-from", metavar="TIME", help="Learn from here on; as early as the baseline needs if absent."),
    click.option("--skip-changed", is_flag=True, help="Leave out signals whose panes were kept in another layout."),
)
@click.option("--detail", metavar="SIGNAL", help="Show the windows of this signal.")
@click.option("--fail-on-alert", is_flag=True, help="Exit with 1 if an alert would have fired.")
@click.option("--json", "json_", is_flag=True, help="One JSON document per model.")
def command(config: str, scope: Scope, *, detail: str | None, fail_on_alert: bool, json_: bool) -> None:
    """Evaluate stored panes under CONFIG, and show what would have fired beside what did.

    The store is only read. Without --from and --to everything stored is evaluated. The store knows the alerts of
    another configuration, but not that configuration.
    """
    from monitor.check import load
    from monitor.logs import log_to_stderr
    from monitor.watch import compile_watch

    log_to_stderr(as_json=json_, quiet=True)
    configuration = load(config)
    store = _opened(configuration, scope.store_dir)
    results = []
    try:
        for name in _chosen(configuration, scope.models):
            watch = compile_watch(configuration, name)
            if detail is not None and detail not in watch.uses:
                raise click.BadParameter(f"{name} has no signal {detail!r}; it has {', '.join(watch.uses)}")
            done = _evaluated(store, watch, scope.span(store, watch), detail, skip_changed=scope.skip_changed)
            results.append(done)
            if json_:
                as_json(document(done) | ({"detail": list(_windows(done))} if detail is not None else {}))
                continue
            _show(done)
            if detail is not None:
                _show_windows(detail, _windows(done))
    finally:
        store.close()
    has_fired = any(done.fired_within() for done in results)
    click.get_current_context().exit(1 if fail_on_alert and has_fired else 0)


def _evaluated(store: Store, watch: Watch, span: Span, detail: str | None, *, skip_changed: bool) -> Backtest:
    from monitor.cli.progress import Progress
    from monitor.evaluate.backtest import backtest
    from monitor.performance.backtest import with_labels

    windows = 0
    with Progress(f"evaluating {watch.name}", lambda: windows, "windows") as progress:

        def at(done: int, total: int) -> None:
            nonlocal windows
            windows = total
            progress.at(done, done)

        keep = () if detail is None else (detail,)
        done = backtest(store, watch, span, at, keep=keep, skip_changed=skip_changed)
        return with_labels(store, watch, done, keep)


def _opened(configuration: Configuration, store_dir: Path | None) -> Store:
    from monitor.client.archive import MARK
    from monitor.errors import InputError
    from sinks.store import open_store

    spec = configuration.service.spec.store
    kind, settings = (spec.kind, spec.settings()) if store_dir is None else ("chdb", {"path": str(store_dir)})
    # Opening would create an empty store, and a mistyped name would answer "nothing".
    if kind == "chdb" and not (Path(settings["path"]) / MARK).is_file():
        raise InputError(f"no store at {settings['path']}; --store names the one to evaluate")
    return open_store(kind, **settings)


def _chosen(configuration: Configuration, models: tuple[str, ...]) -> list[str]:
    from monitor.errors import InputError

    unknown = sorted(set(models) - set(configuration.models))
    if unknown:
        raise InputError(
            f"no model {', '.join(unknown)} in the configuration; it has {', '.join(configuration.models)}"
        )
    return list(models or configuration.models)


def document(done: Backtest) -> dict[str, Any]:
    """Return a result as ``--json`` prints it."""
    span = done.span
    return {
        "model": done.model,
        "learn_from_ms": span.learn_from_ms,
        "from_ms": span.from_ms,
        "to_ms": span.to_ms,
        "window_ms": done.window_ms,
        "every_ms": done.step_ms,
        "windows": done.windows,
        "tests": done.tests,
        "false_alarms_allowed": done.allowed,
        "fired_before": sum(alert.at_ms > span.from_ms for alert in done.before),
        "fired_now": done.fired_within(),
        "alerts": [
            {
                "which": outcome.which,
                "before": [_alert(alert) for alert in outcome.before],
                "now": [_alert(alert) for alert in outcome.now],
            }
            for outcome in done.outcomes
        ],
        "signals": {signal: vars(count) for signal, count in done.signals.items()},
        "not_judged": done.not_judged,
    }


def _alert(alert: Fired) -> dict[str, Any]:
    return vars(alert) | {"signals": sorted(alert.signals)}


def _show(done: Backtest) -> None:
    from monitor.values import format_duration

    span = done.span
    click.echo(
        f"{done.model}  {when(span.from_ms)} to {when(span.to_ms)}, learned from {when(span.learn_from_ms)}: "
        f"{done.windows:,} windows of {format_duration(done.window_ms)}, {done.tests:,} tests\n"
    )
    if done.outcomes:
        columns = ("alert", "from", "until", "fired before", "fired now", "severity", "what")
        as_table(columns, [_row(outcome) for outcome in done.outcomes])
    else:
        click.echo("No alert, neither before nor now.\n")
    counts = [(s, c.before, c.now, c.windows) for s, c in done.signals.items() if c.before or c.now]
    if counts:
        as_table(("signal", "alarmed before", "alarmed now", "evaluated"), counts, title="Windows by signal")
    fired_before = sum(alert.at_ms > span.from_ms for alert in done.before)
    click.echo(
        f"{_count(done.fired_within(), 'alert')} would have fired, {fired_before} did; "
        f"the budget accepts {done.allowed:.2g} false ones in this time."
    )
    learning = sum(count.learning > 0 for count in done.signals.values())
    if learning:
        hint = "; an earlier --learn-from gives them more to learn from" if span.learn_from_ms > span.first_ms else ""
        click.echo(f"{_count(learning, 'signal')} had windows in which there was too little to compare with{hint}.")
    if done.not_judged:
        click.echo()
        as_table(("not evaluated", "why"), done.not_judged.items())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _row(outcome: Outcome) -> tuple[object, ...]:
    alerts = outcome.now or outcome.before
    until = "" if not all(alert.ended for alert in alerts) else when(max(alert.ends_ms for alert in alerts))
    severity = max((a.severity for a in alerts), key=("info", "warning", "critical").index)
    titles = " | ".join(alert.title.partition(": ")[2] for alert in alerts)
    fired = [when(min((alert.at_ms for alert in side), default=None)) for side in (outcome.before, outcome.now)]
    return outcome.which, when(outcome.starts_ms), until, *fired, severity, titles


def _windows(done: Backtest) -> Iterator[dict[str, Any]]:
    for values in zip(*done.scores.values(), strict=True):
        yield dict(zip(done.scores, values, strict=True))


def _show_windows(signal: str, rows: Iterable[dict[str, Any]]) -> None:
    numbers = ("effect", "min_effect", "surprise", "surprise_limit")
    as_table(
        ("window end", "segment", "version", "detector", "effect", "min", "surprise", "limit", "n", "status", "detail"),
        [
            (
                when(row["window_end_ms"]),
                *(row[name] for name in ("segment", "version", "detector")),
                *(number(row[name]) for name in numbers),
                *(row[name] for name in ("n", "status", "detail")),
            )
            for row in rows
        ],
        title=f"Windows of {signal}",
    )
