"""Who is told about which alerts, and when: the configuration of Prometheus Alertmanager, as it is written there.

What Alertmanager 0.28 knows and Leeway does not support is refused by its name; what neither knows is an unknown key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from monitor.routing.flapping import Hold
from monitor.routing.interval_spec import Minute, NamedIntervals, Zone
from monitor.routing.intervals import Interval
from monitor.routing.matchers import Matcher, parse_matchers
from monitor.routing.routes import Route, RouteOptions, Step
from monitor.routing.timetable import Digest, Timetable
from monitor.values import Strict, format_duration
from sinks.receivers import read_parameters
from sinks.receivers.parameters import Parameters

__all__ = [
    "AlertReceiver",
    "Alerting",
    "AlertingGlobal",
    "AlertingOptions",
    "DigestSpec",
    "HoldSpec",
    "InhibitRule",
    "LeewayOptions",
    "RouteSpec",
    "StepSpec",
    "WebhookConfig",
    "is_alertmanagers",
    "matchers",
]

_ALERTMANAGERS = re.compile(
    r"(discord|email|jira|msteams|msteamsv2|opsgenie|pagerduty|pushover|rocketchat|slack|sns|telegram|victorops|webex"
    r"|wechat)_configs|(jira|opsgenie|pagerduty|rocketchat|slack|smtp|telegram|victorops|webex|wechat)_\w+"
    r"|http_config|templates|tracing"
)


def is_alertmanagers(key: str) -> bool:
    """Whether a key is Alertmanager's, and not supported.

    Examples
    --------
    >>> is_alertmanagers("slack_configs"), is_alertmanagers("slak_configs")
    (True, False)
    """
    return _ALERTMANAGERS.fullmatch(key) is not None


# -- scalars -----------------------------------------------------------------------------------------------------------

_UNITS = (("y", 365 * 86_400_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000))
_DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms")))
_PARTS_MS = [ms for _, ms in _UNITS] + [1_000, 1]
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def parse_prometheus_duration(value: object) -> int:
    """Return a duration as Prometheus writes it in ms: whole numbers, units from large to small, or ``0``.

    Examples
    --------
    >>> parse_prometheus_duration("1h30m"), parse_prometheus_duration("0")
    (5400000, 0)
    """
    text = str(value)
    found = _DURATION.fullmatch(text)
    if text == "0" and not isinstance(value, bool):
        return 0
    if not isinstance(value, str) or not text or found is None:
        raise ValueError(f"expected a duration such as 30s, 5m or 1h30m, got {value!r}")
    return sum(int(part) * ms for part, ms in zip(found.groups(), _PARTS_MS, strict=True) if part)


def _text(value: object) -> object:
    """YAML reads a plain 1 or true as something else than the text that Alertmanager takes it for."""
    return str(value).lower() if isinstance(value, bool | int | float) else value


def matchers(value: object) -> object:
    """Return the matchers of a list of texts, each of which may hold several."""
    if not isinstance(value, list):
        raise ValueError("expected a list of matchers, such as ['team=\"a\"', 'severity=~\"warning|critical\"']")
    found: list[Matcher] = []
    for text in value:
        found += [text] if isinstance(text, Matcher) else parse_matchers(str(_text(text)))
    return found


def _label(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected the name of a label, got {value!r}")
    return value


_Duration = Annotated[
    int,
    BeforeValidator(parse_prometheus_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
_Matchers = Annotated[
    list[Matcher],
    BeforeValidator(matchers),
    PlainSerializer(lambda found: [str(one) for one in found]),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
_Values = dict[Annotated[str, Field(pattern=f"^{_LABEL.pattern}$")], Annotated[str, BeforeValidator(_text)]]
_Label = Annotated[str, BeforeValidator(_label)]


def _old_style(equal: dict[str, str], expressions: dict[str, str]) -> Iterator[Matcher]:
    """What `match` and `match_re` say; the text of an expression is what Alertmanager's group keys hold."""
    for name, value in equal.items():
        yield Matcher(name, "=", value)
    for name, value in expressions.items():
        yield Matcher(name, "=~", f"^(?:{value})$")


# -- sections ----------------------------------------------------------------------------------------------------------


class AlertingGlobal(Strict):
    """What Alertmanager keeps for all receivers."""

    resolve_timeout: _Duration = Field(
        default=300_000,
        description="when an alert is over that others post without an end, if it does not come again",
    )


class HoldSpec(Strict):
    """From when, and for how long, alerts that fire and end again and again are held."""

    changes: int = Field(default=5, ge=2, description="so many beginnings and ends")
    within: _Duration = Field(default=3_600_000, description="in so much time")
    until_steady: _Duration = Field(
        default=1_800_000, description="held until there was neither a beginning nor an end for so long"
    )

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
    """Whom else to tell if nobody takes an alert on."""

    after: _Duration = Field(description="so long after the route's receiver was first told of it")
    receiver: str = Field(description="of `receivers`, or of `spec.receivers`")


class LeewayOptions(Strict):
    """What a route may say beyond Alertmanager's configuration; what it does not say it has from its parent."""

    late_ends: bool | None = Field(
        default=None,
        description="tell an end that was silenced, inhibited or muted when that is over, to who knows that it fired",
    )
    hold: HoldSpec | bool | None = Field(
        default=None, description="tell alerts that flap once, until they are steady; `true` with its defaults"
    )

    only_changes: bool | None = Field(
        default=None, description="leave out of notifications what the receiver knows as it is; they count it"
    )

    escalate: list[StepSpec] | None = Field(
        default=None, description="who is told besides if nobody takes an alert on; `[]`: nobody"
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
        if any(later <= before for before, later in pairwise(waits)):
            raise ValueError("each step comes later than the one before, and the first after more than 0s")
        return value

    def build(self) -> dict[str, Any]:
        """Return what is said, as :class:`~monitor.routing.routes.RouteOptions` has it."""
        switches = {name: getattr(self, name) for name in ("late_ends", "only_changes", "every_change")}
        found: dict[str, Any] = {name: value for name, value in switches.items() if value is not None}
        if self.hold is not None:
            hold = HoldSpec() if self.hold is True else self.hold
            found["hold"] = hold.build() if isinstance(hold, HoldSpec) else None
        if self.escalate is not None:
            found["escalate"] = tuple(Step(step.after, step.receiver) for step in self.escalate)
        return found


class DigestSpec(Strict):
    """A receiver that is sent summaries."""

    name: str = Field(min_length=1, description="what routes name")
    receiver: str = Field(description="of `receivers`, or of `spec.receivers`: who is sent the summaries")
    at: list[Minute] = Field(
        default_factory=list, description="times of the day, such as `08:00`; each full hour of UTC if absent"
    )
    location: Zone | None = Field(default=None, description="a time zone, such as `Europe/Berlin`; UTC if absent")
    send_empty: bool = Field(default=False, description="also when nothing began, ended or fires")

    @field_validator("at")
    @classmethod
    def _are_of_the_day(cls, value: list[int]) -> list[int]:
        if any(minute >= 24 * 60 for minute in value):
            raise ValueError("24:00 is 00:00 of the next day")
        return value

    @model_validator(mode="after")
    def _place_has_times(self) -> Self:
        if self.location is not None and not self.at:
            raise ValueError("location says whose times of the day `at` has, and goes with it")
        return self

    def build(self) -> Digest:
        """Return it as the router uses it."""
        return Digest(Timetable(tuple(self.at), self.location or UTC), self.send_empty)


class AlertingOptions(Strict):
    """What Alertmanager does not have, and no route says."""

    silence_notices: list[str] = Field(
        default_factory=list, description="receivers that are told when a silence begins, and when it is over"
    )
    digests: list[DigestSpec] = Field(
        default_factory=list, description="receivers that collect what they are told, and send it as one summary"
    )


class RouteSpec(Strict):
    """A route, with its children."""

    receiver: str = Field(default="", description="of `receivers`, or of `spec.receivers`; the parent's if absent")
    group_by: list[_Label] = Field(
        default_factory=list, description='labels that alerts of one notification share; `"..."` is all of them'
    )
    match: _Values = Field(default_factory=dict, description="the old way to write `matchers` with `=`")
    match_re: _Values = Field(default_factory=dict, description="the old way to write `matchers` with `=~`")
    matchers: _Matchers = Field(default_factory=list, description='such as `team="a"`; all have to match')
    mute_time_intervals: list[str] = Field(default_factory=list, description="intervals in which nobody is told")
    active_time_intervals: list[str] = Field(
        default_factory=list, description="intervals outside of which nobody is told"
    )
    goes_on: bool = Field(default=False, alias="continue", description="also ask the next siblings")
    group_wait: _Duration | None = Field(default=None, description="how long a new group waits for more; 30s")
    group_interval: _Duration | None = Field(default=None, description="how often a group is looked at; 5m")
    repeat_interval: _Duration | None = Field(default=None, description="when what has not changed is told again; 4h")
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
        list(_old_style({}, value))
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
            [*_old_style(self.match, self.match_re), *self.matchers],
            self.goes_on,
            self.mute_time_intervals,
            self.active_time_intervals,
            [route.build(options) for route in self.routes],
            own_key=self.leeway.group_key,
        )


class InhibitRule(Strict):
    """While an alert of the source is there, those of the target are not told."""

    source_match: _Values = Field(default_factory=dict, description="the old way to write `source_matchers`")
    source_match_re: _Values = Field(default_factory=dict)
    source_matchers: _Matchers = Field(default_factory=list)
    target_match: _Values = Field(default_factory=dict, description="the old way to write `target_matchers`")
    target_match_re: _Values = Field(default_factory=dict)
    target_matchers: _Matchers = Field(default_factory=list)
    equal: list[_Label] = Field(default_factory=list, description="labels that both have to share")

    @field_validator("source_match_re", "target_match_re")
    @classmethod
    def _expressions_compile(cls, value: dict[str, str]) -> dict[str, str]:
        list(_old_style({}, value))
        return value

    @property
    def source(self) -> list[Matcher]:
        """What the alerts match that keep others quiet."""
        return [*_old_style(self.source_match, self.source_match_re), *self.source_matchers]

    @property
    def target(self) -> list[Matcher]:
        """What the alerts match that are kept quiet."""
        return [*_old_style(self.target_match, self.target_match_re), *self.target_matchers]


class WebhookConfig(Strict):
    """Posts Alertmanager's version-4 body."""

    url: SecretStr | None = Field(default=None, description="never shown; better by reference: `${HOOK_URL}`")
    url_file: str = Field(
        default="",
        pattern="^(/.*)?$",
        description="instead, a file that holds it, by its whole path; read at each time",
    )
    send_resolved: bool = True
    max_alerts: int = Field(default=0, ge=0, description="so many alerts at most, and a count of the others; 0 is all")
    timeout: _Duration = Field(default=0, description="the receiver's own 10s if 0")
    allow_private: bool = Field(
        default=False, description="Leeway's own: whether the address may be in a private network or on this machine"
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"https?://[^/\s]", value.get_secret_value()):
            raise ValueError("expected an address that begins with http:// or https://")
        return value

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if (self.url is None) == (not self.url_file):
            raise ValueError("give either url or url_file")
        return self

    def entry(self) -> dict[str, Any]:
        """Return it as Alertmanager writes it, the address left out."""
        address = {"url": "<secret>"} if self.url is not None else {"url_file": self.url_file}
        most = {"max_alerts": self.max_alerts} if self.max_alerts else {}
        return {**address, "send_resolved": self.send_resolved, **most}

    def parameters(self, name: str) -> Parameters:
        """Return the parameters of a webhook that is such an entry."""
        stated = self.model_dump(exclude={"timeout"}, exclude_defaults=True)
        timeout = {"timeout": format_duration(self.timeout)} if self.timeout else {}
        return read_parameters({"kind": "webhook", "name": "webhook", **stated, **timeout}).named(name)


class AlertReceiver(Strict):
    """A receiver as Alertmanager has them: every entry is told. One without entries is told nothing."""

    name: str = Field(min_length=1)
    webhook_configs: list[WebhookConfig] = Field(default_factory=list)

    def entries(self) -> dict[str, Any]:
        """Return what is told, as Alertmanager writes it, addresses left out."""
        hooks = [hook.entry() for hook in self.webhook_configs]
        return {"webhook_configs": hooks} if hooks else {}


class Alerting(Strict):
    """Alertmanager's configuration, pasted."""

    global_: AlertingGlobal = Field(default_factory=AlertingGlobal, alias="global")
    route: RouteSpec = Field(description="the root, which matches every alert and so needs a receiver")
    receivers: list[AlertReceiver] = Field(default_factory=list, description="beside those of `spec.receivers`")
    inhibit_rules: list[InhibitRule] = Field(default_factory=list)
    mute_time_intervals: list[NamedIntervals] = Field(
        default_factory=list, description="the old way to write `time_intervals`"
    )
    time_intervals: list[NamedIntervals] = Field(default_factory=list, description="what routes name")
    leeway: AlertingOptions = Field(
        default_factory=AlertingOptions, exclude=True, description="what Alertmanager does not have"
    )

    @field_validator("global_", mode="before")
    @classmethod
    def _may_be_empty(cls, value: object) -> object:
        return {} if value is None else value

    @field_validator("route")
    @classmethod
    def _root_takes_all(cls, value: RouteSpec) -> RouteSpec:
        if not value.receiver:
            raise ValueError("the root needs a receiver: who is told what no other route takes")
        if value.match or value.match_re or value.matchers:
            raise ValueError("the root matches every alert, and has no matchers")
        if value.mute_time_intervals or value.active_time_intervals:
            raise ValueError("the root is never muted: give the intervals to its children")
        if value.goes_on:
            raise ValueError("the root has no siblings to continue with")
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for what, names in (
            ("receivers", [receiver.name for receiver in self.receivers]),
            ("time intervals", [one.name for one in (*self.mute_time_intervals, *self.time_intervals)]),
        ):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"two {what} are named {twice!r}")
        return self

    @property
    def intervals(self) -> dict[str, list[Interval]]:
        """Every named interval."""
        named = (*self.mute_time_intervals, *self.time_intervals)
        return {one.name: [spec.build() for spec in one.time_intervals] for one in named}

    def as_written(self, others: Sequence[str] = ()) -> dict[str, Any]:
        """Return the configuration as Alertmanager would have it, addresses left out.

        Parameters
        ----------
        others : sequence of str
            Names of receivers that are configured elsewhere; Alertmanager wants all that routes name.
        """
        written = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        receivers = [{"name": one.name} | one.entries() for one in self.receivers] + [{"name": name} for name in others]
        return {**written, "receivers": receivers}

    def wrong_names(
        self, others: Sequence[str], machines: Sequence[str] = ()
    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield where a route names something that does not exist.

        Parameters
        ----------
        others : sequence of str
            Names of receivers that are configured elsewhere.
        machines : sequence of str
            Those of them that open and close something, and have no use for summaries.
        """
        receivers = {*(receiver.name for receiver in self.receivers), *others}
        for place, receiver in enumerate(self.receivers):
            if receiver.name in others:
                yield ("receivers", place, "name"), f"spec.receivers has a receiver named {receiver.name!r} already"
        for place, name in enumerate(self.leeway.silence_notices):
            if name not in receivers:
                yield ("leeway", "silence_notices", place), f"no receiver is named {name!r}"
        digests: set[str] = set()
        for place, digest in enumerate(self.leeway.digests):
            path = ("leeway", "digests", place)
            if digest.name in receivers | digests:
                yield (*path, "name"), f"there is a receiver named {digest.name!r} already"
            if digest.receiver not in receivers:
                yield (*path, "receiver"), f"no receiver is named {digest.receiver!r}"
            if digest.receiver in machines:
                yield (*path, "receiver"), f"{digest.receiver!r} opens and closes incidents, and takes no summaries"
            digests.add(digest.name)
        yield from _wrong_names(self.route, ("route",), receivers | digests, set(self.intervals))


def _wrong_names(
    route: RouteSpec, path: tuple[str | int, ...], receivers: set[str], intervals: set[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if route.receiver and route.receiver not in receivers:
        yield (*path, "receiver"), f"no receiver is named {route.receiver!r}"
    for place, step in enumerate(route.leeway.escalate or ()):
        if step.receiver not in receivers:
            yield (*path, "leeway", "escalate", place, "receiver"), f"no receiver is named {step.receiver!r}"
    for key in ("mute_time_intervals", "active_time_intervals"):
        for place, name in enumerate(getattr(route, key)):
            if name not in intervals:
                yield (*path, key, place), f"no time interval is named {name!r}"
    for place, child in enumerate(route.routes):
        yield from _wrong_names(child, (*path, "routes", place), receivers, intervals)
