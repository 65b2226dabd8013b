"""Routes as Prometheus Alertmanager has them, and what Leeway adds to them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from pydantic import Field, field_validator

from monitor.config.prometheus import Label, Matchers, Pasted, PrometheusDuration, Values, old_style
from monitor.routing.flapping import Hold
from monitor.routing.routes import Route, RouteOptions, Step
from monitor.values import Strict

__all__ = ["HoldSpec", "LeewayOptions", "RouteSpec", "StepSpec"]


class HoldSpec(Strict):
    """From when, and for how long, alerts that fire and resolve again and again are held."""

    changes: int = Field(default=5, ge=2, description="so many changes between firing and resolved")
    within: PrometheusDuration = Field(default=3_600_000, description="within so much time")
    until_steady: PrometheusDuration = Field(default=1_800_000, description="held until it has not changed for so long")

    @field_validator("within", "until_steady")
    @classmethod
    def _is_not_zero(cls, value: int) -> int:
        if value == 0:
            raise ValueError("must not be zero")
        return value

    def build(self) -> Hold:
        """Return it as the router uses it."""
        return Hold(self.changes, self.within, self.until_steady)


class StepSpec(Strict):
    """Whom else to notify if nobody acknowledges an alert."""

    after: PrometheusDuration = Field(description="so long after the route's receiver was first notified of it")
    receiver: str = Field(description="of `receivers`, or of `spec.receivers`")


class LeewayOptions(Strict):
    """What a route may say beyond Alertmanager's configuration; what it does not say it has from its parent."""

    late_ends: bool | None = Field(
        default=None,
        description="notify the resolution of an alert that was silenced, inhibited or muted once that is over",
    )
    hold: HoldSpec | bool | None = Field(
        default=None, description="notify alerts that flap once, until they are steady; `true` with its defaults"
    )
    only_changes: bool | None = Field(
        default=None, description="leave unchanged alerts out of notifications, which count them"
    )
    escalate: list[StepSpec] | None = Field(
        default=None, description="who else is notified if nobody acknowledges an alert; `[]`: nobody"
    )
    every_change: bool | None = Field(
        default=None,
        description="notify each change of an alert at once and in order: that a signal joined it, too, and its end",
    )
    group_key: str = Field(
        default="", description="what the keys of groups begin with, in place of the route's matchers; not inherited"
    )

    @field_validator("escalate")
    @classmethod
    def _grows(cls, value: list[StepSpec] | None) -> list[StepSpec] | None:
        waits = [0, *(step.after for step in value or ())]
        if any(later <= sooner for sooner, later in pairwise(waits)):
            raise ValueError("each step comes later than the one before, and the first after more than 0s")
        return value

    def build(self) -> dict[str, Any]:
        """Return what is stated, as :class:`~monitor.routing.routes.RouteOptions` has it."""
        switches = {name: getattr(self, name) for name in ("late_ends", "only_changes", "every_change")}
        options: dict[str, Any] = {name: value for name, value in switches.items() if value is not None}
        if self.hold is not None:
            hold = HoldSpec() if self.hold is True else self.hold
            options["hold"] = hold.build() if isinstance(hold, HoldSpec) else None
        if self.escalate is not None:
            options["escalate"] = tuple(Step(step.after, step.receiver) for step in self.escalate)
        return options


class RouteSpec(Pasted):
    """A route, with its children."""

    receiver: str = Field(default="", description="of `receivers`, or of `spec.receivers`; the parent's if absent")
    group_by: list[Label] = Field(
        default_factory=list, description='labels that alerts of one notification share; `"..."` is all of them'
    )
    match: Values = Field(default_factory=dict, description="the old way to write `matchers` with `=`")
    match_re: Values = Field(default_factory=dict, description="the old way to write `matchers` with `=~`")
    matchers: Matchers = Field(default_factory=list, description='such as `team="a"`; all have to match')
    mute_time_intervals: list[str] = Field(default_factory=list, description="intervals in which nobody is notified")
    active_time_intervals: list[str] = Field(
        default_factory=list, description="intervals outside of which nobody is notified"
    )
    goes_on: bool = Field(default=False, alias="continue", description="also try the next siblings")
    group_wait: PrometheusDuration | None = Field(default=None, description="how long a new group waits for more; 30s")
    group_interval: PrometheusDuration | None = Field(default=None, description="how often a group is evaluated; 5m")
    repeat_interval: PrometheusDuration | None = Field(
        default=None, description="when unchanged alerts are notified again; 4h"
    )
    # Left out where the configuration is written for Alertmanager's clients.
    leeway: LeewayOptions = Field(
        default_factory=LeewayOptions, exclude=True, description="what Alertmanager does not have"
    )
    routes: list[RouteSpec] = Field(default_factory=list, description="children; the first that matches takes an alert")

    @field_validator("group_by")
    @classmethod
    def _labels_differ(cls, value: list[str]) -> list[str]:
        if "..." in value and set(value) != {"..."}:
            raise ValueError("`...` stands for all labels, and takes no other beside it")
        if len(set(value)) < len([label for label in value if label != "..."]):
            raise ValueError("a label stands twice")
        return value

    @field_validator("match_re")
    @classmethod
    def _expressions_compile(cls, value: dict[str, str]) -> dict[str, str]:
        list(old_style({}, value))
        return value

    @field_validator("group_interval", "repeat_interval")
    @classmethod
    def _is_not_zero(cls, value: int | None) -> int | None:
        if value == 0:
            raise ValueError("must not be zero")
        return value

    def build(self, above: RouteOptions | None = None) -> Route:
        """Return the route as the router uses it."""
        from_parent = above or RouteOptions()
        named = [label for label in self.group_by if label != "..."]
        options = replace(
            from_parent,
            receiver=self.receiver or from_parent.receiver,
            group_by=frozenset(named) if named else (None if self.group_by else from_parent.group_by),
            group_wait_ms=from_parent.group_wait_ms if self.group_wait is None else self.group_wait,
            group_interval_ms=self.group_interval or from_parent.group_interval_ms,
            repeat_interval_ms=self.repeat_interval or from_parent.repeat_interval_ms,
            **self.leeway.build(),
        )
        return Route(
            options,
            [*old_style(self.match, self.match_re), *self.matchers],
            self.goes_on,
            self.mute_time_intervals,
            self.active_time_intervals,
            [route.build(options) for route in self.routes],
            own_key=self.leeway.group_key,
        )
