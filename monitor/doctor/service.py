"""The running service, if one answers, and who may reach it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx

from monitor.config import Configuration
from monitor.config.access import unguarded
from monitor.doctor.finding import Finding, fine, unknown, wrong
from monitor.threads import in_words

__all__ = ["Address", "access", "service", "token"]

ANSWER_S = 3.0


@dataclass(frozen=True)
class Address:
    """Where a service is asked, and what it is shown.

    Attributes
    ----------
    url : str
    headers : mapping of str to str
        With a token, where there is one.
    verify : ssl.SSLContext or bool
        Whom to trust.
    """

    url: str
    headers: Mapping[str, str]
    verify: ssl.SSLContext | bool = True

    def get(self, path: str) -> httpx.Response:
        """Ask, without the token of those who need none."""
        headers = dict(self.headers) if path.startswith("/v1/") else {}
        return httpx.get(f"{self.url}{path}", timeout=ANSWER_S, headers=headers, verify=self.verify)

    def is_served(self) -> bool:
        """Whether something answers there, also if its certificate is not to be trusted."""
        try:
            url = httpx.URL(self.url)
            port = url.port or (443 if url.scheme == "https" else 80)
            with socket.create_connection((url.host, port), timeout=ANSWER_S):
                return True
        except (OSError, httpx.InvalidURL):
            return False


def service(address: Address) -> Iterator[Finding]:
    """Ask the service whether it is ready."""
    url = address.url
    try:
        answer = address.get("/readyz")
        document = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        if address.is_served():
            advice = "is it Leeway? Where it encrypts, `--ca` says whom to trust, `--cert` what to show; docs/access.md"
            yield wrong("service", url, f"it does not answer as it should: {in_words(error)}", advice)
        else:
            yield unknown("service", url, "none answers", "`leeway run CONFIG` starts it")
        return
    if answer.is_success:
        yield fine("service", url, "it is ready")
    else:
        for reason in document.get("reasons", [document.get("detail", answer.status_code)]):
            yield wrong("service", url, str(reason), "docs/operations.md says what to do, by the text")
    for note in document.get("notes", ()):
        advice = (
            "`leeway jobs resume` for a paused job; docs/single-sign-on.md for an issuer; the command that it names, if"
            " one; else it ends by itself"
        )
        yield wrong("service", url, note, advice)


def token(address: Address) -> Iterator[Finding]:
    """Ask the service whether it takes a token; nothing is said where none is shown."""
    if not address.headers:
        return
    try:
        answer = address.get("/v1/status")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield unknown("access", "your token", f"no service answers ({type(error).__name__})")
        return
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        yield wrong("access", "your token", "the service does not take it", "`leeway token create` makes another one")
    elif answer.is_success or answer.status_code == httpx.codes.FORBIDDEN:
        yield fine("access", "your token", "the service takes it")
    else:
        detail = f"the service answers {answer.status_code} {answer.reason_phrase}, which says nothing of it"
        yield unknown("access", "your token", detail, "see the check `service`, and try again")


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
