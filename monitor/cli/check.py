"""``leeway check``: is a configuration right, and what will be watched?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json, as_table

if TYPE_CHECKING:
    from monitor.config import Configuration, Model

__all__ = ["command", "plan"]


@click.command("check")
@click.argument("config", required=False, type=click.Path())
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of configuration files, and check nothing.")
@click.pass_context
def command(ctx: click.Context, config: str | None, *, json_: bool, schema: bool) -> None:
    """Check CONFIG, a file or a folder of files: every mistake with its file, line and path.

    Where there is none, show what will be watched, and how often it will be tested.
    """
    if schema:
        as_json(_schema())
        return
    if config is None:
        raise click.UsageError("Missing argument 'CONFIG'.", ctx)
    from monitor.check import load
    from monitor.config import ConfigError

    try:
        configuration = load(config)
    except ConfigError as error:
        _say_mistakes(error, json_=json_)
        ctx.exit(2)
    plans = [plan(model) for model in configuration.models.values()]
    if json_:
        as_json({"ok": True, "models": plans})
    else:
        _show(configuration, plans)


def plan(model: Model) -> dict[str, Any]:
    """Return what will be watched: detectors by signal, windows, the budget and how many tests share it.

    ``slices_at_most`` counts segments that the baseline's data set will name; the data set is not read here.
    """
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
        "window_ms": detect.defaults.window,
        "every_ms": detect.defaults.step_ms,
        "min_samples": detect.defaults.min_samples,
        "false_alarms": detect.false_alarms.count,
        "budget_period_ms": detect.false_alarms.per_ms,
        "slices_at_most": segments,
        "tests_per_window": windowed * segments,
        "tests_per_budget_period": round(windowed * segments * windows),
        "signals": uses,
    }


def _say_mistakes(error: Any, *, json_: bool) -> None:
    if json_:
        as_json({"ok": False, "mistakes": [vars(mistake) for mistake in error.mistakes]})
        return
    for mistake in error.mistakes:
        click.echo(str(mistake), err=True)
    count = len(error.mistakes)
    click.echo(f"{count} {'mistake' if count == 1 else 'mistakes'}", err=True)


def _show(configuration: Configuration, plans: list[dict[str, Any]]) -> None:
    from monitor.values import format_duration

    for each in plans:
        rows = [(signal, _uses(uses)) for signal, uses in each["signals"].items()]
        click.echo(f"{each['model']}  from {', '.join(each['sources'])}, baseline {each['baseline']}")
        as_table(("signal", "detectors"), rows)
        click.echo(
            f"windows of {format_duration(each['window_ms'])} every {format_duration(each['every_ms'])}, at least "
            f"{each['min_samples']} events; {each['false_alarms']:g} false alarms per "
            f"{format_duration(each['budget_period_ms'])} accepted, shared by up to "
            f"{each['tests_per_budget_period']:,} tests ({each['tests_per_window']:,} per window)\n"
        )
    count = len(configuration.models)
    click.echo(f"fine: {count} {'model' if count == 1 else 'models'}")


def _uses(uses: dict[str, dict[str, Any]]) -> str:
    parts = []
    for name, params in uses.items():
        stated = ", ".join(f"{parameter}={value}" for parameter, value in params.items())
        parts.append(f"{name}({stated})" if stated else name)
    return ", ".join(parts) or "not watched"


def _schema() -> dict[str, Any]:
    from typing import Annotated

    from pydantic import Field, TypeAdapter

    from monitor.config import Model, Service

    document: dict[str, Any] = TypeAdapter(Annotated[Model | Service, Field(discriminator="kind")]).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Leeway configuration", **document}
