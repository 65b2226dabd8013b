"""Two slices of a model's labelled events: what the routes that show them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from monitor.api.contract import ApiService
from monitor.api.parameters import check_signal, closed, span_of, watched
from monitor.api.problems import ProblemError, bad_parameter
from monitor.panes.differences import Difference, differences
from monitor.panes.distributions import Part
from monitor.resources.rows import Rows
from monitor.resources.slices import Slices
from monitor.slices.fields import fields_of, not_stored, sides_of, stored_signals
from monitor.slices.sample import AROUND_MS, Sample, TooManyEventsError, read_sample
from monitor.slices.slices import LABEL, REST, Integers, Judged, UnknownSliceError, default_slice
from monitor.watch import Watch

__all__ = ["CHOICES", "OF_EVENTS", "Sliced", "part_of", "sliced", "withheld"]

OF_EVENTS = Field(description="which events this is made of, and how many there are")

CHOICES = Field(description="which slices there are, with the commonest classes of the sample")


@dataclass(frozen=True)
class Sliced:
    """Two slices, compared.

    Attributes
    ----------
    watch : Watch
    part : Part
    judged : Judged
    names : pair of str
        Of the slice, and of what it is compared with.
    members : pair of int64 arrays
        Which events of the sample each has.
    differences : list of Difference
        Those that differ most first.
    """

    watch: Watch
    part: Part
    judged: Judged
    names: tuple[str, str]
    members: tuple[Integers, Integers]
    differences: list[Difference]

    def head(self) -> dict[str, Any]:
        """Return what an answer says beside its items."""
        current, baseline = (
            {"slice": name, "words": self.judged.words(name), "events": len(members)}
            for name, members in zip(self.names, self.members, strict=True)
        )
        return {
            "model": self.watch.name,
            "from_ms": self.part.from_ms,
            "to_ms": self.part.to_ms,
            "version": self.part.version,
            "segment": self.part.segment,
            "current": current,
            "baseline": baseline,
            "events": _events(self.judged.sample, self.watch),
            "choices": self.judged.choices,
        }


def sliced(service: ApiService, watch: Watch, part: Part, question: Slices | Rows) -> Sliced:
    """Read the labelled events that a question is about, and compare two slices of them.

    Raises
    ------
    ProblemError
        There are no such slices, or too many events.
    StoreError
    """
    try:
        return _sliced(service, watch, part, question)
    except TooManyEventsError as error:
        raise bad_parameter("from", str(error)) from error


def _sliced(service: ApiService, watch: Watch, part: Part, question: Slices | Rows) -> Sliced:
    sample = read_sample(service.store, watch, part)
    judged = Judged(watch.judged_plan, sample, question.share)
    name = default_slice(watch.judged_plan) if question.slice is None else question.slice
    members = _members(judged, "slice", name), _members(judged, "against", question.against, name)
    if name == question.against:
        raise bad_parameter("against", "both slices are the same: name another, or `rest`")
    used = np.union1d(*members)
    events = fields_of(service.store, watch, part, sample, used)
    chosen = [each for each in stored_signals(watch) if question.signals is None or each in question.signals]
    current, baseline = sides_of(watch, chosen, members, events)
    return Sliced(watch, part, judged, (name, question.against), members, differences(watch, baseline, current))


def _members(judged: Judged, field: str, name: str, other: str = REST) -> Integers:
    try:
        return judged.members(name, other)
    except UnknownSliceError as error:
        raise bad_parameter(field, str(error)) from error


def part_of(service: ApiService, question: Slices | Rows) -> tuple[Watch, Part]:
    """Return what a question is about, or a problem that says which key of the model would have events stored.

    Raises
    ------
    ProblemError
    """
    watch = watched(service, question.model)
    spec, name = watch.model.spec, question.model
    part = Part(*closed(span_of(service, question), "from", "to"), question.version, question.segment)
    if question.segment not in watch.segment_names:
        raise bad_parameter("segment", f"{name} has no segment {question.segment!r}")
    if spec.performance_plan is None:
        raise _nothing(f"{name} has no `spec.performance`: nothing is compared with labels", "spec.performance")
    if not spec.keep.events:
        detail = f"{name} stores no events: set `keep.events` to a share of them, such as `5%`"
        raise _nothing(f"{detail}; it holds for events from then on", "spec.keep.events")
    if isinstance(question, Rows):
        _refuse_private(watch, question)
    hidden = not_stored(watch)
    for signal in question.signals or ():
        check_signal(watch, signal)
        if signal in hidden:
            raise bad_parameter("signal", f"no single values of {signal} are stored: {hidden[signal]}")
    return watch, part


def withheld(watch: Watch) -> dict[str, str]:
    """Return the signals and labels of which no single event is shown, with why: private, or whom it is about."""
    subject = watch.model.spec.keep.subject
    is_subject = f"says whom an event is about (`keep.subject: {subject}`)"
    return {
        **dict.fromkeys(watch.model.spec.schema_.signals_at(subject), is_subject),
        **{signal: f"is private (`{mask.kind}`)" for signal, mask in watch.privacy.masks.items()},
    }


def _refuse_private(watch: Watch, question: Rows) -> None:
    """Single events are not chosen by what is not shown of them."""
    reasons = withheld(watch)
    label, by = watch.judged_plan.label, _signals_of(watch, question.segment)
    for field, name in (("slice", question.slice), ("against", question.against)):
        if label in reasons and (name or "").startswith(LABEL):
            raise bad_parameter(field, f"{label} {reasons[label]}: no events are shown by it")
    for signal in by:
        if signal in reasons:
            raise bad_parameter("segment", f"{signal} {reasons[signal]}: no events are shown by it")


def _signals_of(watch: Watch, segment: str) -> Sequence[str]:
    return next((each.by for each in watch.segmentations if segment in each.names.values()), ())


def _nothing(detail: str, key: str) -> ProblemError:
    return ProblemError("nothing-stored", detail, key=key)


def _events(sample: Sample, watch: Watch) -> dict[str, Any]:
    counts = sample.counts
    return {
        "stored": counts.stored,
        "looked_at": counts.looked_at,
        "labelled": len(sample),
        "unusable": counts.unusable,
        "is_all": sample.is_all,
        "note": _note(sample, watch.model.spec.keep.events),
    }


def _note(sample: Sample, share: float) -> str:
    counts, events = sample.counts, len(sample)
    of_all = "" if share >= 1 else f" ({share:.3g} of all events are stored)"
    if not counts.stored:
        return f"no events of this time are stored{of_all}, or they have no id"
    if not events:
        looked_at = "them" if sample.is_all else f"{counts.looked_at:,} that were looked at"
        return (
            f"{counts.stored:,} events are stored of this time{of_all}, and none of {looked_at} has a label that fits"
        )
    around = f"within {AROUND_MS // 3_600_000} h of it"
    if sample.is_all:
        return f"all {events:,} labelled events of {counts.stored:,} that are stored of this time or {around}{of_all}"
    return (
        f"{events:,} labelled events, those with the smallest hashes of their ids among {counts.stored:,} that are "
        f"stored of this time or {around}{of_all}; the same until others come"
    )
