"""``leeway check``: is a configuration right, and what will be watched?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json, as_rows, as_table
from monitor.cli.program import runnable
from monitor.resources.status import SHIFT_COLUMNS, SmallestShift

if TYPE_CHECKING:
    from monitor.check import Caution
    from monitor.config import Configuration, Model

__all__ = ["command", "plan"]


class _Foreseen(SmallestShift):
    """A smallest shift of which no series is known yet."""

    table = SHIFT_COLUMNS


@click.command("check")
@click.argument("config", type=click.Path())
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
@click.option(
    "--events-per-hour",
    type=click.FloatRange(min=0, min_open=True),
    help="The traffic that is expected: what can be found at it is shown, of models whose rule is `change`. Rows of "
    "--events come as often for models without `event_time`.",
)
@click.option(
    "--events",
    "-e",
    multiple=True,
    metavar="[TOPIC=]FILE",
    help="Recorded messages, as of `leeway replay`: what becomes of the first 20,000 is shown.",
)
@click.option(
    "--live",
    is_flag=True,
    help="The same with the newest 20,000 messages of the Kafka topics, within 30 s; no group is joined.",
)
@click.pass_context
def command(
    ctx: click.Context,
    config: str,
    *,
    json_: bool,
    events_per_hour: float | None,
    events: tuple[str, ...],
    live: bool,
) -> None:
    """Check CONFIG, a file or a folder of files: every mistake with its file, line and path.

    Where there is none, show what will be watched, how often it will be tested, and which detectors are not for the
    signals that they are given; of a model whose rule is `change`, also how often each signal may alarm falsely, from
    when on it can alarm, and what it can find.

    With --events or --live it also reads messages as the service would, and says which fields none of them has, what
    they have instead, why messages are rejected, and how many come too late to count. Where a model gets no event at
    all, the exit code is 2.
    """
    if events and live:
        raise click.UsageError("--events and --live are two ways to get messages: take one", ctx)
    from monitor.check import cautions, fields_beside_data_set, load
    from monitor.config import ConfigError

    try:
        configuration = load(config, data_sets=True, certificate=True)
    except ConfigError as error:
        _say_mistakes(error, json_=json_)
        ctx.exit(2)
    plans = [
        plan(model, events_per_hour)
        | {"cautions": cautions(configuration, name), "beside_data_set": fields_beside_data_set(configuration, name)}
        for name, model in configuration.models.items()
    ]
    tried = _tried(configuration, events, events_per_hour, live=live, json_=json_)
    fits = tried is None or all(misfit["signal"] for misfit in tried["misfits"])
    if json_:
        models = [{**each, "cautions": [*map(vars, each["cautions"])]} for each in plans]
        warnings = [*_warnings(configuration)]
        as_json({"ok": fits, "models": models, "warnings": warnings} | ({} if tried is None else {"events": tried}))
    else:
        _show(configuration, plans, tried)
    if not fits:
        ctx.exit(2)


def _warnings(configuration: Configuration) -> Iterator[str]:
    """Yield what is right, and soon will not be."""
    tls = configuration.service.spec.api.tls
    if tls is None:
        return
    from monitor.clock import SystemClock
    from monitor.tls.files import validity
    from monitor.tls.listener import until_words

    file = tls.files(configuration.root).certificate
    if until := until_words(validity(file), SystemClock().now_ms()):
        yield f"spec.api.tls.certificate: {file} {until}: renew it"


def _tried(
    configuration: Configuration, events: tuple[str, ...], rows_per_hour: float | None, *, live: bool, json_: bool
) -> dict[str, Any] | None:
    if not (events or live):
        return None
    from monitor.cli.trial import live_trial, trial
    from monitor.logs import log_to_stderr

    log_to_stderr(as_json=json_, quiet=True)
    return live_trial(configuration) if live else trial(configuration, events, rows_per_hour)


def plan(model: Model, events_per_hour: float | None = None) -> dict[str, Any]:
    """Return what will be watched: detectors by signal, windows, the budget and how many tests share it.

    ``judged`` says which signals labels make, how long after their hour predictions are judged, and which metrics have
    no signal; null where nothing is compared with labels. ``period`` is that of the baseline; null of another one.
    ``not_compared`` are the rankings that nothing is made of, ``fallbacks_out_of_range`` by prediction what is declared
    to be no answer and outside of the declared range, ``replaced_labels`` the model's own of which alerts have Leeway's
    value. ``privacy`` says of private fields what their values
    become.
    ``slices_at_most`` counts segments that the baseline's data set will name; the data set is not read here. ``change``
    is what `monitor.evaluate.foresight.foresee` says; null under another rule.
    """
    from monitor.alerts.labels import replaced
    from monitor.config.references import WINDOWED, uses_for

    uses = uses_for(model)
    detect = model.spec.detect
    windowed = sum(name in WINDOWED for names in uses.values() for name in names)
    segments = 1 + sum(len(each.values) if each.values is not None else each.top for each in model.spec.segments)
    windows = detect.false_alarms.per_ms / detect.defaults.step_ms
    return {
        "model": model.name,
        "sources": [source.topic for source in model.spec.sources],
        "baseline": model.spec.baseline.kind,
        "period": _period(model),
        "window_ms": detect.defaults.window,
        "every_ms": detect.defaults.step_ms,
        "min_samples": detect.defaults.min_samples,
        "false_alarms": detect.false_alarms.count,
        "budget_period_ms": detect.false_alarms.per_ms,
        "slices_at_most": segments,
        "tests_per_window": windowed * segments,
        "tests_per_budget_period": round(windowed * segments * windows),
        "signals": uses,
        "judged": _judged(model),
        "not_compared": _not_compared(model),
        "fallbacks_out_of_range": _fallbacks_out_of_range(model),
        "replaced_labels": replaced(model.metadata.labels),
        "privacy": {signal: _privacy(spec.privacy) for signal, spec in model.spec.schema_.private_signals().items()},
        "change": _foreseen(model, events_per_hour),
    }


def _period(model: Model) -> dict[str, int] | None:
    from monitor.config.baseline import PeriodBaseline

    baseline = model.spec.baseline
    return {"from_ms": baseline.from_ms, "to_ms": baseline.to_ms} if isinstance(baseline, PeriodBaseline) else None


def _baseline(shown: dict[str, Any]) -> str:
    from sinks.receivers.times import utc

    period = shown["period"]
    if period is None:
        return str(shown["baseline"])
    return f"period of {utc(period['from_ms'])} to {utc(period['to_ms'])}; `leeway baseline build` says what it has"


def _judged(model: Model) -> dict[str, Any] | None:
    plan = model.spec.performance_plan
    if plan is None or not model.spec.judged_signals:
        return None
    from monitor.config.performance import metric_of
    from monitor.performance.alarms import JudgedWindows

    followed = {metric_of(signal) for signal in plan.signals}
    return {
        "signals": list(plan.signals),
        "age_ms": plan.judge_at_ms[0],
        "window_ms": JudgedWindows.of_model(model).step_ms,
        "not_followed": [name for name in plan.metrics if name not in followed],
    }


def _not_compared(model: Model) -> list[str]:
    plan = model.spec.performance_plan
    return [signal for signal in model.spec.schema_.rankings() if plan is None or signal != plan.prediction]


def _fallbacks_out_of_range(model: Model) -> dict[str, float]:
    return {
        f"prediction:{name}": spec.fallback
        for name, spec in model.spec.schema_.prediction.items()
        if isinstance(spec.fallback, float) and spec.range and not spec.range[0] <= spec.fallback <= spec.range[1]
    }


def _privacy(privacy: Any) -> str:
    """Write what a field's values become."""
    return privacy if isinstance(privacy, str) else f"bucket {', '.join(f'{edge:g}' for edge in privacy.bucket)}"


def _foreseen(model: Model, events_per_hour: float | None) -> dict[str, Any] | None:
    if model.spec.detect.rule != "change":
        return None
    # Only here: it brings numerics along, and a mistake is found without them.
    from monitor.evaluate.foresight import foresee

    return foresee(model, events_per_hour)


def _say_mistakes(error: Any, *, json_: bool) -> None:
    if json_:
        as_json({"ok": False, "mistakes": [vars(mistake) for mistake in error.mistakes]})
        return
    for mistake in error.mistakes:
        click.echo(str(mistake), err=True)
    count = len(error.mistakes)
    click.echo(f"{count} {'mistake' if count == 1 else 'mistakes'}", err=True)


def _show(configuration: Configuration, plans: list[dict[str, Any]], tried: dict[str, Any] | None) -> None:
    from monitor.cli.trial import say_trial
    from monitor.values import format_duration

    for each in plans:
        rows = [(signal, _uses(uses)) for signal, uses in each["signals"].items()]
        if each["judged"] is not None:
            age = format_duration(each["judged"]["age_ms"])
            window = format_duration(each["judged"]["window_ms"])
            uses = f"change, by labels at the age of {age}, in windows of {window}"
            rows += [(signal, uses) for signal in each["judged"]["signals"]]
        click.echo(f"{each['model']}  from {', '.join(each['sources'])}, baseline {_baseline(each)}")
        as_table(("signal", "detectors"), rows)
        if each["change"] is not None:
            _show_change(each)
        else:
            click.echo(
                f"windows of {format_duration(each['window_ms'])} every {format_duration(each['every_ms'])}, at least "
                f"{each['min_samples']} events; {_budget(each)} accepted, shared by up to "
                f"{each['tests_per_budget_period']:,} tests ({each['tests_per_window']:,} per window)\n"
            )
        _say_oversights(each)
        _say_privacy(configuration, each)
        _say_cautions(each["cautions"])
    for warning in _warnings(configuration):
        click.echo(warning, err=True)
    if tried is not None:
        say_trial(tried)
        if any(tried[name] for name in ("misfits", "uncounted", "rejected_streams")):
            return
    counts = [_counted(len(configuration.models), "model")]
    if configuration.templates:
        counts.append(f"{_counted(len(configuration.templates), 'template')} of models to come")
    click.echo(f"fine: {', '.join(counts)}")


def _say_oversights(shown: dict[str, Any]) -> None:
    """Say what has another effect than whoever wrote it may think."""
    for signal in shown["not_compared"]:
        click.echo(
            f"caution: {signal}: nothing is made of this ranking unless `performance` compares it with a label\n"
        )
    if beside := shown["beside_data_set"]:
        effect = "nothing is compared with it, and" if shown["baseline"] == "dataset" else "so"
        click.echo(f"not in the data set: {', '.join(beside)}: {effect} their cells are those of any values\n")
    change = shown["change"]
    if change is not None and change["signals"] and change["each_ms"] < shown["every_ms"]:
        click.echo(
            "caution: detect.false_alarms: accepts more than one alarm of each signal in each window: `1 per 30d` is "
            "usual\n"
        )
    for signal, answer in shown["fallbacks_out_of_range"].items():
        click.echo(
            f"caution: {signal}: its `fallback` {answer:g} is outside of its `range`: each such answer also counts as "
            "out of range; widen the range\n"
        )
    for name in shown["replaced_labels"]:
        click.echo(
            f"caution: metadata.labels.{name}: alerts have Leeway's own value of this label; take another name\n"
        )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _say_privacy(configuration: Configuration, shown: dict[str, Any]) -> None:
    """Say what becomes of private fields, and where they still stand as they came."""
    private = shown["privacy"]
    if private:
        click.echo(f"private: {'; '.join(f'{signal}: {becomes}' for signal, becomes in private.items())}")
        click.echo("no dead letter of its topics holds or quotes a message")
    spec = configuration.models[shown["model"]].spec
    if spec.keep.summaries_only or configuration.service.spec.privacy.keep == "none":
        click.echo("only summaries are kept: nothing of a single event leaves memory")
    if private and any(source.http is not None for source in spec.sources):
        log = configuration.service.spec.ingest_log
        click.echo(
            f"caution: events of HTTP stand as they came in {log}, until they are read and trimmed, and in backups"
        )
    if private:
        click.echo()


def _show_change(shown: dict[str, Any]) -> None:
    """Show what the rule `change` will do."""
    from monitor.values import format_duration

    foreseen = shown["change"]
    if not foreseen["signals"]:
        click.echo("nothing can ever alarm: no rule names a detector for any signal\n")
        return
    click.echo(
        f"windows of {format_duration(shown['window_ms'])} every {format_duration(shown['every_ms'])}; "
        f"{_budget(shown)} accepted for the whole model, shared by {foreseen['signals']:,} signals: "
        f"each alarms falsely once in {_long(foreseen['each_ms'])}"
    )
    values = f" and {foreseen['learn_values']} of its values" if foreseen["learn_values"] else ""
    days = ""
    if foreseen["learn_days"] is not None:
        days = f", at gross changes until the third day, and by whole days from day {foreseen['learn_days'] + 1} on"
    click.echo(
        f"each series may alarm when {format_duration(foreseen['learn_ms'])}{values} were seen"
        f"{days}; variances and thresholds are known after three weeks"
    )
    for warning in _blind(shown):
        click.echo(warning)
    if not foreseen["smallest_shifts"]:
        click.echo("--events-per-hour N shows what can be found at N events an hour\n")
        return
    events = f"{foreseen['events_per_window']:,.4g} events a window"
    title = f"Lasting shifts that alarm nine times in ten at {events}, if windows differ by sampling alone:"
    as_rows(_Foreseen, foreseen["smallest_shifts"], title=title)
    click.echo(runnable("what varies by itself hides more: `leeway status MODEL SIGNAL` says it of what was seen\n"))


def _blind(shown: dict[str, Any]) -> Iterator[str]:
    """Say what can never alarm, and why."""
    from monitor.evaluate.foresight import unseen

    events = shown["change"]["events_per_window"]
    for sight, fewest in unseen(math.inf if events is None else events):
        yield f"windows of {events:,.3g} events do not show {sight}: {fewest} are needed; longer windows help"
    if windows := shown["change"]["learn_repeats"]:
        yield f"a window that repeats the one before it is told after {windows} windows, from the second in a row on"
    with_limits = [
        signal for signal, uses in shown["signals"].items() if any("min_effect" in use for use in uses.values())
    ]
    if with_limits:
        yield f"`min_effect` of {', '.join(with_limits)} has no say in alarms: it only ranks distances"
    if shown["judged"] is not None and shown["judged"]["not_followed"]:
        names = ", ".join(shown["judged"]["not_followed"])
        yield f"{names}: shown, and no signal: `alarm_on` names those that alarm"
    if shown["baseline"] not in ("dataset", "period"):
        yield "nothing is compared with what the model was built on: only a baseline of a data set or a period has skew"


def _budget(shown: dict[str, Any]) -> str:
    from monitor.values import format_duration

    count = shown["false_alarms"]
    return f"{count:g} false {'alarm' if count == 1 else 'alarms'} per {format_duration(shown['budget_period_ms'])}"


def _long(length_ms: int) -> str:
    """Write a long time in years or days."""
    days = length_ms / 86_400_000
    return f"{days / 365.25:.2g} years" if days > 730 else f"{days:.3g} days"


def _say_cautions(cautions: list[Caution]) -> None:
    signals: dict[Caution, list[str]] = {}
    for caution in cautions:
        signals.setdefault(replace(caution, signal=""), []).append(caution.signal)
    for each, alike in signals.items():
        seen = f", as in the data set ({each.seen})" if each.seen else ""
        click.echo(
            f"caution: {', '.join(alike)}: {each.detector} is not for {each.meaning}{seen}: {each.reason}; "
            f"take {each.instead}{'' if each.seen else ' if they are so'}"
        )
    if cautions:
        click.echo()


def _uses(uses: dict[str, dict[str, Any]]) -> str:
    parts = []
    for name, params in uses.items():
        stated = ", ".join(f"{parameter}={value}" for parameter, value in params.items())
        parts.append(f"{name}({stated})" if stated else name)
    return ", ".join(parts) or "not watched"
