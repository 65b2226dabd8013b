"""What a detector says about one window of one series: the input of the alert lifecycle."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

__all__ = [
    "Beside",
    "Change",
    "ClockChange",
    "Expected",
    "Facts",
    "Failure",
    "NewNormal",
    "NewVersion",
    "OddLabels",
    "Plain",
    "Share",
    "Status",
    "Verdict",
    "Why",
]

Status = Literal["ok", "drift", "no_data", "learning"]

Why = Literal[
    "",
    "too_few",
    "no_baseline",
    "nothing",
    "too_early",
    "not_material",
    "not_surprising",
    "not_unusual",
    "chance",
    "no_value",
    "values_come",
]
"""Why a test does not say drift: too few events, no baseline yet, nothing to compare, too few windows seen, and what
:mod:`monitor.evaluate.alarm_rule` weighs; never a value so far, or the first ones. Empty for a drift."""

STATUSES = frozenset(get_args(Status))
FLOATS = ("statistic", "effect", "min_effect", "surprise", "surprise_limit", "p_value")
INTEGERS = ("at_ms", "window_start_ms", "n", "baseline_n", "baseline_from_ms", "baseline_to_ms")


class Share(NamedTuple):
    """How many of some events had a property, and how many had not."""

    part: float
    rest: float


class Expected(NamedTuple):
    """How many events were expected, from how many earlier seasons (``days`` or ``weeks``)."""

    events: float
    earlier: int
    season: str


OF_NO_USE = ("missing", "invalid", "out of range")
"""What the shares of values are called that cannot be used."""


class Plain(NamedTuple):
    """What a reader can recompute of a number's windows where its mean score says something else.

    Attributes
    ----------
    only : float or None
        The one value that all of the reference are.
    usual_share, share : float or None, float
        The share of other values that was expected, if that is known, and what there is; of a reference with several
        values ``share`` is that of values beyond one of its ends, 0 if these are few. Of a concentration, the shares of
        the one value that stands out.
    mostly : float or None
        What most of them are, if one value is; of a concentration, the value that stands out.
    distance : float or None
        How far the other values are from the only one on average, where most of them are not one value.
    low, high : float or None
        The smallest and the largest value of the reference, of the ends beyond which these are.
    is_more : bool
        Whether they are so far away that a spread of scores says less than by how much values spread.
    usual_median, median, usual_mean, mean : float or None
        Of the values, where the one with the mean score is far from them.
    """

    only: float | None = None
    usual_share: float | None = None
    share: float = 0.0
    mostly: float | None = None
    distance: float | None = None
    low: float | None = None
    high: float | None = None
    is_more: bool = False
    usual_median: float | None = None
    median: float | None = None
    usual_mean: float | None = None
    mean: float | None = None


class Change(NamedTuple):
    """What moved, in the units of the data.

    Attributes
    ----------
    what : str
        ``typical value``, ``spread``, ``missing``, ``share of 'DE'``, ``events`` …; ``repeats`` for a window that
        repeats the one before it, and then there is no number.
    before, after : float
        What was expected at this hour of the week, and what there is: a value, a factor on the reference's spread, a
        share, or a number of events.
    by_day, so_far : bool
        Whether only a whole day shows it, and whether that is not over.
    against_reference : bool
        Whether ``before`` is what the reference has that the model was built on.
    since_ms : int
        When it most likely began; 0 if nothing is known of that.
    unit : str
        ``%`` of a share where ``what`` does not say so, or a currency.
    better : str
        Of a metric: ``higher`` or ``lower``; empty where neither is.
    age_ms : int
        Of what is made of labels: how long after its hour each prediction was judged; else 0.
    is_anew : bool
        Whether it was as usual just before, or hardly off, whatever else stood off.
    in_window : float or None
        What the window alone has, which may be far from what there is on average since it began.
    step : float
        How far apart typical values are told, where that is wider than values spread; else 0.
    plain : Plain or None
    is_back : bool
        Whether it is as usual again, and ``after`` is what there was before, of which there was no alarm.
    """

    what: str
    before: float
    after: float
    by_day: bool
    against_reference: bool = False
    since_ms: int = 0
    unit: str = ""
    better: str = ""
    age_ms: int = 0
    is_anew: bool = False
    in_window: float | None = None
    step: float = 0.0
    plain: Plain | None = None
    so_far: bool = False
    is_back: bool = False

    @classmethod
    def from_json(cls, written: Sequence[Any]) -> Change:
        """Return the change of whose ``tuple`` JSON was made; earlier versions wrote fewer fields."""
        change = cls(*written)
        return change if change.plain is None else change._replace(plain=Plain(*change.plain))


class Beside(NamedTuple):
    """What is off in a window beside what its verdict names.

    Attributes
    ----------
    change : Change
    effect : float
        How large the change is.
    new_values : tuple of (str, int)
        As `Facts` has them.
    """

    change: Change
    effect: float
    new_values: tuple[tuple[str, int], ...] = ()


class Failure(NamedTuple):
    """That an answer stands where a model gave others: what looks like success to a metric.

    Attributes
    ----------
    kind : str
        ``stuck``: one answer takes the place of many; ``fallback``: one that says that no model answered has more of
        all answers; ``no_better``: the model is not shown to lose less than an answer without a model.
    answer : str
        As people read it: a number, or a name in quotes; what answers without a model.
    before, after : float
        Its share of all answers, in the reference and in the window; what is lost by a prediction without the model,
        and with it.
    is_exact : bool
        Whether a number is known, or only a narrow cell that holds it.
    """

    kind: Literal["stuck", "fallback", "no_better"]
    answer: str
    before: float
    after: float
    is_exact: bool = True


class NoValue(NamedTuple):
    """That a signal has had no value since a time, although something comes of which it is made.

    Attributes
    ----------
    since_ms : int
        End of the last window that had one; 0 if that is not known.
    reason : str
        Why there is none.
    """

    since_ms: int
    reason: str


class ClockChange(NamedTuple):
    """That what moved is as it used to be some hours later, since clocks that people go by have changed.

    Attributes
    ----------
    said : str
        Where and when: ``in Europe on 2024-03-31``.
    hours : float
        How much later it used to be so; below 0 it was earlier.
    time_zone : str
        By whose hours signals are learned.
    """

    said: str
    hours: float
    time_zone: str


class OddLabels(NamedTuple):
    """That labels do not come as they did: a metric is of other predictions than before.

    Attributes
    ----------
    classes : tuple of str
        Those that labels say no more, as sentences name them.
    is_missing : bool
        Whether predictions of these go without a label, rather than with another one.
    has_some : bool
        Whether a few labels still say them.
    fewer : (float, float) or None
        The share of predictions that usually have a label, and what has one now, where that is far less.
    """

    classes: tuple[str, ...]
    is_missing: bool = False
    has_some: bool = False
    fewer: tuple[float, float] | None = None

    @property
    def missing(self) -> str:
        """What no longer comes, in words."""
        return f"{'most ' if self.has_some else ''}labels of {' and '.join(self.classes)} no longer come"


class NewNormal(NamedTuple):
    """That the level of a signal is its new normal from now on.

    Attributes
    ----------
    by : str
        Who accepted it; empty if it has been adopted by itself.
    reason : str
        Why; of one that has been adopted, after how long.
    from_ms : int
        Since when it has held.
    """

    by: str
    reason: str
    from_ms: int


class NewVersion(NamedTuple):
    """The version with which a change most likely began, or whose first windows show one that stood before it came.

    Attributes
    ----------
    name : str
    first_ms : int
        When its events first came.
    former : str
        The version that it is compared with: the one before it.
    was_off : bool
        Whether the former one was off in this very way when it came: the change is older than the version.
    """

    name: str
    first_ms: int
    former: str
    was_off: bool = False


class Facts(NamedTuple):
    """What a test found beside the numbers that every verdict has; :mod:`monitor.alerts.wording` makes sentences of it.

    Attributes
    ----------
    why : str
        One of :data:`Why`.
    seen, needed : int
        How far learning is: how much was seen, and how much must be.
    unit : str
        Of these two: ``events``, ``values``, ``windows``, ``days``; empty for a data set that lacks the field.
    reached : int
        How many of the windows seen had such an effect.
    shares : (Share, Share) or None
        Of a rate: in the baseline, and in the window.
    new_values : tuple of (str, int)
        Values that the baseline lacks, and how often each came.
    expected : Expected or None
    change : Change or None
    sentence : str
        In place of all others: why a metric has no value, or what a checkpoint of an earlier version holds, which kept
        no facts.
    new_normal : NewNormal or None
        That its level became one in this very window.
    new_version : NewVersion or None
        With which what alarms here began, or which goes on with it.
    failure : Failure or None
        What an alarm about a prediction is.
    odd_labels : OddLabels or None
        How labels do not come as they did, of a metric that moved, or of how many predictions have one.
    no_value : NoValue or None
        That an alarm goes on without anything new: what moved has no value any more.
    clock_change : ClockChange or None
        What may be behind it.
    step : float
        How far apart values of a number are told, where that is wider than they spread; else 0.
    beside : tuple of Beside
        Other contrasts of the signal whose alarms stand; in an alert, the one that is said after ``change``.
    """

    why: Why = ""
    seen: int = 0
    needed: int = 0
    unit: str = ""
    reached: int = 0
    shares: tuple[Share, Share] | None = None
    new_values: tuple[tuple[str, int], ...] = ()
    expected: Expected | None = None
    change: Change | None = None
    sentence: str = ""
    new_normal: NewNormal | None = None
    new_version: NewVersion | None = None
    failure: Failure | None = None
    odd_labels: OddLabels | None = None
    no_value: NoValue | None = None
    step: float = 0.0
    beside: tuple[Beside, ...] = ()
    clock_change: ClockChange | None = None

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Facts:
        """Return the facts of whose ``_asdict`` JSON was made."""
        shares, expected = written["shares"], written["expected"]
        composed = {
            "shares": None if shares is None else (Share(*shares[0]), Share(*shares[1])),
            "new_values": _new_values(written["new_values"]),
            "expected": None if expected is None else Expected(*expected),
            "change": None if written.get("change") is None else Change.from_json(written["change"]),
            "new_normal": None if written.get("new_normal") is None else NewNormal(*written["new_normal"]),
            "new_version": None if written.get("new_version") is None else NewVersion(*written["new_version"]),
            "failure": None if written.get("failure") is None else Failure(*written["failure"]),
            "no_value": None if written.get("no_value") is None else NoValue(*written["no_value"]),
            "clock_change": None if written.get("clock_change") is None else ClockChange(*written["clock_change"]),
            "beside": tuple(
                Beside(Change.from_json(change), float(effect), _new_values(new_values))
                for change, effect, new_values in written.get("beside", ())
            ),
        }
        read = {**written, **composed, "odd_labels": _odd_labels(written)}
        # Earlier versions wrote it of one class alone.
        read.pop("no_positive", None)
        return cls(**read)


def _odd_labels(written: Mapping[str, Any]) -> OddLabels | None:
    if written.get("no_positive"):
        return OddLabels(("the positive class",))
    if written.get("odd_labels") is None:
        return None
    classes, is_missing, has_some, fewer = written["odd_labels"]
    return OddLabels(tuple(classes), is_missing, has_some, None if fewer is None else (fewer[0], fewer[1]))


def _new_values(written: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple((str(value), int(count)) for value, count in written)


NO_FACTS = Facts()


@dataclass(frozen=True)
class Verdict:
    """What one detector says of one window of one series.

    Numbers of numpy are taken as well and kept as Python's, so that a verdict can be written as JSON.

    Parameters
    ----------
    version, segment, signal : str
        The series; the empty segment is all of the traffic.
    detector : str
    status : {"ok", "drift", "no_data", "learning"}
    at_ms, window_start_ms : int
        The window, ``[window_start_ms, at_ms)``, in event time.
    statistic : float
        What the detector computed, in its own unit.
    effect, min_effect : float
        How large the change is, and how large it must be to matter.
    surprise, surprise_limit : float
        How far the change lies beyond the signal's usual variation, and how far it must.
    p_value : float
        NaN if the detector has none.
    n, baseline_n : int
        Events in the window and in the baseline.
    baseline_from_ms, baseline_to_ms : int
        The baseline's span of event time; both 0 for a data set.
    facts : Facts

    Raises
    ------
    ValueError
        If the status is unknown or the window is empty.

    Examples
    --------
    >>> verdict = Verdict("v1", "", "feature:hour", "psi", "drift", 600_000, 300_000, effect=1.5, min_effect=0.1)
    >>> verdict.strength
    15.0
    """

    version: str
    segment: str
    signal: str
    detector: str
    status: Status
    at_ms: int
    window_start_ms: int
    statistic: float = math.nan
    effect: float = math.nan
    min_effect: float = math.nan
    surprise: float = math.nan
    surprise_limit: float = math.nan
    p_value: float = math.nan
    n: int = 0
    baseline_n: int = 0
    baseline_from_ms: int = 0
    baseline_to_ms: int = 0
    facts: Facts = NO_FACTS

    def __post_init__(self) -> None:
        for name in FLOATS:
            object.__setattr__(self, name, float(getattr(self, name)))
        for name in INTEGERS:
            object.__setattr__(self, name, int(getattr(self, name)))
        if self.status not in STATUSES:
            raise ValueError(f"unknown status {self.status!r}")
        if self.window_start_ms >= self.at_ms:
            raise ValueError(f"empty window [{self.window_start_ms}, {self.at_ms})")

    @property
    def series(self) -> tuple[str, str, str]:
        """``(version, segment, signal)``."""
        return self.version, self.segment, self.signal

    @property
    def strength(self) -> float:
        """``effect / min_effect``: how many times the change exceeds what matters; 0 if there is no effect."""
        if not self.effect > 0:
            return 0.0
        return self.effect / self.min_effect if self.min_effect > 0 else math.inf

    @property
    def passes_now(self) -> bool:
        """Whether the evidence of a change passed its threshold in this very window, rather than in an earlier one."""
        change = self.facts.change
        return change is not None and not change.against_reference and self.surprise > self.surprise_limit

    @property
    def tells_of_a_move(self) -> bool:
        """Whether it says that something moves now, or how far it is from its reference."""
        change = self.facts.change
        return self.passes_now or (change is not None and change.against_reference)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able twin from which :meth:`from_json` gets the same verdict, NaN and infinity too."""
        return {key: _written(value) for key, value in vars(self).items()} | {"facts": self.facts._asdict()}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Verdict:
        """Return the verdict that :meth:`to_json` wrote; earlier versions wrote a sentence, ``detail``, for facts."""
        stored = written.get("facts")
        facts = Facts(sentence=written["detail"]) if stored is None else Facts.from_json(stored)
        names = [field.name for field in fields(cls) if field.name != "facts"]
        return cls(**{name: written[name] for name in names}, facts=facts)


def _written(value: Any) -> Any:
    # JSON has no NaN; `float` reads these three words back in __post_init__.
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
