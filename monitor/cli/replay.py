"""``leeway replay``: recorded events through the whole path, offline."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json, as_table

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.replay import Course, Replayed
    from monitor.watch import Watch
    from sinks.store.batch import Rows
    from sinks.store.contract import Store

__all__ = ["command"]

MOST_FIELDS = 5
"""So many models, and fields of theirs, are named for each reason why something was not usable."""


@click.command("replay")
@click.argument("config", type=click.Path())
@click.option(
    "--events",
    "-e",
    multiple=True,
    metavar="[TOPIC=]FILE",
    help="Events as JSON lines (.gz too), Parquet or CSV. Several files of a topic are its partitions. Topics that are "
    "files of CONFIG need none.",
)
@click.option(
    "--events-per-hour",
    type=click.FloatRange(min=0, min_open=True),
    help="For models without `event_time`: each file's events come evenly, from 2024-01-01 on. Other models read the "
    "time of each event, as without it.",
)
@click.option("--batch", type=click.IntRange(min=1), help="Events taken at a time; changes nothing but the speed.")
@click.option("--store", "store_dir", type=click.Path(), help="Keep the results in this embedded store.")
@click.option(
    "--decisions",
    type=click.Path(path_type=Path),
    help="Take over what was decided while this embedded store was filled: which partitions windows did not wait for, "
    "clocks that were set back, marks, changes of configurations. The rows are then its.",
)
@click.option("--fail-on-alert", is_flag=True, help="Exit with 1 if an alert fired.")
@click.option("--json", "json_", is_flag=True, help="Every score, finding and alert transition as a JSON line.")
def command(
    config: str,
    events: tuple[str, ...],
    events_per_hour: float | None,
    batch: int | None,
    store_dir: str | None,
    *,
    decisions: Path | None,
    fail_on_alert: bool,
    json_: bool,
) -> None:
    """Run CONFIG over recorded events, as fast as they can be read.

    The same events give the same answer, byte for byte, however often and in whatever portions they are read. Windows
    wait for every file, as where no partition is ever silent, but for those of which --decisions says otherwise. Fields
    without any value, and models of which no message is an event, are told at the end; the latter is an error.
    """
    from dataclasses import replace
    from functools import partial

    from monitor.check import load
    from monitor.cli.misfits import MOST_SAMPLES, misfits
    from monitor.cli.progress import Progress
    from monitor.ingest.sightings import FEWEST
    from monitor.logs import log_to_stderr
    from monitor.replay import BATCH, Replay, assign_files, replay_course, results
    from sinks.store import open_store
    from sinks.store.batch import append

    log_to_stderr(as_json=json_, quiet=True)
    configuration = load(config)
    decided: dict[str, Rows] = {}
    changed: dict[str, Course] = {}
    if decisions is not None:
        configuration, decided, changed = _decided(decisions, configuration)
    former = {topic for course in changed.values() for topic in course.topics}
    files = assign_files(configuration, events, former)
    unchanged = replace(configuration, models={n: m for n, m in configuration.models.items() if n not in changed})
    source = _files_of(unchanged, files, events_per_hour)
    store = open_store("chdb", store_dir) if store_dir else open_store("memory")
    try:
        store.migrate()
        _check_unfinished(store, store_dir)
        for table, rows in decided.items():
            append(store, table, rows)
        replay = Replay(unchanged, store, source)
        replay.sightings.most_samples = MOST_SAMPLES
        with Progress("replaying", lambda: source.total_bytes) as progress:
            done = replay.run(
                batch or BATCH,
                on_progress=lambda counters: progress.at(source.done_bytes, counters.records),
                on_transition=lambda transition: None if json_ else progress.say(_line(transition)),
                checkpoint_every=1_000_000 if store_dir else 0,
            )
        for model, course in changed.items():
            of_model = replace(configuration, models={model: configuration.models[model]})
            new_source = partial(_files_of, of_model, files, events_per_hour, course.topics)
            done = done.with_another(replay_course(course, store, new_source))
        if json_:
            for table, row in results(store, replay.configuration.models.keys() | changed.keys()):
                as_json({"table": table, **row})
        else:
            _summary(done, store)
        unevaluated = [*_unevaluated(store, replay.watches)]
    finally:
        store.close()
    for failure in source.failures:
        click.echo(f"warning: {failure}", err=True)
    _warn_of_uncounted(done)
    unseen = misfits(replay.sightings, FEWEST)
    for each, sentence in unseen:
        click.echo(f"{'warning' if each.signal else 'error'}: {sentence}", err=True)
    if done.counters.reasons.get("no_event_time") and events_per_hour is None and _needs_times(configuration):
        click.echo("error: rows of files have no time of their own: --events-per-hour N gives them one", err=True)
    without_events = {each.model for each, _ in unseen if not each.signal}
    for sentence in (sentence for model, sentence in unevaluated if model not in without_events):
        click.echo(f"warning: {sentence}", err=True)
    click.get_current_context().exit(2 if without_events else 1 if fail_on_alert and done.fired else 0)


def _warn_of_uncounted(done: Replayed) -> None:
    """Warn where the running service would alert that events come late."""
    from monitor.ingest.late_events import ALARMING, FEWEST_LATE

    lost = done.counters.late + done.counters.reasons.get("future", 0)
    if lost >= max(FEWEST_LATE, ALARMING * done.counters.events):
        click.echo(
            f"warning: {lost:,} of {done.counters.events:,} events count in no window, as they come in another order "
            "than that of their times: `leeway check CONFIG --events FILE` says what to set",
            err=True,
        )


def _unevaluated(store: Store, watches: Sequence[Watch]) -> Iterator[tuple[str, str]]:
    """Yield the models without any window, and why they have none."""
    from monitor.values import format_duration
    from sinks.receivers.times import utc
    from sinks.store.contract import Query

    evaluated = set(store.read(Query("latest", columns=("model",)))["model"])
    for watch in (watch for watch in watches if watch.name not in evaluated):
        panes = store.read(
            Query("panes", {"model": watch.name, "signal": "volume", "segment": ""}, columns=("pane_start_ms", "n"))
        )
        newest_ms = store.read(Query("progress", {"model": watch.name}, columns=("newest_ms",)))["newest_ms"]
        why = "none of its messages became an event"
        if len(panes["n"]):
            first, newest = utc(int(min(panes["pane_start_ms"]))), utc(int(max(newest_ms)))
            window = format_duration(watch.model.spec.detect.defaults.window)
            why = f"its {sum(panes['n']):,} events, of {first} to {newest}, fill no window of {window}"
        yield watch.name, f"{watch.name}: no window was evaluated: {why}"


def _needs_times(configuration: Configuration) -> bool:
    """Whether any model reads no time from its events."""
    specs = [model.spec for model in configuration.all_read.values()]
    return any(source.event_time is None for spec in specs for source in spec.sources)


def _files_of(
    configuration: Configuration,
    files: Mapping[str, list[Path]],
    events_per_hour: float | None,
    former: Collection[str] = (),
) -> Any:
    """The files of the topics that the models read, or have read."""
    from monitor.sources import source_class

    specs = [model.spec for model in configuration.all_read.values()]
    present = {topic for topic in files if any(spec.source_of(topic) for spec in specs)}
    read = {topic: paths for topic, paths in files.items() if topic in present or topic in former}
    return source_class("file")(read, "suffix", rows_per_hour=events_per_hour)


def _decided(folder: Path, configuration: Configuration) -> tuple[Configuration, dict[str, Rows], dict[str, Course]]:
    """What was decided while a store was filled; models that the API owned are added to those of files."""
    from dataclasses import replace

    from monitor.client.archive import MARK
    from monitor.clock import SystemClock
    from monitor.configurations.following import begun
    from monitor.configurations.log import ConfigurationLog
    from monitor.errors import InputError
    from monitor.replay import courses, decisions
    from sinks.store import open_store

    if not (folder / MARK).is_file():
        raise InputError(f"no store at {folder}")
    with closing(open_store("chdb", str(folder))) as store:
        clock = SystemClock()
        configuration = begun(configuration, ConfigurationLog(store, clock), {}).configuration
        # What has registered itself is there, and nothing else has.
        configuration = replace(configuration, templates={})
        return configuration, decisions(store, configuration.models), courses(store, configuration, clock)


def _check_unfinished(store: Store, store_dir: str | None) -> None:
    """A replay that was cut off continues; behind one that has ended nothing would be evaluated."""
    from monitor.errors import InputError
    from monitor.events import ENDED
    from sinks.store.contract import Query

    if len(store.read(Query("progress", low={"closed_ms": ENDED}, limit=1))["model"]):
        raise InputError(f"{store_dir} holds a replay that has ended; remove it, or name another folder")


def _line(transition: Any) -> str:
    from monitor.cli.output import when

    return f"{when(transition.at_ms)}  {transition.state:<9} {transition.severity:<8} {transition.title}"


def _summary(done: Replayed, store: Store) -> None:
    counters = done.counters
    rows: list[tuple[str, object]] = [
        ("messages", counters.records),
        ("events", counters.events),
        ("rejected", counters.rejected),
        ("fields not usable", counters.kept - counters.reasons.get("late", 0)),
        ("late", counters.late),
        ("per-event findings", counters.findings),
        ("windows evaluated", done.windows),
        ("scores", done.scores),
        ("alerts fired", done.fired),
    ]
    # Of late events, which are counted above, only the first few leave a dead letter.
    for reason, count in sorted(counters.reasons.items()):
        if reason != "late":
            rows += [(f"  {reason}", count), *_most_of(counters.by_field, reason)]
    as_table(("", ""), rows)
    for reason in sorted(counters.rejected_bytes):
        _say_first(store, reason)


def _say_first(store: Store, reason: str) -> None:
    """Say of one message that was rejected where it stands, and what it holds."""
    from sinks.store.contract import Query
    from sinks.store.rows import rows_of

    columns = ("topic", "partition", "offset", "detail")
    for row in rows_of(store.read(Query("dead_letters", {"reason": reason}, columns=columns, limit=1))):
        detail = f": {row['detail']}" if row["detail"] else ""
        click.echo(f"{reason}: such as {row['topic']}/{row['partition']}/{row['offset']}{detail}")


def _most_of(by_field: Mapping[tuple[str, str, str], int], reason: str) -> Iterator[tuple[str, object]]:
    """Yield the models and fields with most problems of a kind; what is a message's own fault is no model's."""
    own = {" ".join(filter(None, of)): count for (why, *of), count in by_field.items() if why == reason and any(of)}
    ranked = sorted(own.items(), key=lambda item: (-item[1], item[0]))
    yield from ((f"    {of}", count) for of, count in ranked[:MOST_FIELDS])
    if others := ranked[MOST_FIELDS:]:
        yield f"    {len(others)} others", sum(count for _, count in others)
