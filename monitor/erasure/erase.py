"""The erasure of one data subject, from the entry in the list to the proof.

1. The subject goes onto the list of erasures: from here on nothing new is stored.
2. Whoever reads, judges and notifies stands still while the name is replaced in checkpoints, in alerts and in what
   was said about them, and goes on from these.
3. Rows are deleted, names and words replaced, in all tables; the log of HTTP events is cleared.
4. What was replaced leaves the disk.
5. Everything is looked through again. Only when nothing is found the erasure is written down as done.

Cut off anywhere, it is begun again by erasing the same subject once more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from monitor.clock import Clock
from monitor.config import Configuration
from monitor.config.model import Model
from monitor.erasure.erased import ALWAYS, DONE, STARTED, Erasure, ErasureList, marker_of
from monitor.erasure.events import events, is_of
from monitor.erasure.states import states
from monitor.erasure.subject import Seal, Subject, Trace
from monitor.erasure.summaries import names_elsewhere, summaries
from monitor.erasure.texts import left_in_texts, texts
from monitor.errors import InputError
from monitor.privacy.privacy import privacy_of
from sinks.store.contract import Store, StoreError
from sinks.store.sqlstore import SqlStore
from sinks.store.tables import EVERY_TABLE, alerts
from sinks.store.upkeep import detached_parts, drop_outdated

__all__ = [
    "LOOKED_THROUGH",
    "Erased",
    "Eraser",
    "Request",
    "Running",
    "messages_of",
    "subjects_of",
    "traces_of",
    "unfinished",
]

LOOKED_THROUGH = tuple(sorted(name for name, table in EVERY_TABLE.items() if table.is_personal))
"""Tables that may hold a subject."""

_OF_ALERTS = frozenset(table.name for table in alerts.DECLARED)
"""Tables that whoever notifies has in memory, too."""

ROUNDS = 5
"""How often is looked again before giving up: a roll-up may bring a name back from rows that it read before."""


Chosen = Mapping[str, Callable[[bytes], bool]]
"""By HTTP stream, which of its messages."""


@dataclass(frozen=True)
class Request:
    """Who is to be erased.

    Attributes
    ----------
    subject : str
    model : str
        Empty: of all models.
    fields : tuple of str
        Category signals, beside the subject's own field, in which the name is replaced: ``feature:merchant``.
    """

    subject: str
    model: str = ""
    fields: tuple[str, ...] = ()


@dataclass
class Erased:
    """What an erasure did, or would do.

    Attributes
    ----------
    subject_hash, model : str
    state : str
        ``done``, or ``planned`` for a dry run.
    at_ms : int
    rows : dict of str to int
        Rows deleted or changed, by table; every table that was looked through is there.
    mutations : dict of str to list of str
        Their ids in ``system.mutations``, by table.
    ingest_log : int
        Messages deleted from the log of HTTP events.
    remaining : int
        Rows found when everything was looked through again.
    elsewhere : dict of str to int
        Category signals (`model/signal`) and columns (`table.column`) that were left alone, though they hold the
        subject's key, if only as one word of several, with their rows.
    unreachable : list of str
        Places that may hold the subject, and that only their owners can clear.
    """

    subject_hash: str
    model: str
    state: str
    at_ms: int
    rows: dict[str, int] = field(default_factory=dict)
    mutations: dict[str, list[str]] = field(default_factory=dict)
    ingest_log: int = 0
    remaining: int = 0
    elsewhere: dict[str, int] = field(default_factory=dict)
    unreachable: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as people and programs get it."""
        return asdict(self)


class MessageLog(Protocol):
    """The log of HTTP events."""

    def count(self, chosen: Chosen) -> int:
        """Return how many messages of some streams are chosen."""
        ...

    def erase(self, chosen: Chosen) -> int:
        """Delete them; return how many they were."""
        ...

    def select(self, chosen: Chosen) -> Iterator[tuple[str, int, bytes]]:
        """Yield stream, offset and payload of each."""
        ...


@dataclass(frozen=True)
class Running:
    """What goes on beside an erasure; by default nothing.

    Attributes
    ----------
    erasures : ErasureList or None
        The one that readers of the log use.
    http_log : MessageLog or None
    standstill : callable
        A context in which nothing writes checkpoints, and after which every reader starts at its checkpoint.
    on_begun : callable
        Called with the subject's hash before anything is erased; in a dry run it may be empty.
    """

    erasures: ErasureList | None = None
    http_log: MessageLog | None = None
    standstill: Callable[[], AbstractContextManager[None]] = nullcontext
    on_begun: Callable[[str], None] = lambda digest: None


class Eraser:
    """Erases data subjects, one at a time.

    Parameters
    ----------
    store : Store
    configuration : Configuration
        Says where the subject stands in events: ``keep.subject``.
    clock : Clock
    running : Running

    Raises
    ------
    InputError
        The store cannot erase.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        clock: Clock,
        running: Running = Running(),
    ) -> None:
        if not isinstance(store, SqlStore):
            raise InputError("a store in memory erases nothing: it forgets everything when its process ends")
        self._store, self._configuration, self._clock, self._running = store, configuration, clock, running
        self._erasures = ErasureList(store) if running.erasures is None else running.erasures

    def plan(self, request: Request) -> Erased:
        """Only look.

        Raises
        ------
        InputError
            If the request or the configuration is wrong.
        StoreError
        """
        done, subjects = self._begin(request, self._clock.now_ms(), make_key=False)
        _add(done, traces_of(self._store, subjects))
        if self._running.http_log is not None:
            done.ingest_log = self._running.http_log.count(messages_of(subjects[0]))
        done.remaining = sum(done.rows.values()) + done.ingest_log
        return done

    def erase(self, request: Request, on_step: Callable[[str], None] = lambda text: None) -> Erased:
        """Erase a data subject.

        Parameters
        ----------
        request : Request
        on_step : callable
            Called with what is done next, in words that name nobody.

        Raises
        ------
        InputError
            If the request or the configuration is wrong.
        StoreError
            If rows are left; it may be tried again.
        """
        store, at_ms = self._store, self._clock.now_ms()
        done, subjects = self._begin(request, at_ms, make_key=True)
        self._list(subjects, request.model, at_ms, ALWAYS, STARTED)
        on_step("replacing the name in checkpoints")
        with self._running.standstill():
            for subject in subjects:
                _remove(done, [*states(store, subject), *_of_alerts(store, subject)], on_step)
        for _ in range(ROUNDS):
            for subject in subjects:
                _remove(done, traces_of(store, [subject]), on_step)
            on_step("waiting for replaced parts to leave the disk")
            drop_outdated(store, LOOKED_THROUGH)
            on_step("looking through everything again")
            done.remaining = sum(trace.rows for trace in traces_of(store, subjects))
            if not done.remaining:
                break
        if done.remaining:
            raise StoreError(f"{done.remaining} rows of the subject are left; erase it again", retryable=True)
        if self._running.http_log is not None:
            on_step("clearing the log of HTTP events")
            done.ingest_log = self._running.http_log.erase(messages_of(subjects[0]))
        done.state = DONE
        report = json.dumps(_report(done), sort_keys=True)
        self._list(subjects, request.model, at_ms, self._clock.now_ms(), DONE, report)
        return done

    def _list(
        self, subjects: list[Subject], model: str, at_ms: int, until_ms: int, state: str, report: str = "{}"
    ) -> None:
        """Put a subject onto the list, with the digests that stand for it."""
        for subject in subjects:
            digest = self._erasures.hash_of(subject.key)
            names = sorted(f"{model}/{signal}" for model, signals in subject.fields.items() for signal in signals)
            self._erasures.add(Erasure(digest, model, at_ms, until_ms, state, tuple(names), report))

    def _begin(self, request: Request, at_ms: int, *, make_key: bool) -> tuple[Erased, list[Subject]]:
        """What is known before anything is looked for."""
        erasures, subject = self._erasures, request.subject
        digest = erasures.digest_of(subject, at_ms) if make_key else erasures.hash_of(subject)
        subjects = subjects_of(self._configuration, request, self._erasures)
        for name, model in subjects[0].models.items():
            _check_segments(name, model, request.subject, subjects[0].fields[name])
        self._running.on_begun(digest)
        done = Erased(digest, request.model, "planned", at_ms, dict.fromkeys(LOOKED_THROUGH, 0))
        for each in subjects:
            done.elsewhere |= names_elsewhere(self._store, each) | left_in_texts(self._store, each)
        done.unreachable = _unreachable(self._store, self._configuration, subjects[0])
        return done, subjects


def unfinished(store: Store) -> int:
    """Return how many erasures were begun, came to no end, and were not done later."""
    open_of: dict[tuple[str, str], bool] = {}
    for erasure in sorted(ErasureList(store).all(), key=lambda erasure: erasure.at_ms):
        open_of[erasure.subject_hash, erasure.model] = erasure.state != DONE
    return sum(open_of.values())


def traces_of(store: SqlStore, subjects: Iterable[Subject]) -> list[Trace]:
    """Find every row that holds a subject, or a digest that stands for it, in the order in which they are removed."""
    seal = Seal(store)
    traces: list[Trace] = []
    for subject in subjects:
        searches = (summaries(store, subject, seal), texts(store, subject, seal), events(store, subject, seal))
        traces += [*(trace for part in searches for trace in part), *states(store, subject)]
    return [trace for trace in traces if trace.rows]


def _of_alerts(store: SqlStore, subject: Subject) -> list[Trace]:
    return [trace for trace in texts(store, subject, Seal(store), _OF_ALERTS) if trace.rows]


def _remove(done: Erased, traces: list[Trace], on_step: Callable[[str], None]) -> None:
    _add(done, traces)
    for trace in traces:
        if trace.rows:
            on_step(f"{trace.table}: {trace.rows} rows")
            done.mutations.setdefault(trace.table, []).extend(trace.remove())


def _add(done: Erased, traces: list[Trace]) -> None:
    for trace in traces:
        done.rows[trace.table] += trace.rows


def _report(done: Erased) -> dict[str, Any]:
    """What is written down: nothing that names anybody."""
    return {name: value for name, value in done.to_dict().items() if name not in ("subject_hash", "model", "at_ms")}


def subjects_of(configuration: Configuration, request: Request, erasures: ErasureList) -> list[Subject]:
    """Return whom a request means: the subject, and behind it the digests that stand for it in private fields.

    Raises
    ------
    InputError
        The request or the configuration is wrong.
    """
    subject = _subject(configuration, request, marker_of(erasures.hash_of(request.subject)))
    models_of: dict[str, list[str]] = {}
    masks = {name: privacy_of(model, configuration.service) for name, model in subject.models.items()}
    for name, model in subject.models.items():
        paths = {model.spec.keep.subject or "", model.spec.schema_.id or ""}
        private = {mask for path, mask in masks[name].paths.items() if path in paths}
        private |= {masks[name].masks[signal] for signal in subject.fields[name] & masks[name].masks.keys()}
        for digest in {mask.text(request.subject) for mask in private if mask.key}:
            models_of.setdefault(digest, []).append(name)
    return [
        subject,
        *(
            Subject(
                digest,
                {name: subject.models[name] for name in names},
                {name: subject.fields[name] & masks[name].masks.keys() for name in names},
                marker_of(erasures.hash_of(digest)),
            )
            for digest, names in sorted(models_of.items())
        ),
    ]


def _subject(configuration: Configuration, request: Request, marker: str) -> Subject:
    if not request.subject:
        raise InputError("the subject is empty")
    if request.model and request.model not in configuration.models:
        names = ", ".join(sorted(configuration.models))
        raise InputError(f"no model is called {request.model!r}; known are {names}")
    models = {
        name: model
        for name, model in configuration.models.items()
        if request.model in ("", name) and (model.spec.keep.subject is not None or request.fields)
    }
    if not models:
        raise InputError("the configuration does not say where the subject stands in events: spec.keep.subject")
    fields = {name: _own_fields(model) | _named_fields(model, request.fields) for name, model in models.items()}
    unknown = set(request.fields) - {signal for signals in fields.values() for signal in signals}
    if unknown:
        raise InputError(f"no model has a category signal {', '.join(sorted(unknown))}")
    return Subject(request.subject, models, fields, marker)


def _own_fields(model: Model) -> frozenset[str]:
    """Category signals that are read from where the subject stands."""
    schema = model.spec.schema_
    at_subject = schema.signals_at(model.spec.keep.subject)
    return frozenset(
        signal for signal, spec in schema.signals().items() if spec.type == "category" and signal in at_subject
    )


def _named_fields(model: Model, fields: tuple[str, ...]) -> frozenset[str]:
    categories = {name for name, spec in model.spec.schema_.signals().items() if spec.type == "category"}
    return frozenset(fields) & categories


def _check_segments(name: str, model: Model, subject: str, fields: frozenset[str]) -> None:
    for segmentation in model.spec.segments:
        if {f"feature:{by}" for by in segmentation.by} & fields:
            for value in segmentation.values or ():
                if subject in ([value] if isinstance(value, str) else value):
                    raise InputError(f"model {name!r} watches the subject as a segment of its own: take it out first")


def messages_of(subject: Subject) -> Chosen:
    """The subject's messages."""
    readers: dict[str, list[Model]] = {}
    for model in subject.models.values():
        for source in model.spec.sources:
            if source.http is not None:
                readers.setdefault(source.http, []).append(model)
    return {stream: _any_of(subject, models) for stream, models in readers.items()}


def _any_of(subject: Subject, models: list[Model]) -> Callable[[bytes], bool]:
    return lambda payload: any(is_of(subject, model, payload, len(payload)) for model in models)


def _unreachable(store: SqlStore, configuration: Configuration, subject: Subject) -> list[str]:
    sources = [source for model in subject.models.values() for source in model.spec.sources]
    places = [f"Kafka topic {topic}" for source in sources for topic in source.kafka or ()]
    default = configuration.service.spec.kafka.dead_letters
    letters = [source.dead_letters or default for source in sources if source.kafka is not None]
    places += [f"Kafka topic {target.topic} of dead letters" for target in letters if target is not None]
    places += [f"file {source.file}" for source in sources if source.file is not None]
    for name, model in subject.models.items():
        if model.spec.baseline.uri is not None:
            places.append(f"data set {configuration.resolve(name, model.spec.baseline.uri)}")
        estimates = model.spec.estimates.values()
        places += [f"estimator {configuration.resolve(name, estimate.uri)}" for estimate in estimates]
    if detached := detached_parts(store):
        places.append(f"{detached} detached parts of the store's tables")
    places += [
        "backups that were made before",
        "notifications that were sent, and what receivers keep of them",
        "Leeway's log on stderr, which quotes what receivers answered",
        "logs of a ClickHouse server, such as system.query_log",
    ]
    return list(dict.fromkeys(places))
