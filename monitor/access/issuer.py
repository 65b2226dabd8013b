"""An OpenID issuer: where it says its keys are, and the keys; read over the network, never for long."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from monitor.access.expected import is_protected
from monitor.errors import SourceError
from sinks.time_limit import FAILURES, within

__all__ = ["ALGORITHMS", "Issuer", "Metadata"]

ALGORITHMS = ("RS256", "ES256")
"""With a private key the issuer signs, with the public one everybody checks. `none`, and those of a shared secret, are
not among them: a public key is no secret."""

LEAST_RSA_BITS = 2_048
MOST_BYTES = 1_000_000
MOST_KEYS = 100
ASKED_FOR_S = 5.0


@dataclass(frozen=True)
class Metadata:
    """What an issuer says of itself.

    Attributes
    ----------
    jwks_uri : str
        Where its keys are.
    authorization_endpoint, token_endpoint, end_session_endpoint : str
        Where people log in, programs redeem codes, and people log out; empty if it does not say.
    """

    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""


class Issuer:
    """Asks an issuer.

    Parameters
    ----------
    url : str
        Its name, which tokens have as `iss`.
    verify : ssl.SSLContext or bool
        Whom to trust.
    transport : httpx.AsyncBaseTransport or None
        Carries requests; the network if None.
    """

    def __init__(
        self,
        url: str,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url, self._verify, self._transport = url, verify, transport

    def metadata(self) -> Metadata:
        """Return what it says of itself.

        Raises
        ------
        SourceError
            It does not answer, or says that it is another one.
        """
        document = self._read(f"{self.url.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.url:
            raise self._wrong(f"it says that it is {document.get('issuer')!r}, and not {self.url!r}")
        named = {name: document.get(name, "") for name in Metadata.__dataclass_fields__}
        for name, address in named.items():
            if address and not (isinstance(address, str) and is_protected(address)):
                raise self._wrong(f"its {name} is not protected: {address!r}")
        if not named["jwks_uri"]:
            raise self._wrong("it does not say where its keys are")
        return Metadata(**named)

    def keys(self, metadata: Metadata) -> KeySet:
        """Return the keys that it signs with, as far as they are of use here.

        Raises
        ------
        SourceError
            It does not answer, or has none.
        """
        listed = self._read(metadata.jwks_uri).get("keys")
        imported = [_imported(key) for key in listed[:MOST_KEYS]] if isinstance(listed, list) else []
        keys: list[Key] = [key for key in imported if key is not None]
        if not keys:
            raise self._wrong(f"it has no key for {' or '.join(ALGORITHMS)}")
        return KeySet(keys)

    def redeem(self, metadata: Metadata, form: dict[str, str], client: tuple[str, str] | None) -> dict[str, Any]:
        """Return what it gives for a code; `client` is the name and the secret of who redeems it, if it has one.

        Raises
        ------
        SourceError
        """
        return self._read(metadata.token_endpoint, form=form, auth=client)

    def _read(
        self, address: str, form: dict[str, str] | None = None, auth: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            answer, body = within(ASKED_FOR_S, self._answer(address, form, auth))
        except TimeoutError as error:
            raise self._wrong(f"{address} answers too slowly") from error
        except FAILURES as error:
            raise self._wrong(f"{address}: {error or type(error).__name__}") from error
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if answer.status_code != httpx.codes.OK or not isinstance(document, dict):
            is_refusal = answer.is_client_error and answer.status_code != httpx.codes.TOO_MANY_REQUESTS
            raise self._wrong(f"{address} answers {answer.status_code}{_reason(document)}", retryable=not is_refusal)
        return document

    async def _answer(
        self, address: str, form: dict[str, str] | None, auth: tuple[str, str] | None
    ) -> tuple[httpx.Response, bytes]:
        # It follows nobody to another address.
        method = "GET" if form is None else "POST"
        async with (
            httpx.AsyncClient(verify=self._verify, timeout=ASKED_FOR_S, transport=self._transport) as client,
            client.stream(method, address, data=form, auth=auth) as answer,
        ):
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise self._wrong(f"{address} answers too much")
            return answer, body

    def _wrong(self, reason: str, *, retryable: bool = True) -> SourceError:
        return SourceError(f"the issuer {self.url}: {reason}", retryable=retryable)


def _imported(key: Any) -> RSAKey | ECKey | None:
    """Return a key that may sign tokens; None of any other, and of what is none."""
    if not isinstance(key, dict) or key.get("use", "sig") != "sig":
        return None
    try:
        if key.get("kty") == "RSA" and key.get("alg", "RS256") == "RS256":
            rsa = RSAKey.import_key({name: key[name] for name in ("kty", "n", "e", "kid") if name in key})
            return rsa if rsa.public_key.key_size >= LEAST_RSA_BITS else None
        if key.get("kty") == "EC" and key.get("crv") == "P-256":
            return ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y", "kid") if name in key})
    except (JoseError, ValueError, TypeError, KeyError):
        return None  # one broken key of many is no reason to know none
    return None


def _reason(document: Any) -> str:
    reason = document.get("error_description") or document.get("error") if isinstance(document, dict) else None
    return f": {str(reason)[:200]}" if reason else ""
