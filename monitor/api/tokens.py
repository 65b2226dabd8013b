"""Tokens: making, listing and revoking them."""

from __future__ import annotations

from dataclasses import dataclass

from anyio import from_thread
from fastapi import APIRouter, Request, Response
from pydantic import Field

from monitor.access.listing import listing, shown
from monitor.access.roles import Role
from monitor.access.token_log import TokenLog
from monitor.access.tokens import MOST_NAME, Token
from monitor.api.access import token_of
from monitor.api.auditor import about
from monitor.api.contract import ApiService
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, answer, duration_ms
from monitor.api.problems import ProblemError, bad_parameter
from monitor.config.access import Access
from monitor.config.oidc import BOUND, Namespaces
from monitor.errors import InputError
from monitor.resources.contract import described
from monitor.resources.tokens import KeptToken, Tokens
from monitor.values import Strict

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["access"])


class PostedToken(Strict):
    """A token to be made."""

    name: str = Field(min_length=1, max_length=MOST_NAME, description="who will hold it; no other good token has it")
    role: Role = Field(description="what its holder may do")
    namespaces: Namespaces = Field(default_factory=list, description=BOUND)
    expires: str = Field(default="", description="after how long it ends, such as `90d`; never if empty")


@dataclass(frozen=True, kw_only=True)
class MadeToken(KeptToken):
    """A token, with its secret."""

    secret: str = described("what its holder shows; it is not kept, and nobody can tell it again")


@lists(router, Tokens)
def tokens(service: TheService, form: Whole) -> Response:
    log = TokenLog(service.store, service.clock)
    rows = listing([*_configured(service), *log.all()], log.last_uses(), service.clock.now_ms())
    return listed_whole(form, rows, KeptToken, {})


@router.post("/tokens", summary="Make a token", response_model=MadeToken)
def create_token(posted: PostedToken, service: TheService, request: Request) -> Response:
    author = token_of(request.scope)
    if author is None:
        raise ProblemError("bad-parameter", "this service asks nobody for a token: configure spec.access first")
    lasts_ms = duration_ms("expires", posted.expires) if posted.expires else None
    log = TokenLog(service.store, service.clock, _configured(service))
    try:
        token, secret = log.create(
            posted.name,
            posted.role,
            created_by=author.name,
            lasts_ms=lasts_ms,
            namespaces=posted.namespaces,
        )
    except InputError as error:
        raise bad_parameter("name", str(error)) from error
    from_thread.run_sync(request.app.state.tokens.change, token)
    about(token.name, token.role, *token.namespaces, token.id)
    return answer({**shown(token, service.clock.now_ms()), "secret": secret})


@router.delete("/tokens/{token}", summary="Revoke a token", response_model=KeptToken)
def revoke_token(token: str, service: TheService, request: Request) -> Response:
    author = token_of(request.scope)
    try:
        revoked = TokenLog(service.store, service.clock).revoke(token, revoked_by=author.name if author else "")
    except InputError as error:
        raise ProblemError("not-found", str(error)) from error
    for each in revoked:
        about(each.name, each.id)
    if author is not None:
        from_thread.run_sync(request.app.state.tokens.change, *revoked)
    return answer(shown(revoked[-1], service.clock.now_ms()))


def _configured(service: ApiService) -> list[Token]:
    access = service.configuration.service.spec.access
    return access.configured() if isinstance(access, Access) else []
