"""``leeway route``: who would be told about an alert, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_table, json_line

if TYPE_CHECKING:
    from monitor.alerts.routes import Route
    from monitor.config.alerting import Alerting

__all__ = ["command", "would_be_told"]


@click.group("route")
def command() -> None:
    """Say who would be told about an alert, and when."""


@command.command("test")
@click.argument("config", type=click.Path())
@click.argument("labels", nargs=-1, required=True, metavar="LABEL=VALUE...")
@click.option("--at", default="now", help="When: a time, which counts where routes are muted for hours or days.")
@click.option("--json", "json_", is_flag=True, help="One JSON object for each route.")
def test(*, config: str, labels: Sequence[str], at: str, json_: bool) -> None:
    """Say who would be told, by CONFIG, about an alert with these labels.

    CONFIG is a service's file with `alerting`, or a file of Alertmanager's. Routes are given in its order: an alert may
    be told on several.
    """
    from monitor.api.times import parse_time
    from monitor.clock import SystemClock
    from monitor.config import load_alerting

    alert = _labels(labels)
    found = would_be_told(load_alerting(config), alert, parse_time(at, SystemClock().now_ms()))
    if json_:
        for row in found:
            click.echo(json_line(row))
    else:
        _show(found)


def would_be_told(alerting: Alerting, labels: dict[str, str], at_ms: int) -> list[dict[str, Any]]:
    """Return the routes that tell about an alert, with what becomes of it on each."""
    root, intervals = alerting.route.build(), alerting.intervals
    return [_row(route, labels, route.muted(intervals, at_ms)) for route in root.matching(labels)]


def _row(route: Route, labels: dict[str, str], muted: str) -> dict[str, Any]:
    options = route.options
    return {
        "receiver": options.receiver,
        "route": route.key,
        "group_key": route.group_key(labels),
        "group_labels": options.group_of(labels),
        "group_wait_ms": options.group_wait_ms,
        "group_interval_ms": options.group_interval_ms,
        "repeat_interval_ms": options.repeat_interval_ms,
        "told": not muted,
        "muted": muted,
    }


def _labels(given: Sequence[str]) -> dict[str, str]:
    from monitor.alerts.matchers import MatcherError, parse_matchers
    from monitor.errors import InputError

    found = {}
    for text in given:
        try:
            [matcher] = parse_matchers(text)
        except (MatcherError, ValueError) as error:
            raise InputError(f"{text!r} is no label=value: {error}") from error
        if matcher.operator != "=":
            raise InputError(f"{text!r}: a label has one value, stated with =")
        found[matcher.name] = matcher.value
    return found


def _show(rows: list[dict[str, Any]]) -> None:
    from monitor.alerts.routes import labels_text
    from monitor.config.values import format_duration

    times = ("group_wait_ms", "group_interval_ms", "repeat_interval_ms")
    as_table(
        ("receiver", "told", "grouped by", "waits", "looks every", "repeats after", "route"),
        (
            (
                row["receiver"],
                f"no: {row['muted']}" if row["muted"] else "yes",
                labels_text(row["group_labels"]),
                *(format_duration(row[name]) for name in times),
                row["route"],
            )
            for row in rows
        ),
    )
