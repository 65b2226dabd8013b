"""Encryption of the API: its certificate, and those of its clients."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from monitor.tls.files import CertificateFiles, Clients, WrongFileError, server_context
from monitor.values import Strict

__all__ = ["ListenerTls"]


class ListenerTls(Strict):
    """Encryption of the API. Paths are relative to this file; the files are read again when they change."""

    certificate: str = Field(
        min_length=1, description="file of its certificate in PEM, followed by those of its authorities"
    )
    key: str = Field(min_length=1, description="file of the certificate's key in PEM, not encrypted")
    client_ca: str = Field(
        default="", description="file of the authorities whose certificates clients may show; empty asks for none"
    )
    clients: Clients = Field(
        default="may", description="whether clients may show a certificate, or `must`, probes and scrapes included"
    )
    minimum: Literal["1.2", "1.3"] | None = Field(
        default=None, description="the lowest version of TLS: 1.2, or with `client_ca` 1.3 and no older one"
    )

    @model_validator(mode="after")
    def _knows_its_clients(self) -> Self:
        if self.clients == "must" and not self.client_ca:
            raise ValueError("clients cannot show certificates unless `client_ca` says of which authorities")
        if self.minimum == "1.2" and self.client_ca:
            raise ValueError(
                "with `client_ca` there is TLS 1.3 alone: who resumes a session of 1.2 shows no certificate again"
            )
        return self

    def files(self, folder: Path) -> CertificateFiles:
        """Return its files, relative to a folder."""
        authorities = folder / self.client_ca if self.client_ca else None
        return CertificateFiles(folder / self.certificate, folder / self.key, authorities)

    def context(self, files: CertificateFiles) -> ssl.SSLContext:
        """Return what a server needs to go by it.

        Raises
        ------
        WrongFileError
        """
        return server_context(files, clients=self.clients, only_1_3=self.minimum == "1.3")

    def wrong_files(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Yield the key of a file that cannot be used, and why."""
        try:
            self.context(self.files(folder))
        except WrongFileError as error:
            yield error.key, str(error)
