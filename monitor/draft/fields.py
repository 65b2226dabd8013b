"""What each field of a sample is: the event's time or identity, a feature, a part of the prediction, or none of these.

What there may be only one of is chosen first; the rules of :data:`RULES` then look at each field in turn, and the first
that has something to say of it decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from monitor.draft import names
from monitor.draft.column import Column, as_number, short
from monitor.draft.sample import Sample
from monitor.draft.times import has_zone, is_local_time, read_times
from monitor.values import is_number

__all__ = ["LOCAL_TIMES", "MOST_WATCHED", "Guess", "Role", "guess", "model_column"]

Role = Literal["time", "id", "version", "model", "feature", "prediction", "label", "personal", "left out"]

MOST_WATCHED = 500
"""Features of a draft; more share the budget so thinly that little is found."""

MOST_CATEGORIES = 20_000
FREE_TEXT_SHARE = 0.5
"""Of texts that are all different: nobody will see most of them twice."""

LOCAL_TIMES = "times that are not ISO 8601, and cannot be read: send 2024-05-06T07:30:00Z, or a number"

SHARE = [0, 1]
LEAST_IN_A_RANGE, MOST_IN_A_RANGE = 1e-100, 1e15

MOSTLY = 0.95
MOST_VERSIONS = 50
FEWEST_ROWS = 20

FEWEST_PERSONS, FEWEST_ROWS_OF_A_KIND = 20, 10
"""Fewer different values than the first, each of so many rows, are hardly persons."""


@dataclass(frozen=True)
class Guess:
    """What a field is taken for.

    Attributes
    ----------
    path : str
    role : Role
    reason : str
        Why.
    seen : str
        What its values are like; empty where they may be somebody's.
    type : str
        Of a feature or a part of the prediction: ``numeric``, ``category`` or ``vector``. Of a time: its unit.
    settings : dict
        Keys of the field's section, beside ``type`` and ``path``.
    """

    path: str
    role: Role
    reason: str
    seen: str = ""
    type: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_watched(self) -> bool:
        """Whether it is a signal."""
        return self.role in ("feature", "prediction")


def guess(sample: Sample, model_path: str | None) -> list[Guess]:
    """Return what each field is, in the order in which fields came.

    Parameters
    ----------
    sample : Sample
    model_path : str or None
        Of the field that says which model an event is of.
    """
    columns = [Column(path, values) for path, values in sample.columns.items()]
    settled = {each.path: each for each in _only_ones(columns)}
    if model_path is not None:
        settled[model_path] = Guess(model_path, "model", "it names the model")
    has_time = any(each.role == "time" for each in settled.values())
    guesses = [settled.get(each.path) or (has_time and _growing(each)) or _of_column(each) for each in columns]
    unreachable = [Guess(short(path), "left out", reason) for path, reason in sorted(sample.unreachable.items())]
    return [*_bounded(guesses), *unreachable]


def model_column(sample: Sample, model: str) -> str | None:
    """Return the path of the field that names the model, if a field does."""
    for path, values in sample.columns.items():
        if path.rpartition(".")[2].lower() in names.MODELS and model in values:
            return path
    return None


def _only_ones(columns: Sequence[Column]) -> Iterator[Guess]:
    """Yield the event's time, identity and version."""
    times = [(rank, column, unit) for column in columns for rank, unit in _as_time(column)]
    if times:
        _, column, unit = min(times, key=lambda each: (each[0], -len(each[1].present)))
        naive = unit == "iso" and not any(map(has_zone, column.texts))
        written = {"iso": "ISO 8601", "auto": "times in several units"}.get(unit, f"numbers in {unit}")
        reason = written + (", taken as UTC" if naive else "")
        yield Guess(column.path, "time", reason, f"from {short(str(column.present[0]))}", unit)
    ids = [(rank, column) for column in columns for rank in _as_identity(column)]
    if ids:
        _, column = min(ids, key=lambda each: each[0])
        repeated = len(column.present) - column.distinct
        reason = "no value comes twice" if not repeated else f"{repeated:,} come twice: duplicates are dropped"
        yield Guess(column.path, "id", f"by its name; {reason}")
    versions = [column for column in columns if column.name.lower() in names.VERSIONS and _may_be_version(column)]
    if versions:
        column = min(versions, key=lambda each: names.VERSIONS.index(each.name.lower()))
        yield Guess(column.path, "version", "by its name", _seen(column))


def _as_time(column: Column) -> Iterator[tuple[int, str]]:
    if names.personal_by_name(column.name):
        return
    rank = _rank(column.name, names.TIMES)
    if rank is None and names.words(column.name)[-1:] in (["at"], ["ts"], ["time"], ["ms"], ["timestamp"], ["date"]):
        rank = len(names.TIMES)
    if rank is None and column.kinds["text"]:
        rank = len(names.TIMES) + 1
    if rank is None or column.distinct < 2 or len(column.present) < MOSTLY * len(column.values):
        return
    times = read_times(column.values)
    if times is not None:
        yield rank, times[0]


def _as_identity(column: Column) -> Iterator[int]:
    rank = _rank(column.name, names.IDS)
    if rank is None or len(column.present) < MOSTLY * len(column.values) or column.kinds["list"]:
        return
    if column.distinct >= 0.99 * len(column.present):
        yield rank


def _may_be_version(column: Column) -> bool:
    return 0 < column.distinct <= MOST_VERSIONS and not column.kinds["list"] and bool(column.present)


def _rank(name: str, ranked: Sequence[str]) -> int | None:
    spelled = "_".join(names.words(name))
    return ranked.index(spelled) if spelled in ranked else None


Rule = Callable[[Column], Guess | None]


def _nothing(column: Column) -> Guess | None:
    if not column.present:
        return Guess(column.path, "left out", "no row has a value")
    return None


def _personal(column: Column) -> Guess | None:
    is_number_of_somebody = column.is_whole and column.distinct > FREE_TEXT_SHARE * len(column.present)
    if column.kinds["text"] or is_number_of_somebody:
        by_name = names.personal_by_name(column.name)
        if by_name and not _are_kinds(column):
            return Guess(column.path, "personal", f"by its name {by_name}")
    by_values = names.personal_by_values(column.texts) if column.texts else ""
    return Guess(column.path, "personal", f"its values look like {by_values}") if by_values else None


def _are_kinds(column: Column) -> bool:
    """Whether few values come again and again: those of a carrier's name, say, are kinds rather than persons."""
    return column.distinct < FEWEST_PERSONS and FEWEST_ROWS_OF_A_KIND * column.distinct <= len(column.present)


def _seen(column: Column) -> str:
    """Say what values are like; of what may be somebody's nothing, however few they are."""
    return "" if names.personal_by_name(column.name) else column.shown()


def _label(column: Column) -> Guess | None:
    if set(names.words(column.name)) & names.LABELS or column.name.lower() in names.LABELS:
        if _is_predicted(column.path):
            return None
        reason = "by its name what turned out to be true: that comes in messages of its own, `kind: labels`"
        return Guess(column.path, "label", reason, _seen(column))
    return None


def _another_time(column: Column) -> Guess | None:
    if next(_as_time(column), None) is not None:
        return Guess(column.path, "left out", "another time: it only ever grows")
    return None


def _calendar(column: Column) -> Guess | None:
    if "_".join(names.words(column.name)) in names.CALENDAR and column.is_whole:
        return Guess(column.path, "left out", "a part of the date, which changes by itself")
    return None


def _growing(column: Column) -> Guess | None:
    """Say of a field that it grows with time; rows of a frame without times may be sorted by it."""
    numbers = column.numbers
    if len(numbers) < FEWEST_ROWS or column.distinct < MOSTLY * len(column.values) or numbers != sorted(numbers):
        return None
    return Guess(column.path, "left out", "it only ever grows: what it is in an hour says nothing of the model")


def _identifies(column: Column) -> Guess | None:
    parts = names.words(column.name)
    is_one = bool({"id", "uuid", "guid", "key", "hash"} & set(parts[-1:]))
    if is_one and column.distinct > max(FEWEST_ROWS, 0.02 * len(column.present)):
        reason = f"it names something: {column.distinct:,} values; `keep: {{subject: …}}` lets one be erased"
        return Guess(column.path, "left out", reason)
    if column.is_counting or "_".join(names.words(column.name)) in names.ROW_NUMBERS:
        return Guess(column.path, "left out", "it numbers the rows")
    return None


def _constant(column: Column) -> Guess | None:
    if column.kinds["list"] or column.distinct != 1 or len(column.values) < 2:
        return None
    absent = len(column.values) - len(column.present)
    if absent:
        # Whether it is there may say something all the same.
        return None
    value = "the same" if names.personal_by_name(column.name) else short(next(iter(column.counts)))
    return Guess(column.path, "left out", f"it is always {value}")


def _vector(column: Column) -> Guess | None:
    if not column.kinds["list"]:
        return None
    lengths = {len(value) for value in column.present if isinstance(value, list)}
    if column.main_kind()[0] != "list" or len(lengths) != 1 or not _is_vector(column.present):
        return Guess(column.path, "left out", "a list, and not always of so many numbers")
    (dimension,) = lengths
    norms = sorted(math.hypot(*map(as_number, value)) for value in column.present if isinstance(value, list))
    if not norms[len(norms) // 2] < MOST_IN_A_RANGE:
        return Guess(
            column.path, "left out", f"lists of numbers that are too large: most are {MOST_IN_A_RANGE:g} or more"
        )
    norm = float(f"{norms[len(norms) // 2]:.3g}")
    settings = {"dimension": dimension} | ({} if norm < LEAST_IN_A_RANGE or norm == 1.0 else {"norm": norm})
    return _watched(column, "vector", f"lists of {dimension} numbers", settings)


def _number(column: Column) -> Guess | None:
    kind, others = column.main_kind()
    if kind != "number" or not column.numbers or others > (1 - MOSTLY) * len(column.present):
        return None
    other = f"; {others:,} values are no numbers" if others else ""
    if infinite := sum(column.kinds.values()) - others - len(column.numbers):
        other += f"; {infinite:,} are NaN or infinite"
    if column.is_whole and (column.distinct <= 2 or _is_code(column)):
        few = f"whole numbers of {column.distinct} kinds"
        return _watched(column, "category", few + other)
    settings = _range_of(column)
    usual = {} if settings.get("range") == SHARE else _usual_range_of(column)
    return _watched(column, "numeric", "numbers" + other, settings | usual)


def _written_otherwise(column: Column) -> Guess | None:
    """Say of texts that most of them are numbers, or times, which nobody would take for them."""
    texts = column.texts
    if len(texts) < MOSTLY * len(column.present):
        return None
    if _mostly(is_number, texts) and not _is_code(column):
        return Guess(column.path, "left out", "numbers written as text, which count as unusable: send numbers")
    if _mostly(_is_number_with_comma, texts):
        return Guess(column.path, "left out", "texts of numbers with commas, which count as unusable: send numbers")
    return Guess(column.path, "left out", LOCAL_TIMES) if _has_local_times(column) else None


def _has_local_times(column: Column) -> bool:
    """Whether most values are times, and some of them of no form that is read."""
    texts = [text for text in column.texts if read_times([text]) is None]
    return len(texts) > (1 - MOSTLY) * len(column.present) and _mostly(is_local_time, texts)


def _mostly(holds: Callable[[str], bool], texts: Sequence[str]) -> bool:
    return sum(map(holds, texts)) >= MOSTLY * len(texts) > 0


def _category(column: Column) -> Guess | None:
    if column.distinct > max(FEWEST_ROWS, FREE_TEXT_SHARE * len(column.present)) or column.distinct > MOST_CATEGORIES:
        return Guess(column.path, "left out", f"free text: {column.distinct:,} values in {len(column.present):,} rows")
    kind, others = column.main_kind()
    mixed = f"; {others:,} values are of another kind" if others else ""
    noun = "value" if column.distinct == 1 else "values"
    return _watched(column, "category", ("true or false" if kind == "flag" else f"{column.distinct:,} {noun}") + mixed)


RULES: Sequence[Rule] = (
    _nothing,
    _personal,
    _label,
    _constant,
    _another_time,
    _calendar,
    _identifies,
    _vector,
    _number,
    _written_otherwise,
    _category,
)
"""In this order; the last one always answers."""


def _of_column(column: Column) -> Guess:
    return next(answer for rule in RULES if (answer := rule(column)) is not None)


def _watched(column: Column, type_: str, reason: str, settings: Mapping[str, Any] | None = None) -> Guess:
    seen = "" if type_ == "vector" else _seen(column)
    if _is_predicted(column.path):
        return Guess(column.path, "prediction", f"by its name the prediction; {reason}", seen, type_, settings or {})
    return Guess(column.path, "feature", reason, seen, type_, settings or {})


def _is_predicted(path: str) -> bool:
    parts = path.split(".")
    spelled = "_".join(names.words(parts[-1]))
    return (
        bool({part.lower() for part in parts[:-1]} & names.PREDICTIONS)
        or spelled in names.PREDICTIONS
        or bool({"prediction", "predicted", "pred", "proba", "yhat"} & set(names.words(parts[-1])))
    )


def _is_code(column: Column) -> bool:
    return bool(set(names.words(column.name)) & names.CODES) and column.distinct <= max(
        FEWEST_ROWS, 0.02 * len(column.present)
    )


def _is_vector(values: Sequence[Any]) -> bool:
    lists = [value for value in values if isinstance(value, list)]
    return all(
        2 <= len(value) <= 4096
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in value)
        for value in lists
    )


def _range_of(column: Column) -> dict[str, Any]:
    """Return the range of a share or a probability; else one that reaches twice as far as what was seen."""
    low, high = min(column.numbers), max(column.numbers)
    if low >= 0 and high <= 1 and not column.is_whole and (high > 0.5 or _is_predicted(column.path)):
        return {"range": SHARE}
    bounds = [_rounded(2 * min(low, 0.0)), _rounded(2 * max(high, 0.0))]
    return {"range": bounds} if bounds[0] < bounds[1] and abs(bounds[0]) + bounds[1] < MOST_IN_A_RANGE else {}


def _usual_range_of(column: Column) -> dict[str, Any]:
    """Return the usual range of a number that spreads little beside its level."""
    # Only here: layouts bring the compiler along.
    from detectors.sketch import universal_layout, usual_range_of

    numbers = np.array(column.numbers, dtype=np.float64)
    if len(numbers) < FEWEST_ROWS or not np.abs(numbers).max() < MOST_IN_A_RANGE:
        return {}
    usual = usual_range_of(numbers, universal_layout())
    return {} if usual is None else {"usual_range": [int(end) if end.is_integer() else end for end in usual]}


def _rounded(bound: float) -> float:
    """Return a number of two digits that lies no nearer to zero."""
    if not LEAST_IN_A_RANGE < abs(bound) < MOST_IN_A_RANGE:
        return 0 if abs(bound) < 1 else bound
    unit = 10 ** (math.floor(math.log10(abs(bound))) - 1)
    rounded = math.copysign(math.ceil(abs(bound) / unit) * unit, bound)
    return int(rounded) if float(rounded).is_integer() else float(f"{rounded:.3g}")


def _is_number_with_comma(text: str) -> bool:
    return re.fullmatch(r"[-+]?(\d{1,3}([. ]\d{3})*,\d+|\d+,\d+|\d{1,3}(,\d{3})+(\.\d+)?)", text) is not None


def _bounded(guesses: Sequence[Guess]) -> Iterator[Guess]:
    watched = 0
    for each in guesses:
        watched += each.is_watched
        if each.is_watched and watched > MOST_WATCHED:
            yield Guess(each.path, "left out", f"{MOST_WATCHED} fields are watched already: name those that matter")
        else:
            yield each
