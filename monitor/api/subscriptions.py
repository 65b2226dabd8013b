"""Subscriptions: who is notified of which alerts, beside the routes of the configuration."""

from __future__ import annotations

from itertools import chain
from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field

from monitor.api.auditor import about
from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, answer, read_matchers
from monitor.api.people import Author, Comment
from monitor.api.problems import ProblemError, bad_parameter
from monitor.config.prometheus import parse_prometheus_duration
from monitor.delivery.reception import failing_by_store
from monitor.errors import InputError
from monitor.resources.subscriptions import KeptSubscription, Subscriptions
from monitor.routing.routes import RouteOptions
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from monitor.subscribers import reached
from monitor.values import Strict

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

ALL = "..."
MOST_SUBSCRIPTIONS = 10_000


class PostedSubscription(Strict):
    """Whom to notify of what; `receiver`, `email` or `webhook` says whom, and only one of them."""

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
    repeat_interval: str = Field(default="4h", description="when a group that has not changed is notified again")
    created_by: Author
    comment: Comment = ""


@lists(router, Subscriptions)
def subscriptions(service: TheService, form: Whole) -> Response:
    current = SubscriptionLog(service.store, service.clock).all().values()
    return listed_whole(form, _shown(service, *current), KeptSubscription, {})


@router.post("/subscriptions", summary="Subscribe to alerts", response_model=KeptSubscription)
def subscribe(posted: PostedSubscription, service: TheService) -> Response:
    subscription = _subscription(posted)
    try:
        reached(service.configuration.service.spec, subscription)
    except InputError as error:
        raise bad_parameter(subscription.receiver if subscription.address else "receiver", str(error)) from error
    log = SubscriptionLog(service.store, service.clock)
    if len(log.all()) >= MOST_SUBSCRIPTIONS:
        raise ProblemError(
            "bad-parameter", f"there are {MOST_SUBSCRIPTIONS:,} subscriptions already: end those that nobody needs"
        )
    about(subscription.id)
    return answer(_shown(service, log.add(subscription))[0])


@router.get("/subscriptions/{subscription}", summary="One subscription", response_model=KeptSubscription)
def one_subscription(subscription: str, service: TheService) -> Response:
    current = SubscriptionLog(service.store, service.clock).all()
    if subscription not in current:
        raise _unknown(subscription)
    return answer(_shown(service, current[subscription])[0])


@router.delete("/subscriptions/{subscription}", summary="End a subscription", response_class=Response)
def unsubscribe(subscription: str, service: TheService) -> Response:
    if not SubscriptionLog(service.store, service.clock).end(subscription):
        raise _unknown(subscription)
    return Response(status_code=200)


def _unknown(name: str) -> ProblemError:
    return ProblemError("not-found", f"there is no subscription {name}")


def _subscription(posted: PostedSubscription) -> Subscription:
    whom = {kind: getattr(posted, kind) for kind in ("receiver", "email", "webhook") if getattr(posted, kind)}
    if len(whom) != 1:
        raise bad_parameter("receiver", "say whom to notify: a receiver, an email address or a webhook, and only one")
    [(kind, to)] = whom.items()
    matchers = read_matchers("matchers", posted.matchers)
    if "" in posted.group_by or (ALL in posted.group_by and len(set(posted.group_by)) > 1):
        raise bad_parameter("group_by", f"expected names of labels, or `{ALL}` alone")
    waits = {
        name: _duration_ms(name, getattr(posted, name)) for name in ("group_wait", "group_interval", "repeat_interval")
    }
    for name in ("group_interval", "repeat_interval"):
        if not waits[name]:
            raise bad_parameter(name, "must not be zero")
    by = None if ALL in posted.group_by else frozenset(posted.group_by)
    options = RouteOptions("", by, waits["group_wait"], waits["group_interval"], waits["repeat_interval"])
    receiver, address = (to, "") if kind == "receiver" else (kind, to)
    return Subscription(matchers, receiver, address, options, posted.created_by, posted.comment)


def _duration_ms(field: str, text: str) -> int:
    try:
        return parse_prometheus_duration(text)
    except ValueError as error:
        raise bad_parameter(field, str(error)) from error


def _shown(service: ApiService, *subscriptions: Subscription) -> list[dict[str, Any]]:
    problems: dict[str, str] = {}
    entries: dict[str, list[str]] = {}
    for subscription in subscriptions:
        try:
            targets = reached(service.configuration.service.spec, subscription)
        except InputError as error:
            problems[subscription.id] = str(error)
        else:
            entries[subscription.id] = [target.name for target in targets]
    failing = failing_by_store(service.store, set(chain.from_iterable(entries.values())))
    for name, names in entries.items():
        if reasons := [failing[entry] for entry in names if entry in failing]:
            problems[name] = reasons[0]
    return [_row(subscription, problems.get(subscription.id)) for subscription in subscriptions]


def _row(subscription: Subscription, problem: str | None) -> dict[str, Any]:
    options = subscription.options
    whom = {"receiver": None, "email": None, "webhook": None}
    kind, name = (
        (subscription.receiver, subscription.shown) if subscription.address else ("receiver", subscription.receiver)
    )
    return {
        "id": subscription.id,
        "matchers": [str(matcher) for matcher in subscription.matchers],
        **whom,
        kind: name,
        "group_by": [ALL] if options.group_by is None else sorted(options.group_by),
        "group_wait_ms": options.group_wait_ms,
        "group_interval_ms": options.group_interval_ms,
        "repeat_interval_ms": options.repeat_interval_ms,
        "created_by": subscription.created_by,
        "comment": subscription.comment,
        "created_ms": subscription.created_ms,
        "told": subscription.told,
        "route": subscription.route.id,
        "problem": problem,
    }
