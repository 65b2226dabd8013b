"""A model's configuration, made ready: fields, layouts, segments, detectors, the summaries of its data set.

Everything here is a pure function of the configuration and its files, so every worker has the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from detectors.distance import VECTOR_DISTANCES
from detectors.distance.mmd import MMD
from detectors.river_adapter import river_version
from detectors.sketch import (
    CategoryFold,
    CategoryLayout,
    CategorySummary,
    FindingLayout,
    JointFold,
    JointLayout,
    NumericFold,
    NumericLayout,
    NumericSummary,
    VectorSummary,
    quantile_layout,
    share_layout,
    universal_layout,
    usual_layout,
)
from monitor.config import Configuration, Model
from monitor.config.model import ModelSpec, SegmentSpec, SourceSpec
from monitor.config.performance import PerformancePlan
from monitor.config.references import RIVERS, VOLUME, WINDOWED, uses_for
from monitor.config.schema import MAX_VERSIONS, FieldSpec
from monitor.dataset import Dataset, read_dataset
from monitor.errors import InputError
from monitor.estimators.artefact import read_artefact
from monitor.estimators.estimator import ESTIMATED, Estimator, signal_of
from monitor.estimators.fitness import misfit
from monitor.privacy.mask import Mask
from monitor.privacy.privacy import NOTHING_PRIVATE, ModelPrivacy, privacy_of
from monitor.values import format_duration

__all__ = [
    "Carried",
    "Layout",
    "Segmentation",
    "Summary",
    "Watch",
    "Watches",
    "compile_watch",
    "estimator_of",
    "segment_name",
]

Floats = npt.NDArray[np.float64]
Layout = NumericLayout | CategoryLayout | JointLayout
Summary = NumericSummary | CategorySummary | VectorSummary

CARRIED: Mapping[str, tuple[str, ...]] = {
    "event": ("feature:", "prediction:", ESTIMATED),
    "features": ("feature:",),
    "prediction": ("prediction:", ESTIMATED),
}
"""What the signals begin with that a source carries, by its kind; estimates are made of what it carries."""

_LATER = {"__all__": {"privacy": True, "fallback": True, "usual_range": True}}
_ONLY_STORED: dict[str, Any] = {
    "keep": True,
    "performance": True,
    "schema_": {"labels": True, "max_versions": True, "features": _LATER, "prediction": _LATER},
    "sources": {"__all__": {"models": True}},
}
"""What decides which events are stored or joined with labels, and nothing else; `max_versions`, `privacy`, `fallback`
and `usual_range` came later than hashes (`Watch._hash`, by the layouts), and `models` is of templates alone, which are
not watched."""


@dataclass(frozen=True)
class Segmentation:
    """Segments by one or more category features.

    Attributes
    ----------
    by : tuple of str
        Signals, such as ``feature:country``.
    names : dict
        From the features' values to the segment's name.
    """

    by: tuple[str, ...]
    names: Mapping[tuple[str, ...], str]


@dataclass(frozen=True)
class Carried:
    """The signals that the events of one source carry, in the order of their columns.

    Attributes
    ----------
    numeric, category : list of str
    rankings : list of str
        Predictions that are ordered lists.
    fields : dict of str to int
        Vector fields, with how many numbers they have.
    together : dict of str to list of int
        Vectors of several numeric signals, with the columns of these.
    summed : dict of str to JointLayout
        Of the vectors of both kinds those that are summed up in panes.
    volume : bool
        Whether these events are the model's volume: predictions, or features where there are no others.
    """

    numeric: list[str]
    category: list[str]
    rankings: list[str]
    fields: dict[str, int]
    together: dict[str, list[int]]
    summed: dict[str, JointLayout]
    volume: bool


@dataclass(frozen=True)
class Watch:
    """One model, ready to be watched.

    Attributes
    ----------
    model : Model
    layouts : dict of str to layout
        By distribution signal, in the order of the configuration; then the vectors that a windowed detector watches.
    segmentations : tuple of Segmentation
    reference : dict
        Summaries of the baseline's data set by (segment, signal); empty unless the baseline is a data set.
    uses : dict
        Detectors with their parameters, by signal.
    document_digest : str
        What the model's document is known by; empty where nobody has said it.
    privacy : ModelPrivacy
        What values become, and what may be stored of single events.
    estimators : tuple of Estimator
        What is worked out of each event beside what it carries.
    """

    model: Model
    layouts: Mapping[str, Layout]
    segmentations: tuple[Segmentation, ...]
    reference: Mapping[tuple[str, str], Summary]
    uses: Mapping[str, Mapping[str, Mapping[str, Any]]]
    document_digest: str = ""
    privacy: ModelPrivacy = NOTHING_PRIVATE
    estimators: tuple[Estimator, ...] = ()

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def vectors(self) -> Mapping[str, list[str]]:
        """The numeric signals that are scored together, by the vector's own signal."""
        return self.model.spec.detect.vector_signals()

    @cached_property
    def segment_names(self) -> frozenset[str]:
        """The segments, the empty one of all traffic among them."""
        return frozenset({"", *(name for segmentation in self.segmentations for name in segmentation.names.values())})

    @cached_property
    def has_vectors(self) -> bool:
        """Whether vectors are summed up in panes."""
        return any(isinstance(layout, JointLayout) for layout in self.layouts.values())

    @cached_property
    def finding_layouts(self) -> Mapping[str, FindingLayout]:
        """Whose findings are counted in panes, by signal: of all that per-event detectors watch."""
        uses = {signal: self.detectors_for(signal) for signal in dict.fromkeys((*self.layouts, *self.vectors))}
        return {signal: FindingLayout(detectors) for signal, detectors in uses.items() if detectors}

    @cached_property
    def fallbacks(self) -> Mapping[str, float | str]:
        """The answers that say that no model answered, by signal."""
        specs = self.model.spec.schema_.signals()
        return {signal: spec.fallback for signal, spec in specs.items() if spec.fallback is not None}

    @cached_property
    def config_hash(self) -> str:
        """Changes when what an evaluation has learned under another configuration would no longer fit."""
        # Charts of findings came later than the rule: what was learned without them does not fit.
        judged = self.finding_layouts if self.model.spec.detect.rule == "change" else {}
        findings = ",".join(layout.id for layout in judged.values())
        # So did those of vectors.
        vectors = (signal for signal, layout in self.layouts.items() if isinstance(layout, JointLayout))
        charted = "|vectors" if any(map(self.is_charted, vectors)) else ""
        return self._hash(
            self._watched().model_dump_json(exclude={"alerts": True, "freshness": True, **_ONLY_STORED})
            + findings
            + charted
        )

    @cached_property
    def fold_hash(self) -> str:
        """Changes when open panes and per-event detectors of another configuration would no longer fit."""
        chosen: Any = {"sources": True, "schema_": True, "detect": {"pane", "vectors"}}
        spec = self._watched().model_dump_json(include=chosen, exclude=_ONLY_STORED)
        segmentations = [sorted(segmentation.names.values()) for segmentation in self.segmentations]
        detectors = [self.detectors_for(signal) for signal in dict.fromkeys((*self.layouts, *self.vectors))]
        # What river keeps in its objects may change with every version of it; then they learn again.
        rivers = river_version() if any(name.startswith(RIVERS) for named in detectors for name in named) else ""
        return self._hash(f"{spec}|{segmentations}|{detectors}{rivers}")

    @cached_property
    def document(self) -> msgspec.Raw:
        """The configuration with all defaults, as JSON: made once, since to make it takes longer than to send it."""
        return msgspec.Raw(msgspec.json.encode(self.model.model_dump(mode="json", by_alias=True)))

    @cached_property
    def uses_document(self) -> msgspec.Raw:
        """``uses`` as JSON."""
        return msgspec.Raw(msgspec.json.encode(self.uses))

    def _watched(self) -> ModelSpec:
        """The specification without labels and rankings, which no summary depends on."""
        spec = self.model.spec
        return spec.model_copy(update={"sources": spec.watched_sources, "schema_": spec.schema_.watched})

    def _hash(self, text: str) -> str:
        layouts = ",".join(layout.id for layout in self.layouts.values())
        most = self.model.spec.schema_.max_versions
        # Stores from before versions were bounded go on with what they have learned.
        text += "" if most == MAX_VERSIONS else f"|{most}"
        text += self.privacy.fingerprint
        text += "".join(f"|{signal} {answer!r}" for signal, answer in self.fallbacks.items())
        # What an estimator says of an event is what another one would not.
        text += "".join(f"|{each.signal}={each.artefact.digest}" for each in self.estimators)
        return xxhash.xxh3_64_hexdigest(f"{text}|{layouts}".encode())

    def reads(self, source: SourceSpec) -> dict[str, str]:
        """What decides which events of a source are read, and as what, for people to compare: by the path of a key."""
        schema = self.model.spec.schema_
        event_time = source.event_time
        return {
            "kind": source.kind,
            "where": ", ".join(f"{key}={value}" for key, value in sorted(source.where.items())) or "no condition",
            "event_time": f"{event_time.path} ({event_time.unit})" if event_time else "the record's time",
            "allowed_lateness": format_duration(source.allowed_lateness),
            "max_ahead": format_duration(source.max_ahead),
            "schema.id": schema.id or "no identity",
            "schema.version": schema.version or "no version",
            "schema.max_versions": str(schema.max_versions),
            **{f"{signal} path": spec.path or _field(signal) for signal, spec in schema.signals().items()},
            **{f"{signal} privacy": self.privacy.read_as(signal) for signal in schema.signals()},
        }

    def carried_by(self, source: SourceSpec) -> Carried:
        """Which of the signals the events of ``source`` carry."""
        prefixes = CARRIED[source.kind]
        carried = {signal: layout for signal, layout in self.layouts.items() if signal.startswith(prefixes)}
        numeric = [signal for signal, layout in carried.items() if isinstance(layout, NumericLayout)]
        fields = {
            signal: spec.dimension
            for signal, spec in self.model.spec.schema_.signals().items()
            if spec.dimension is not None and signal.startswith(prefixes)
        }
        together = {
            s: list(map(numeric.index, parts)) for s, parts in self.vectors.items() if set(parts) <= set(numeric)
        }
        summed = {signal: self.layouts.get(signal) for signal in (*fields, *together)}
        kinds = {other.kind for other in self.model.spec.watched_sources}
        return Carried(
            numeric=numeric,
            category=[signal for signal, layout in carried.items() if isinstance(layout, CategoryLayout)],
            rankings=[signal for signal in self.model.spec.schema_.rankings() if signal.startswith(prefixes)],
            fields=fields,
            together=together,
            summed={signal: layout for signal, layout in summed.items() if isinstance(layout, JointLayout)},
            volume=source.kind != "features" or kinds == {"features"},
        )

    def is_charted(self, signal: str) -> bool:
        """Whether the charts of `detect.rule: change` decide about ``signal``; its distances are then for reading.

        They do where a rule names a distance, a rate or ``volume``. Of vectors the sums of `mmd` are looked at: where
        only other distances are named, these decide under either rule.
        """
        layout = self.layouts.get(signal)
        is_summed = MMD.name in layout.parts if isinstance(layout, JointLayout) else layout is not None
        has_contrasts = signal == VOLUME or is_summed
        is_watched = any(name in WINDOWED for name in self.uses.get(signal, ()))
        return self.model.spec.detect.rule == "change" and has_contrasts and is_watched

    def has_normal_levels(self, signal: str) -> bool:
        """Whether charts watch ``signal``, by its values or by how often per-event detectors fire on it."""
        if signal in self.judged_signals:
            return True
        return self.is_charted(signal) or (self.model.spec.detect.rule == "change" and signal in self.finding_layouts)

    @property
    def judged_plan(self) -> PerformancePlan:
        """What is compared with which label, of a model with ``spec.performance``."""
        plan = self.model.spec.performance_plan
        assert plan is not None
        return plan

    @property
    def judged_signals(self) -> tuple[str, ...]:
        """The signals that labels make, of hours of predictions."""
        return self.model.spec.judged_signals

    def detectors_for(self, signal: str) -> Mapping[str, Mapping[str, Any]]:
        """Detectors and scorers on ``signal`` that need every observation in order: they run in ingest."""
        return {name: params for name, params in self.uses.get(signal, {}).items() if name not in WINDOWED}


class Watches(Mapping[str, Watch]):
    """Models, replaced as a whole by one thread while others read: they see all as it was, or all as it is.

    Parameters
    ----------
    watches : mapping of str to Watch
    """

    def __init__(self, watches: Mapping[str, Watch]) -> None:
        self._watches = dict(watches)

    def replace(self, watches: Mapping[str, Watch]) -> None:
        """Hold these from now on."""
        self._watches = dict(watches)

    def __getitem__(self, name: str) -> Watch:
        return self._watches[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._watches)

    def __len__(self) -> int:
        return len(self._watches)

    def items(self) -> ItemsView[str, Watch]:
        """Return all as it is now: that of ``Mapping`` looks each name up anew."""
        return self._watches.items()


def segment_name(by: Sequence[str], values: Sequence[str]) -> str:
    """Name a segment.

    Examples
    --------
    >>> segment_name(["country", "tier"], ["DE", "1"])
    'country=DE,tier=1'
    """
    return ",".join(f"{name}={value}" for name, value in zip(by, values, strict=True))


def compile_watch(configuration: Configuration, name: str) -> Watch:
    """Read the model's data set, if it names one, and settle layouts and segmentations.

    Raises
    ------
    InputError
        If the data set cannot be read or lacks what is needed.
    """
    model = configuration.models[name]
    uri = model.spec.baseline.uri
    privacy = privacy_of(model, configuration.service)
    estimators = tuple(
        estimator_of(model, of_estimate, configuration.resolve(name, estimate.uri))
        for of_estimate, estimate in model.spec.estimates.items()
    )
    return watch_of(model, configuration.resolve(name, uri) if uri else None, privacy, estimators)


def estimator_of(model: Model, name: str, path: Path) -> Estimator:
    """Read one of the estimators that a model names.

    Raises
    ------
    InputError
        If it cannot be read, or does not fit what is compared.
    """
    artefact = read_artefact(path)
    if message := misfit(artefact, model.spec):
        raise InputError(f"{path}: {message}")
    return Estimator(signal_of(name), artefact)


def watch_of(
    model: Model,
    path: Path | None,
    privacy: ModelPrivacy = NOTHING_PRIVATE,
    estimators: tuple[Estimator, ...] = (),
) -> Watch:
    """Do what :func:`compile_watch` does for a model whose data set is at ``path``, if it has one."""
    dataset = read_dataset(path, model.spec.schema_.paths(), model.spec.conditions) if path else None
    if dataset is not None and privacy.names:
        dataset = _MaskedDataset(dataset, privacy.names)
    fields = model.spec.schema_.signals()
    uses = uses_for(model)
    layouts = {signal: _layout(signal, field, dataset, uses[signal]) for signal, field in fields.items()}
    vectors = model.spec.detect.vector_signals()
    for signal, parts in vectors.items():
        windowed = [detector for detector in uses[signal] if detector in WINDOWED]
        if windowed:
            layouts[signal] = _vector_layout(windowed, [(_field(part), fields[part]) for part in parts], dataset)
    segmentations = tuple(_segmentation(spec, dataset, privacy.names) for spec in model.spec.segments)
    reference = {}
    if model.spec.baseline.kind == "dataset" and dataset is not None:
        reference = _reference(layouts, vectors, segmentations, dataset)
    # Last, and of no column of a data set.
    layouts |= {estimator.signal: estimator.layout for estimator in estimators}
    return Watch(model, layouts, segmentations, reference, uses, privacy=privacy, estimators=estimators)


class _MaskedDataset(Dataset):
    """A data set whose private fields hold what those of events become."""

    def __init__(self, dataset: Dataset, masks: Mapping[str, Mask]) -> None:
        super().__init__(dataset.path, dataset.table, dataset.paths)
        self._masks = masks

    def numeric(self, name: str) -> Floats:
        return self._numbers(name, super().numeric(name))

    def vectors(self, name: str, dimension: int) -> Floats:
        return self._numbers(name, super().vectors(name, dimension))

    def text(self, name: str) -> list[str | None]:
        texts = super().text(name)
        return self._masks[name].names(texts) if name in self._masks else texts

    def _numbers(self, name: str, values: Floats) -> Floats:
        return self._masks[name].numbers(values) if name in self._masks else values


def _field(signal: str) -> str:
    return signal.partition(":")[2]


def _layout(signal: str, spec: FieldSpec, dataset: Dataset | None, detectors: Iterable[str]) -> Layout:
    name = _field(signal)
    in_dataset = dataset is not None and dataset.has(name)
    if spec.dimension is not None:
        # Of a vector of this length whose numbers spread alike.
        location, scale = 0.0, spec.norm / math.sqrt(spec.dimension)
        vectors = dataset.vectors(name, spec.dimension) if in_dataset and dataset is not None else None
        if dataset is not None and vectors is not None and not np.isfinite(vectors).any():
            raise InputError(f"{dataset.path}: column {name!r} holds no list of {spec.dimension} numbers")
        return _joint_layout(detectors, spec.dimension, vectors, location, scale)
    if spec.type == "category":
        frequent = _most_frequent(dataset.text(name), spec.max_values) if in_dataset and dataset else ()
        # However many other names there are, the default answer is counted.
        default = [] if spec.fallback is None or spec.fallback in frequent else [str(spec.fallback)]
        return CategoryLayout((*frequent, *default), sample=spec.max_values)
    low, high = spec.range or (None, None)
    own = () if spec.fallback is None else (float(spec.fallback),)
    if in_dataset and dataset is not None:
        values = dataset.numeric(name)
        values = values[np.isfinite(values)]
        if not len(values):
            raise InputError(f"{dataset.path}: column {name!r} holds no number")
        return quantile_layout(values, low=low, high=high, own=own)
    if spec.usual_range is not None:
        return usual_layout(spec.usual_range, low, high, own)
    # Another range says what may come, and may be a thousand times as wide as what comes: it settles no cells.
    return share_layout(own) if (low, high) == (0, 1) else universal_layout(low, high)


def _vector_layout(
    detectors: Sequence[str], parts: Sequence[tuple[str, FieldSpec]], dataset: Dataset | None
) -> JointLayout:
    """What is summed of several numbers of one event, from the data set or else from declared ranges."""
    if dataset is not None and all(dataset.has(name) for name, _ in parts):
        values = np.stack([dataset.numeric(name) for name, _ in parts], axis=1)
        if not np.isfinite(values).all(axis=1).any():
            raise InputError(f"{dataset.path}: no row holds all of {', '.join(name for name, _ in parts)}")
        return _joint_layout(detectors, len(parts), values, 0.0, 1.0)
    without = [name for name, field in parts if field.range is None]
    if without:
        where = (
            f"{dataset.path}: not all of {', '.join(name for name, _ in parts)} are columns" if dataset else "no uri"
        )
        raise InputError(f"{where}, and {', '.join(without)} have no range: how far they spread must be known")
    ranges = np.array([field.range for _, field in parts])
    # As far as a uniform distribution over the range spreads.
    middle, spread = ranges.mean(axis=1), (ranges[:, 1] - ranges[:, 0]) / math.sqrt(12)
    return _joint_layout(detectors, len(parts), None, middle, spread)


def _joint_layout(
    detectors: Iterable[str], dimension: int, values: Floats | None, location: Floats | float, scale: Floats | float
) -> JointLayout:
    """What some detectors need of vectors: as a data set's values show it, or else by a location and a scale."""
    distances = {name: VECTOR_DISTANCES[name] for name in detectors if name in VECTOR_DISTANCES}
    if values is not None:
        return JointLayout(dimension, {name: distance.derive(values) for name, distance in distances.items()})
    return JointLayout(dimension, {n: distance.assume(dimension, location, scale) for n, distance in distances.items()})


def _most_frequent(values: Sequence[str | None], count: int) -> tuple[str, ...]:
    counted = Counter(value for value in values if value is not None)
    ranked = sorted(counted, key=lambda value: (-counted[value], value))
    return tuple(sorted(ranked[:count]))


def _segmentation(spec: SegmentSpec, dataset: Dataset | None, masks: Mapping[str, Mask]) -> Segmentation:
    if spec.values is not None:
        named = [(value,) if isinstance(value, str) else tuple(value) for value in spec.values]
        # Events and data sets have digests where a file names people's own values.
        values = [
            tuple(masks[by].text(part) if by in masks else part for by, part in zip(spec.by, parts, strict=True))
            for parts in named
        ]
    else:
        assert dataset is not None  # the configuration's own check
        rows = zip(*(dataset.text(name) for name in spec.by), strict=True)
        counted = Counter(row for row in rows if None not in row)
        ranked = sorted(counted, key=lambda row: (-counted[row], row))
        values = [tuple(str(part) for part in row) for row in ranked[: spec.top]]
    return Segmentation(tuple(f"feature:{name}" for name in spec.by), {v: segment_name(spec.by, v) for v in values})


def _reference(
    layouts: Mapping[str, Layout],
    vectors: Mapping[str, Sequence[str]],
    segmentations: tuple[Segmentation, ...],
    dataset: Dataset,
) -> dict[tuple[str, str], Summary]:
    """Fold the data set once, whole and by segment: row 0 is all of it, the others the segments."""
    held = {signal: vectors.get(signal, [signal]) for signal in layouts}
    present = {s: layout for s, layout in layouts.items() if all(dataset.has(_field(part)) for part in held[s])}
    rows_of: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {"": np.arange(len(dataset), dtype=np.int64)}
    for segmentation in segmentations:
        columns = [dataset.text(_field(signal)) for signal in segmentation.by]
        keys = list(zip(*columns, strict=True))
        for values, name in segmentation.names.items():
            rows_of[name] = np.array([i for i, key in enumerate(keys) if key == values], dtype=np.int64)
    numeric = {s: layout for s, layout in present.items() if isinstance(layout, NumericLayout)}
    category = {s: layout for s, layout in present.items() if isinstance(layout, CategoryLayout)}
    folded: dict[tuple[str, str], Summary] = {}
    matrix = np.array([dataset.numeric(_field(s)) for s in numeric]).reshape(len(numeric), len(dataset))
    joint = {s: layout for s, layout in present.items() if isinstance(layout, JointLayout)}
    parts = {s: _vectors(dataset, s, layout.dimension, vectors.get(s)) for s, layout in joint.items()}
    texts = [dataset.text(_field(s)) for s in category]
    for segment, rows in rows_of.items():
        zeros = np.zeros(len(rows), dtype=np.int64)
        numbers = NumericFold(list(numeric.values()))
        numbers.ensure(1)
        numbers.fold(zeros, np.ascontiguousarray(matrix[:, rows]))
        names = CategoryFold(list(category.values()))
        names.ensure(1)
        names.fold(zeros, [[text[i] for i in rows] for text in texts])
        folded.update({(segment, s): summary for s, summary in zip(numeric, numbers.take(0), strict=True)})
        folded.update({(segment, s): summary for s, summary in zip(category, names.take(0), strict=True)})
        folded.update({(segment, s): _folded(layout, parts[s][rows]) for s, layout in joint.items()})
    return folded


def _vectors(dataset: Dataset, signal: str, dimension: int, parts: Sequence[str] | None) -> Floats:
    """The vectors of a field, or of several numeric signals together."""
    if parts is None:
        return dataset.vectors(_field(signal), dimension)
    return np.stack([dataset.numeric(_field(part)) for part in parts], axis=1)


def _folded(layout: JointLayout, vectors: Floats) -> VectorSummary:
    fold = JointFold(layout)
    fold.ensure(1)
    fold.fold(np.zeros(len(vectors), dtype=np.int64), vectors)
    return fold.take(0)
