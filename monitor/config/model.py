"""The configuration of one model: what to read, what to compare with what, when to alarm.

Every key that is not named is a mistake. The classes are the reference: their docstrings and field descriptions become
the JSON schema and ``docs/configuration.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from monitor.config.baseline import Baseline, PeriodBaseline, RollingBaseline
from monitor.config.detect import Detect
from monitor.config.formats import Format, JsonFormat
from monitor.config.freshness import Freshness, FreshnessOrOff
from monitor.config.keep import Keep, KeepOrNone
from monitor.config.performance import EstimateSpec, Performance, PerformancePlan, plan_of
from monitor.config.schema import FieldSpec, Schema
from monitor.config.streams import Topics, is_pattern, reader_of
from monitor.dataset import JSON_LINES, TABLES, kind_of
from monitor.values import DAY_MS, DurationMs, FieldPath, Name, Strict, WrongPartError, format_duration

__all__ = [
    "Alerts",
    "DeadLetterTopic",
    "DeadLetterTopicOrName",
    "EventTime",
    "Metadata",
    "Model",
    "ModelSpec",
    "ModelsByName",
    "SegmentSpec",
    "SourceSpec",
]


MAX_SEGMENTS = 1_000
MAX_SERIES = 100_000
"""Segments times signals of a model; each of its versions has as many series."""


class Metadata(Strict):
    """Who the model is and whom it belongs to."""

    name: Name = Field(description="unique in the service")
    namespace: Name = Field(default="default", description="the team's space")
    owner: str = Field(default="", description="the contact for questions")
    labels: dict[str, str] = Field(default_factory=dict, description="copied onto every alert")


class EventTime(Strict):
    """Where an event's time stands, and in which unit."""

    path: FieldPath = Field(description="the field, dots for nesting")
    unit: Literal["auto", "s", "ms", "us", "ns", "iso"] = Field(
        default="auto",
        description="`auto`: of each number the one in which it is a time from 2000 to 2200",
    )


def _event_time(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class DeadLetterTopic(Strict):
    """A topic for messages that could not be used."""

    topic: str = Field(
        pattern=r"^[a-zA-Z0-9._-]{1,249}$", description="of the same cluster; it must exist, and no model may read it"
    )
    kept: bool = Field(
        default=False, description="also messages that count, of which a field cannot be used or that came late"
    )


def _dead_letter_topic(value: object) -> object:
    return {"topic": value} if isinstance(value, str) else value


DeadLetterTopicOrName = Annotated[
    DeadLetterTopic | None, BeforeValidator(_dead_letter_topic, json_schema_input_type=DeadLetterTopic | str | None)
]


class ModelsByName(Strict):
    """Models that register themselves: each name that messages hold is a model like the one of this file."""

    by: FieldPath = Field(description="the field that names the model, dots for nesting, or `header:NAME`")
    at_most: int = Field(
        default=100,
        ge=0,
        le=1_000,
        description="so many at one time, of those that nobody has taken over; 0 only lists the names",
    )
    pattern: str = Field(default="*", min_length=1, max_length=200, description="of names: `*`, `?` and `[a-z]`")


class SourceSpec(Strict):
    """One stream of events: exactly one of `kafka`, `file` and `http`."""

    kafka: Topics = Field(
        default=None, description="a topic, a pattern of topics (`/orders\\..*/`), or a list of these"
    )
    file: str | None = Field(
        default=None,
        description="a path or glob of files: Parquet by `.parquet`, CSV with names by `.csv`, else JSON lines",
    )
    http: Name | None = Field(default=None, description="a stream of POST /v1/events")
    kind: Literal["event", "prediction", "features", "labels"] = Field(
        default="event",
        description="what one message holds: features and prediction, one of the two, or what turned out to be true",
    )
    format: Format = Field(
        default=JsonFormat(),
        description="by its name alone, such as `avro`, or with its own keys: `{kind: csv, columns: …}`; of files their"
        " names say it",
    )
    follow: bool = Field(default=False, description="a file that grows: wait for more lines at its end")
    where: dict[str, str | int | bool] = Field(
        default_factory=dict,
        description="what a message must hold for it to be this model's: fields, by paths with dots, or `header:NAME`",
    )
    models: ModelsByName | None = Field(
        default=None,
        description="the file is of no model itself, but what each model that appears on the stream is like",
    )
    event_time: Annotated[
        EventTime | None, BeforeValidator(_event_time, json_schema_input_type=EventTime | str | None)
    ] = Field(default=None, description="a path or {path, unit}; without it the record's own timestamp counts")
    allowed_lateness: DurationMs = Field(
        default=30_000,
        ge=0,
        description="how long a pane waits for stragglers, and how far one event may move the clock",
    )
    max_ahead: DurationMs = Field(
        default=1_800_000,
        gt=0,
        description="an event further ahead of all others, on which those behind it do not agree, is not counted",
    )
    dead_letters: DeadLetterTopicOrName = Field(
        default=None,
        description="a topic, or {topic, kept}, for `kafka` messages that could not be used; the cluster's if absent",
    )

    @model_validator(mode="before")
    @classmethod
    def _format_of_the_name(cls, data: object) -> object:
        if isinstance(data, dict) and "format" not in data and _suffix(data.get("file")) == ".parquet":
            return data | {"format": "parquet"}
        return data

    @model_validator(mode="after")
    def _one_place(self) -> SourceSpec:
        named = [key for key in ("kafka", "file", "http") if getattr(self, key) is not None]
        if len(named) != 1:
            raise ValueError(f"name exactly one of kafka, file, http; found {', '.join(named) or 'none'}")
        if self.kafka is not None and not self.kafka:
            raise ValueError("kafka: name at least one topic or pattern")
        if self.dead_letters is not None and self.kafka is None:
            raise ValueError("dead_letters is a topic for messages of `kafka`; what else is rejected is in the store")
        return self

    @model_validator(mode="after")
    def _models_fit(self) -> SourceSpec:
        if self.models is not None:
            if self.file is not None:
                raise WrongPartError(("models",), "models register themselves from `kafka` and `http`, not from files")
            if self.dead_letters is not None:
                raise WrongPartError(("dead_letters",), "what models register from goes to the cluster's dead letters")
            if self.models.by in self.where:
                raise WrongPartError(("models", "by"), f"`where` says already what {self.models.by!r} holds")
        return self

    @model_validator(mode="after")
    def _format_fits_the_place(self) -> SourceSpec:
        kind, suffix = self.format.kind, _suffix(self.file)
        if suffix in TABLES and "format" in self.model_fields_set and kind != suffix[1:]:
            message = f"{self.file} is read as {suffix[1:]}, as its name says, not as {kind}: leave `format` out"
            raise WrongPartError(("format",), f"{message}, or name the file otherwise")
        if suffix in (*JSON_LINES, ".gz") and kind == "parquet":
            message = f"{self.file} is read as JSON lines, as its name says, not as {kind}: leave `format` out"
            raise WrongPartError(("format",), f"{message}, or name the file otherwise")
        if suffix == ".csv" and kind == "csv":
            raise WrongPartError(("format",), f"{self.file} has a row of names, which says its columns: leave it out")
        if self.follow and suffix in TABLES:
            raise WrongPartError(("follow",), f"{self.file} cannot be followed: only JSON lines grow at their end")
        if self.file is not None and kind not in {"json", "parquet"}:
            raise ValueError(f"files are read as json or parquet, not as {kind}")
        if self.file is None and kind == "parquet":
            raise ValueError("parquet is a format of files")
        if self.http is not None and kind != "json":
            raise ValueError(f"HTTP streams take json, not {kind}")
        return self

    @property
    def streams(self) -> list[str]:
        """What it reads: names and patterns of topics, or one path or HTTP stream."""
        return self.kafka or [self.http or str(self.file)]

    @property
    def topic(self) -> str:
        """What it reads, for people."""
        return ", ".join(self.streams)

    @property
    def named(self) -> list[str]:
        """Streams that it names outright; there may be more, which patterns match."""
        return [stream for stream in self.streams if self.kafka is None or not is_pattern(stream)]


def _suffix(file: object) -> str:
    """How the name of a file, or a glob, ends, before ``.gz``; empty if it may end in several ways."""
    return kind_of(PurePath(file)) if isinstance(file, str) else ""


def _category(value: object) -> object:
    """Return the name that events with a number, or true or false, have."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


Category = Annotated[str, BeforeValidator(_category, json_schema_input_type=str | int | bool)]


class SegmentSpec(Strict):
    """A segment of the traffic that is watched on its own."""

    by: list[str] = Field(min_length=1, max_length=6, description="category features; several are combined")
    values: list[list[Category] | Category] | None = Field(
        default=None,
        max_length=MAX_SEGMENTS,
        description="the segments to watch, each once; without it the most frequent of the baseline's data set",
    )
    top: int = Field(default=20, ge=1, le=MAX_SEGMENTS)

    @model_validator(mode="after")
    def _values_fit(self) -> SegmentSpec:
        for position, name in enumerate(self.by):
            if name in self.by[:position]:
                raise WrongPartError(("by", position), f"{name!r} is named twice")
        for value in self.values or ():
            if len([value] if isinstance(value, str) else value) != len(self.by):
                raise ValueError(f"a segment by {self.by} needs {len(self.by)} values, got {value!r}")
        return self

    @property
    def identities(self) -> list[frozenset[tuple[str, str]]]:
        """Which values of which fields each of ``values`` stands for; none where the data set names them."""
        written = ([value] if isinstance(value, str) else value for value in self.values or ())
        return [frozenset(zip(self.by, value, strict=True)) for value in written]


Severity = Literal["critical", "warning", "info"]


class Alerts(Strict):
    """How alarmed windows become alerts."""

    severity: dict[Severity, str | list[str]] = Field(
        default={"critical": "prediction:*", "warning": "*"},
        description="patterns of signals, each of which matches some or is all of a kind (`prediction:*`); the gravest "
        "that matches an alert's signals counts",
    )
    group_by: list[Literal["model", "version", "segment"]] = Field(
        default=["model"], description="signals that agree in these may share an alert"
    )
    for_ms: DurationMs = Field(
        default=0, alias="for", ge=0, description="how long a condition must hold before it fires"
    )
    resolve_after: DurationMs = Field(default=900_000, ge=0, description="quiet time before an alert is resolved")
    join_within: DurationMs | None = Field(
        default=None,
        description="signals that start this soon after an alert's start have its cause; two windows if absent",
    )


class ModelSpec(Strict):
    """What a model's monitoring consists of."""

    sources: list[SourceSpec] = Field(min_length=1)
    schema_: Schema = Field(alias="schema")
    segments: list[SegmentSpec] = Field(default_factory=list)
    baseline: Baseline = Field(default_factory=lambda: RollingBaseline(kind="rolling"))
    detect: Detect = Field(default_factory=Detect)
    alerts: Alerts = Field(default_factory=Alerts)
    keep: KeepOrNone = Field(
        default_factory=Keep, description="which single events are stored; `none` keeps summaries only"
    )
    freshness: FreshnessOrOff = Field(
        default_factory=Freshness, description="when nobody hears of the model for too long; `off` never alerts"
    )
    performance: Performance | None = Field(
        default=None, description="how good the model is, by its labels; nothing is worked out if absent"
    )

    @property
    def watched_sources(self) -> list[SourceSpec]:
        """The sources whose events are summed up in panes; labels, which may come weeks later, are not."""
        return [source for source in self.sources if source.kind != "labels"]

    @property
    def conditions(self) -> list[dict[str, str | int | bool]]:
        """What events must hold to be this model's: `where` of each source."""
        return [source.where for source in self.watched_sources]

    def source_of(self, topic: str) -> SourceSpec | None:
        """The source that reads a stream: the one that names it, else the first with a pattern that matches."""
        reader = reader_of([*([topic] if topic in self.by_stream else ()), *self.patterns], topic)
        return None if reader is None else self.by_stream[reader]

    @cached_property
    def by_stream(self) -> dict[str, SourceSpec]:
        """The source of each name and pattern."""
        return {stream: source for source in reversed(self.sources) for stream in source.streams}

    @cached_property
    def patterns(self) -> list[str]:
        """The patterns of topics that it reads, in the order of the file."""
        return [stream for source in self.sources for stream in source.kafka or () if is_pattern(stream)]

    def is_watched(self, topic: str) -> bool:
        """Whether a stream is one whose events are summed up in panes."""
        source = self.source_of(topic)
        return source is not None and source.kind != "labels"

    @property
    def is_template(self) -> bool:
        """Whether models that register themselves are like this, and it is none itself."""
        return any(source.models is not None for source in self.sources)

    @model_validator(mode="after")
    def _is_a_template_or_none(self) -> ModelSpec:
        if not self.is_template:
            return self
        for index, source in enumerate(self.sources):
            if source.models is None:
                message = "another source says `models`, so this one has to say where its messages name them"
                raise WrongPartError(("sources", index), message)
        if self.baseline.uri is not None:
            raise WrongPartError(("baseline", "uri"), "one data set is not that of every model that may appear")
        return self

    @model_validator(mode="after")
    def _period_is_long_enough(self) -> ModelSpec:
        if not isinstance(self.baseline, PeriodBaseline):
            return self
        length_ms, window_ms = self.baseline.to_ms - self.baseline.from_ms, self.detect.defaults.window
        if length_ms < window_ms:
            message = f"a period of {format_duration(length_ms)} holds no window of {format_duration(window_ms)}"
            raise WrongPartError(("baseline", "to"), message)
        if self.detect.rule == "change" and length_ms < 7 * DAY_MS:
            # Skew weighs weekdays and weekends as in whole weeks, and a part of one has too few of either.
            message = f"`detect.rule: change` compares whole weeks: name 7d at least, not {format_duration(length_ms)}"
            raise WrongPartError(("baseline", "to"), message)
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> ModelSpec:
        if not self.watched_sources:
            raise WrongPartError(("sources",), "name one that is not of kind labels")
        if len(self.watched_sources) == len(self.sources):
            if self.schema_.labels:
                raise WrongPartError(("schema", "labels"), "labels need a source of `kind: labels`")
            return self
        if not self.schema_.labels:
            raise WrongPartError(
                ("sources",), "one is of kind labels, so schema.labels must say what its messages hold"
            )
        if self.schema_.id is None:
            raise WrongPartError(
                ("sources",), "one is of kind labels, so schema.id must say which event a label is for"
            )
        return self

    @property
    def estimates(self) -> dict[str, EstimateSpec]:
        """The estimators of the model, by the names of their signals; none where nothing is compared with labels."""
        return {} if self.performance is None else self.performance.estimates

    def estimated_signals(self) -> list[str]:
        """The signals that are worked out of single events, `estimated:NAME`, in the order of the file."""
        return [f"estimated:{name}" for name in self.estimates]

    @cached_property
    def performance_plan(self) -> PerformancePlan | None:
        """What is compared with which label, if anything is."""
        return None if self.performance is None else plan_of(self.performance, self.schema_)

    @property
    def judged_signals(self) -> tuple[str, ...]:
        """The signals that labels make."""
        plan = self.performance_plan
        return () if plan is None else plan.signals

    @model_validator(mode="after")
    def _performance_fits(self) -> ModelSpec:
        if self.performance is None:
            return self
        if not self.schema_.labels:
            raise WrongPartError(("performance",), "schema.labels has nothing that predictions could be compared with")
        try:
            plan = plan_of(self.performance, self.schema_)
        except WrongPartError as error:
            raise WrongPartError(("performance", *error.path), str(error)) from error
        apart = any(source.kind == "prediction" for source in self.sources)
        beside: list[tuple[tuple[str, ...], str | None]]
        beside = [(("baselines", naive.name, "field"), naive.signal) for naive in plan.naive]
        ends = zip(("low", "high"), plan.interval or (None, None), strict=True)
        beside += [(("interval", end), signal) for end, signal in ends]
        for part, signal in beside:
            if apart and signal is not None and signal.startswith("feature:"):
                message = "features come on another source than predictions: have it in schema.prediction"
                raise WrongPartError(("performance", *part), message)
        if not self.keep.labels and not self.keep.summaries_only:
            raise WrongPartError(("keep", "labels"), "`performance` needs labels to be kept")
        return self

    @model_validator(mode="after")
    def _formats_hold_vectors(self) -> ModelSpec:
        vectors = [signal for signal, spec in self.schema_.signals().items() if spec.type == "vector"]
        for index, source in enumerate(self.sources):
            if vectors and source.kind != "labels" and source.format.kind == "csv":
                raise WrongPartError(("sources", index, "format"), f"rows of csv hold no vectors, such as {vectors[0]}")
        return self

    @model_validator(mode="after")
    def _formats_hold_rankings(self) -> ModelSpec:
        labels = [signal for signal, spec in self.schema_.label_signals().items() if spec.type == "ranking"]
        for index, source in enumerate(self.sources):
            if source.format.kind == "csv":
                held = {"labels": labels, "features": []}.get(source.kind, list(self.schema_.rankings()))
                if held:
                    message = f"rows of csv hold no rankings, such as {held[0]}"
                    raise WrongPartError(("sources", index, "format"), message)
        return self

    @model_validator(mode="after")
    def _keep_fits(self) -> ModelSpec:
        for index, name in enumerate(self.keep.without):
            if name not in self.schema_.signals():
                message = f"{name!r} is not a signal of the schema, such as feature:amount"
                raise WrongPartError(("keep", "without", index), message)
        if self.keep.predictions and not self.schema_.watched.prediction:
            only = " but rankings, which `performance` keeps" if self.schema_.prediction else ""
            raise WrongPartError(("keep", "predictions"), f"the schema has no prediction{only}")
        return self

    @model_validator(mode="after")
    def _private_fields_are_nothing_else(self) -> ModelSpec:
        private: dict[str, list[FieldSpec]] = {}
        for signal, spec in self.schema_.private_signals().items():
            private.setdefault(spec.path or signal.partition(":")[2], []).append(spec)
        for part, shown_path in self._read_as_they_are():
            if shown_path in private:
                raise WrongPartError(part, f"{shown_path!r} is a field with a `privacy`, and would be read as it is")
            self._refuse_nested(part, shown_path, private)
        # Digests stand for identities as well as the texts do.
        for part, path in ((("schema", "id"), self.schema_.id), (("keep", "subject"), self.keep.subject)):
            self._refuse_nested(part, path or "", private)
            if not all(spec.is_digest for spec in private.get(path or "", ())):
                raise WrongPartError(part, f"{path!r} is a field whose `privacy` tells nobody apart; `hash` does")
        for index, segment in enumerate(self.segments):
            for position, name in enumerate(segment.by):
                if name in self.schema_.features and self.schema_.features[name].privacy in ("drop", "personal"):
                    message = f"{name!r} is never shown, and segments are named by its values"
                    raise WrongPartError(("segments", index, "by", position), message)
        return self

    def _refuse_nested(self, part: tuple[str | int, ...], path: str, private: Iterable[str]) -> None:
        """Refuse a path below or above one of a private field: what is in an object is the object's."""
        for other in private:
            # A header has no parts.
            if not path.startswith("header:") and (path.startswith(f"{other}.") or other.startswith(f"{path}.")):
                raise WrongPartError(
                    part, f"{path!r} and {other!r}, a field with a `privacy`, are parts of one another"
                )

    def _read_as_they_are(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the paths whose values are kept or shown as they are, by the part that names them."""
        if self.schema_.version is not None:
            yield ("schema", "version"), self.schema_.version
        for index, source in enumerate(self.sources):
            if source.event_time is not None:
                yield ("sources", index, "event_time"), source.event_time.path
            if source.models is not None:
                yield ("sources", index, "models", "by"), source.models.by
        for part in ("features", "prediction", "labels"):
            fields: dict[str, FieldSpec] = getattr(self.schema_, part)
            yield from (
                (("schema", part, name), spec.path or name) for name, spec in fields.items() if spec.privacy is None
            )

    @model_validator(mode="after")
    def _fits_together(self) -> ModelSpec:
        streams: set[str] = set()
        for index, source in enumerate(self.sources):
            for stream in source.streams:
                if stream in streams:
                    raise WrongPartError(("sources", index), f"{stream!r} is named twice")
                streams.add(stream)
        for index, segment in enumerate(self.segments):
            for position, name in enumerate(segment.by):
                field = self.schema_.features.get(name)
                if field is None or field.type != "category":
                    message = f"{name!r} is not a category feature of the schema"
                    raise WrongPartError(("segments", index, "by", position), message)
            if segment.values is None and self.baseline.uri is None:
                message = "name `values`, or a baseline data set from which the top can be taken"
                raise WrongPartError(("segments", index), message)
        self._segments_differ()
        return self

    def _segments_differ(self) -> None:
        """Refuse a segment that is watched already: each has a share of the budget of false alarms."""
        watched: set[frozenset[tuple[str, str]]] = set()
        ranked: set[frozenset[str]] = set()
        for index, segment in enumerate(self.segments):
            for position, identity in enumerate(segment.identities):
                if identity in watched:
                    value = (segment.values or [])[position]
                    raise WrongPartError(("segments", index, "values", position), f"{value!r} is watched already")
                watched.add(identity)
            if segment.values is None:
                if frozenset(segment.by) in ranked:
                    message = f"the most frequent of {', '.join(segment.by)} are watched already"
                    raise WrongPartError(("segments", index, "by"), message)
                ranked.add(frozenset(segment.by))

    @model_validator(mode="after")
    def _series_can_be_held(self) -> ModelSpec:
        of_specs = [spec.top if spec.values is None else len(spec.values) for spec in self.segments]
        segments, signals = 1 + sum(of_specs), len(self.schema_.signals())
        if segments * signals > MAX_SERIES:
            raise WrongPartError(
                ("segments",) if self.segments else ("schema",),
                f"{segments:,} segments of {signals:,} signals are {segments * signals:,} series for each"
                f" version, and at most {MAX_SERIES:,} are watched: name fewer values, or a smaller `top`",
            )
        return self


class Model(Strict):
    """One file per model."""

    api_version: Literal["leeway/v1"] = Field(alias="apiVersion")
    kind: Literal["Model"]
    metadata: Metadata
    spec: ModelSpec

    @property
    def name(self) -> str:
        return self.metadata.name
