"""What a configuration makes of real messages, before anything is watched: for ``leeway check --events``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.misfits import MOST_SAMPLES, misfits
from monitor.cli.output import as_table

if TYPE_CHECKING:
    from monitor.config import Configuration

__all__ = ["say_trial", "trial"]

MOST_MESSAGES = 20_000
"""Messages of all files together that are decoded."""

PORTION = 1_000


def trial(configuration: Configuration, events: Sequence[str]) -> dict[str, Any]:
    """Decode the first messages of files as a service would, and return what became of them.

    Parameters
    ----------
    configuration : Configuration
    events : sequence of str
        As `monitor.replay.assign_files` takes them.

    Returns
    -------
    dict
        ``messages``, ``events``, ``labels``, ``unmatched`` and ``rejected`` int; ``reasons`` of problems, each with a
        count and the first message that shows it; ``misfits`` what none has shown, with a sentence.

    Raises
    ------
    InputError
    """
    from monitor.decoders import Schemas
    from monitor.ingest.ingest import Ingest
    from monitor.ingest.readers import Readers
    from monitor.replay import assign_files
    from monitor.sources import source_class
    from monitor.watch import compile_watch
    from sinks.store import open_store

    files = assign_files(configuration, events)
    parquet = any(path.suffix == ".parquet" for paths in files.values() for path in paths)
    watches = [compile_watch(configuration, name) for name in configuration.models]
    store, readers = open_store("memory"), Readers(watches, schemas := Schemas.of(configuration))
    source = source_class("file")(files, "parquet" if parquet else "json")
    ingest = Ingest(readers, store, source)
    readers.sightings.most_samples = MOST_SAMPLES
    try:
        ingest.open()
        while ingest.counters.records < MOST_MESSAGES and (ingest.step(PORTION, timeout_s=1.0) or not _at_end(source)):
            pass
    finally:
        source.close()
        schemas.close()
    counters = ingest.counters
    return {
        "messages": counters.records,
        "events": counters.events,
        "labels": counters.labels,
        "unmatched": counters.unmatched,
        "rejected": counters.rejected,
        "reasons": list(_reasons(store, counters.reasons)),
        "misfits": [{**vars(unseen), "says": sentence} for unseen, sentence in misfits(readers.sightings, fewest=1)],
    }


def _at_end(source: Any) -> bool:
    return bool(source.at_end() >= source.assigned())


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
    names = ("messages", "events", "labels", "unmatched", "rejected")
    as_table(("", ""), [(name, tried[name]) for name in names if tried[name] or name in ("messages", "events")])
    for each in tried["reasons"]:
        where = f", first at {each['topic']}/{each['partition']}/{each['offset']}" if "topic" in each else ""
        detail = "".join(f": {text}" for name in ("field", "detail") if (text := each.get(name, "")))
        click.echo(f"{each['reason']}: {each['count']}{where}{detail}")
    for misfit in tried["misfits"]:
        click.echo(f"{'warning' if misfit['signal'] else 'error'}: {misfit['says']}", err=True)
    click.echo()
