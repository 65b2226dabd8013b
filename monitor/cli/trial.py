"""What a configuration makes of real messages, before anything is watched: ``leeway check --events`` and ``--live``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.misfits import MOST_SAMPLES, misfits
from monitor.cli.output import as_table

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.ingest.ingest import Ingest
    from monitor.ingest.sightings import Sightings
    from monitor.sources.contract import Source
    from monitor.watch import Watch

__all__ = ["live_trial", "say_trial", "trial"]

MOST_MESSAGES = 20_000
"""Messages of all files together that are decoded."""

MOST_CSV_BYTES = 64 << 20
"""Read of each CSV file: it is held as a whole, since its types may show in its last row."""

FEWEST_VALUES, FEW_CELLS = 100, 6
"""Values that show in which cells they lie, and cells of most of them below which it is said: one is about as wide as a
standard deviation then."""

FEWEST_REJECTED, WORTH_SAYING = 10, 0.1
"""Messages of a model that are rejected, and which share of them: fewer are told by their reason alone."""

PORTION = 1_000

LIVE_WITHIN_S = 30.0
"""How long brokers are waited for."""


def trial(configuration: Configuration, events: Sequence[str], rows_per_hour: float | None = None) -> dict[str, Any]:
    """Decode the first messages of files as a service would, and return what became of them.

    Parameters
    ----------
    configuration : Configuration
    events : sequence of str
        As `monitor.replay.assign_files` takes them.
    rows_per_hour : float or None
        How many come, for models that read no time from their events.

    Returns
    -------
    dict
        ``messages``, ``events``, ``labels``, ``unmatched``, ``rejected`` and ``late`` int; ``topics``, how many
        messages came of each; ``unread``, partitions of which not all came in time; ``reasons`` of problems, each with
        a count and the first message that shows it; ``rejected_streams`` the models and topics of which many are
        rejected, of those of which some are events; ``misfits`` what none has shown, and ``uncounted`` of which models
        and topics many events count in no window, each with a sentence; ``sparse`` the models most of whose windows are
        empty; ``too_close`` the numbers whose cells do not tell them apart, with how far apart they do, and the
        ``usual_range`` that would.

    Raises
    ------
    InputError
    """
    from monitor.replay import assign_files
    from monitor.sources import source_class

    files = assign_files(configuration, events)
    source = source_class("file")(files, "suffix", rows_per_hour=rows_per_hour, most_csv_bytes=MOST_CSV_BYTES)
    return _tried(configuration, source)


def live_trial(configuration: Configuration) -> dict[str, Any]:
    """Do the same with the newest messages of the Kafka topics that models read.

    Raises
    ------
    InputError
        No model reads any.
    SourceError
        No broker answers, or a topic does not exist.
    """
    from monitor.build import sample_source

    return _tried(configuration, sample_source(configuration, MOST_MESSAGES), LIVE_WITHIN_S)


def _tried(configuration: Configuration, source: Source, within_s: float = math.inf) -> dict[str, Any]:
    from monitor.cli.sparse import sparse
    from monitor.cli.uncounted import TimedSightings, uncounted
    from monitor.clock import SystemClock
    from monitor.decoders import Schemas
    from monitor.ingest.ingest import Ingest
    from monitor.ingest.readers import Readers
    from monitor.watch import compile_watch
    from sinks.store import open_store

    watches = [compile_watch(configuration, name) for name in configuration.models]
    store, readers = open_store("memory"), Readers(watches, schemas := Schemas.of(configuration))
    ingest, clock, topics = Ingest(readers, store, source), SystemClock(), Counter[str]()
    readers.sightings = sightings = TimedSightings()
    sightings.most_samples, sightings.keeps_numbers = MOST_SAMPLES, True
    until_s = clock.monotonic_s() + within_s
    try:
        ingest.open()
        is_late = False
        while not (is_late or _has_enough(ingest, source)):
            ingest.step(PORTION, 1.0, on_records=lambda records: topics.update({records.topic: len(records)}))
            is_late = clock.monotonic_s() >= until_s
        topics.update(dict.fromkeys((topic for topic, _ in source.assigned()), 0))
        unread = sorted(source.assigned() - source.at_end()) if is_late else []
        # What waits for those behind it counts as at the end of a replay.
        ingest.finish()
    finally:
        source.close()
        schemas.close()
    counters = ingest.counters
    unseen = misfits(sightings, fewest=1)
    return {
        "messages": counters.records,
        "events": counters.events,
        "labels": counters.labels,
        "unmatched": counters.unmatched,
        "rejected": counters.rejected,
        "late": counters.late,
        "topics": dict(sorted(topics.items())),
        "unread": [f"{topic}/{partition}" for topic, partition in unread],
        # Of late events only the first few leave a dead letter.
        "reasons": list(_reasons(store, counters.reasons | ({"late": counters.late} if counters.late else {}))),
        "rejected_streams": list(_rejected(ingest, {each.model for each, _ in unseen if not each.signal})),
        "misfits": [{**vars(each), "says": sentence} for each, sentence in unseen],
        "uncounted": [
            {**vars(each), "says": str(each)} for each in uncounted(configuration.models, sightings.arrivals)
        ],
        "sparse": [
            {"model": each.model, **vars(each.batches), "says": str(each)}
            for each in sparse(configuration.models, sightings.arrivals)
        ],
        "too_close": list(_too_close(watches, sightings)),
    }


def _rejected(ingest: Ingest, without_events: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the models and topics of which many messages are rejected, each with the reason of most of them."""
    from monitor.decoders.contract import REASONS

    for each in ingest.positions.rejections.newest():
        is_much = each.rejected >= max(FEWEST_REJECTED, WORTH_SAYING * each.messages)
        if is_much and each.reason in REASONS and each.model not in without_events:
            counts = f"{each.rejected:,} of {each.messages:,} messages of {each.topic}"
            says = f"{each.model}: {counts} are rejected, and count nowhere, most of them as {each.reason}"
            yield {
                "model": each.model,
                "topic": each.topic,
                "messages": each.messages,
                "rejected": each.rejected,
                "reason": each.reason,
                "says": says,
            }


def _too_close(watches: Sequence[Watch], sightings: Sightings) -> Iterator[dict[str, Any]]:
    """Yield the numbers whose values lie in so few cells that what moves within one may not be seen."""
    import numpy as np

    from detectors.sketch import usual_range_of
    from detectors.sketch.layout import NumericLayout

    layouts = {
        (watch.name, signal): watch.layouts.get(signal)
        for watch in watches
        for signal, spec in watch.model.spec.schema_.signals().items()
        if spec.privacy is None
    }
    for key, parts in sightings.numbers.items():
        values, layout = np.concatenate(parts), layouts.get(key)
        # Quantiles are as fine as a data set, or a usual range, has them.
        if len(values) < FEWEST_VALUES or not isinstance(layout, NumericLayout) or layout.kind == "quantile":
            continue
        usual = usual_range_of(values, layout, FEW_CELLS)
        if usual is not None:
            low, high = (float(bound[0]) for bound in layout.bounds(layout.ids([np.median(values)])))
            yield {"model": key[0], "signal": key[1], "step": high - low, "usual_range": list(usual)}


def _has_enough(ingest: Ingest, source: Source) -> bool:
    return ingest.counters.records >= MOST_MESSAGES or 0 < len(source.assigned()) == len(source.at_end())


def _reasons(store: Any, counts: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Yield each reason for a problem, the most frequent first, with the first dead letter that shows it."""
    from sinks.store.contract import Query
    from sinks.store.rows import rows_of

    letters = sorted(rows_of(store.read(Query("dead_letters"))), key=lambda row: (row["topic"], row["offset"]))
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        first = next((row for row in letters if row["reason"] == reason), None)
        shown = {name: first[name] for name in ("topic", "partition", "offset", "field", "detail")} if first else {}
        yield {"reason": reason, "count": count, **shown}


def say_trial(tried: Mapping[str, Any]) -> None:
    """Print what became of messages."""
    from monitor.alerts.wording import listed

    names = ("messages", "events", "labels", "unmatched", "rejected", "late")
    as_table(("", ""), [(name, tried[name]) for name in names if tried[name] or name in ("messages", "events")])
    for each in tried["reasons"]:
        where = f", first at {each['topic']}/{each['partition']}/{each['offset']}" if "topic" in each else ""
        detail = "".join(f": {text}" for name in ("field", "detail") if (text := each.get(name, "")))
        click.echo(f"{each['reason']}: {each['count']}{where}{detail}")
    for topic in (topic for topic, count in tried["topics"].items() if not count):
        click.echo(f"warning: {topic} gave no message: nothing is known of what its models make of it", err=True)
    if tried["unread"]:
        read = f"{tried['messages']:,} messages were read within {LIVE_WITHIN_S:.0f} s"
        click.echo(f"warning: {read}, and not all of {listed(tried['unread'])}", err=True)
    for each in tried["rejected_streams"]:
        click.echo(f"warning: {each['says']}", err=True)
    for misfit in tried["misfits"]:
        click.echo(f"{'warning' if misfit['signal'] else 'error'}: {misfit['says']}", err=True)
    for each in tried["sparse"]:
        click.echo(f"caution: {each['says']}")
    for each in tried["uncounted"]:
        click.echo(f"warning: {each['says']}", err=True)
    for each in tried["too_close"]:
        low, high = each["usual_range"]
        click.echo(
            f"warning: {each['model']}: values of {each['signal']} are told apart in steps of {each['step']:.6g} only, "
            f"and a shift of less may not be seen: give it `usual_range: [{low:.15g}, {high:.15g}]`, or a data set",
            err=True,
        )
    click.echo()
