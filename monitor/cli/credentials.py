"""With which token a service is asked."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["read_token", "token_file"]

token_file = click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of a token, where the service asks for one.  [default: the variable LEEWAY_TOKEN]",
)


def read_token(file: Path | None) -> str | None:
    """Return the token in a file; None without a file.

    Raises
    ------
    InputError
        If it cannot be read, or holds none.
    """
    from monitor.errors import InputError

    if file is None:
        return None
    try:
        # More would be no token, and may be a device.
        with file.open("rb") as stream:
            secret = stream.read(4_096).decode("ascii", "replace").strip()
    except OSError as error:
        raise InputError(f"--token-file: {file}: {error.strerror}") from error
    if not secret:
        raise InputError(f"--token-file: {file} is empty")
    return secret
