"""Subscriptions: who wants to be told about which alerts, beside the routes of the configuration."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer, read_matchers
from monitor.api.problems import ProblemError
from monitor.config.prometheus import parse_prometheus_duration
from monitor.errors import InputError
from monitor.routing.routes import RouteOptions
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from monitor.subscribers import reached

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

ALL = "..."
MOST = 10_000


class PostedSubscription(BaseModel):
    """Who wants to be told about what; `receiver`, `email` or `webhook` says who, and only one of them."""

    model_config = ConfigDict(extra="forbid")

    matchers: list[str] = Field(
        default_factory=list, max_length=100, description='such as `model="fraud"`; all have to match, none match all'
    )
    receiver: str = Field(default="", description="one that the configuration names")
    email: str = Field(default="", description="a mail address, where the configuration allows it")
    webhook: str = Field(default="", description="an address to post to, where the configuration allows it")
    group_by: list[str] = Field(
        default=["model"], description='labels that alerts of one notification share; `"..."` is all of them'
    )
    group_wait: str = Field(default="30s", description="how long a new group waits for more")
    group_interval: str = Field(default="5m", description="how often a group is looked at")
    repeat_interval: str = Field(default="4h", description="when what has not changed is told again")
    created_by: str = Field(min_length=1, max_length=200)
    comment: str = Field(default="", max_length=2_000)


class KeptSubscription(BaseModel):
    """A subscription."""

    id: str
    matchers: list[str]
    receiver: str | None = Field(description="one that the configuration names, or null")
    email: str | None
    webhook: str | None = Field(description="only the host: the rest may be a secret")
    group_by: list[str]
    group_wait_ms: int
    group_interval_ms: int
    repeat_interval_ms: int
    created_by: str
    comment: str
    created_ms: int
    told: str = Field(description="how decisions name the receiver; its entries are `told/NUMBER`")
    route: str = Field(description="how decisions name the subscription")
    problem: str | None = Field(description="why it tells nobody; null where it does")


class Subscriptions(BaseModel):
    """Subscriptions, in the order in which they were made."""

    items: list[KeptSubscription]


@router.get("/subscriptions", summary="Who wants to be told about which alerts", response_model=Subscriptions)
def subscriptions(service: TheService) -> Response:
    found = SubscriptionLog(service.store, service.clock).all()
    return answer({"items": [_shown(service, subscription) for subscription in found.values()]})


@router.post("/subscriptions", summary="Subscribe to alerts", response_model=KeptSubscription)
def subscribe(posted: PostedSubscription, service: TheService) -> Response:
    wanted = _wanted(posted)
    if (problem := _problem(service, wanted)) is not None:
        field = wanted.receiver if wanted.address else "receiver"
        raise ProblemError("bad-parameter", problem, errors=[{"field": field, "message": problem}])
    log = SubscriptionLog(service.store, service.clock)
    if len(log.all()) >= MOST:
        raise ProblemError("bad-parameter", f"there are {MOST:,} subscriptions already")
    return answer(_shown(service, log.add(wanted)))


@router.get("/subscriptions/{subscription}", summary="One subscription", response_model=KeptSubscription)
def one_subscription(subscription: str, service: TheService) -> Response:
    found = SubscriptionLog(service.store, service.clock).all().get(subscription)
    if found is None:
        raise _unknown(subscription)
    return answer(_shown(service, found))


@router.delete("/subscriptions/{subscription}", summary="End a subscription")
def unsubscribe(subscription: str, service: TheService) -> Response:
    if not SubscriptionLog(service.store, service.clock).end(subscription):
        raise _unknown(subscription)
    return Response(status_code=200)


def _unknown(name: str) -> ProblemError:
    return ProblemError("not-found", f"there is no subscription {name}")


def _wanted(posted: PostedSubscription) -> Subscription:
    told = {kind: getattr(posted, kind) for kind in ("receiver", "email", "webhook") if getattr(posted, kind)}
    if len(told) != 1:
        raise _wrong("receiver", "say who is to be told: a receiver, an email address or a webhook, and only one")
    [(kind, to)] = told.items()
    matchers = read_matchers("matchers", posted.matchers)
    if "" in posted.group_by or (ALL in posted.group_by and len(set(posted.group_by)) > 1):
        raise _wrong("group_by", f"expected names of labels, or `{ALL}` alone")
    waits = {
        name: _duration_ms(name, getattr(posted, name)) for name in ("group_wait", "group_interval", "repeat_interval")
    }
    for name in ("group_interval", "repeat_interval"):
        if not waits[name]:
            raise _wrong(name, "must not be zero")
    by = None if ALL in posted.group_by else frozenset(posted.group_by)
    options = RouteOptions("", by, waits["group_wait"], waits["group_interval"], waits["repeat_interval"])
    receiver, address = (to, "") if kind == "receiver" else (kind, to)
    return Subscription(matchers, receiver, address, options, posted.created_by, posted.comment)


def _duration_ms(field: str, text: str) -> int:
    try:
        return parse_prometheus_duration(text)
    except ValueError as error:
        raise _wrong(field, str(error)) from error


def _wrong(field: str, message: str) -> ProblemError:
    return ProblemError("bad-parameter", message, errors=[{"field": field, "message": message}])


def _problem(service: ApiService, subscription: Subscription) -> str | None:
    try:
        reached(service.configuration.service.spec, subscription)
    except InputError as error:
        return str(error)
    return None


def _shown(service: ApiService, subscription: Subscription) -> dict[str, Any]:
    options = subscription.options
    named = {"receiver": subscription.receiver} if not subscription.address else {}
    return {
        "id": subscription.id,
        "matchers": [str(matcher) for matcher in subscription.matchers],
        **{"receiver": None, "email": None, "webhook": None},
        **(named or {subscription.receiver: subscription.shown}),
        "group_by": [ALL] if options.group_by is None else sorted(options.group_by),
        "group_wait_ms": options.group_wait_ms,
        "group_interval_ms": options.group_interval_ms,
        "repeat_interval_ms": options.repeat_interval_ms,
        "created_by": subscription.created_by,
        "comment": subscription.comment,
        "created_ms": subscription.created_ms,
        "told": subscription.told,
        "route": subscription.route.id,
        "problem": _problem(service, subscription),
    }
