"""The API of Alertmanager, version 2, over Leeway's alerts: `amtool` and dashboards that speak it work against it.

Others can post their alerts here, as Prometheus does; Leeway's own come from its models, and cannot be posted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Annotated, Any, Literal

import yaml
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from monitor.alerts.transition import POSTED
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer, read_matchers, written
from monitor.api.problems import ProblemError, bad_parameter
from monitor.api.standing_alerts import standing_alerts
from monitor.api.times import ms_of, rfc3339
from monitor.config.alerting import Alerting
from monitor.routing.acknowledgement_log import Acknowledgement, acknowledgements
from monitor.routing.incident_labels import groups_by_incident, with_incidents
from monitor.routing.inhibition import Rule
from monitor.routing.matchers import Matcher, MatcherError
from monitor.routing.message import annotations_of
from monitor.routing.overview import Standing, overview
from monitor.routing.posted import Post, posted, why_refused
from monitor.routing.posted_bounds import PostedBounds, Room
from monitor.routing.posted_log import PostedLog
from monitor.routing.routed_alert import NO_END, RoutedAlert, place, place_of_group
from monitor.routing.routes import Route
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silences
from sinks.receivers.contract import fingerprint

__all__ = ["Filters", "Time", "alerting_of", "router"]

router = APIRouter(prefix="/api/v2", tags=["alertmanager"])

REASONS = 10
VERSION = "0.28.1"
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""The zero of Go's time."""

Filters = Annotated[list[str] | None, Query(alias="filter", description='matchers, such as `severity="critical"`')]
Flag = Annotated[bool, Query()]


class Named(BaseModel):
    """A receiver."""

    name: str


class Spoken(BaseModel):
    """The version that is spoken, and the routes in force."""

    cluster: dict[str, Any]
    versionInfo: dict[str, str]  # noqa: N815
    config: dict[str, str]
    uptime: str


def _well_formed(value: object) -> object:
    """Read half a surrogate pair as Go does, so that one bad alert keeps no other back."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _no_number(value: object) -> object:
    """Refuse a number, as Go does: whether it is seconds or milliseconds would be a guess by its size."""
    if isinstance(value, (int, float)):
        raise ValueError("a time is a text, as RFC 3339 has it")
    return value


Text = Annotated[str, BeforeValidator(_well_formed)]
Time = Annotated[AwareDatetime, BeforeValidator(_no_number)]


class PostedAlert(BaseModel):
    """An alert from elsewhere; the zero of Go's time, which some write, counts as none."""

    labels: dict[Text, Text]
    annotations: dict[Text, Text] | None = None
    startsAt: Time | None = None  # noqa: N815
    endsAt: Time | None = Field(default=None, description="over after `resolve_timeout` if absent")  # noqa: N815
    generatorURL: Text = Field(default="", description="where more is said")  # noqa: N815

    def given(self) -> Post:
        """Return it with times in ms."""
        starts_ms, ends_ms = (None if at is None or at == NO_TIME else ms_of(at) for at in (self.startsAt, self.endsAt))
        return Post(self.labels, self.annotations or {}, starts_ms, ends_ms, self.generatorURL)


class AlertStatus(BaseModel):
    """What keeps an alert quiet."""

    state: Literal["active", "suppressed"]
    silencedBy: list[str] = Field(description="ids of silences")  # noqa: N815
    inhibitedBy: list[str] = Field(description="fingerprints of alerts")  # noqa: N815
    mutedBy: list[str] = Field(description="why nobody is notified now; of groups only")  # noqa: N815


class FiringAlert(BaseModel):
    """An alert that fires."""

    labels: dict[str, str]
    annotations: dict[str, str]
    fingerprint: str
    startsAt: str  # noqa: N815
    updatedAt: str  # noqa: N815
    endsAt: str = Field(description="of no meaning for Leeway's own alerts")  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    receivers: list[Named]
    status: AlertStatus


class AlertGroup(BaseModel):
    """Alerts that are notified together."""

    labels: dict[str, str]
    receiver: Named
    alerts: list[FiringAlert]


@router.get("/status", summary="The version that is spoken, and the routes in force", response_model=Spoken)
def version_and_routes(service: TheService) -> Response:
    alerting, others = alerting_of(service)
    built = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "leeway")
    return answer(
        {
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {"version": VERSION, **built},
            "config": {"original": yaml.safe_dump(alerting.as_written(others), allow_unicode=True, sort_keys=False)},
            "uptime": rfc3339(service.clock.now_ms()),
        }
    )


@router.get("/receivers", summary="The receivers that routes may name", response_model=list[Named])
def receivers(service: TheService) -> Response:
    alerting, others = alerting_of(service)
    return answer([{"name": name} for name in (*(receiver.name for receiver in alerting.receivers), *others)])


def alerting_of(service: ApiService) -> tuple[Alerting, list[str]]:
    """Return the routes in force, and the names of the receivers that stand beside theirs."""
    spec = service.configuration.service.spec
    digests = [digest.name for digest in spec.routing.leeway.digests]
    return spec.routing, [*(receiver.name for receiver in spec.receivers), *digests]


@dataclass(frozen=True)
class Chosen:
    """Which alerts are shown."""

    matchers: list[Matcher]
    receiver: Matcher
    active: bool
    silenced: bool
    inhibited: bool

    def passes(self, standing: Standing) -> bool:
        """Whether an alert is shown, whoever is notified of it."""
        return (
            (self.active or standing.is_suppressed)
            and (self.silenced or not standing.silenced_by)
            and (self.inhibited or not standing.inhibited_by)
            and all(matcher.matches(standing.alert.matched) for matcher in self.matchers)
        )

    def has_receiver(self, route: Route) -> bool:
        """Whether a route notifies a receiver that is shown."""
        return self.receiver.matches({"": route.options.receiver})


async def chosen_by(
    filters: Filters = None,
    receiver: Annotated[str | None, Query(description="a regular expression for the whole name")] = None,
    active: Flag = True,
    silenced: Flag = True,
    inhibited: Flag = True,
) -> Chosen:
    """Read which alerts are shown."""
    try:
        named = Matcher("", "=~", ".*" if receiver is None else receiver)
    except MatcherError as error:
        raise bad_parameter("receiver", str(error)) from error
    return Chosen(read_matchers("filter", filters), named, active, silenced, inhibited)


TheChosen = Annotated[Chosen, Depends(chosen_by)]


@router.get("/alerts", summary="Alerts that fire, and what keeps them quiet", response_model=list[FiringAlert])
def firing_alerts(service: TheService, chosen: TheChosen) -> Response:
    # Each is written as soon as it is known, since there may be very many.
    rows = [
        (standing.alert.fingerprint, written(_row(standing)))
        for standing in _standing(service, chosen)
        if chosen.passes(standing) and any(map(chosen.has_receiver, standing.routes))
    ]
    return answer([row for _, row in sorted(rows, key=itemgetter(0))])


@router.post("/alerts", summary="Take alerts from elsewhere", response_class=Response)
def post_alerts(body: list[PostedAlert], service: TheService) -> Response:
    alerting, _ = alerting_of(service)
    now_ms = service.clock.now_ms()
    alerts = [posted(alert.given(), now_ms, alerting.global_.resolve_timeout) for alert in body]
    # What can be taken is, as in Alertmanager: one bad alert of Prometheus's must not keep the others back.
    refused = {index: why for index, alert in enumerate(alerts) if (why := why_refused(alert))}
    kind = "bad-alert" if refused else "too-many-alerts"
    sound = [index for index in range(len(alerts)) if index not in refused]
    spec, bounds = service.configuration.service.spec.api, PostedBounds.of(service.store)
    room = Room(spec.max_posted_alerts, spec.max_posted_bytes)
    too_many = bounds.refusals(service.store, [alerts[index] for index in sound], now_ms, room)
    refused |= {sound[number]: why for number, why in too_many.items()}
    PostedLog(service.store).put(alert for index, alert in enumerate(alerts) if index not in refused)
    if refused:
        raise ProblemError(kind, f"{len(refused)} of {len(alerts)} alerts were not taken: {_listed(refused)}")
    return Response(status_code=200)


def _listed(refused: Mapping[int, str]) -> str:
    """The first reasons: a post may hold very many alerts."""
    reasons = [f"alert {index}: {why}" for index, why in sorted(refused.items())[:REASONS]]
    unlisted = len(refused) - len(reasons)
    return "; ".join([*reasons, *([f"and {unlisted} more"] if unlisted else [])])


@router.get(
    "/alerts/groups",
    summary="Alerts that fire, in the groups in which they are notified",
    response_model=list[AlertGroup],
)
def alert_groups(service: TheService, chosen: TheChosen, muted: Flag = True) -> Response:
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for standing in filter(chosen.passes, _standing(service, chosen)):
        labels, ordered_by = standing.alert.labels, place(standing.alert.labels)
        for route in filter(chosen.has_receiver, standing.routes):
            if muted or route.id not in standing.muted:
                empty = {
                    "labels": route.options.group_of(labels),
                    "receiver": {"name": route.options.receiver},
                    "alerts": [],
                }
                group = groups.setdefault((route.group_key(labels), route.id), empty)
                muting = [standing.muted[route.id]] if route.id in standing.muted else []
                group["alerts"].append((ordered_by, written(_row(standing, muting))))
    for group in groups.values():
        group["alerts"] = [row for _, row in sorted(group["alerts"], key=itemgetter(0))]
    return answer(
        sorted(groups.values(), key=lambda group: (place_of_group(group["labels"]), group["receiver"]["name"]))
    )


def _standing(service: ApiService, chosen: Chosen) -> Iterator[Standing]:
    """How alerts stand that may be shown; others of which nothing follows for these are left out."""
    alerting, _ = alerting_of(service)
    root = alerting.route.build()
    rules = [Rule(rule.source, rule.target, rule.equal) for rule in alerting.inhibit_rules]
    silences = Silences.of(service.store)
    for silence in SilenceLog(service.store, service.clock).all():
        silences.put(silence)
    return overview(
        _firing(service, root, [chosen.matchers, *(rule.source for rule in rules)]),
        root,
        rules,
        silences,
        alerting.intervals,
        service.clock.now_ms(),
    )


def _firing(service: ApiService, root: Route, choices: Sequence[Sequence[Matcher]]) -> list[RoutedAlert]:
    """What fires: Leeway's own, and what others have posted, which may not have become a transition yet.

    Of what was posted, which may be very much, only what the matchers of a choice may match.
    """
    taken, external_url = acknowledgements(service.store), service.configuration.service.spec.external_url
    # The transitions of what was posted say who has taken it on, and of which incident it is.
    besides = () if taken or groups_by_incident(root) else (POSTED,)
    firing = standing_alerts(service.store, state="firing", besides=besides)
    alerts, of_posted = [], {}
    for row, labelled in zip(firing, with_incidents(service.store, root, firing), strict=True):
        labels, acknowledged = labelled["labels"], _acknowledged(row, taken.get(row["alert_id"]))
        if row["model"] == POSTED:
            of_posted[fingerprint(row["labels"])] = labels, acknowledged
        else:
            annotations = annotations_of(row, external_url) | acknowledged
            alerts.append(RoutedAlert(labels, row["starts_ms"], annotations=annotations, updated_ms=row["at_ms"]))
    for alert in (each.routed for each in PostedLog(service.store).firing(service.clock.now_ms(), choices)):
        alerts.append(_as_it_stands(alert, of_posted.get(alert.fingerprint)))
    return alerts


def _as_it_stands(posted_alert: RoutedAlert, standing: tuple[dict[str, str], dict[str, str]] | None) -> RoutedAlert:
    """Return what was posted with what its transition says: labels, and who has taken it on."""
    if standing is None:
        return posted_alert
    labels, acknowledged = standing
    return replace(posted_alert, labels=labels, annotations={**posted_alert.annotations, **acknowledged})


def _acknowledged(row: dict[str, Any], taken: Acknowledgement | None) -> dict[str, str]:
    if taken is None or not taken.holds(row["sequence"]):
        return {}
    comment = f": {taken.comment}" if taken.comment else ""
    return {"acknowledged": f"by {taken.created_by} at {rfc3339(taken.at_ms)}{comment}"}


def _row(standing: Standing, muted_by: list[str] | None = None) -> dict[str, Any]:
    alert = standing.alert
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "fingerprint": alert.fingerprint,
        "startsAt": rfc3339(alert.starts_ms),
        "updatedAt": rfc3339(alert.updated_ms),
        # Leeway's own have no end yet; a time is wanted all the same.
        "endsAt": "0001-01-01T00:00:00.000Z" if alert.ends_ms == NO_END else rfc3339(alert.ends_ms),
        "generatorURL": alert.link,
        "receivers": [{"name": route.options.receiver} for route in standing.routes],
        "status": {
            "state": "suppressed" if standing.is_suppressed else "active",
            "silencedBy": list(standing.silenced_by),
            "inhibitedBy": list(standing.inhibited_by),
            "mutedBy": muted_by or [],
        },
    }
