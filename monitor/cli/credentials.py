"""With which token and certificate a service is asked, and whom to trust."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.records import record

if TYPE_CHECKING:
    from monitor.tls.client import ClientTls

__all__ = ["NO_CREDENTIALS", "Credentials", "credentials"]


@dataclass(frozen=True)
class Credentials:
    """What a service is shown, and how it is known to be the right one."""

    token_file: Path | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @property
    def token(self) -> str | None:
        """The token in the file; None without a file.

        Raises
        ------
        InputError
            If it cannot be read, or holds none.
        """
        return None if self.token_file is None else _read_token(self.token_file)

    @property
    def tls(self) -> ClientTls:
        """The files for encryption."""
        from monitor.tls.client import ClientTls

        return ClientTls(self.ca, self.cert, self.key)


MOST_CHARACTERS = 16_384
"""That a service takes: signed tokens are long."""

NO_CREDENTIALS = Credentials()


def _file(name: str, help_text: str) -> Callable[..., Any]:
    return click.option(name, type=click.Path(dir_okay=False), help=help_text)


credentials = record(
    "credentials",
    Credentials,
    click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The file of a token, where the service asks for one.  [default: the variable LEEWAY_TOKEN]",
    ),
    _file("--ca", "The file of the authorities to trust, where the service encrypts.  [default: LEEWAY_CA]"),
    _file("--cert", "The file of a certificate to show.  [default: LEEWAY_CERT]"),
    _file("--key", "The file of its key.  [default: LEEWAY_KEY]"),
)
"""Adds the options that say who asks; the command, or the record around it, takes ``credentials``."""


def _read_token(file: Path) -> str:
    from monitor.errors import InputError

    try:
        # More would be no token, and may be a device; one character may be the end of the line.
        with file.open("rb") as stream:
            secret = stream.read(MOST_CHARACTERS + 2).decode("ascii", "replace").strip()
    except OSError as error:
        raise InputError(f"--token-file: {file}: {error.strerror}") from error
    if not secret:
        raise InputError(f"--token-file: {file} is empty")
    if len(secret) > MOST_CHARACTERS:
        raise InputError(f"--token-file: {file} holds more than {MOST_CHARACTERS:,} characters: it is no token")
    return secret
