"""Deployments: what was changed and when, so that incidents can name it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from monitor.api.auditor import about
from monitor.api.forms import InPages, listed, lists
from monitor.api.parameters import TheService, answer, check_model, question_of, span_of
from monitor.api.problems import bad_parameter
from monitor.api.reading import Order, Page, Row
from monitor.api.tables import schema
from monitor.api.times import PostedTime, parse_time
from monitor.errors import InputError
from monitor.incidents.deployments import Deployment, announce, read_deployments
from monitor.resources.deployments import Deployments, KnownDeployment
from monitor.values import Strict

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

LATEST_FIRST = Order("deployments", (int, str), lambda deployment: (deployment.at_ms, deployment.id))


class PostedDeployment(Strict):
    """What was changed: of some models, of what reads some topics, or of what has some labels."""

    id: str = Field(default="", description="posting it again changes this one; made of the content if empty")
    name: str = Field(min_length=1, description="what people call it")
    at: PostedTime | None = Field(default=None, description="ISO 8601, ms since the epoch, or `-5m`; now if absent")
    version: str = Field(default="", description="as events of the models have it")
    models: list[str] = Field(default_factory=list)
    topics: list[str] = Field(default_factory=list, description="models that read one of these are affected")
    labels: dict[str, str] = Field(
        default_factory=dict, description="models whose alerts have all of these are affected"
    )
    link: str = Field(default="", description="an address that begins with http:// or https://")
    created_by: str = ""


@router.post("/deployments", summary="Announce what was changed", response_model=KnownDeployment)
def post_deployment(posted: PostedDeployment, service: TheService) -> Response:
    for name in posted.models:
        check_model(service, name)
    if not (posted.models or posted.topics or posted.labels):
        raise bad_parameter("models", "say what was changed: models, topics or labels")
    if posted.link and not re.match(r"https?://[^/\s]\S*$", posted.link):
        raise bad_parameter("link", "expected an address that begins with http:// or https://")
    now_ms = service.clock.now_ms()
    try:
        at_ms = now_ms if posted.at is None else parse_time(str(posted.at), now_ms)
    except InputError as error:
        raise bad_parameter("at", str(error)) from error
    announced = Deployment(
        posted.id,
        posted.name,
        at_ms,
        posted.version,
        tuple(posted.models),
        tuple(posted.topics),
        posted.labels,
        posted.link,
        posted.created_by,
    )
    announce(service.store, service.clock, announced)
    about(announced.known_as, announced.name)
    return answer(_row(replace(announced, id=announced.known_as)))


@lists(router, Deployments)
def deployments(
    service: TheService, form: InPages, question: Annotated[Deployments, Depends(question_of(Deployments))]
) -> Response:
    check_model(service, question.model)
    from_ms, to_ms = span_of(service, question)
    types = schema(KnownDeployment)
    matching = [
        deployment
        for deployment in read_deployments(service.store)
        if (question.model is None or question.model in deployment.models)
        and (from_ms is None or deployment.at_ms >= from_ms)
        and (to_ms is None or deployment.at_ms < to_ms)
    ]

    def read(limit: int, cursor: str | None) -> Page:
        page, following = LATEST_FIRST.page(matching, limit, cursor)
        return Page.of(list(map(_row, page)), types.names, following)

    return listed(form, read, types, {"from_ms": from_ms, "to_ms": to_ms})


def _row(deployment: Deployment) -> Row:
    lists = {"models": sorted(deployment.models), "topics": sorted(deployment.topics)}
    return vars(deployment) | lists | {"labels": dict(deployment.labels)}
