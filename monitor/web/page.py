"""How a page is made of a template and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from sinks.receivers.times import utc

__all__ = ["page", "rendered", "shown"]

# Nothing is fetched and nothing runs, whatever an alert's texts hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

_TEMPLATES = Environment(
    loader=PackageLoader("monitor.web", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_TEMPLATES.filters["utc"] = utc


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, **names: Any) -> Response:
    """Return a page; every text in it is escaped."""
    return shown(rendered(template, **names), status, headers)


def rendered(template: str, **names: Any) -> str:
    """Return the text of a page; every text in it is escaped."""
    return _TEMPLATES.get_template(template).render(**names)


def shown(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page whose text has been made."""
    return Response(text, status, {"Content-Security-Policy": POLICY, **(headers or {})}, media_type="text/html")
