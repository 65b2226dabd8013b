"""``leeway demo``: a year of real flights, from the events to the alerts."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from monitor.cli.output import as_json, as_table
from monitor.cli.program import program

if TYPE_CHECKING:
    from datetime import datetime
    from socket import socket

    from monitor.config import Configuration
    from monitor.demo.canary import Canary
    from monitor.demo.quality import Quality
    from monitor.demo.report import FiredAlert
    from monitor.replay import Replayed
    from sinks.store.contract import Store

__all__ = ["command"]

CONFIG = Path("configs/demo.yaml")
FOLDER = Path("data/demo")


@click.command("demo")
@click.option("--source", type=click.Choice(["file", "kafka"]), default="file", help="Where events are read from.")
@click.option("--serve/--no-serve", default=True, help="Serve the API at the end, until interrupted.")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="Leave out the flights from this day (UTC) on; a shorter look."
)
@click.option("--json", "json_", is_flag=True, help="The summary as one JSON document; no serving.")
def command(source: str, *, serve: bool, until: datetime | None, json_: bool) -> None:
    """Watch a small model on every flight out of New York in 2013.

    The model is trained on January. In February a blizzard comes; in June a worse version gets a tenth of the
    flights; in September a failure is injected into the model's twin, which answers a constant from then on. Run it
    from the repository's folder: make demo.
    """
    from monitor.check import load
    from monitor.cli.run import bind
    from monitor.demo.canary import canary, start_canary
    from monitor.demo.flights import load_flights, write_events, write_landings
    from monitor.demo.quality import qualities
    from monitor.demo.report import fired
    from monitor.errors import InputError
    from monitor.logs import log_to_stderr
    from monitor.watch import compile_watch
    from sinks.store import open_store

    log_to_stderr(as_json=False, quiet=True)
    if not CONFIG.exists():
        raise InputError(f"no {CONFIG} here; run the demo from the repository's folder")
    configuration = load(CONFIG)
    # A port that is in use shows now, not after the year.
    listener = bind(configuration.service.spec.api) if serve and not json_ else None
    _fresh(FOLDER)
    click.echo("Training a model on January's flights: will one arrive more than 15 minutes late? ...", err=True)
    flights = load_flights(candidate=True)
    topics = {"flights": FOLDER / "flights.jsonl", "landings": FOLDER / "landings.jsonl"}
    count, landings = (
        write_events(flights, topics["flights"], until),
        write_landings(flights, topics["landings"], until),
    )
    click.echo(f"AUC on the rest of the year: {flights.auc:.2f}. Replaying {count:,} events", err=True, nl=False)
    click.echo(f", and {landings:,} labels: whether a flight was late is known once it has landed.\n", err=True)
    spec = configuration.service.spec.store
    store = open_store(spec.kind, **spec.settings())
    try:
        start_canary(store, until)
        with _source(source, configuration, topics) as (configured, opened):
            done = _replay(configured, store, opened, count, quiet=json_)
        alerts = fired(done.transitions)
        watches = {name: compile_watch(configuration, name) for name in configuration.models}
        summary = _Summary(alerts, qualities(store, watches), canary(store, watches["flights"]))
        _summarise(done, summary, source, json_=json_)
        if listener is not None:
            _serve(configuration, store, listener, alerts)
    finally:
        store.close()


def _fresh(folder: Path) -> None:
    """The demo's own folder, without what an earlier demo left.

    Raises
    ------
    StoreError
        If another demo still serves what it found.
    """
    from monitor.client.archive import MARK

    _check_unused(folder / "store" / MARK)
    for name in ("store", "kafka"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def _check_unused(mark: Path) -> None:
    import fcntl

    from sinks.store.contract import StoreError

    if mark.exists():
        with mark.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(
                    f"process {mark.read_text().strip()} still serves a demo here; end it first"
                ) from error


@contextmanager
def _source(kind: str, configuration: Configuration, topics: dict[str, Path]) -> Iterator[tuple[Configuration, Any]]:
    from monitor.build import bounded_source
    from monitor.sources import source_class

    if kind == "file":
        yield configuration, source_class("file")({topic: [events] for topic, events in topics.items()})
        return
    from monitor.demo.kafka import broker

    click.echo("Starting a Kafka broker ...", err=True)
    with broker(FOLDER / "kafka") as bootstrap:
        for topic, events in topics.items():
            _produce(bootstrap, topic, events)
        configured = _with_bootstrap(configuration, bootstrap)
        yield configured, bounded_source(configured)


def _produce(bootstrap: str, topic: str, events: Path) -> None:
    from monitor.cli.progress import Progress
    from monitor.demo.kafka import produce

    with Progress("producing", lambda: events.stat().st_size) as progress:
        count = produce(bootstrap, topic, events, lambda done: progress.at(done, 0))
    click.echo(f"{count:,} messages are in the topic {topic} at {bootstrap}.\n", err=True)


def _with_bootstrap(configuration: Configuration, bootstrap: str) -> Configuration:
    from dataclasses import replace

    spec = configuration.service.spec
    kafka = spec.kafka.model_copy(update={"bootstrap": [bootstrap]})
    service = configuration.service.model_copy(update={"spec": spec.model_copy(update={"kafka": kafka})})
    return replace(configuration, service=service)


def _replay(configuration: Configuration, store: Store, source: Any, count: int, *, quiet: bool) -> Replayed:
    from monitor.cli.progress import Progress
    from monitor.demo.report import lines
    from monitor.replay import Replay

    with Progress("replaying", lambda: count) as progress:

        def say(transition: Any) -> None:
            for line in [] if quiet else lines(transition):
                progress.say(line)

        replay = Replay(configuration, store, source)
        return replay.run(
            batch=10_000,
            on_progress=lambda counters: progress.at(counters.records, counters.records),
            on_transition=say,
            checkpoint_every=200_000,
        )


class _Summary(NamedTuple):
    """What the year's events made."""

    alerts: list[FiredAlert]
    quality: list[Quality]
    canary: Canary | None


def _summarise(done: Replayed, summary: _Summary, source: str, *, json_: bool) -> None:
    alerts = summary.alerts
    other = [alert for alert in alerts if alert.why == "other"]
    if json_:
        document = {
            "source": source,
            "events": done.counters.events,
            "windows": done.windows,
            "scores": done.scores,
            "findings": done.counters.findings,
            "alerts": [vars(alert) for alert in alerts],
            "outside": len(other),
            "quality": [vars(row) for row in summary.quality],
            "canary": None if summary.canary is None else vars(summary.canary),
        }
        as_json(document)
        return
    click.echo()
    as_table(
        ("day", "until", "model", "severity", "why", "what"),
        [(a.day, a.until, a.model, a.severity, a.why, a.title.partition(": ")[2]) for a in alerts],
        title="Alerts of 2013",
    )
    click.echo(
        f"{done.counters.events:,} events, {done.windows:,} windows evaluated, {done.scores:,} scores,"
        f" {len(alerts)} alerts: {_counted(alerts)}{': ' + ', '.join(alert.day for alert in other) if other else ''}."
    )
    _show(summary)


def _show(summary: _Summary) -> None:
    from monitor.demo.canary import canary_story
    from monitor.demo.quality import story

    click.echo()
    columns = ("model", "flights of", "flights", "landed", "estimated", "accuracy", "95 % interval", "recall")
    rows = [(*_row(row), f"{row.value:.2f}") for row in summary.quality]
    title = "How good the models were: estimated when flights depart, and realised once they have landed"
    as_table((*columns, "specificity", "USD a flight"), rows, title=title)
    for line in [*(canary_story(summary.canary) if summary.canary else ()), *story(summary.quality)]:
        click.echo(line)


def _row(row: Quality) -> tuple[str, ...]:
    counts = (f"{row.flights:,}", f"{row.labelled:,}")
    interval = f"{row.low:.1%} to {row.high:.1%}"
    estimated = "–" if row.estimated is None else f"{row.estimated:.1%}"
    figures = (f"{row.accuracy:.1%}", interval, f"{row.recall:.1%}", f"{row.specificity:.1%}")
    return row.model, row.span, *counts, estimated, *figures


def _counted(alerts: list[FiredAlert]) -> str:
    counts = Counter(alert.why for alert in alerts)
    return ", ".join(f"{counts[why]} {why}" for why in sorted(counts, key=lambda why: why == "other"))


def _serve(configuration: Configuration, store: Store, listener: socket, alerts: list[FiredAlert]) -> None:
    from monitor.api.server import Server
    from monitor.cli.run import GRACE_S, serve
    from monitor.clock import SystemClock
    from monitor.service import Service

    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    click.echo(f"\nLook at it: {address}", err=True)
    for why, alert in reversed({alert.why: alert for alert in reversed(alerts)}.items()):
        if why in ("blizzard", "injected"):
            click.echo(f"  {alert.day}, {why}: {address}/incidents/{alert.alert_id}", err=True)
    click.echo(
        "\nAsk it, in another terminal (Ctrl-C here ends it):\n"
        f"  {program()} alerts --model flights\n"
        f"  {program()} history --model flights --signal feature:hour --detector psi"
        " --from 2013-02-01 --to 2013-02-14\n"
        "  curl 'http://127.0.0.1:8080/v1/distributions?model=flights&signal=feature:hour&version=january"
        "&from=2013-02-08T05:00:00Z&to=2013-02-10T05:00:00Z"
        "&against_from=2013-01-11T05:00:00Z&against_to=2013-02-08T05:00:00Z'",
        err=True,
    )
    service = Service(configuration, SystemClock(), store, roles=["api"])
    serve(service, Server(listener, GRACE_S))
