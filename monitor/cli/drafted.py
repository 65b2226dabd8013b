"""How ``leeway init`` shows what it guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_table, duration
from monitor.cli.program import runnable

if TYPE_CHECKING:
    from monitor.config import Model
    from monitor.draft import Draft, Sample

__all__ = ["as_data", "is_watched_by", "say_notes", "show"]

SOME_TRAFFIC = 1000
"""Events an hour, where it is not known how many there are."""


def as_data(made: Draft, text: str, sample: Sample, target: Path | None) -> dict[str, Any]:
    """Return what was guessed, and what follows from it, as data."""
    from monitor.cli.check import plan
    from monitor.values import DAY_MS

    model = _model_of(text)
    foreseen, budget = plan(model)["change"], model.spec.detect.false_alarms
    cut, traffic = made.cut, made.traffic
    return {
        "model": made.model,
        "file": str(target) if target else None,
        "rows": sample.rows,
        "fields": [
            {
                "field": each.path,
                "role": each.role,
                "name": made.names.get(each.path),
                "type": each.type or None,
                **made.settings_of(each),
                "reason": each.reason,
                "seen": each.seen or None,
            }
            for each in made.guesses
        ],
        "traffic": vars(traffic) if traffic else None,
        "batches": vars(made.batches) if made.batches else None,
        "window_ms": cut.window_ms,
        "offset_ms": cut.offset_ms,
        "pane_ms": cut.pane_ms,
        "events_per_window": cut.events,
        "segments": [vars(each) for each in made.segments[:1]],
        "baseline": model.spec.baseline.model_dump(mode="json"),
        "signals": foreseen["signals"],
        "false_alarms_per_year": 365 * DAY_MS * budget.count / budget.per_ms,
        "each_signal_ms": foreseen["each_ms"],
        "learn_ms": foreseen["learn_ms"],
        "notes": made.notes,
    }


def _model_of(text: str) -> Model:
    import yaml

    from monitor.config import Model

    return Model.model_validate(yaml.safe_load(text))


def is_watched_by(service: Path, model: Path) -> bool:
    """Whether a service's file names that of a model."""
    from monitor.config import ConfigError, load_service
    from monitor.config.load import files_of

    try:
        patterns = load_service(service).spec.models
    except ConfigError:
        return False
    return any(Path(file).resolve() == model.resolve() for pattern in patterns for file in files_of(service, pattern))


def show(answer: dict[str, Any], made: Draft, service: tuple[Path | None, bool], origin: str) -> None:
    """Print what was guessed, how the model will be watched, and what to do next.

    Parameters
    ----------
    answer : dict
        As :func:`as_data` gives it.
    made : Draft
    service : Path, bool
        The service's file, and whether it was written now.
    origin : str
        As the user named it.
    """
    from monitor.draft.column import short

    rows = [
        (
            short(each["field"]),
            each["role"],
            " ".join(filter(None, (each["type"], each["name"] if each["name"] != each["field"] else ""))),
            "; ".join(filter(None, (each["reason"], each["seen"]))),
        )
        for each in answer["fields"]
    ]
    as_table(("field", "taken for", "as", "why"), rows, title=f"What was guessed, from {answer['rows']:,} rows:")
    for sentence in _sentences(answer):
        click.echo(sentence)
    say_notes(made)
    path, is_new = service
    click.echo(f"\nwritten: {answer['file']}" + (f", {path}" if is_new else ""))
    click.echo(runnable(f"next: `leeway check {answer['file']}`"))
    if not made.origin.topic:
        hourly = "" if made.time else f" --events-per-hour {_events_per_hour(answer):.0f}"
        click.echo(runnable(f"      `leeway replay {answer['file']} --events {origin}{hourly}`"))
    if path is not None and not is_watched_by(path, Path(answer["file"])):
        click.echo(f"      name {answer['file']} under `models` in {path}")
    click.echo(runnable(f"      `leeway run {path}`"))


def _events_per_hour(answer: dict[str, Any]) -> float:
    """Return the traffic that windows were cut for, or some."""
    of_window: float | None = answer["events_per_window"]
    return SOME_TRAFFIC if of_window is None else max(of_window * 3_600_000 / answer["window_ms"], 1.0)


def _sentences(answer: dict[str, Any]) -> Iterator[str]:
    """Yield how the model will be watched."""
    from monitor.values import format_duration

    traffic = answer["traffic"]
    if traffic is not None:
        yield f"traffic: {traffic['events_per_hour']:,.3g} events an hour over {duration(traffic['span_ms'])}"
    events = answer["events_per_window"]
    of_window = "" if events is None else f", with {events:,.0f} events in a usual one"
    yield f"windows: {format_duration(answer['window_ms'])}{of_window}"
    for each in answer["segments"]:
        yield f"segments: by {each['path']}: {', '.join(each['values'])}"
    yield (
        f"false alarms: {answer['false_alarms_per_year']:.0f} a year are expected at most, of "
        f"{answer['signals']} signals together, when nothing is wrong; "
        f"the first can come {format_duration(answer['learn_ms'])} after the start"
    )


def say_notes(made: Draft) -> None:
    """Print what to look at, to stderr."""
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
