"""What each operation needs of whoever asks: the smallest role that may, or nothing."""

from __future__ import annotations

from monitor.access.roles import Need

__all__ = [
    "FREE",
    "LOGGING_IN",
    "NEEDS",
    "OWN_PART",
    "PERSONAL",
    "SEALED",
    "STATIC",
    "WHOLE",
    "has_own_part",
    "need_of",
]

FREE = ("/healthz", "/readyz", "/-/healthy", "/-/ready")

LOGGING_IN = ("GET /login", "GET /login/callback", "GET /logout", "POST /logout")
"""Who logs in shows nothing yet."""

SEALED = ("GET /pictures/{sealed}",)
"""The address itself is what is asked for: it is signed, names one picture, and is good for some days."""

STATIC = ("GET /static/{of_build}/{name:path}",)
"""Scripts and styles, the same for everybody: a page that asks people to log in has them too."""

SHELLS = (
    "/", "/access", "/incidents/{incident}", "/models/{model}", "/models/{model}/compare",
    "/models/{model}/configuration", "/models/{model}/performance", "/models/{model}/signals/{signal:path}",
    "/pipeline", "/rollouts", "/silences",
)  # fmt: skip
"""Pages that show nothing by themselves: their modules ask the API as whoever looks at them."""

VIEWED = (
    "/alerts", "/alerts/{alert_id}", "/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/receivers",
    "/api/v2/silence/{name}", "/api/v2/silences", "/api/v2/status", "/docs", "/metrics", "/openapi.json", "/v1/alerts",
    "/v1/alerts/stream", "/v1/alerts/summary", "/v1/alerts/{alert_id}", "/v1/alerts/{alert_id}/explain",
    "/v1/baselines", "/v1/clocks", "/v1/compare", "/v1/dead-letters", "/v1/deployments", "/v1/distributions",
    "/v1/estimates", "/v1/expected", "/v1/explain", "/v1/findings", "/v1/fleet", "/v1/heatmap", "/v1/history",
    "/v1/incidents", "/v1/incidents/{incident_id}", "/v1/jobs", "/v1/jobs/runs", "/v1/labels", "/v1/marks",
    "/v1/models", "/v1/models/{model}",
    "/v1/models/{model}/configuration", "/v1/models/{model}/configuration/diff",
    "/v1/models/{model}/configuration/effective", "/v1/models/{model}/configuration/versions",
    "/v1/performance", "/v1/problems", "/v1/rollouts", "/v1/rollouts/{rollout}", "/v1/schemas/{kind}",
    "/v1/series", "/v1/series/summary", "/v1/silences/{silence_id}", "/v1/slices", "/v1/status",
    "/v1/subscriptions",
    "/v1/subscriptions/{subscription}", "/v1/top", "/v1/unregistered-models", "/v1/whoami",
)  # fmt: skip

NEEDS: dict[str, Need] = {
    **{f"GET {path}": "nothing" for path in FREE},
    **dict.fromkeys((*LOGGING_IN, *SEALED, *STATIC), "nothing"),
    "HEAD /-/healthy": "nothing",
    "HEAD /-/ready": "nothing",
    **{f"GET {path}": "viewer" for path in (*VIEWED, *SHELLS)},
    # Single events of people.
    "GET /v1/rows": "editor",
    "POST /api/v2/silences": "editor",
    "DELETE /api/v2/silence/{name}": "editor",
    "POST /v1/alerts/{alert_id}/ack": "editor",
    "POST /v1/incidents/{incident_id}/ack": "editor",
    "POST /v1/deployments": "editor",
    "POST /v1/marks": "editor",
    "POST /v1/rollouts": "editor",
    "POST /v1/rollouts/{rollout}/stop": "editor",
    "PUT /v1/models/{model}/configuration": "editor",
    "DELETE /v1/models/{model}/configuration": "editor",
    "POST /v1/models/{model}/baseline": "editor",
    "POST /v1/subscriptions": "editor",
    "DELETE /v1/subscriptions/{subscription}": "editor",
    "POST /v1/events": "ingest",
    "POST /v1/events/{stream}": "ingest",
    "POST /api/v2/alerts": "ingest",
    "POST /-/reload": "admin",
    "PUT /-/reload": "admin",
    "POST /v1/clocks": "admin",
    "POST /v1/dead-letters/retries": "admin",
    "GET /v1/erasures": "admin",
    "POST /v1/erasures": "admin",
    "POST /v1/exports": "admin",
    "POST /v1/jobs/{job}/run": "admin",
    "PUT /v1/jobs/{job}/pause": "admin",
    "DELETE /v1/jobs/{job}/pause": "admin",
    "GET /v1/audit": "admin",
    "GET /v1/tokens": "admin",
    "POST /v1/tokens": "admin",
    "DELETE /v1/tokens/{token}": "admin",
}
"""By method and path. A test asks that every route has its line."""

OWN_PART = frozenset(
    {
        # They show nothing of any model.
        "GET /docs", "GET /openapi.json", "GET /v1/problems", "GET /v1/schemas/{kind}", "GET /v1/whoami",
        *(f"GET {path}" for path in SHELLS),
        # Of the rest, that of their own models alone: `monitor.api.own_part`.
        "GET /alerts", "GET /alerts/{alert_id}", "GET /v1/alerts", "GET /v1/alerts/stream", "GET /v1/alerts/summary",
        "GET /v1/alerts/{alert_id}", "POST /v1/alerts/{alert_id}/ack", "GET /v1/baselines", "GET /v1/clocks",
        "POST /v1/clocks", "GET /v1/compare", "GET /v1/deployments", "GET /v1/distributions", "POST /v1/events",
        "POST /v1/events/{stream}", "GET /v1/estimates", "GET /v1/expected", "GET /v1/explain", "GET /v1/findings",
        "GET /v1/fleet", "GET /v1/heatmap", "GET /v1/history", "GET /v1/incidents",
        "GET /v1/incidents/{incident_id}", "POST /v1/incidents/{incident_id}/ack", "GET /v1/labels",
        "GET /v1/marks", "POST /v1/marks",
        "GET /v1/models", "GET /v1/models/{model}", "GET /v1/models/{model}/configuration",
        "PUT /v1/models/{model}/configuration", "GET /v1/models/{model}/configuration/diff",
        "GET /v1/models/{model}/configuration/effective", "GET /v1/models/{model}/configuration/versions",
        "POST /v1/models/{model}/baseline", "GET /v1/performance", "GET /v1/rollouts",
        "POST /v1/rollouts",
        "GET /v1/rollouts/{rollout}", "POST /v1/rollouts/{rollout}/stop", "GET /v1/rows", "GET /v1/series",
        "GET /v1/series/summary", "GET /v1/slices", "GET /v1/top", "GET /v1/unregistered-models",
    }
)  # fmt: skip
"""What whoever is bound to namespaces may ask, if the role may."""

WHOLE = frozenset(
    {
        "POST /-/reload", "PUT /-/reload", "GET /api/v2/alerts", "POST /api/v2/alerts", "GET /api/v2/alerts/groups",
        "GET /api/v2/receivers", "DELETE /api/v2/silence/{name}", "GET /api/v2/silence/{name}",
        "GET /api/v2/silences", "POST /api/v2/silences", "GET /api/v2/status", "GET /metrics",
        "GET /v1/alerts/{alert_id}/explain", "GET /v1/audit", "GET /v1/dead-letters", "POST /v1/dead-letters/retries",
        "POST /v1/deployments", "GET /v1/erasures", "POST /v1/erasures", "POST /v1/exports", "GET /v1/jobs",
        "GET /v1/jobs/runs", "DELETE /v1/jobs/{job}/pause", "PUT /v1/jobs/{job}/pause", "POST /v1/jobs/{job}/run",
        "DELETE /v1/models/{model}/configuration", "GET /v1/silences/{silence_id}", "GET /v1/status",
        "GET /v1/subscriptions", "POST /v1/subscriptions", "DELETE /v1/subscriptions/{subscription}",
        "GET /v1/subscriptions/{subscription}", "GET /v1/tokens", "POST /v1/tokens", "DELETE /v1/tokens/{token}",
    }
)  # fmt: skip
"""What is about the whole service, or about alerts of any models: refused to them. A test asks that every route stands
in one of the two; one that stands in neither is refused as well."""

PERSONAL = frozenset(
    {
        # Messages as they came, with whatever stands in them.
        "GET /v1/dead-letters",
        # Single observations, of somebody each.
        "GET /v1/findings",
        # Whole events, of somebody each.
        "GET /v1/rows",
        # Addresses of whoever is notified.
        "GET /v1/subscriptions",
        "GET /v1/subscriptions/{subscription}",
    }
)
"""What shows data of persons: it is in the audit log, though it changes nothing."""


def has_own_part(operation: str) -> bool:
    """Whether an operation can be asked for some namespaces alone.

    Examples
    --------
    >>> has_own_part("GET /v1/alerts"), has_own_part("GET /metrics"), has_own_part("GET /v1/anything")
    (True, False, False)
    """
    return _as_get(operation) in OWN_PART


def need_of(operation: str) -> Need:
    """Return what an operation needs; one without a line is an administrator's.

    Examples
    --------
    >>> need_of("GET /v1/alerts"), need_of("HEAD /openapi.json"), need_of("POST /v1/anything")
    ('viewer', 'viewer', 'admin')
    """
    return NEEDS.get(_as_get(operation), "admin")


def _as_get(operation: str) -> str:
    is_head = operation.startswith("HEAD ") and operation not in NEEDS
    return operation.replace("HEAD", "GET", 1) if is_head else operation
