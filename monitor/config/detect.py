"""When a model's windows alarm: false alarms, windows, and the rules that name detectors.

Default rules come first; a file's own add to them and override their parameters.
"""

from __future__ import annotations

import re
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.routing.interval_spec import zone_of
from monitor.values import DAY_MS, DurationMs, Strict, WrongPartError, format_duration, parse_duration

__all__ = ["Budget", "Defaults", "Detect", "Rule", "Use", "Uses"]


class Budget(Strict):
    """How many false alarms are acceptable, per model."""

    count: float = Field(gt=0)
    per_ms: int = Field(gt=0)


_BudgetAsWritten = Budget | Annotated[str, Field(pattern=r"^\s*\d+(\.\d+)?\s+per\s+\S+\s*$")]


def _budget(value: object) -> object:
    if isinstance(value, (dict, Budget)):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s+per\s+(\S+)\s*", str(value))
    if not match:
        raise ValueError(f"expected something like `1 per 30d`, got {value!r}")
    return {"count": float(match[1]), "per_ms": parse_duration(match[2])}


class Use(Strict):
    """A distance or detector with its parameters."""

    name: str
    params: dict[str, float | int | str | bool] = Field(default_factory=dict)


_ParamsAsWritten = dict[str, float | int | str | bool] | None
_UseAsWritten = str | Use | Annotated[dict[str, _ParamsAsWritten], Field(min_length=1, max_length=1)]
_UsesAsWritten = Annotated[list[_UseAsWritten], Field(min_length=1)]


def _uses(value: object) -> object:
    if not isinstance(value, list):
        raise ValueError("expected a list of detectors, such as [psi, ks]")
    uses: list[Any] = []
    for item in value:
        if isinstance(item, str):
            uses.append({"name": item})
        elif isinstance(item, dict) and "name" not in item and len(item) == 1:
            name, params = next(iter(item.items()))
            uses.append({"name": name, "params": {} if params is None else params})
        else:
            uses.append(item)
    return uses


Uses = Annotated[list[Use], BeforeValidator(_uses, json_schema_input_type=list[_UseAsWritten])]
"""Detectors, each by its name alone or with its parameters."""


class Rule(Strict):
    """Which detectors watch which signals. Later rules add to earlier ones and override their parameters."""

    on: str = Field(description="a signal, or a pattern with *")
    use: Annotated[list[Use], BeforeValidator(_uses, json_schema_input_type=_UsesAsWritten)] = Field(min_length=1)

    def matches(self, signal: str) -> bool:
        return fnmatchcase(signal, self.on)


class Defaults(Strict):
    """How windows are cut."""

    window: DurationMs = Field(default=300_000, gt=0, description="length of a window")
    every: DurationMs | None = Field(
        default=None,
        description="how often a window is evaluated, a whole part of it; its own length if absent (tumbling)",
    )
    offset: DurationMs = Field(default=0, ge=0, description="shifts the grid: 5h starts days at 05:00 UTC")
    min_samples: int = Field(default=500, ge=2, description="a window with fewer events has no say")
    learn_windows: int = Field(
        default=10, ge=4, le=10_000, description="quiet windows needed before a signal may alarm"
    )

    @property
    def step_ms(self) -> int:
        return self.every or self.window


DEFAULT_RULES = (
    {
        "on": "feature:*",
        "use": [
            "psi",
            "ks",
            "chi_squared",
            "mmd",
            "missing_rate",
            "invalid_rate",
            "out_of_range_rate",
            "new_category",
        ],
    },
    {
        "on": "prediction:*",
        "use": [
            "psi",
            "ks",
            "chi_squared",
            "mmd",
            "missing_rate",
            "invalid_rate",
            "out_of_range_rate",
            "new_category",
        ],
    },
    {"on": "estimated:*", "use": ["psi", "ks", "missing_rate"]},
    {"on": "volume", "use": ["volume"]},
)


@cache
def _default_rules() -> tuple[Rule, ...]:
    return tuple(Rule.model_validate(rule) for rule in DEFAULT_RULES)


def _name_of_zone(value: str) -> str:
    if not value:
        raise ValueError("expected a time zone, such as Europe/Berlin or UTC, got ''")
    return str(zone_of(value))


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(value: object) -> date:
    # Neither another form, nor a number, which pydantic takes for seconds, or for days, since 1970.
    if type(value) is date:
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError(f"expected a day as YYYY-MM-DD, such as 2026-12-25, got {value!r}")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value} is no day: {error}") from error


class Detect(Strict):
    """When a window alarms."""

    false_alarms: Annotated[Budget, BeforeValidator(_budget, json_schema_input_type=_BudgetAsWritten)] = Field(
        default=Budget(count=1, per_ms=30 * DAY_MS), description="accepted for the whole model"
    )
    pane: DurationMs = Field(default=10_000, gt=0, description="the grain of stored summaries")
    defaults: Defaults = Field(default_factory=Defaults)
    vectors: dict[str, Annotated[list[str], Field(min_length=2, max_length=4096)]] = Field(
        default_factory=dict,
        description="numeric signals of one event that are watched together, as the signal `vector:NAME`",
    )
    rule: Literal["variation", "change"] = Field(
        default="change",
        description="`change`: a signal alarms that no longer does what it does at this hour of the week, and "
        "distances are for reading; `variation`: a distance beyond its usual variation alarms",
    )
    time_zone: Annotated[str, AfterValidator(_name_of_zone)] = Field(
        default="UTC",
        description="whose hours and weekends `rule: change` goes by, and by which alerts say when things come again",
    )
    holidays: list[Annotated[date, BeforeValidator(_day)]] = Field(
        default_factory=list, description="days that are like a weekend, such as 2026-12-25"
    )
    adopt_after: DurationMs | None = Field(
        default=None,
        gt=0,
        description="under `rule: change`, an alarm that has stood for so long becomes the new normal; never if absent",
    )
    rules: list[Rule] = Field(default_factory=list, description="added to the default rules")
    default_rules: bool = Field(default=True, description="false: only `rules` count")

    @model_validator(mode="after")
    def _windows_are_panes(self) -> Detect:
        for key in ("window", "every", "offset"):
            length = getattr(self.defaults, key)
            if length and length % self.pane:
                message = (
                    f"{key} must be a multiple of pane ({format_duration(self.pane)}), got {format_duration(length)}"
                )
                raise WrongPartError(("defaults", key), message)
        window, step = self.defaults.window, self.defaults.step_ms
        if window % step:
            message = f"window must be a multiple of every ({format_duration(step)}), got {format_duration(window)}"
            raise WrongPartError(("defaults", "every"), message)
        return self

    @model_validator(mode="after")
    def _adopting_has_something_to_adopt(self) -> Detect:
        if self.adopt_after is not None and self.rule != "change":
            message = "adopt_after needs `rule: change`: under `rule: variation` no level is ever adopted"
            raise WrongPartError(("adopt_after",), message)
        return self

    def vector_signals(self) -> dict[str, list[str]]:
        """The signals that each vector holds, by its own, `vector:NAME`, in the order of the file."""
        return {f"vector:{name}": list(signals) for name, signals in self.vectors.items()}

    def all_rules(self) -> list[Rule]:
        """Default rules (unless switched off), then the file's own."""
        return [*(_default_rules() if self.default_rules else ()), *self.rules]
