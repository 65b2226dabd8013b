"""An OpenID issuer without a network, which signs whatever a test says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.api.world import NOW_MS

__all__ = ["AUDIENCE", "ISSUER", "FakeIssuer", "claims"]

ISSUER, AUDIENCE = "https://login.example.org/realms/main", "leeway"
Key = RSAKey | ECKey | OctKey


def claims(*groups: str, **changed: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now_s = NOW_MS // 1000
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now_s, "exp": now_s + 300, "groups": list(groups)}
    return {name: value for name, value in (said | changed).items() if value is not None}


class FakeIssuer:
    """Answers what an issuer does.

    Attributes
    ----------
    rsa, ec : RSAKey, ECKey
        Its keys.
    fault : callable or None
        Given a path, an answer instead of the right one; None for the right one.
    asked : list of str
        The paths that were asked for.
    id_token : str
        What it gives for any code.
    redeemed : (dict, str)
        The form and the header with which a code was redeemed.
    """

    def __init__(self) -> None:
        self.rsa, self.ec = RSAKey.generate_key(2048, {"kid": "rsa"}), ECKey.generate_key("P-256", {"kid": "ec"})
        self.published: list[dict[str, Any]] = [self.rsa.as_dict(private=False), self.ec.as_dict(private=False)]
        self.fault: Callable[[str], httpx.Response | None] | None = None
        self.asked: list[str] = []
        self.id_token = ""
        self.redeemed: tuple[dict[str, str], str] = {}, ""
        self.transport = httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if self.fault is not None and (fault := self.fault(path)) is not None:
            return fault
        if path.endswith("/.well-known/openid-configuration"):
            places = {"authorization_endpoint": f"{ISSUER}/auth?x=1", "token_endpoint": f"{ISSUER}/token"}
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **places})
        if path.endswith("/token"):
            self.redeemed = dict(parse_qsl(request.content.decode())), request.headers.get("authorization", "")
            return httpx.Response(200, json={"id_token": self.id_token})
        return httpx.Response(200, json={"keys": self.published})

    def sign(self, said: dict[str, Any], key: Key | None = None, algorithm: str = "RS256", **header: Any) -> str:
        """A signed token; by the RSA key if none is named."""
        key = key or self.rsa
        stated = {"alg": algorithm, "kid": key.kid, **header}
        return jwt.encode({k: v for k, v in stated.items() if v is not None}, said, key, algorithms=[algorithm])

    def by_hand(self, header: dict[str, Any], said: dict[str, Any], secret: bytes = b"") -> str:
        """A token as no library makes it: unsigned, or signed with a secret that is none."""
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, said))
        signature = hmac.new(secret, signed, hashlib.sha256).digest() if secret else b""
        return b".".join([signed, _encoded(signature)]).decode()


def _encoded(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(text).rstrip(b"=")
