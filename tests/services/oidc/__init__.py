"""A certified OpenID provider (https://github.com/panva/node-oidc-provider, MIT), run by Node as a program of its own.

It is fetched into the cache folder once, exactly as `package-lock.json` names it; nothing of it runs while it is
installed. Where Node or the registry is missing, tests that need it are skipped with the reason.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import ECKey, KeySet, RSAKey

from tests.services.cache import UnavailableError, default_cache, digest, once, run
from tests.services.processes import free_port

__all__ = ["PROGRAM", "Provider", "fetch", "new_keys", "provider"]

HERE = Path(__file__).parent
LOCKED = HERE / "package.json", HERE / "package-lock.json"
PROGRAM = HERE / "provider.mjs"


def fetch(cache: Path | None = None) -> Path:
    """Return the folder that the provider is installed in, fetched if it is not there yet.

    Raises
    ------
    UnavailableError
        npm is missing, or failed.
    """
    return once((cache or default_cache()) / f"oidc-provider-{digest(*LOCKED)}", "oidc-provider", _install)


def _install(folder: Path) -> None:
    folder.mkdir()
    for file in LOCKED:
        shutil.copy(file, folder)
    run(["npm", "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])


@dataclass(frozen=True)
class Provider:
    """A provider that runs.

    Attributes
    ----------
    url : str
        Its address, which is its name.
    """

    url: str

    def program_token(self, audience: str) -> str:
        """A token that a program has got for its own secret; for an audience that ends in `ec`, signed by that key."""
        form = {"grant_type": "client_credentials", "resource": audience}
        answer = httpx.post(f"{self.url}/token", data=form, auth=("checkout", "a secret of a program"), timeout=120)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def log_in(self, address: str, account: str) -> str:
        """Do what a person does whom a page has sent to an address: log in, agree; return where one is sent back to."""
        with httpx.Client(base_url=self.url, timeout=120) as browser:
            answer = browser.get(address)
            forms = iter([{"prompt": "login", "login": account, "password": "any"}, {"prompt": "consent"}])
            while True:
                if answer.is_redirect:
                    place = answer.headers["location"]
                    if not place.startswith((self.url, "/")):
                        return str(place)
                    answer = browser.get(place)
                else:
                    assert answer.status_code == 200, answer.text
                    answer = browser.post(answer.url, data=next(forms))


def new_keys(name: str) -> list[dict[str, Any]]:
    """Keys of a provider, private, of both kinds."""
    rsa = RSAKey.generate_key(2048, {"kid": f"{name}-rsa", "alg": "RS256", "use": "sig"})
    ec = ECKey.generate_key("P-256", {"kid": f"{name}-ec", "alg": "ES256", "use": "sig"})
    return [dict(key) for key in KeySet([rsa, ec]).as_dict(private=True)["keys"]]


@contextmanager
def provider(
    keys: list[dict[str, Any]], *, port: int = 0, redirect: str = "https://127.0.0.1/none"
) -> Iterator[Provider]:
    """Run a provider.

    Raises
    ------
    UnavailableError
        It cannot be fetched or started.
    """
    folder = fetch()
    # Modules are looked for beside the program.
    program = folder / f"provider-{digest(PROGRAM)}.mjs"
    if not program.exists():
        shutil.copy(PROGRAM, program)
    settings = json.dumps({"port": port or free_port(), "jwks": {"keys": keys}, "redirect": redirect})
    command = ["node", "--no-warnings", str(program), settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            # It may warn before.
            address = next((line for line in process.stdout if line.startswith(b"http")), b"").decode().strip()
            if not address:
                raise UnavailableError("the provider has not started")
            yield Provider(address)
        finally:
            process.kill()
