"""Client certificates: who shows one that the service's authorities have signed has the role of its subject."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.access.roles import Grant
from monitor.access.tokens import Token

__all__ = ["certificate_holder", "subjects_of"]

COMMON_NAME = "commonName"
ALTERNATIVES = ("DNS", "URI", "email")


def subjects_of(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a certificate is for, as configurations name it, the subject's common name first.

    A subject with two common names is for none: software does not agree which of them counts.

    Parameters
    ----------
    certificate : mapping
        As :meth:`ssl.SSLSocket.getpeercert` gives one that has been verified.

    Examples
    --------
    >>> names = [("DNS", "prometheus.example.org"), ("IP Address", "10.0.0.1")]
    >>> list(subjects_of({"subject": ((("commonName", "prometheus"),),), "subjectAltName": names}))
    ['CN=prometheus', 'DNS:prometheus.example.org']
    """
    parts = (part for group in certificate.get("subject", ()) for part in group)
    common_names = [value for name, value in parts if name == COMMON_NAME]
    if len(common_names) == 1:
        yield f"CN={common_names[0]}"
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in ALTERNATIVES:
            yield f"{kind}:{value}"


def certificate_holder(certificate: Mapping[str, Any], grants: Mapping[str, Grant], now_ms: int) -> Token | str:
    """Return who shows a certificate, as the holder of a token until it ends; or why nobody does.

    Parameters
    ----------
    certificate : mapping
        That has been verified when the connection began, which may be long ago.
    grants : mapping of str to Grant
        By subject. The first one of the certificate's that is there counts.
    now_ms : int

    Examples
    --------
    >>> shown = {"subject": ((("commonName", "ci"),),), "notAfter": "Jan  5 09:34:43 2030 GMT"}
    >>> certificate_holder(shown, {"CN=ci": Grant("ingest")}, now_ms=0).role
    'ingest'
    >>> certificate_holder(shown, {}, now_ms=0)
    "the certificate of 'CN=ci' has no role here: spec.access.certificates names those that have"
    """
    subjects = list(subjects_of(certificate))
    until_ms = int(ssl.cert_time_to_seconds(certificate["notAfter"])) * 1000
    for subject in subjects:
        if subject in grants:
            role, namespaces = grants[subject]
            holder = Token(subject, role, digest="", expires_ms=until_ms, namespaces=namespaces)
            return f"the certificate of {subject!r} has expired" if holder.has_ended(now_ms) else holder
    named = ", ".join(map(repr, subjects)) or "nobody"
    return f"the certificate of {named} has no role here: spec.access.certificates names those that have"
