"""Signed tokens of an OpenID issuer: who shows one has the roles that the configuration gives."""

from __future__ import annotations

from pathlib import Path

from monitor.access.id_tokens import NoRoleError, TokenError, claims_of, holder_of, key_id_of
from monitor.access.issuer import Issuer
from monitor.access.tokens import Token
from monitor.api.issuer_keys import IssuerKeys
from monitor.api.problems import ProblemError
from monitor.clock import Clock
from monitor.config.oidc import Oidc
from monitor.tls.client import trusting

__all__ = ["SignOn"]


class SignOn:
    """Finds the holder of a signed token.

    Parameters
    ----------
    spec : Oidc
    clock : Clock
    folder : Path
        That the file of certificates is relative to.

    Raises
    ------
    InputError
        The certificates to trust cannot be read.
    """

    def __init__(self, spec: Oidc, clock: Clock, folder: Path) -> None:
        self.spec, self._clock = spec, clock
        self.issuer = Issuer(spec.issuer, trusting(str(folder / spec.ca)) if spec.ca else True)
        self.keys = IssuerKeys(self.issuer, clock, spec.keep / 1000)

    async def holder(self, secret: str) -> Token | str:
        """Return who a token is of, or why it is good for nothing.

        Raises
        ------
        ProblemError
            The holder has no role, or the token cannot be checked now.
        """
        try:
            keys = await self.keys.keys(key_id_of(secret))
            claims = claims_of(secret, keys, self.spec.expected, self._clock.now_ms() // 1000)
            return holder_of(claims, self.spec.roles.grants, self.spec.roles.claim, self.spec.name)
        except NoRoleError as error:
            raise ProblemError("forbidden", str(error)) from error
        except TokenError as error:
            return str(error)
