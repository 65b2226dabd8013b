"""The running service, if one answers, and who may reach it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx

from monitor.config import Configuration
from monitor.config.access import unguarded
from monitor.doctor.finding import Finding, fine, unknown, wrong

__all__ = ["access", "is_served", "service", "token"]

ANSWER_S = 3.0


def service(url: str) -> Iterator[Finding]:
    """Ask the service whether it is ready."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=ANSWER_S)
        document = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        yield unknown("service", url, f"none answers ({type(error).__name__})", "`leeway run CONFIG` starts it")
        return
    if answer.is_success:
        yield fine("service", url, "it is ready")
    else:
        for reason in document.get("reasons", [document.get("detail", answer.status_code)]):
            yield wrong("service", url, str(reason), "docs/operations.md says what to do, by the text")
    for note in document.get("notes", ()):
        yield wrong("service", url, note, "`leeway jobs` shows all, `leeway jobs resume` has one run again")


def token(url: str, headers: Mapping[str, str]) -> Iterator[Finding]:
    """Ask the service whether it takes a token; nothing is said where none is shown."""
    if not headers:
        return
    try:
        status = httpx.get(f"{url}/v1/status", timeout=ANSWER_S, headers=dict(headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield unknown("access", "your token", f"no service answers ({type(error).__name__})")
        return
    if status == httpx.codes.UNAUTHORIZED:
        yield wrong("access", "your token", "the service does not take it", "`leeway token create` makes another one")
    else:
        yield fine("access", "your token", "the service takes it")


def is_served(url: str) -> bool:
    """Whether a service answers."""
    try:
        return httpx.get(f"{url}/healthz", timeout=ANSWER_S).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def access(configuration: Configuration) -> Iterator[Finding]:
    """Look at who may reach the service."""
    spec = configuration.service.spec
    if reason := unguarded(spec.access, spec.api.host):
        yield wrong("access", spec.api.host, reason, "`access: {}` asks for tokens: docs/access.md")
    elif spec.access == "none":
        yield wrong(
            "access", spec.api.host, "nobody is asked for a token", "`access: {}` asks for tokens: docs/access.md"
        )
    else:
        who = "this machine alone" if spec.access is None else "whoever has a token"
        yield fine("access", spec.api.host, f"it is for {who}")
