"""Deployments: what was changed and when, so that incidents can name it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.forms import IN_FORMS, Asked, listed
from monitor.api.parameters import Paged, Stretch, TheService, answer, known_model
from monitor.api.problems import ProblemError
from monitor.api.reading import Page, Row, decode_cursor, encode_cursor
from monitor.api.tables import schema
from monitor.api.times import parse_time
from monitor.errors import InputError
from monitor.incidents.deployments import Deployment, announce, read_deployments

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

KIND = "deployments"
TYPES = schema("id:str at_ms:int name:str version:str models:strs topics:strs labels:map link:str created_by:str")


class PostedDeployment(BaseModel):
    """What was changed: of some models, of what reads some topics, or of what has some labels."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default="", description="posting it again changes this one; made of the content if empty")
    name: str = Field(min_length=1, description="what people call it")
    at: str | int | None = Field(default=None, description="ISO 8601, ms since the epoch, or `-5m`; now if absent")
    version: str = Field(default="", description="as events of the models have it")
    models: list[str] = Field(default_factory=list)
    topics: list[str] = Field(default_factory=list, description="models that read one of these are affected")
    labels: dict[str, str] = Field(
        default_factory=dict, description="models whose alerts have all of these are affected"
    )
    link: str = Field(default="", description="an address that begins with http:// or https://")
    created_by: str = ""


class KnownDeployment(BaseModel):
    """A deployment."""

    id: str
    at_ms: int
    name: str
    version: str
    models: list[str]
    topics: list[str]
    labels: dict[str, str]
    link: str
    created_by: str


class Deployments(Paged):
    """Deployments, the latest first."""

    items: list[KnownDeployment]


@router.post("/deployments", summary="Say that something was changed", response_model=KnownDeployment)
def post_deployment(posted: PostedDeployment, service: TheService) -> Response:
    for name in posted.models:
        known_model(service, name)
    if not (posted.models or posted.topics or posted.labels):
        raise _refused("models", "say what was changed: models, topics or labels")
    if posted.link and not re.match(r"https?://[^/\s]\S*$", posted.link):
        raise _refused("link", "expected an address that begins with http:// or https://")
    now_ms = service.clock.now_ms()
    try:
        at_ms = now_ms if posted.at is None else parse_time(str(posted.at), now_ms)
    except InputError as error:
        raise _refused("at", str(error)) from error
    said = Deployment(
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
    announce(service.store, service.clock, said)
    return answer(_row(replace(said, id=said.known_as)))


@router.get("/deployments", summary="What was changed, and when", response_model=Deployments, responses=IN_FORMS)
def deployments(
    service: TheService,
    stretch: Stretch,
    asked: Asked,
    model: Annotated[str | None, Query(description="those that name this model")] = None,
) -> Response:
    if model is not None:
        known_model(service, model)
    latest = sorted(read_deployments(service.store), key=_place, reverse=True)
    wanted = [
        one
        for one in latest
        if (model is None or model in one.models)
        and (stretch.from_ms is None or one.at_ms >= stretch.from_ms)
        and (stretch.to_ms is None or one.at_ms < stretch.to_ms)
    ]

    def read(limit: int, cursor: str | None) -> Page:
        place = tuple(decode_cursor(KIND, cursor, (int, str))) if cursor else None
        left = [one for one in wanted if place is None or _place(one) < place]
        following = encode_cursor(KIND, list(_place(left[limit - 1]))) if len(left) > limit else None
        return Page.of([_row(one) for one in left[:limit]], TYPES.names, following)

    return listed(asked, read, TYPES, {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms})


def _place(one: Deployment) -> tuple[Any, ...]:
    return one.at_ms, one.id


def _row(one: Deployment) -> Row:
    return vars(one) | {"models": sorted(one.models), "topics": sorted(one.topics), "labels": dict(one.labels)}


def _refused(field: str, message: str) -> ProblemError:
    return ProblemError("bad-parameter", message, errors=[{"field": field, "message": message}])
