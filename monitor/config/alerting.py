"""Who is notified of which alerts, and when: the configuration of Prometheus Alertmanager, as it is written there.

What Alertmanager 0.28 knows and Leeway does not support is refused by its name; what neither knows is an unknown key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from monitor.config.alertmanager_entries import (
    AlertingGlobal,
    EmailConfig,
    Entry,
    OpsgenieConfig,
    PagerdutyConfig,
    SlackConfig,
    WebhookConfig,
)
from monitor.config.prometheus import Label, Matchers, Pasted, Values, old_style
from monitor.config.routes import RouteSpec
from monitor.routing.interval_spec import Minute, NamedIntervals, Zone
from monitor.routing.intervals import Interval
from monitor.routing.matchers import Matcher
from monitor.routing.timetable import Digest, Timetable
from monitor.values import Strict

__all__ = [
    "AlertReceiver",
    "Alerting",
    "AlertingGlobal",
    "AlertingOptions",
    "DigestSpec",
    "InhibitRule",
    "WebhookConfig",
    "is_alertmanagers",
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


class DigestSpec(Strict):
    """A receiver that is sent summaries."""

    name: str = Field(min_length=1, description="what routes name")
    receiver: str = Field(description="of `receivers`, or of `spec.receivers`: who is sent the summaries")
    at: list[Minute] = Field(
        default_factory=list, description="times of the day, such as `08:00`; each full hour of UTC if absent"
    )
    location: Zone | None = Field(default=None, description="a time zone, such as `Europe/Berlin`; UTC if absent")
    send_empty: bool = Field(default=False, description="also when nothing fires and nothing changed")

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
        default_factory=list, description="receivers that are notified when a silence begins, and when it is over"
    )
    digests: list[DigestSpec] = Field(
        default_factory=list, description="receivers that collect alerts, and send them as one summary"
    )


class InhibitRule(Pasted):
    """While an alert of the source fires, those of the target are not notified."""

    source_match: Values = Field(default_factory=dict, description="the old way to write `source_matchers`")
    source_match_re: Values = Field(default_factory=dict)
    source_matchers: Matchers = Field(default_factory=list)
    target_match: Values = Field(default_factory=dict, description="the old way to write `target_matchers`")
    target_match_re: Values = Field(default_factory=dict)
    target_matchers: Matchers = Field(default_factory=list)
    equal: list[Label] = Field(default_factory=list, description="labels that both have to share")

    @field_validator("source_match_re", "target_match_re")
    @classmethod
    def _expressions_compile(cls, value: dict[str, str]) -> dict[str, str]:
        list(old_style({}, value))
        return value

    @property
    def source(self) -> list[Matcher]:
        """What the alerts match that inhibit others."""
        return [*old_style(self.source_match, self.source_match_re), *self.source_matchers]

    @property
    def target(self) -> list[Matcher]:
        """What the alerts match that are inhibited."""
        return [*old_style(self.target_match, self.target_match_re), *self.target_matchers]


class AlertReceiver(Pasted):
    """A receiver as Alertmanager has them: every entry is notified. One without entries notifies nobody."""

    name: str = Field(min_length=1)
    webhook_configs: list[WebhookConfig] = Field(default_factory=list)
    email_configs: list[EmailConfig] = Field(default_factory=list)
    pagerduty_configs: list[PagerdutyConfig] = Field(default_factory=list)
    opsgenie_configs: list[OpsgenieConfig] = Field(default_factory=list)
    slack_configs: list[SlackConfig] = Field(default_factory=list)

    @property
    def kinds(self) -> dict[str, Sequence[Entry]]:
        """The entries of each kind that it has, by their keys, in the order in which they are numbered."""
        keys = (key for key in type(self).model_fields if key.endswith("_configs"))
        return {key: entries for key in keys if (entries := getattr(self, key))}

    @property
    def parts(self) -> list[Entry]:
        """All entries, in the order in which they are numbered."""
        return [entry for entries in self.kinds.values() for entry in entries]

    def entries(self) -> dict[str, Any]:
        """Return the entries as Alertmanager writes them, secrets left out."""
        return {key: [entry.entry() for entry in entries] for key, entries in self.kinds.items()}


class Alerting(Pasted):
    """Alertmanager's configuration, pasted."""

    global_: AlertingGlobal = Field(default_factory=AlertingGlobal, alias="global")
    route: RouteSpec = Field(description="the root, which matches every alert and so needs a receiver")
    receivers: list[AlertReceiver] = Field(default_factory=list, description="beside those of `spec.receivers`")
    inhibit_rules: list[InhibitRule] = Field(default_factory=list)
    templates: list[str] = Field(default_factory=list, description="without effect: Go's templates are not read")
    mute_time_intervals: list[NamedIntervals] = Field(
        default_factory=list, description="the old way to write `time_intervals`"
    )
    time_intervals: list[NamedIntervals] = Field(default_factory=list, description="what routes name")
    leeway: AlertingOptions = Field(
        default_factory=AlertingOptions, exclude=True, description="what Alertmanager does not have"
    )

    @field_validator("inhibit_rules", mode="before")
    @classmethod
    def _rules_may_be_empty(cls, value: object) -> object:
        return [{} if rule is None else rule for rule in value] if isinstance(value, list) else value

    @field_validator("route")
    @classmethod
    def _root_takes_all(cls, value: RouteSpec) -> RouteSpec:
        if not value.receiver:
            raise ValueError("the root needs a receiver: who is notified of what no other route takes")
        if value.match or value.match_re or value.matchers:
            raise ValueError("the root matches every alert, and has no matchers")
        if value.mute_time_intervals or value.active_time_intervals:
            raise ValueError("the root is never muted: give the intervals to its children")
        if value.goes_on:
            raise ValueError("the root has no siblings to continue with")
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for plural, names in (
            ("receivers", [receiver.name for receiver in self.receivers]),
            ("time intervals", [named.name for named in (*self.mute_time_intervals, *self.time_intervals)]),
        ):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"two {plural} are named {twice!r}")
        return self

    @model_validator(mode="after")
    def _nothing_is_missing(self) -> Self:
        for receiver in self.receivers:
            for key, entries in receiver.kinds.items():
                for number, entry in enumerate(entries):
                    if missing := entry.missing(self.global_):
                        raise ValueError(f"{key}.{number} of the receiver {receiver.name!r}: {missing}")
        return self

    def passed_over(self) -> list[str]:
        """Return the paths of keys that say how messages look: they have no effect, as Leeway words them itself."""
        return [
            *(["templates"] if self.templates else []),
            *(
                f"receivers.{index}.{key}.{number}.{name}"
                for index, receiver in enumerate(self.receivers)
                for key, entries in receiver.kinds.items()
                for number, entry in enumerate(entries)
                for name in entry.passed_over()
            ),
        ]

    @property
    def intervals(self) -> dict[str, list[Interval]]:
        """Every named interval."""
        every = (*self.mute_time_intervals, *self.time_intervals)
        return {named.name: [spec.build() for spec in named.time_intervals] for named in every}

    def as_written(self, others: Sequence[str] = ()) -> dict[str, Any]:
        """Return the configuration as Alertmanager would have it, addresses left out.

        Parameters
        ----------
        others : sequence of str
            Names of receivers that are configured elsewhere; Alertmanager wants all that routes name.
        """
        written = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        own = [{"name": receiver.name} | receiver.entries() for receiver in self.receivers]
        return {**written, "receivers": [*own, *({"name": name} for name in others)]}

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
        for index, receiver in enumerate(self.receivers):
            if receiver.name in others:
                yield ("receivers", index, "name"), f"spec.receivers has a receiver named {receiver.name!r} already"
        for index, name in enumerate(self.leeway.silence_notices):
            if name not in receivers:
                yield ("leeway", "silence_notices", index), f"no receiver is named {name!r}"
        digests: set[str] = set()
        for index, digest in enumerate(self.leeway.digests):
            path = ("leeway", "digests", index)
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
    for index, step in enumerate(route.leeway.escalate or ()):
        if step.receiver not in receivers:
            yield (*path, "leeway", "escalate", index, "receiver"), f"no receiver is named {step.receiver!r}"
    for key in ("mute_time_intervals", "active_time_intervals"):
        for index, name in enumerate(getattr(route, key)):
            if name not in intervals:
                yield (*path, key, index), f"no time interval is named {name!r}"
    for index, child in enumerate(route.routes):
        yield from _wrong_names(child, (*path, "routes", index), receivers, intervals)
