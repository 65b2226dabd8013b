"""Certificates for programs that tests start."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["Authority", "make_certificate"]

DAY = timedelta(days=1)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that is its own authority; return its file and that of its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *named, *files], check=True, capture_output=True)
    return certificate, key


class Authority:
    """Signs certificates.

    Parameters
    ----------
    folder : Path
        Where its own certificate is written, and those that it signs.
    name : str
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = _named([name])
        made = _unsigned(self._name, self._key, timedelta(days=365)).issuer_name(self._name)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def sign(
        self,
        file: str,
        common_names: Sequence[str],
        names: Sequence[x509.GeneralName] = (),
        lasts: timedelta = 365 * DAY,
    ) -> tuple[Path, Path]:
        """Write a certificate that began a day ago, and its key, and return their files."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _unsigned(_named(common_names), key, lasts).issuer_name(self._name)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate, key_file = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        certificate.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key_file

    def sign_server(self, file: str = "server", lasts: timedelta = 365 * DAY) -> tuple[Path, Path]:
        """Write a certificate for this machine."""
        return self.sign(file, ["localhost"], [x509.IPAddress(ip_address("127.0.0.1"))], lasts)


def _named(common_names: Sequence[str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


def _unsigned(name: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta) -> x509.CertificateBuilder:
    begins = datetime.now(UTC) - DAY
    made = x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
    return made.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(begins + lasts)
