"""Offline replay: a bounded input through the same stages as the service, one after the other in one thread.

The result is a pure function of the events, the configuration and the decisions that the store holds; how many events
are taken at a time changes nothing but the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.alerts.lifecycle import Transition
from monitor.config import Configuration
from monitor.config.streams import is_pattern, matches, reader_of
from monitor.decoders import Schemas
from monitor.errors import InputError
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import Horizon
from monitor.ingest.counters import Counters
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.ingest.set_clocks import SetClock
from monitor.sources.contract import Source
from monitor.watch import Watch, compile_watch
from sinks.store.batch import Rows, add_row, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Replay", "Replayed", "assign_files", "decisions", "results"]

BATCH = 50_000
"""Events taken at a time by default."""


@dataclass
class Replayed:
    """What a replay did.

    Attributes
    ----------
    counters : Counters
    windows, scores : int
    transitions : list of Transition
    """

    counters: Counters
    windows: int = 0
    scores: int = 0
    transitions: list[Transition] = field(default_factory=list)

    @property
    def fired(self) -> int:
        """How many alerts fired."""
        return sum(transition.state == "firing" for transition in self.transitions)


class Replay:
    """A bounded source through ingest and evaluate.

    Parameters
    ----------
    configuration : Configuration
    store : Store
    source : Source
        Its topics are those of the configuration.

    Attributes
    ----------
    sightings : Sightings
        What the messages have shown so far.
    """

    def __init__(self, configuration: Configuration, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        watches = [compile_watch(configuration, name) for name in configuration.models]
        self._schemas = Schemas.of(configuration)
        readers = Readers(watches, self._schemas)
        self.sightings = readers.sightings
        self._ingest = Ingest(readers, store, source)
        self._evaluations = [Evaluation(watch, store) for watch in watches]
        self._watches = watches

    @property
    def watches(self) -> list[Watch]:
        """The models, ready to be watched."""
        return self._watches

    def run(
        self,
        batch: int = BATCH,
        on_progress: Callable[[Counters], None] = lambda counters: None,
        on_transition: Callable[[Transition], None] = lambda transition: None,
        checkpoint_every: int = 0,
    ) -> Replayed:
        """Read to the end.

        Parameters
        ----------
        batch : int
            Events taken at a time.
        on_progress : callable
            Called after every batch.
        on_transition : callable
            Called with every alert transition, in order.
        checkpoint_every : int
            Write a checkpoint after about so many events; 0 never.

        Returns
        -------
        Replayed
        """
        done = Replayed(self._ingest.counters)
        since_checkpoint = 0
        try:
            self._ingest.open()
            while (count := self._ingest.step(batch, timeout_s=1.0)) or not self._at_end():
                self._advance(done, on_transition)
                on_progress(done.counters)
                since_checkpoint += count
                if checkpoint_every and since_checkpoint >= checkpoint_every:
                    since_checkpoint = 0
                    self.save()
            self._ingest.finish()
            self._advance(done, on_transition)
            on_progress(done.counters)
            if checkpoint_every:
                self.save()
        finally:
            self._source.close()
            self._schemas.close()
        return done

    def save(self) -> None:
        """Write checkpoints: evaluations first, for they can be repeated from what ingest has written."""
        for evaluation in self._evaluations:
            evaluation.save()
        self._ingest.save()

    def _at_end(self) -> bool:
        return self._source.at_end() >= self._source.assigned()

    def _advance(self, done: Replayed, on_transition: Callable[[Transition], None]) -> None:
        # What ends holds nothing back, unless ingest still holds messages of it.
        read = self._source.at_end() - self._ingest.holding()
        for watch, evaluation in zip(self._watches, self._evaluations, strict=True):
            watched = watch.model.spec.is_watched
            expected = frozenset(partition for partition in self._source.assigned() - read if watched(partition[0]))
            evaluated = evaluation.advance(Horizon(expected))
            done.windows += evaluated.windows
            done.scores += evaluated.scores
            done.transitions += evaluated.transitions
            for transition in evaluated.transitions:
                on_transition(transition)


def decisions(store: Store, models: Collection[str]) -> dict[str, Rows]:
    """Return what was decided while a store was filled, by table: a replay into a store that holds it gives its rows.

    Which partitions windows did not wait for, clocks that were set back, and marks; not what was asked for, and has not
    taken effect.

    Raises
    ------
    StoreError
    """
    tables = {table: store.read(Query(table, {"model": list(models)})) for table in ("horizons", "set_clocks", "marks")}
    has_effect = {
        "horizons": lambda row: True,
        "set_clocks": lambda row: SetClock(**row).has_effect,
        "marks": lambda row: row["effective_ms"] and row["says"] != "adopted",
    }
    decided: dict[str, Rows] = {}
    for table, columns in tables.items():
        decided[table] = empty_rows(table)
        for row in filter(has_effect[table], rows_of(columns)):
            add_row(decided[table], row)
    return decided


def assign_files(configuration: Configuration, events: Iterable[str]) -> dict[str, list[Path]]:
    """Give files to the topics of a configuration.

    Parameters
    ----------
    configuration : Configuration
    events : iterable of str
        ``FILE``, or ``TOPIC=FILE`` where the configuration has several topics. Several files of one topic are its
        partitions.

    Raises
    ------
    InputError
        If it is not clear which topic a file belongs to, or a topic gets none.
    """
    streams = sorted(
        {stream for model in configuration.models.values() for spec in model.spec.sources for stream in spec.streams}
    )
    files: dict[str, list[Path]] = {}
    for item in events:
        topic, name = _topic_of(item, streams)
        files.setdefault(topic, []).append(Path(name))
    missing = [stream for stream in streams if not any(matches(stream, topic) for topic in files)]
    if missing:
        raise InputError(f"no --events for {', '.join(missing)}; say TOPIC=FILE for each")
    return files


def _topic_of(item: str, topics: Collection[str]) -> tuple[str, str]:
    """Split ``TOPIC=FILE``; both may hold an equals sign of their own."""
    for topic in sorted(topics, key=len, reverse=True):
        if item.startswith(f"{topic}="):
            return topic, item.removeprefix(f"{topic}=")
    named = item.partition("=")[0]
    if named != item and reader_of(topics, named) is not None:
        return named, item.removeprefix(f"{named}=")
    if len(topics) == 1 and ("=" not in item or Path(item).exists()):
        return _a_name(next(iter(topics)), item), item
    expected = ", ".join(sorted(topics))
    raise InputError(f"--events {item}: say which topic it is, TOPIC=FILE; the configuration reads {expected}")


def _a_name(topic: str, item: str) -> str:
    if is_pattern(topic):
        raise InputError(f"--events {item}: say which of the topics {topic} it is, TOPIC=FILE")
    return topic


def results(store: Store, models: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every score, finding and alert transition of a replay, by table, as dicts in the order of their keys."""
    for table in ("scores", "findings", "alerts"):
        for model in sorted(models):
            columns = store.read(Query(table, {"model": model}))
            names = list(columns)
            for values in zip(*(columns[name] for name in names), strict=True):
                row = {n: v.item() if hasattr(v, "item") else v for n, v in zip(names, values, strict=True)}
                yield table, row
