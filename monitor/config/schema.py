"""What events hold: the fields that matter, and what each of them is."""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import Field, model_validator

from monitor.config.privacy import KEYED, Buckets, FieldPrivacy
from monitor.values import FieldPath, Strict, WrongPartError

__all__ = ["MAX_VERSIONS", "FieldSpec", "Schema"]

MAX_VERSIONS = 50
LONGEST_NAME = 200
"""Of a field."""


class FieldSpec(Strict):
    """One feature or one part of the prediction."""

    type: Literal["numeric", "category", "vector", "ranking"] = Field(
        description="`ranking` is of a prediction an ordered list of names, of a label the relevant ones, with grades "
        "or without: `performance` compares them, and nothing else watches them"
    )
    path: FieldPath | None = Field(default=None, description="where it stands in the message; its own name if absent")
    range: tuple[float, float] | None = Field(
        default=None, description="numeric: values outside are counted as out of range"
    )
    usual_range: tuple[float, float] | None = Field(
        default=None,
        description="numeric: between which values most lie, where no data set shows it: that they are told apart by "
        "a 128th of it, though their spread is small beside their level",
    )
    max_values: int = Field(
        default=512,
        ge=1,
        le=65_536,
        description="category: how many names beyond the known ones are counted apart",
    )
    dimension: int | None = Field(default=None, ge=2, le=4096, description="vector: how many numbers it has")
    norm: float = Field(
        default=1.0,
        gt=0,
        description="vector: how long one typically is, where no data set shows it; many embeddings have 1",
    )
    privacy: FieldPrivacy = Field(
        default=None,
        description="what its values become before anything sees them: `drop` (only that they are there counts), "
        "`hash` (categories: keyed digests), `{bucket: [0, 18, 65]}` (numbers: the edge at or below), or `personal` "
        "(digests and rounded numbers, and never a single value)",
    )
    fallback: float | str | None = Field(
        default=None,
        description="of a prediction: the value that says that no model answered, such as a default score; its share "
        "is watched as that of missing values is",
    )

    @property
    def is_digest(self) -> bool:
        """Whether its values become digests."""
        return self.type == "category" and self.privacy in KEYED

    @model_validator(mode="after")
    def _dimension_fits(self) -> FieldSpec:
        if (self.type == "vector") != (self.dimension is not None):
            raise ValueError("a vector needs its `dimension`, and nothing else has one")
        return self

    @model_validator(mode="after")
    def _privacy_fits(self) -> FieldSpec:
        if self.type == "ranking" and self.privacy is not None:
            raise WrongPartError(("privacy",), "items of rankings are stored as they are: leave private ones out")
        if self.privacy == "hash" and self.type != "category":
            raise WrongPartError(("privacy",), f"`hash` is for categories, and this is {self.type}: take `personal`")
        if isinstance(self.privacy, Buckets) and self.type != "numeric":
            raise WrongPartError(("privacy",), f"`bucket` is for numbers, and this is a {self.type}")
        if self.privacy == "drop" and self.range is not None:
            raise WrongPartError(("range",), "`privacy: drop` leaves no value that could be out of range")
        return self

    @model_validator(mode="after")
    def _range_is_a_range(self) -> FieldSpec:
        if self.range is not None:
            if self.type != "numeric":
                raise ValueError("range is for numeric fields")
            low, high = self.range
            if not low < high:
                raise ValueError(f"range is [low, high] with low < high, got [{low}, {high}]")
        return self

    @model_validator(mode="after")
    def _usual_range_is_a_range(self) -> FieldSpec:
        if self.usual_range is None:
            return self
        part, (low, high) = ("usual_range",), self.usual_range
        if self.type != "numeric":
            raise WrongPartError(part, "it is for numeric fields")
        if not low < high < math.inf or low == -math.inf:
            raise WrongPartError(part, f"it is [low, high] with low < high, got [{low}, {high}]")
        if self.privacy is not None:
            raise WrongPartError(part, "`privacy` leaves no values that finer cells could tell apart")
        return self

    @model_validator(mode="after")
    def _fallback_is_a_value(self) -> FieldSpec:
        if self.fallback is None:
            return self
        kind = {"numeric": float, "category": str}.get(self.type)
        if kind is None or not isinstance(self.fallback, kind):
            needed = {"numeric": "a number", "category": "a name, in quotes"}.get(self.type, f"no {self.type}")
            raise WrongPartError(("fallback",), f"it is a value of the field: {needed}")
        if self.privacy is not None:
            raise WrongPartError(("fallback",), "`privacy` replaces the values of this field, and it with them")
        return self


class Schema(Strict):
    """The fields of an event that matter; others are left alone."""

    id: FieldPath | None = Field(
        default=None,
        description="path of the event's identity; with it, duplicates within the lateness are dropped",
    )
    version: FieldPath | None = Field(default=None, description="path of the model's version")
    max_versions: int = Field(
        default=MAX_VERSIONS,
        ge=1,
        le=1_000,
        description="versions that are told apart at one time; events of others count as the version `other`, as those"
        " of a version of this name do",
    )
    features: dict[str, FieldSpec] = Field(default_factory=dict)
    prediction: dict[str, FieldSpec] = Field(default_factory=dict)
    labels: dict[str, FieldSpec] = Field(
        default_factory=dict, description="what turned out to be true, in messages of sources of `kind: labels`"
    )
    extra: Literal["count", "ignore"] = Field(
        default="ignore",
        description="`count` records fields beside the named ones, at the cost of a second look at such messages",
    )

    @model_validator(mode="after")
    def _something_to_watch(self) -> Schema:
        if not self.features and not self.prediction:
            raise ValueError("name at least one feature or prediction field")
        for part, fields in (("features", self.features), ("prediction", self.prediction), ("labels", self.labels)):
            for name in fields:
                if len(name) > LONGEST_NAME:
                    message = f"its name has {len(name):,} characters, of at most {LONGEST_NAME}"
                    raise WrongPartError((part, name), f"{message}: give it another one, and that as its `path`")
                if not re.fullmatch(r"[^\s:*?\[\]]+", name):
                    message = f"a field's name has no spaces, colons or wildcards: {name!r}"
                    raise WrongPartError((part, name), f"{message}; give it another one, and that as its `path`")
        return self

    @model_validator(mode="after")
    def _fallbacks_are_predictions(self) -> Schema:
        for part, fields in (("features", self.features), ("labels", self.labels)):
            for name, spec in fields.items():
                if spec.fallback is not None:
                    raise WrongPartError((part, name, "fallback"), "only a prediction has one")
        return self

    @model_validator(mode="after")
    def _labels_are_no_vectors(self) -> Schema:
        for name, spec in self.labels.items():
            if spec.type == "vector":
                raise ValueError(f"labels: {name!r} is a number or a category, not a vector")
        return self

    @model_validator(mode="after")
    def _features_are_no_rankings(self) -> Schema:
        for name, spec in self.features.items():
            if spec.type == "ranking":
                raise WrongPartError(("features", name, "type"), "only a prediction and a label are a ranking")
        return self

    @property
    def watched(self) -> Schema:
        """The schema without rankings, which no summary depends on."""
        prediction = {name: spec for name, spec in self.prediction.items() if spec.type != "ranking"}
        return self.model_copy(update={"prediction": prediction})

    def signals(self) -> dict[str, FieldSpec]:
        """The distribution signals, `feature:NAME` and `prediction:NAME`, in the order of the file."""
        features = {f"feature:{name}": spec for name, spec in self.features.items()}
        return features | {f"prediction:{name}": spec for name, spec in self.watched.prediction.items()}

    def rankings(self) -> dict[str, FieldSpec]:
        """The predictions that are ordered lists, `prediction:NAME`, in the order of the file; nothing watches them."""
        return {f"prediction:{name}": spec for name, spec in self.prediction.items() if spec.type == "ranking"}

    def paths(self) -> dict[str, str]:
        """The paths of features and prediction that do not stand at their own names, by name."""
        return {name: spec.path for name, spec in (self.features | self.prediction).items() if spec.path is not None}

    def label_paths(self) -> dict[str, str]:
        """The path of each label, by its signal."""
        return {f"label:{name}": spec.path or name for name, spec in self.labels.items()}

    def private_signals(self) -> dict[str, FieldSpec]:
        """The signals and labels that have a `privacy`, in the order of the file."""
        signals = {**self.signals(), **self.label_signals()}
        return {signal: spec for signal, spec in signals.items() if spec.privacy is not None}

    def signals_at(self, path: str | None) -> frozenset[str]:
        """The signals, rankings and labels that are read from where ``path`` leads."""
        signals = {**self.signals(), **self.rankings(), **self.label_signals()}
        return frozenset(name for name, spec in signals.items() if (spec.path or name.partition(":")[2]) == path)

    def label_signals(self) -> dict[str, FieldSpec]:
        """What labels hold, `label:NAME`, in the order of the file; nothing watches them."""
        return {f"label:{name}": spec for name, spec in self.labels.items()}
