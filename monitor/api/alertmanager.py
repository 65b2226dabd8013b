"""The API of Alertmanager, version 2, over Leeway's alerts: `amtool` and dashboards that speak it work against it.

Others can post their alerts here, as Prometheus does; Leeway's own come from its models, and cannot be posted. What
silences have beyond Alertmanager's stands under their key `leeway`, which its clients pass over; who changes a silence
without that key leaves it as it is. A silence that recurs says so at the end of its comment, too, since that is what
those clients show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import yaml
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from monitor.alerts.lifecycle import POSTED
from monitor.api.alarms import standing_alerts
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer, read_matchers
from monitor.api.problems import ProblemError
from monitor.config.alerting import Alerting
from monitor.routing.acknowledgement_log import Acknowledgement, acknowledgements
from monitor.routing.incident_labels import with_incidents
from monitor.routing.inhibition import Rule
from monitor.routing.interval_spec import IntervalSpec, in_words, written
from monitor.routing.intervals import Interval
from monitor.routing.matchers import Matcher, MatcherError
from monitor.routing.message import annotations_of
from monitor.routing.overview import Standing, overview
from monitor.routing.posted import Given, posted, wrong
from monitor.routing.posted_log import PostedLog
from monitor.routing.routed_alert import NO_END, RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence, SilenceError
from sinks.receivers.contract import fingerprint

__all__ = ["router"]

router = APIRouter(prefix="/api/v2", tags=["alertmanager"])

VERSION = "0.28.1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)

Filters = Annotated[list[str] | None, Query(alias="filter", description='matchers, such as `severity="critical"`')]
Receiver = Annotated[str | None, Query(description="a regular expression for the whole name")]
Flag = Annotated[bool, Query()]


class PostedMatcher(BaseModel):
    """A matcher in parts."""

    name: str = Field(min_length=1)
    value: str
    isRegex: bool = False  # noqa: N815 -- Alertmanager's name
    isEqual: bool = True  # noqa: N815


class SilenceOptions(BaseModel, extra="forbid"):
    """What Alertmanager's silences do not have."""

    intervals: list[IntervalSpec] = Field(
        default_factory=list, description="when it counts, if not all the time, as in `time_intervals` of routes"
    )
    tells: list[str] = Field(
        default_factory=list, description="receivers that are told that it began, and that it is over"
    )


class PostedSilence(BaseModel):
    """A silence to be added, or, with an id, changed."""

    id: str = ""
    matchers: list[PostedMatcher] = Field(min_length=1)
    startsAt: AwareDatetime  # noqa: N815
    endsAt: AwareDatetime  # noqa: N815
    createdBy: str  # noqa: N815
    comment: str
    leeway: SilenceOptions | None = Field(default=None, description="as it was, if absent")


class PostedAlert(BaseModel):
    """An alert from elsewhere; the zero of Go's time, which some write, counts as none."""

    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    startsAt: AwareDatetime | None = None  # noqa: N815
    endsAt: AwareDatetime | None = Field(default=None, description="over after `resolve_timeout` if absent")  # noqa: N815
    generatorURL: str = Field(default="", description="where more is said")  # noqa: N815

    def given(self) -> Given:
        """Return it with times in ms."""
        starts_ms, ends_ms = (None if at is None or at == NO_TIME else _ms(at) for at in (self.startsAt, self.endsAt))
        return Given(self.labels, self.annotations or {}, starts_ms, ends_ms, self.generatorURL)


class Named(BaseModel):
    """A receiver."""

    name: str


class AlertStatus(BaseModel):
    """What keeps an alert quiet."""

    state: Literal["active", "suppressed"]
    silencedBy: list[str] = Field(description="ids of silences")  # noqa: N815
    inhibitedBy: list[str] = Field(description="fingerprints of alerts")  # noqa: N815
    mutedBy: list[str] = Field(description="why nobody is told now; of groups only")  # noqa: N815


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
    """Alerts that are told together."""

    labels: dict[str, str]
    receiver: Named
    alerts: list[FiringAlert]


class SilenceState(BaseModel):
    """Whether a silence counts now."""

    state: Literal["active", "pending", "expired"]


class KeptSilence(BaseModel):
    """A silence."""

    id: str
    status: SilenceState
    updatedAt: str  # noqa: N815
    startsAt: str  # noqa: N815
    endsAt: str  # noqa: N815
    createdBy: str  # noqa: N815
    comment: str
    matchers: list[PostedMatcher]
    leeway: SilenceOptions | None = Field(default=None, description="absent of silences that Alertmanager could have")


class Spoken(BaseModel):
    """The version that is spoken, and the routes in force."""

    cluster: dict[str, Any]
    versionInfo: dict[str, str]  # noqa: N815
    config: dict[str, str]
    uptime: str


class SilenceId(BaseModel):
    """Which silence it became."""

    silenceID: str  # noqa: N815


@router.get("/status", summary="The version that is spoken, and the routes in force", response_model=Spoken)
def version_and_routes(service: TheService) -> Response:
    alerting, others = _alerting(service)
    built = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "leeway")
    return answer(
        {
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {"version": VERSION, **built},
            "config": {"original": yaml.safe_dump(alerting.as_written(others), allow_unicode=True, sort_keys=False)},
            "uptime": _written(service.clock.now_ms()),
        }
    )


@router.get("/receivers", summary="The receivers that routes may name", response_model=list[Named])
def receivers(service: TheService) -> Response:
    alerting, others = _alerting(service)
    return answer([{"name": name} for name in (*(one.name for one in alerting.receivers), *others)])


# -- alerts ------------------------------------------------------------------------------------------------------------


@router.get("/alerts", summary="Alerts that fire, and what keeps them quiet", response_model=list[FiringAlert])
def firing_alerts(
    service: TheService,
    filters: Filters = None,
    receiver: Receiver = None,
    active: Flag = True,
    silenced: Flag = True,
    inhibited: Flag = True,
) -> Response:
    found = _filtered(service, filters, active=active, silenced=silenced, inhibited=inhibited)
    named = _receiver(receiver)
    rows = [_row(one) for one in found if any(named.matches({"": route.options.receiver}) for route in one.routes)]
    return answer(sorted(rows, key=lambda row: str(row["fingerprint"])))


@router.post("/alerts", summary="Take alerts from elsewhere")
def post_alerts(given: list[PostedAlert], service: TheService) -> Response:
    alerting, _ = _alerting(service)
    now_ms = service.clock.now_ms()
    taken = [posted(one.given(), now_ms, alerting.global_.resolve_timeout) for one in given]
    # What can be taken is, as in Alertmanager: one bad alert of Prometheus's must not keep the others back.
    PostedLog(service.store).put(alert for alert in taken if not wrong(alert))
    if problems := [
        {"field": f"{place}", "message": message} for place, one in enumerate(taken) if (message := wrong(one))
    ]:
        said = "; ".join(dict.fromkeys(problem["message"] for problem in problems))
        raise ProblemError(
            "bad-alert", f"{len(problems)} of {len(taken)} alerts were not taken: {said}", errors=problems
        )
    return Response(status_code=200)


@router.get(
    "/alerts/groups", summary="Alerts that fire, in the groups in which they are told", response_model=list[AlertGroup]
)
def alert_groups(
    service: TheService,
    filters: Filters = None,
    receiver: Receiver = None,
    active: Flag = True,
    silenced: Flag = True,
    inhibited: Flag = True,
    muted: Flag = True,
) -> Response:
    named = _receiver(receiver)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in _filtered(service, filters, active=active, silenced=silenced, inhibited=inhibited):
        for route in one.routes:
            name = route.options.receiver
            if named.matches({"": name}) and (muted or route.id not in one.muted):
                labels = route.options.group_of(one.alert.labels)
                group = {"labels": labels, "receiver": {"name": name}, "alerts": []}
                muting = [one.muted[route.id]] if route.id in one.muted else []
                key = route.id, route.group_key(one.alert.labels)
                found.setdefault(key, group)["alerts"].append(_row(one, muting))
    return answer([found[key] for key in sorted(found, key=lambda key: (key[1], key[0]))])


def _filtered(
    service: ApiService, filters: list[str] | None, *, active: bool, silenced: bool, inhibited: bool
) -> list[Standing]:
    alerting, _ = _alerting(service)
    wanted = read_matchers("filter", filters)
    now_ms = service.clock.now_ms()
    root = alerting.route.build()
    found = overview(
        _firing(service, root),
        root,
        [Rule(rule.source, rule.target, rule.equal) for rule in alerting.inhibit_rules],
        SilenceLog(service.store, service.clock).all(),
        alerting.intervals,
        now_ms,
    )
    return [
        one
        for one in found
        if (active or one.is_suppressed)
        and (silenced or not one.silenced_by)
        and (inhibited or not one.inhibited_by)
        and all(matcher.matches(one.alert.matched) for matcher in wanted)
    ]


def _firing(service: ApiService, root: Route) -> list[RoutedAlert]:
    """What fires: Leeway's own, and what others have posted, which may not have become a transition yet."""
    taken, external_url = acknowledgements(service.store), service.configuration.service.spec.external_url
    firing = standing_alerts(service.store, state="firing")
    found, known = [], {}
    for row, labelled in zip(firing, with_incidents(service.store, root, firing), strict=True):
        labels, said = labelled["labels"], _acknowledged(row, taken.get(row["alert_id"]))
        if row["model"] == POSTED:
            known[fingerprint(row["labels"])] = labels, said
        else:
            annotations = annotations_of(row, external_url) | said
            found.append(RoutedAlert(labels, row["starts_ms"], annotations=annotations, updated_ms=row["at_ms"]))
    for told in (alert.routed for alert in PostedLog(service.store).firing(service.clock.now_ms())):
        labels, said = known.get(told.fingerprint, (told.labels, {}))
        found.append(replace(told, labels=labels, annotations={**told.annotations, **said}))
    return found


def _acknowledged(row: dict[str, Any], taken: Acknowledgement | None) -> dict[str, str]:
    if taken is None or not taken.holds(row["sequence"]):
        return {}
    comment = f": {taken.comment}" if taken.comment else ""
    return {"acknowledged": f"by {taken.created_by} at {_written(taken.at_ms)}{comment}"}


def _row(one: Standing, muted_by: list[str] | None = None) -> dict[str, Any]:
    alert = one.alert
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "fingerprint": alert.fingerprint,
        "startsAt": _written(alert.starts_ms),
        "updatedAt": _written(alert.updated_ms),
        # Leeway's own have no end yet; a time is wanted all the same.
        "endsAt": "0001-01-01T00:00:00.000Z" if alert.ends_ms == NO_END else _written(alert.ends_ms),
        "generatorURL": alert.link,
        "receivers": [{"name": route.options.receiver} for route in one.routes],
        "status": {
            "state": "suppressed" if one.is_suppressed else "active",
            "silencedBy": list(one.silenced_by),
            "inhibitedBy": list(one.inhibited_by),
            "mutedBy": muted_by or [],
        },
    }


# -- silences ----------------------------------------------------------------------------------------------------------


@router.get("/silences", summary="Silences; those that are over for five days", response_model=list[KeptSilence])
def silences(service: TheService, filters: Filters = None) -> Response:
    log, now_ms = _log(service), service.clock.now_ms()
    wanted = read_matchers("filter", filters)
    found = [silence for silence in log.all() if _is_wanted(silence, wanted)]
    order = {"active": 0, "pending": 1, "expired": 2}
    found.sort(key=lambda silence: (order[silence.state(now_ms)], silence.ends_ms, silence.id))
    return answer([_silence(silence, now_ms) for silence in found])


@router.post("/silences", summary="Add a silence, or change one", response_model=SilenceId)
def silence(posted: PostedSilence, service: TheService) -> Response:
    log = _log(service)
    _refuse_unknown_receivers(service, posted)
    try:
        wanted = _wanted(log, posted)
        if wanted.ends_ms < service.clock.now_ms():
            raise SilenceError("a silence ends in the future")
        name = log.set(wanted)
    except (SilenceError, MatcherError) as error:
        raise ProblemError("bad-parameter", str(error)) from error
    return answer({"silenceID": name})


@router.get("/silence/{name}", summary="One silence", response_model=KeptSilence)
def one_silence(name: str, service: TheService) -> Response:
    try:
        return answer(_silence(_log(service).get(name), service.clock.now_ms()))
    except SilenceError as error:
        raise ProblemError("not-found", str(error)) from error


@router.delete("/silence/{name}", summary="End a silence")
def end_silence(name: str, service: TheService) -> Response:
    try:
        _log(service).expire(name)
    except SilenceError as error:
        raise ProblemError("not-found", str(error)) from error
    return Response(status_code=200)


def _wanted(log: SilenceLog, posted: PostedSilence) -> Silence:
    known = log.get(posted.id) if posted.id else None
    if posted.leeway is not None:
        intervals: Sequence[Interval] = [spec.build() for spec in posted.leeway.intervals]
        tells: Sequence[str] = posted.leeway.tells
    else:
        intervals, tells = ((), ()) if known is None else (known.intervals, known.tells)
    return Silence(
        posted.id,
        tuple(Matcher(one.name, _operator(one), one.value) for one in posted.matchers),
        _ms(posted.startsAt),
        _ms(posted.endsAt),
        posted.createdBy,
        posted.comment if known is None else posted.comment.removesuffix(_recurring(known)),
        intervals=intervals,
        tells=tells,
    )


def _refuse_unknown_receivers(service: ApiService, posted: PostedSilence) -> None:
    alerting, others = _alerting(service)
    known = {*(receiver.name for receiver in alerting.receivers), *others}
    for name in posted.leeway.tells if posted.leeway else ():
        if name not in known:
            raise ProblemError("bad-parameter", f"no receiver is named {name!r}; there are {', '.join(sorted(known))}")


def _recurring(silence: Silence) -> str:
    """What a comment ends with."""
    return f" [only {in_words(silence.intervals)}]" if silence.intervals else ""


def _log(service: ApiService) -> SilenceLog:
    return SilenceLog(service.store, service.clock)


def _is_wanted(silence: Silence, wanted: list[Matcher]) -> bool:
    """Alertmanager asks of a silence's matchers what it asks of labels."""
    values = {matcher.name: matcher.value for matcher in silence.matchers}
    return all(matcher.matches(values) for matcher in wanted)


def _operator(posted: PostedMatcher) -> Literal["=", "!=", "=~", "!~"]:
    if posted.isRegex:
        return "=~" if posted.isEqual else "!~"
    return "=" if posted.isEqual else "!="


def _silence(silence: Silence, now_ms: int) -> dict[str, Any]:
    own = {"intervals": written(silence.intervals), "tells": list(silence.tells)}
    named = {name: value for name, value in own.items() if value}
    return {
        "id": silence.id,
        "status": {"state": silence.state(now_ms)},
        "updatedAt": _written(silence.updated_ms),
        "startsAt": _written(silence.starts_ms),
        "endsAt": _written(silence.ends_ms),
        "createdBy": silence.created_by,
        "comment": f"{silence.comment}{_recurring(silence)}",
        "matchers": [
            {
                "name": matcher.name,
                "value": matcher.value,
                "isRegex": matcher.operator in ("=~", "!~"),
                "isEqual": matcher.operator in ("=", "=~"),
            }
            for matcher in silence.matchers
        ],
        **({"leeway": named} if named else {}),
    }


# -- what is asked -----------------------------------------------------------------------------------------------------


def _alerting(service: ApiService) -> tuple[Alerting, list[str]]:
    spec = service.configuration.service.spec
    digests = [digest.name for digest in spec.routing.leeway.digests]
    return spec.routing, [*(receiver.name for receiver in spec.receivers), *digests]


def _receiver(expression: str | None) -> Matcher:
    try:
        return Matcher("", "=~", ".*" if expression is None else expression)
    except MatcherError as error:
        message = str(error)
        raise ProblemError("bad-parameter", message, errors=[{"field": "receiver", "message": message}]) from error


def _ms(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def _written(at_ms: int) -> str:
    at = EPOCH + timedelta(milliseconds=at_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
