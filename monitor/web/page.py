"""How a page is made of a template and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.web.assets import build
from sinks.receivers.times import utc

__all__ = ["NAVIGATION", "PLAIN", "SCRIPTED", "page", "rendered", "shown"]

_OWN = "style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

PLAIN = f"default-src 'none'; img-src 'self'; {_OWN}"
"""Of pages without scripts: nothing runs, whatever an alert's texts hold."""

SCRIPTED = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
    f"require-trusted-types-for 'script'; trusted-types 'none'; {_OWN}"
)
"""Of pages that a module draws. Only our files run, and no text ever becomes markup: browsers refuse to take it."""

NAVIGATION = (
    ("Models", "/"), ("Alerts", "/alerts"), ("Silences", "/silences"), ("Rollouts", "/rollouts"),
    ("Pipeline", "/pipeline"), ("Access", "/access"), ("API", "/docs"),
)  # fmt: skip
"""What every page links to, and its path."""

_TEMPLATES = Environment(
    loader=PackageLoader("monitor.web", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_TEMPLATES.filters["utc"] = utc


def page(
    request: Request,
    template: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    policy: str = PLAIN,
    **names: Any,
) -> Response:
    """Return a page; every text in it is escaped."""
    return shown(rendered(request, template, **names), status, headers, policy)


def rendered(request: Request, template: str, **names: Any) -> str:
    """Return the text of a page; every text in it is escaped."""
    root = request.scope.get("root_path", "")
    path = request.scope["path"].removeprefix(root)
    around = {
        "root": root,
        "static": f"{root}/static/{build()}",
        "navigation": [(title, root + to, path == to) for title, to in NAVIGATION],
        "logs_in": request.app.state.web_login is not None,
    }
    return _TEMPLATES.get_template(template).render(around | names)


def shown(text: str, status: int = 200, headers: Mapping[str, str] | None = None, policy: str = PLAIN) -> Response:
    """Return a page whose text has been made."""
    return Response(text, status, {"Content-Security-Policy": policy, **(headers or {})}, media_type="text/html")
