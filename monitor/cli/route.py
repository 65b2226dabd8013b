"""``leeway route``: who would be notified of an alert, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.credentials import Credentials, credentials
from monitor.cli.output import as_table, json_line
from monitor.cli.records import record

if TYPE_CHECKING:
    from monitor.config.alerting import Alerting
    from monitor.routing.routes import Route

__all__ = ["command", "would_be_notified"]

HEAD = ("receiver", "notified", "grouped by", "waits", "looks every", "repeats after")


@click.group("route")
def command() -> None:
    """Show who would be notified of an alert, and when."""


@dataclass(frozen=True)
class SubscriptionSource:
    """Whose subscriptions count beside routes, if anybody's."""

    url: str | None
    credentials: Credentials
    store: Path | None


@command.command("test")
@click.argument("config", type=click.Path())
@click.argument("labels", nargs=-1, required=True, metavar="LABEL=VALUE...")
@click.option("--at", default="now", help="When: a time, which counts where routes are muted for hours or days.")
@record(
    "source",
    SubscriptionSource,
    click.option("--url", help="A running service, whose subscriptions count, too."),
    credentials,
    click.option("--store", type=click.Path(path_type=Path), help="Or a store's directory, while no service runs."),
)
@click.option("--json", "json_", is_flag=True, help="One JSON object for each route.")
def test(*, config: str, labels: Sequence[str], at: str, source: SubscriptionSource, json_: bool) -> None:
    """Show who would be notified, by CONFIG, of an alert with these labels.

    CONFIG is a service's file, or a file of Alertmanager's. Routes come in its order: an alert may be notified on
    several. Behind them come subscriptions, where --url or --store names whose. A label annotation:NAME stands for an
    annotation.
    """
    from monitor.api.times import parse_time
    from monitor.clock import SystemClock
    from monitor.config import load_alerting

    alert = _labels(labels)
    rows = would_be_notified(load_alerting(config), alert, parse_time(at, SystemClock().now_ms()))
    if source.url is not None or source.store is not None:
        rows += list(_subscribed(source, alert))
    if json_:
        for row in rows:
            click.echo(json_line(row))
    else:
        _show(rows)


def would_be_notified(alerting: Alerting, labels: dict[str, str], at_ms: int) -> list[dict[str, Any]]:
    """Return the routes that notify of an alert, with what becomes of it on each.

    Parameters
    ----------
    alerting : Alerting
    labels : dict of str to str
        Annotations too, as ``annotation:NAME``.
    at_ms : int
    """
    root, intervals = alerting.route.build(), alerting.intervals
    return [_row(route, labels, route.muted(intervals, at_ms)) for route in root.matching(labels)]


def _subscribed(source: SubscriptionSource, labels: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the subscriptions that notify of an alert, as routes."""
    from monitor.cli.answers import Target
    from monitor.routing.matchers import parse_matchers
    from monitor.routing.routes import Route, RouteOptions

    with Target(source.url, source.store, credentials=source.credentials).opened() as leeway:
        subscriptions = leeway.subscriptions()
    for row in subscriptions:
        matchers = [matcher for text in row["matchers"] for matcher in parse_matchers(text)]
        by = None if row["group_by"] == ["..."] else frozenset(row["group_by"])
        waits = row["group_wait_ms"], row["group_interval_ms"], row["repeat_interval_ms"]
        route = Route(RouteOptions(row["told"], by, *waits), matchers, name=f"subscription/{row['id']}")
        if route.matching(labels):
            # Without the configuration, a store does not know which receivers there are.
            yield _row(route, labels, "" if source.store is not None else row["problem"] or "")


def _row(route: Route, matched: dict[str, str], muted: str) -> dict[str, Any]:
    from monitor.routing.matchers import ANNOTATION

    options = route.options
    labels = {name: value for name, value in matched.items() if not name.startswith(ANNOTATION)}
    return {
        "receiver": options.receiver,
        "route": route.key,
        "group_key": route.group_key(labels),
        "group_labels": options.group_of(labels),
        "group_wait_ms": options.group_wait_ms,
        "group_interval_ms": options.group_interval_ms,
        "repeat_interval_ms": options.repeat_interval_ms,
        "escalates_to": [{"receiver": step.receiver, "after_ms": step.after_ms} for step in options.escalate],
        "told": not muted,
        "muted": muted,
    }


def _labels(texts: Sequence[str]) -> dict[str, str]:
    from monitor.errors import InputError
    from monitor.routing.matchers import MatcherError, parse_matchers

    labels = {}
    for text in texts:
        try:
            [matcher] = parse_matchers(text)
        except (MatcherError, ValueError) as error:
            raise InputError(f"{text!r} is no label=value: {error}") from error
        if matcher.operator != "=":
            raise InputError(f"{text!r}: a label has one value, stated with =")
        labels[matcher.name] = matcher.value
    return labels


def _steps(row: dict[str, Any]) -> str:
    from monitor.values import format_duration

    steps = (f"{step['receiver']} after {format_duration(step['after_ms'])}" for step in row["escalates_to"])
    return ", ".join(steps)


def _show(rows: list[dict[str, Any]]) -> None:
    from monitor.routing.routes import labels_text
    from monitor.values import format_duration

    steps = any(row["escalates_to"] for row in rows)
    times = ("group_wait_ms", "group_interval_ms", "repeat_interval_ms")
    as_table(
        (*HEAD, "escalates to", "route") if steps else (*HEAD, "route"),
        (
            (
                row["receiver"],
                f"no: {row['muted']}" if row["muted"] else "yes",
                labels_text(row["group_labels"]),
                *(format_duration(row[name]) for name in times),
                *([_steps(row)] if steps else []),
                row["route"],
            )
            for row in rows
        ),
    )
