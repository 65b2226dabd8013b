"""Whom a client of the service trusts, and the certificate that it shows."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

from monitor.errors import InputError
from sinks.authorities import public_authorities

__all__ = ["ClientTls", "trusting"]


@dataclass(frozen=True)
class ClientTls:
    """The files with which a service is asked that encrypts; the public authorities are trusted without any.

    Attributes
    ----------
    ca : str or None
        Of the authorities that are trusted, alone; the variable ``LEEWAY_CA`` if None.
    cert : str or None
        Of the client's own certificate; ``LEEWAY_CERT`` if None.
    key : str or None
        Of its key, where the certificate's file does not hold it; ``LEEWAY_KEY`` if None.

    Examples
    --------
    >>> ClientTls(ca="missing.pem").context()
    Traceback (most recent call last):
    ...
    monitor.errors.InputError: the authorities in missing.pem cannot be used: No such file or directory
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return what httpx takes as ``verify``; not to be changed, since others may have the same.

        Raises
        ------
        InputError
            If a file cannot be used.
        """
        authorities = _said(self.ca, "LEEWAY_CA")
        certificate, key = _said(self.cert, "LEEWAY_CERT"), _said(self.key, "LEEWAY_KEY")
        if key and not certificate:
            raise InputError("a key needs the certificate that it belongs to: --cert, or LEEWAY_CERT")
        if not authorities and not certificate:
            return public_authorities()
        context = trusting(authorities)
        if certificate:
            try:
                context.load_cert_chain(certificate, key or None)
            except OSError as error:
                raise InputError(f"the certificate in {certificate} cannot be shown: {_reason(error)}") from error
        return context


def trusting(authorities: str) -> ssl.SSLContext:
    """Return what trusts the authorities in a file; the public ones if empty.

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    if not authorities:
        # One of its own, since a certificate may be added to it.
        import httpx

        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise InputError(f"the authorities in {authorities} cannot be used: {_reason(error)}") from error


def _said(value: str | None, variable: str) -> str:
    return os.environ.get(variable, "") if value is None else value


def _reason(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or str(error)
