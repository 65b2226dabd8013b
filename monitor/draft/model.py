"""A draft of a model's file: the guesses of a sample put together."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitor.draft.batches import Batches, batches_of
from monitor.draft.column import short
from monitor.draft.fields import LOCAL_TIMES, Guess, guess, model_column
from monitor.draft.sample import Sample
from monitor.draft.times import Traffic, has_zone, read_times, traffic_of
from monitor.draft.window import Cut, Segments, cut_for, lateness_for, segments_for
from monitor.errors import InputError
from monitor.values import DAY_MS, format_duration

__all__ = ["Draft", "Origin", "draft"]

_UNUSABLE_IN_NAMES = re.compile(r"[\s:*?\[\]]+")
_CONTAINERS = re.compile(
    r"^(?:(?:features?|inputs?|predictions?|outputs?|payload|data|event|body|context|record)\.)+", re.IGNORECASE
)
"""What an event's fields are often kept in."""

SHUFFLED_SHARE = 0.1
"""Of a sample's span: events that come so far behind later ones are in no order."""


@dataclass(frozen=True)
class Origin:
    """Where a sample is from, and where the model's events will be.

    Attributes
    ----------
    said : str
        For people.
    topic : str
        Of Kafka; empty if it is a file.
    data_set : str
        The file, relative to the model's own, if it can be a baseline's data set; else empty.
    no_data_set : str
        Why it cannot.
    """

    said: str
    topic: str = ""
    data_set: str = ""
    no_data_set: str = ""


@dataclass(frozen=True)
class Draft:
    """What a model's file is to say.

    Attributes
    ----------
    model : str
    origin : Origin
    guesses : list of Guess
    names : dict of str to str
        Of features and prediction, by path.
    where : str
        Path of the field that names the model; empty if none does.
    traffic : Traffic or None
    batches : Batches or None
        In which events come, if they come on a few days only.
    cut : Cut
    lateness_ms, ahead_ms : int
    segments : list of Segments
        The first one is watched, if there is any.
    notes : list of str
        What to look at.
    """

    model: str
    origin: Origin
    guesses: list[Guess]
    names: dict[str, str]
    where: str
    traffic: Traffic | None
    batches: Batches | None
    cut: Cut
    lateness_ms: int
    ahead_ms: int
    segments: list[Segments]
    notes: list[str]

    def of(self, role: str) -> list[Guess]:
        """Return what is taken for ``role``."""
        return [each for each in self.guesses if each.role == role]

    def settings_of(self, guess: Guess) -> dict[str, Any]:
        """Return the keys of a field's section: a data set's bins are as fine as values need without a usual range."""
        has_bins = bool(self.origin.data_set)
        return {key: value for key, value in guess.settings.items() if not (has_bins and key == "usual_range")}

    def without_data_set(self, reason: str) -> Draft:
        """Return the same with no data set, and why."""
        origin = replace(self.origin, data_set="", no_data_set=reason)
        return replace(self, origin=origin, notes=[*self.notes, reason])

    @property
    def time(self) -> Guess | None:
        """The field of the event's time."""
        return next(iter(self.of("time")), None)


def draft(model: str, sample: Sample, origin: Origin, events_per_hour: float | None = None) -> Draft:
    """Draft a model's file from a sample.

    Parameters
    ----------
    model : str
        Its name.
    sample : Sample
    origin : Origin
    events_per_hour : float or None
        The traffic that is expected; None: as the sample shows it.

    Raises
    ------
    InputError
        There is nothing to watch in it.
    """
    model_path = model_column(sample, model)
    rows = sample.rows
    if model_path is not None:
        sample = sample.only(model_path, model)
    guesses = guess(sample, model_path)
    if not any(each.is_watched for each in guesses):
        raise InputError(f"{origin.said}: no field in it can be watched: {_why_none(guesses)}")
    time = next((each for each in guesses if each.role == "time"), None)
    times = _times(sample, time)
    traffic, batches = traffic_of(times, sample.partitions), None
    if events_per_hour is None and traffic is not None:
        events_per_hour = traffic.events_per_hour
        batches = batches_of(np.array([each for each in times if each is not None], dtype=np.int64))
    cut = cut_for(events_per_hour, batches)
    made = Draft(
        model, origin, guesses, _named(guesses), model_path or "", traffic, batches, cut, *lateness_for(traffic),
        segments_for(sample, guesses, cut), [],
    )  # fmt: skip
    notes = [*_notes(made, sample)]
    if rows > sample.rows:
        notes.insert(0, f"{rows - sample.rows:,} of {rows:,} messages are of other models: `where` leaves them out")
    return replace(made, notes=notes)


def _times(sample: Sample, time: Guess | None) -> Sequence[int | None]:
    times: Sequence[int | None] = [record_ms if record_ms > 0 else None for record_ms in sample.record_ms]
    if time is not None:
        read = read_times(sample.columns[time.path])
        times = read[1] if read else times
    return times


def _named(guesses: Sequence[Guess]) -> dict[str, str]:
    """Return a name for each path that is watched: what stands below `features`, say, if that is enough."""
    paths = [each.path for each in guesses if each.is_watched]
    inner = Counter(_CONTAINERS.sub("", path) for path in paths)
    names: dict[str, str] = {}
    for path in paths:
        short_path = _CONTAINERS.sub("", path)
        name = _UNUSABLE_IN_NAMES.sub("_", short_path if inner[short_path] == 1 else path)[:200]
        while name in names.values():
            name += "_"
        names[path] = name
    return names


def _notes(made: Draft, sample: Sample) -> Iterator[str]:
    if sample.ended:
        yield sample.ended
    if sample.broken:
        yield f"{sample.broken:,} of {sample.rows + sample.broken:,} are no JSON objects; {sample.first_broken}"
    if values := [name for name in (*sample.columns, *sample.unreachable) if _is_value(name)]:
        yield f"the first row is taken for names, and holds values such as {short(values[0])}: put a row of names first"
    yield from _notes_on_time(made)
    if made.cut.events is None:
        yield "how many events come is not known: --events-per-hour N cuts windows for it"
    elif made.cut.events < 100:
        length = "a day" if made.cut.window_ms == DAY_MS else format_duration(made.cut.window_ms)
        yield f"a window of {length} holds {made.cut.events:,.0f} events: only gross changes show in so few"
    if made.batches is not None:
        yield f"{made.batches}: {_of_batches(made.batches)}"
    if not made.of("prediction"):
        yield "no field is the prediction by its name: move what the model answers from `features` to `prediction`"
    if made.of("personal"):
        listed = ", ".join(short(each.path) for each in made.of("personal"))
        yield f"personal, and left out: {listed}"
    close = [short(each.path) for each in made.guesses if "usual_range" in made.settings_of(each)]
    if close:
        yield f"{', '.join(close)}: values differ little beside their level, so `usual_range` gives them finer cells"
    if made.origin.no_data_set:
        yield made.origin.no_data_set


def _notes_on_time(made: Draft) -> Iterator[str]:
    traffic = made.traffic
    if made.time is None:
        yield (
            "no field is the event's time: that of the record counts (Kafka, HTTP); a file has none, so replay it with "
            "--events-per-hour N"
        )
        yield from (f"{short(each.path)} holds {LOCAL_TIMES}" for each in made.guesses if each.reason == LOCAL_TIMES)
    elif traffic is not None and traffic.disorder_ms > max(3_600_000, SHUFFLED_SHARE * traffic.span_ms):
        yield f"rows are in no order of {made.time.path}: sort them before a replay, or most of them come late"


def _is_value(name: str) -> bool:
    """Whether a name can hardly be one: a time, or a number that is no column's number."""
    try:
        number = float(name)
    except ValueError:
        return has_zone(name)
    return math.isfinite(number) and not number.is_integer()


def _of_batches(batches: Batches) -> str:
    if batches.is_weekly:
        return f"windows are of {format_duration(batches.window_ms)}, so that each has a batch"
    return "most windows of a day have none; set a `window` as long as batches are apart"


def _why_none(guesses: Sequence[Guess]) -> str:
    return "; ".join(f"{short(each.path)}: {each.reason}" for each in guesses[:5]) or "it holds none"
