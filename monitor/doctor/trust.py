"""What others trust the service by, and what it trusts: its certificate, and the OpenID issuer."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.access.issuer import Issuer
from monitor.clock import Clock
from monitor.config import Configuration
from monitor.config.access import Access
from monitor.doctor.finding import Finding, fine, wrong
from monitor.errors import InputError, SourceError
from monitor.tls.client import trusting
from monitor.tls.files import validity
from monitor.tls.listener import until_words

__all__ = ["certificate", "issuer"]


def certificate(configuration: Configuration, clock: Clock) -> Iterator[Finding]:
    """Look at the files with which the API encrypts, if it does."""
    tls = configuration.service.spec.api.tls
    if tls is None:
        return
    file = tls.files(configuration.root).certificate
    mistakes = [message for _, message in tls.wrong_files(configuration.root)]
    if not mistakes and (until := until_words(validity(file), clock.now_ms())):
        mistakes.append(f"it {until}")
    advice = "whatever renews it; docs/access.md#encryption"
    yield from (wrong("certificate", str(file), mistake, advice) for mistake in mistakes)
    if not mistakes:
        yield fine("certificate", str(file), "it can be used")


def issuer(configuration: Configuration, clock: Clock) -> Iterator[Finding]:
    """Ask the OpenID issuer for its keys, if there is one."""
    spec = configuration.service.spec.access
    if not isinstance(spec, Access) or spec.oidc is None:
        return
    url, authorities = spec.oidc.issuer, spec.oidc.ca
    try:
        openid = Issuer(url, trusting(str(configuration.root / authorities)) if authorities else True)
        keys = openid.keys(openid.metadata())
    except (InputError, SourceError) as error:
        yield wrong("issuer", url, str(error), "docs/single-sign-on.md#when-a-token-is-refused")
        return
    yield fine("issuer", url, f"it has {len(keys.keys)} keys that can be used")
