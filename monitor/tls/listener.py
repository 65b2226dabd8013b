"""The certificate that a server shows, taken up anew when its files change; connections that are open stay open."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.clock import Clock
from monitor.errors import InputError
from monitor.tls.files import CertificateFiles, Validity, validity

__all__ = ["ListenerCertificate", "until_words"]

log = structlog.get_logger("leeway.service")


class ListenerCertificate(Collector):
    """A server's certificate, and how long it is good.

    Parameters
    ----------
    files : CertificateFiles
    make : callable
        Makes a context of the files.
    clock : Clock

    Attributes
    ----------
    context : ssl.SSLContext
        For the server: each handshake goes by the files that were taken up last.

    Raises
    ------
    WrongFileError
    """

    def __init__(
        self, files: CertificateFiles, make: Callable[[CertificateFiles], ssl.SSLContext], clock: Clock
    ) -> None:
        self._files, self._make, self._clock = files, make, clock
        self._seen = self._tried = files.stamp()
        self._validity = validity(files.certificate)
        self.context = self._newest = make(files)
        self._wrong = ""
        self.context.sni_callback = self._show_newest

    def renew(self) -> None:
        """Take up the files as they are now.

        Raises
        ------
        WrongFileError
            Everything stays as it is then.
        """
        self._tried = self._files.stamp()
        try:
            self._newest, self._validity = self._make(self._files), validity(self._files.certificate)
        except InputError as error:
            self._wrong = str(error)
            raise
        self._wrong = ""

    def follow(self) -> None:
        """Take up files that have changed, and have not since the last look: who writes them may write one by one."""
        stamp = self._files.stamp()
        is_written, self._seen = stamp == self._seen, stamp
        if not is_written or stamp == self._tried:
            return
        try:
            self.renew()
        except InputError as error:
            log.error("the new certificate cannot be used: the former one stays", reason=str(error))
        else:
            log.info("a new certificate is in use", until=_written(self._validity.until_ms))

    def holding(self) -> dict[str, str]:
        """Return what is wrong with it, if anything is, by its file: the sentence of an alert."""
        until = _written(self._validity.until_ms)
        name = str(self._files.certificate)
        if self._wrong:
            return {name: f"the API's new certificate cannot be used: {self._wrong}; the former one ends at {until}"}
        now_ms = self._clock.now_ms()
        if now_ms >= self._validity.until_ms:
            return {name: f"the API's certificate {name} ended at {until}: clients refuse it; renew it"}
        if now_ms >= self._validity.renew_from_ms:
            return {name: f"the API's certificate {name} ends at {until}, and is not renewed yet"}
        return {}

    def collect(self) -> Iterable[Metric]:
        """How long it is good."""
        left_s = (self._validity.until_ms - self._clock.now_ms()) / 1000
        text = "Seconds until the API's certificate ends; negative afterwards."
        yield GaugeMetricFamily("leeway_http_certificate_expires_seconds", text, value=left_s)

    def _show_newest(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._newest


def until_words(validity: Validity, now_ms: int) -> str:
    """Return when a certificate ends, if it should be renewed by now; else nothing.

    Examples
    --------
    >>> day_ms = 86_400_000
    >>> until_words(Validity(0, 365 * day_ms), 355 * day_ms), until_words(Validity(0, 365 * day_ms), 0)
    ('ends at 1971-01-01T00:00:00Z, in 10 days', '')
    """
    if now_ms < validity.renew_from_ms:
        return ""
    until = _written(validity.until_ms)
    hours = (validity.until_ms - now_ms) // 3_600_000
    remaining = f"{hours} hours" if hours < 48 else f"{hours // 24} days"
    return f"ended at {until}" if hours < 0 else f"ends at {until}, in {remaining}"


def _written(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
