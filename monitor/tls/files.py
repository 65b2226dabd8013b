"""The files of a certificate: whether a server can use them, and how long."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from monitor.errors import InputError

__all__ = ["CertificateFiles", "Clients", "Validity", "WrongFileError", "server_context", "validity"]

Clients = Literal["may", "must"]
"""Whether clients may show a certificate, or must."""

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class WrongFileError(InputError):
    """A file that cannot be used.

    Parameters
    ----------
    key : str
        Which one: an attribute of :class:`CertificateFiles`.
    message : str
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class CertificateFiles:
    """The files of a server's certificate.

    Attributes
    ----------
    certificate : Path
        In PEM: the server's own first, then those of its authorities up to one that clients know.
    key : Path
        In PEM, not encrypted.
    client_ca : Path or None
        The authorities of clients' certificates, in PEM; None asks for none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def stamp(self) -> tuple[tuple[int, ...], ...]:
        """Return what changes whenever one of the files does; nothing of a file that is not there."""
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.client_ca) if path is not None)


@dataclass(frozen=True)
class Validity:
    """From when until when a certificate is good, in ms since the epoch."""

    from_ms: int
    until_ms: int

    @property
    def renew_from_ms(self) -> int:
        """When it should have been renewed: 30 days before its end, of a short-lived one a third of its life."""
        return self.until_ms - min(30 * 86_400_000, (self.until_ms - self.from_ms) // 3)


def server_context(files: CertificateFiles, *, clients: Clients = "may", only_1_3: bool = False) -> ssl.SSLContext:
    """Return what a server needs to show a certificate.

    Parameters
    ----------
    files : CertificateFiles
    clients : Clients
        Whether those must show a certificate, where `client_ca` says of whom.
    only_1_3 : bool
        Whether TLS 1.2 is refused, too; with `client_ca` it always is.

    Raises
    ------
    WrongFileError
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = TLS_1_3 if only_1_3 else TLS_1_2
    context.set_alpn_protocols(["http/1.1"])
    validity(files.certificate)
    _check_readable("key", files.key)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_refuse_password)
    except ssl.SSLError as error:
        raise WrongFileError("key", _meaning(error, files)) from None
    except OSError as error:
        # One of them is gone since it was looked at.
        raise WrongFileError("key", f"{files.certificate} or {files.key}: {error.strerror}") from None
    if files.client_ca is not None:
        _trust_clients(context, files.client_ca, clients)
    return context


def validity(certificate: Path) -> Validity:
    """Return from when until when the first certificate of a file is good.

    Raises
    ------
    WrongFileError
    """
    # Only here: most services have no certificate.
    from cryptography import x509

    text = _check_readable("certificate", certificate)
    try:
        own = x509.load_pem_x509_certificates(text)[0]
    except ValueError:
        raise WrongFileError("certificate", f"{certificate} holds no certificate in PEM") from None
    begins, ends = own.not_valid_before_utc, own.not_valid_after_utc
    return Validity(int(begins.timestamp() * 1000), int(ends.timestamp() * 1000))


def _trust_clients(context: ssl.SSLContext, authorities: Path, clients: Clients) -> None:
    _check_readable("client_ca", authorities)
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError:
        raise WrongFileError("client_ca", f"{authorities} holds no certificate in PEM") from None
    except OSError as error:
        raise WrongFileError("client_ca", f"{authorities}: {error.strerror}") from None
    context.verify_mode = ssl.CERT_REQUIRED if clients == "must" else ssl.CERT_OPTIONAL
    # Who resumes a session is not looked at again: each connection shows its certificate itself. Of 1.2 a server
    # resumes sessions also without tickets, by their names.
    context.minimum_version = TLS_1_3
    context.num_tickets = 0


def _check_readable(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WrongFileError(key, f"{path}: {error.strerror}") from None


def _refuse_password() -> NoReturn:
    raise WrongFileError("key", "the key is encrypted, and nobody is there to say its password")


def _meaning(error: ssl.SSLError, files: CertificateFiles) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{files.key} is not the key of the certificate in {files.certificate}"
    return f"{files.key} holds no key in PEM that can be used ({error.reason or 'unreadable'})"


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    # Whoever may read it changes, too, and only the time of that says so.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
