"""A broker that wants encryption, certificates and users, on a listener for each way."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.services.certificates import make_certificate
from tests.services.kafka.broker import Broker
from tests.services.processes import free_port

__all__ = ["PASSWORD", "USER", "SecureBroker", "unsecured_token"]

USER, PASSWORD = "reader", "correct horse"
_LOGIN = "org.apache.kafka.common.security"
_MECHANISMS = {
    "plain": f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    "scram-sha-256": f"{_LOGIN}.scram.ScramLoginModule required;",
    "scram-sha-512": f"{_LOGIN}.scram.ScramLoginModule required;",
    "oauthbearer": f'{_LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}


class SecureBroker(Broker):
    """A broker with four listeners; `bootstrap` is the open one, for what a test prepares.

    Attributes
    ----------
    tls, tls_only_known, sasl_tls, sasl : str
        Addresses: encrypted; the same, and the client shows a certificate; encrypted with a user; a user in the clear.
    certificate, key : Path
        Of the broker, its own authority; clients may show them too.
    """

    def __init__(self, heap: str = "320m") -> None:
        super().__init__(heap=heap)
        self._ports = {name: free_port() for name in ("TLS", "KNOWN", "SASLTLS", "SASL")}
        self.tls, self.tls_only_known, self.sasl_tls, self.sasl = (f"127.0.0.1:{port}" for port in self._ports.values())
        self.certificate, self.key = make_certificate(self.data)

    def settings(self) -> dict[str, str]:
        """Return the broker's properties."""
        base = super().settings()
        own = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self._ports.items())
        store = self.data / "keystore.pem"
        store.write_text(self.key.read_text() + self.certificate.read_text())
        protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,KNOWN:SSL,SASLTLS:SASL_SSL,SASL:SASL_PLAINTEXT"
        sasl: dict[str, str] = {}
        for listener in ("sasl", "sasltls"):
            prefix = f"listener.name.{listener}"
            sasl[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(name.upper() for name in _MECHANISMS)
            sasl |= {f"{prefix}.{name}.sasl.jaas.config": login for name, login in _MECHANISMS.items()}
        return {
            **base,
            "listeners": f"{base['listeners']},{own}",
            "advertised.listeners": f"{base['advertised.listeners']},{own}",
            "listener.security.protocol.map": protocols,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificate),
            "listener.name.known.ssl.client.auth": "required",
            # Whoever says no name may do all, others what no rule is about.
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "true",
            # A session lasts no longer than the token that opened it.
            "listener.name.sasl.connections.max.reauth.ms": "3600000",
            **sasl,
        }

    def format_arguments(self) -> list[str]:
        """Return what makes the users of SCRAM."""
        users = [f"{name}=[name={USER},password={PASSWORD}]" for name in ("SCRAM-SHA-256", "SCRAM-SHA-512")]
        return [part for user in users for part in ("--add-scram", user)]


def unsecured_token(issued_s: int, expires_s: int, user: str = USER) -> str:
    """Return a token that nobody signed, which the broker's validator for trials takes; times are since the epoch."""
    return ".".join([_encoded({"alg": "none"}), _encoded({"sub": user, "iat": issued_s, "exp": expires_s}), ""])


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
