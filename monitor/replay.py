"""Offline replay: a bounded input through the same stages as the service, one after the other in one thread.

The result is a pure function of the events, the configuration and the decisions that the store holds; how many events
are taken at a time changes nothing but the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from monitor.alerts.transition import Transition
from monitor.clock import Clock, SystemClock
from monitor.config import Configuration
from monitor.config.streams import is_pattern, matches, reader_of
from monitor.configurations.following import begun, following
from monitor.configurations.in_force import InForce, compiled, watches_of
from monitor.configurations.log import ConfigurationLog
from monitor.configurations.registering import register
from monitor.decoders import Schemas
from monitor.errors import InputError
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import Horizon
from monitor.evaluate.unwatched import end_alerts_of
from monitor.events import ENDED, Partition, Records
from monitor.ingest.counters import Counters
from monitor.ingest.ingest import Ingest
from monitor.ingest.names import Names
from monitor.ingest.readers import Readers
from monitor.ingest.set_clocks import SetClock
from monitor.ingest.sightings import Sightings
from monitor.performance.job import work_out_ended
from monitor.sources.contract import Resume, Source
from monitor.watch import Watch, compile_watch
from sinks.store.batch import Rows, add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Course", "Replay", "Replayed", "assign_files", "courses", "decisions", "replay_course", "results"]

DECIDED = ("horizons", "performance_horizons", "set_clocks", "marks", "rollouts")
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

    def with_another(self, other: Replayed) -> Replayed:
        """Return what both did."""
        counters = Counters.sum([self.counters, other.counters])
        windows, scores = self.windows + other.windows, self.scores + other.scores
        return Replayed(counters, windows, scores, [*self.transitions, *other.transitions])

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
    clock : Clock
        Says when models have registered themselves, which changes no result.

    Attributes
    ----------
    configuration : Configuration
        With the models that have registered themselves so far.
    """

    def __init__(self, configuration: Configuration, store: Store, source: Source, clock: Clock | None = None) -> None:
        self._store, self._source = store, source
        self._log = ConfigurationLog(store, clock or SystemClock())
        self._in_force: InForce | None = None
        if configuration.templates:
            self._in_force = begun(configuration, self._log, {})
            configuration = self._in_force.configuration
        self.configuration = configuration
        self._watches = [compile_watch(configuration, name) for name in configuration.models]
        self._schemas = Schemas.of(configuration)
        self._refused: set[str] = set()
        self._ingest = Ingest(self._readers(), store, source)
        self._evaluations = [Evaluation(watch, store) for watch in self._watches]

    @property
    def sightings(self) -> Sightings:
        """What the messages have shown so far, since a model has registered itself."""
        return self._ingest.sightings

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
            while (count := self._ingest.step(batch, timeout_s=1.0)) or not self._at_end() or self._ingest.appeared():
                self._register()
                self._advance(done, on_transition)
                on_progress(done.counters)
                since_checkpoint += count
                if checkpoint_every and since_checkpoint >= checkpoint_every:
                    since_checkpoint = 0
                    self.save()
            self._ingest.finish()
            self._advance(done, on_transition)
            on_progress(done.counters)
            for transition in work_out_ended(self._watches, self._store):
                done.transitions.append(transition)
                on_transition(transition)
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

    def _readers(self) -> Readers:
        readers = Readers(self._watches, self._schemas)
        readers.names = Names.of(self.configuration, self._refused)
        return readers

    def _register(self) -> None:
        """Have models that have appeared registered, and go on in front of their first messages."""
        appeared = self._ingest.appeared()
        if not appeared or self._in_force is None:
            return
        self._ingest.save()
        self._refused |= register(appeared, self.configuration, self._log)
        self._in_force = following(self._in_force, self._log) or self._in_force
        self.configuration = self._in_force.configuration
        present = {watch.name for watch in self._watches}
        added = [watch for name, watch in self._in_force.watches.items() if name not in present]
        self._watches += added
        self._evaluations += [Evaluation(watch, self._store) for watch in added]
        readers = self._readers()
        readers.sightings.most_samples = self.sightings.most_samples
        self._ingest.read_as(readers, is_saved=True)
        self._source.close()
        self._ingest.forget()
        self._ingest.open()

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


@dataclass(frozen=True)
class Course:
    """How the configuration of a model changed while a store was filled.

    Attributes
    ----------
    model : str
    watches : dict of str to Watch
        Every version, by the digest of its document.
    epochs : dict of Partition to list of dict
        Rows of ``epochs``, in their order.
    windows : list of (int, str)
        From which end of a window on which digest was evaluated; empty where nobody watched the model.
    """

    model: str
    watches: Mapping[str, Watch]
    epochs: Mapping[Partition, Sequence[Mapping[str, Any]]]
    windows: Sequence[tuple[int, str]]

    @property
    def topics(self) -> set[str]:
        """Which topics it has read."""
        return {topic for (topic, _), rows in self.epochs.items() if any(row["config"] for row in rows)}

    def spells(self) -> dict[tuple[int, str, bool], list[Partition]]:
        """Return which partitions are folded at once: by number and configuration of an epoch, if it is the last."""
        spells: dict[tuple[int, str, bool], list[Partition]] = {}
        for partition, rows in sorted(self.epochs.items()):
            for index, row in enumerate(rows):
                spells.setdefault((index, row["config"], index == len(rows) - 1), []).append(partition)
        return dict(sorted(spells.items()))


def courses(store: Store, configuration: Configuration, clock: Clock) -> dict[str, Course]:
    """Return how configurations changed while a store was filled, of each model of which one did.

    Parameters
    ----------
    store : Store
    configuration : Configuration
        In whose folder data sets are.
    clock : Clock

    Raises
    ------
    InputError, ConfigError
        A version cannot be used by itself.
    StoreError
    """
    log = ConfigurationLog(store, clock)
    changed: dict[str, Course] = {}
    for model in sorted(configuration.models):
        rows = rows_of(store.read(Query("configured_windows", {"model": model})))
        windows = [(row["from_ms"], row["digest"]) for row in rows]
        epochs = sorted(rows_of(store.read(Query("epochs", {"model": model}))), key=lambda row: row["number"])
        if len({digest for _, digest in windows}) > 1 or _begin_anywhere(epochs):
            present = compiled(configuration, model, {})
            versions = [version for version in log.every(model) if version.document]
            former = [version for version in versions if version.digest != present.document_digest]
            watches = {**watches_of(configuration, former), present.document_digest: present}
            by_partition: dict[Partition, list[Mapping[str, Any]]] = {}
            for row in epochs:
                by_partition.setdefault((row["topic"], row["partition"]), []).append(row)
            # No window was evaluated yet: all of them are by the last one.
            windows = windows or [(0, versions[0].digest if versions else present.document_digest)]
            if not windows[-1][1]:
                # Nobody has evaluated it yet since it is watched again.
                windows.append((windows[-1][0], present.document_digest))
            changed[model] = Course(model, watches, by_partition, windows)
    return changed


def _begin_anywhere(epochs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a model has read its partitions otherwise than as it does now, each from its beginning on."""
    return len({row["config"] for row in epochs}) > 1 or any(row["from_offset"] > 0 for row in epochs)


def replay_course(course: Course, store: Store, new_source: Callable[[], Source], batch: int = BATCH) -> Replayed:
    """Replay one model through its configurations, each from where it came into force.

    Every epoch of a partition is folded by itself, and then windows are evaluated: what is folded does not depend on
    what is evaluated.

    Parameters
    ----------
    course : Course
    store : Store
        Holds the decisions that were taken, and gets the rows.
    new_source : callable
        Opens the events once more.
    batch : int
        Events taken at a time.
    """
    done = Replayed(Counters())
    folds = {watch.fold_hash: watch for watch in course.watches.values()}
    for (index, config, is_last), partitions in course.spells().items():
        rows = empty_rows("epochs")
        spans: dict[Partition, int] = {}
        for partition in partitions:
            of_partition = course.epochs[partition]
            add_row(rows, of_partition[index])
            spans[partition] = ENDED if is_last else of_partition[index + 1]["from_offset"]
        append(store, "epochs", rows)
        if config:
            if config not in folds:
                raise InputError(
                    f"{course.model}: no version is stored of the configuration with which its events were read at "
                    "first, and their rows cannot be made again; versions are kept since changes are taken up while "
                    "the service runs"
                )
            source = _Spans(new_source(), partial(_stop_of, spans))
            counters = _folded(folds[config], store, source, batch, ends=is_last)
            done.counters = Counters.sum([done.counters, counters])
    _fold_labels(course.watches[course.windows[-1][1]], store, new_source, batch)
    for (_, digest), (stop_ms, _) in zip(course.windows, [*course.windows[1:], (ENDED, "")], strict=True):
        if not digest:
            done.transitions += end_alerts_of(store, course.model)
            continue
        evaluation = Evaluation(course.watches[digest], store)
        evaluation.stop_ms = stop_ms
        evaluated = evaluation.advance(Horizon())
        evaluation.save()
        done.windows += evaluated.windows
        done.scores += evaluated.scores
        done.transitions += evaluated.transitions
    done.transitions += work_out_ended([course.watches[course.windows[-1][1]]], store)
    return done


def _fold_labels(watch: Watch, store: Store, new_source: Callable[[], Source], batch: int) -> None:
    """Read the labels that come by topics of their own: of them no epochs are kept."""
    sources = [source for source in watch.model.spec.sources if source.kind == "labels"]
    if sources:
        streams = {stream for source in sources for stream in source.streams}
        source = _Spans(new_source(), lambda partition: ENDED * any(matches(each, partition[0]) for each in streams))
        _folded(watch, store, source, batch, ends=True)


def _folded(watch: Watch, store: Store, source: Source, batch: int, *, ends: bool) -> Counters:
    ingest = Ingest(Readers([watch]), store, source)
    try:
        ingest.open()
        while ingest.step(batch, timeout_s=1.0) or source.at_end() < source.assigned():
            pass
        if ends:
            ingest.finish()
    finally:
        source.close()
    return ingest.counters


def _stop_of(spans: Mapping[Partition, int], partition: Partition) -> int:
    return spans.get(partition, 0)


class _Spans(Source):
    """A bounded source up to the offset at which each partition stops; those that stop at 0 are not read."""

    guarantee = "what its source guarantees"
    bounded = True

    def __init__(self, source: Source, stop_of: Callable[[Partition], int]) -> None:
        self._source, self._stop_of, self.gaps = source, stop_of, source.gaps

    def open(self, resume: Resume) -> None:
        self._source.open(lambda topic, number: resume(topic, number) if self._stop_of((topic, number)) else 0)

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Records]:
        polled = self._source.poll(max_records, timeout_s)
        stops = [self._stop_of((records.topic, records.partition)) for records in polled]
        cut = [records[: int(records.offsets.searchsorted(stop))] for records, stop in zip(polled, stops, strict=True)]
        return [records for records in cut if len(records)]

    def partitions(self) -> frozenset[Partition]:
        return frozenset(filter(self._stop_of, self._source.partitions()))

    def assigned(self) -> frozenset[Partition]:
        return frozenset(filter(self._stop_of, self._source.assigned()))

    def at_end(self) -> frozenset[Partition]:
        return frozenset(filter(self._stop_of, self._source.at_end()))

    def close(self) -> None:
        self._source.close()


def decisions(store: Store, models: Collection[str]) -> dict[str, Rows]:
    """Return what was decided while a store was filled, by table: a replay into a store that holds it gives its rows.

    Which partitions windows and hours that are judged did not wait for, clocks that were set back, marks, and rollouts,
    with what labels said of versions before a verdict was notified; not what was asked for, and has not taken effect.

    Raises
    ------
    StoreError
    """
    tables = {table: store.read(Query(table, {"model": list(models)})) for table in DECIDED}
    has_effect = {
        "horizons": lambda row: True,
        "performance_horizons": lambda row: True,
        "set_clocks": lambda row: SetClock(**row).has_effect,
        "marks": lambda row: row["effective_ms"] and row["says"] != "adopted",
        "rollouts": lambda row: row["stratum_ms"],
    }
    decided: dict[str, Rows] = {}
    for table, columns in tables.items():
        decided[table] = empty_rows(table)
        for row in filter(has_effect[table], rows_of(columns)):
            add_row(decided[table], row)
    decided["rollout_strata"] = _notified_strata(store, decided["rollouts"])
    return decided


def _notified_strata(store: Store, rollouts: Rows) -> Rows:
    """Return what verdicts by labels rest on that were notified: a replay works hours out behind the last window."""
    names = [name for name, notified_ms in zip(rollouts["id"], rollouts["notified_ms"], strict=True) if notified_ms]
    return empty_rows("rollout_strata") | (
        {name: list(values) for name, values in store.read(Query("rollout_strata", {"rollout": names})).items()}
        if names
        else {}
    )


def assign_files(
    configuration: Configuration, events: Iterable[str], former: Collection[str] = ()
) -> dict[str, list[Path]]:
    """Give files to the topics of a configuration.

    Parameters
    ----------
    configuration : Configuration
    events : iterable of str
        ``FILE``, or ``TOPIC=FILE`` where the configuration has several topics. Several files of one topic are its
        partitions. A topic that is files of the configuration's is read from these unless it has others here.
    former : collection of str
        Topics that its models have read before.

    Raises
    ------
    InputError
        If it is not clear which topic a file belongs to, or a topic gets none.
    """
    present = {
        stream for model in configuration.all_read.values() for spec in model.spec.sources for stream in spec.streams
    }
    streams = sorted(present | {topic for topic in former if reader_of(present, topic) is None})
    files: dict[str, list[Path]] = {}
    for item in events:
        topic, name = _topic_of(item, streams)
        files.setdefault(topic, []).append(Path(name))
    rest = [stream for stream in streams if not any(matches(stream, topic) for topic in files)]
    files |= {stream: paths for stream in rest if (paths := configuration.files_named(stream))}
    missing = [stream for stream in rest if stream not in files]
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
    for table in ("scores", "findings", "alerts", "performance_alerts", "rollout_strata"):
        for model in sorted(models):
            columns = store.read(Query(table, {"model": model}))
            names = list(columns)
            for values in zip(*(columns[name] for name in names), strict=True):
                row = {n: v.item() if hasattr(v, "item") else v for n, v in zip(names, values, strict=True)}
                yield table, row
