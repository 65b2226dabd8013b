"""Who asks, and what they may."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from monitor.access.roles import MAY, Role
from monitor.access.tokens import Token
from monitor.api.access import token_of
from monitor.api.needs import NEEDS, has_own_part

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["access"])


class Whoami(BaseModel):
    """Who asks, and what they may."""

    name: str = Field(description="of the token or the person; empty where the service asks nobody", examples=["ann"])
    role: Role | None = Field(description="null where the service asks nobody")
    namespaces: list[str] = Field(description="to which the token is bound; empty: all")
    created_by: str | None = Field(
        description="who made the token; null of one that the configuration has, and of others"
    )
    expires_ms: int | None = Field(description="when it ends, in ms since the epoch; null: not by itself, or not known")
    may: list[str] = Field(description="operations, such as `POST /v1/marks`, that would not be refused for the role")


@router.get("/whoami", summary="Who asks, and what they may")
async def whoami(request: Request) -> Whoami:
    token = token_of(request.scope)
    if token is None:
        return Whoami(name="", role=None, namespaces=[], created_by=None, expires_ms=None, may=sorted(NEEDS))
    may = sorted(operation for operation in NEEDS if _may(token, operation))
    return Whoami(
        name=token.name,
        role=token.role,
        namespaces=list(token.namespaces),
        created_by=token.created_by or None,
        expires_ms=token.expires_ms or None,
        may=may,
    )


def _may(token: Token, operation: str) -> bool:
    need = NEEDS[operation]
    return need == "nothing" or (need in MAY[token.role] and (not token.namespaces or has_own_part(operation)))
