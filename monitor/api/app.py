"""The HTTP API as one ASGI application; its OpenAPI document is generated from it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI, params
from prometheus_client import Counter, Gauge
from starlette.routing import BaseRoute

from monitor import resources
from monitor.alerts.own import MODEL as OWN
from monitor.alerts.transition import POSTED
from monitor.api import (
    acknowledge,
    alertmanager,
    alertmanager_silences,
    effective_configuration,
    events,
    explain,
    health,
    openapi,
    problems,
    whoami,
)
from monitor.api.access import AccessControl
from monitor.api.auditor import Auditor
from monitor.api.body_limit import BodyLimit
from monitor.api.comparisons import Comparisons
from monitor.api.connections import Connections
from monitor.api.contract import ApiService
from monitor.api.event_quotas import EventQuotas
from monitor.api.head import Head
from monitor.api.hosts import AllowedHosts, names_of
from monitor.api.identities import Identities
from monitor.api.known_parameters import refuse_unknown
from monitor.api.live_tokens import LiveTokens
from monitor.api.observe import Observe, PostedMetrics
from monitor.api.origins import OwnPages
from monitor.api.prefix import Prefix
from monitor.api.rates import AddressRates, Rates
from monitor.api.reading import stored_models
from monitor.api.request_limit import RequestLimit
from monitor.api.security_headers import SecurityHeaders
from monitor.api.sign_on import SignOn
from monitor.api.streams import Streams
from monitor.api.surrogates import refuse_halves
from monitor.api.web_login import WebLogin
from monitor.config.access import Access
from monitor.routing.posted_bounds import PostedBounds

__all__ = ["HEALTH", "ROUTERS", "create_app"]

HEALTH: tuple[APIRouter, ...] = (health.router,)
"""What a process serves that has another role."""

ALERTMANAGER: tuple[APIRouter, ...] = (alertmanager.router, alertmanager_silences.router)

ROUTERS: tuple[APIRouter, ...] = (
    *HEALTH,
    *(import_module(f"monitor.api.{name}").router for name in resources.names()),
    explain.router,
    acknowledge.router,
    whoami.router,
    effective_configuration.router,
    *ALERTMANAGER,
    events.router,
)
"""Every group of routes: one for each resource, in the file of its name, and those that show none."""


def create_app(
    service: ApiService,
    routers: Iterable[APIRouter] = ROUTERS,
    *,
    alert_poll_s: float = 1.0,
    is_guarded: bool = True,
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    service : ApiService
    routers : iterable of APIRouter
        Another package, such as one with pages, brings its own.
    alert_poll_s : float
        How often the stream of alerts looks for new transitions.
    is_guarded : bool
        Whether tokens are asked for, if the configuration says so; nobody asks whoever has the store at hand.

    Returns
    -------
    FastAPI
        Not yet served. Set ``app.state.stopping``, a ``threading.Event``, before the server is asked to stop: streams
        of alerts then end by themselves, and the server does not wait for clients to leave.
    """
    app, routers = _empty(), tuple(routers)
    app.state.service = service
    app.state.stopping = threading.Event()
    app.state.notes, app.state.web_login, app.state.auditor = list, None, None
    app.state.streams = _streams(app, service, alert_poll_s)
    problems.install(app)
    spec = service.configuration.service.spec.api
    access = service.configuration.service.spec.access if is_guarded else None
    openapi.install(app, asks_for_tokens=isinstance(access, Access))
    service.metrics.register(PostedMetrics(PostedBounds.of(service.store)))
    app.state.comparisons = Comparisons(spec.max_comparisons)
    app.state.connections = Connections(spec.max_connections, spec.request_timeout / 1000, service.metrics)
    app.state.rates = rates = Rates(spec.rates, service.clock, service.metrics)
    quotas = service.configuration.service.spec.quotas
    app.state.event_quotas = EventQuotas(quotas, service.clock, service.metrics)
    if isinstance(access, Access):
        _guard(app, service, access, routers, rates)
    elif is_guarded:
        app.add_middleware(AddressRates, rates=rates)
    app.add_middleware(BodyLimit, max_bytes=spec.max_body_bytes)
    app.add_middleware(RequestLimit, most=spec.max_requests)
    names = names_of(service.configuration.service.spec)
    app.add_middleware(OwnPages, names=names, auditor=app.state.auditor)
    app.add_middleware(AllowedHosts, names=names)
    app.add_middleware(Head)
    app.add_middleware(Observe, registry=service.metrics, clock=service.clock)
    if prefix := service.configuration.service.spec.api.prefix:
        app.add_middleware(Prefix, path=prefix)
    app.add_middleware(SecurityHeaders)
    app.router.routes.extend(_included(routers))
    return app


def _empty() -> FastAPI:
    return FastAPI(
        title="Leeway",
        version=version("leeway"),
        summary="Drift of machine-learning models: history, findings, distributions, alerts.",
        # Both pages load scripts from the internet, which a monitored site may not reach.
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
        generate_unique_id_function=lambda route: route.name,
    )


def _included(routers: tuple[APIRouter, ...]) -> Sequence[BaseRoute]:
    """Return what including ``routers`` adds to an application.

    A process that makes several applications, as tests do, shares it: the first request prepares every route up to its
    own, a seventh of a second for all of them. What a request needs of its application comes with the request.
    """
    # By their identities, which stay theirs: the routes hold the routers, and the routers cannot be hashed.
    key = tuple(map(id, routers))
    if key not in _prepared:
        _prepared[key] = _routes(routers)
    return _prepared[key]


_prepared: dict[tuple[int, ...], Sequence[BaseRoute]] = {}


def _routes(routers: tuple[APIRouter, ...]) -> Sequence[BaseRoute]:
    app = _empty()
    own = len(app.routes)
    for router in routers:
        app.include_router(router, dependencies=_checks(router))
    return tuple(app.routes[own:])


def _checks(router: APIRouter) -> list[params.Depends]:
    # One bad alert keeps no other back.
    checks = [] if router is alertmanager.router else [Depends(refuse_halves)]
    # Alertmanager ignores parameters that it does not know, and so do its clients' authors.
    return checks if router in ALERTMANAGER else [*checks, Depends(refuse_unknown)]


def _guard(app: FastAPI, service: ApiService, access: Access, routers: Sequence[APIRouter], rates: Rates) -> None:
    """Ask for tokens.

    It comes first, and so is the innermost: what is too large, too many or at a wrong address is refused before.
    """
    app.state.tokens = LiveTokens(service.store, service.clock, access.configured())
    sign_on = None if access.oidc is None else SignOn(access.oidc, service.clock, service.configuration.root)
    if sign_on is not None:
        service.metrics.register(sign_on.keys)
        app.state.notes = sign_on.keys.notes
    identities = Identities(app.state.tokens, service.clock, access.grants_of_certificates(), sign_on, rates)
    if sign_on is not None and sign_on.spec.login is not None:
        external_url = service.configuration.service.spec.external_url
        identities.web_login = app.state.web_login = WebLogin(sign_on, sign_on.spec.login, service.clock, external_url)
    app.state.auditor = auditor = Auditor(service.store, service.clock)
    routes = [*app.routes, *(route for router in routers for route in router.routes)]
    app.add_middleware(
        AccessControl,
        routes=routes,
        identities=identities,
        rates=rates,
        auditor=auditor,
        metrics_are_open=access.metrics == "open",
    )


def _streams(app: FastAPI, service: ApiService, poll_s: float) -> Streams:
    def models() -> list[str]:
        return [*(service.configuration.models or stored_models(service.store)), OWN, POSTED]

    spec = service.configuration.service.spec.api
    streams = Streams(service.store, models, spec.max_streams, poll_s, app.state.stopping)
    gauge = Gauge("leeway_http_streams", "Streams of alerts that are open.", registry=service.metrics)
    gauge.set_function(lambda: streams.open)
    text = "Characters of transitions that streams of alerts hold for clients that have not read them yet."
    held = Gauge("leeway_http_streams_held_bytes", text, registry=service.metrics)
    held.set_function(lambda: streams.figures.held_bytes)
    text = "Streams of alerts that have ended since their token is good no more, or the store does not answer."
    ended = Counter("leeway_http_streams_ended", text, ["reason"], registry=service.metrics)
    streams.figures.on_end = lambda reason: ended.labels(reason).inc()
    return streams
