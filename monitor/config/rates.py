"""How much one client may ask for a second."""

from __future__ import annotations

from pydantic import Field

from monitor.values import Strict

__all__ = ["ApiRates"]


class ApiRates(Strict):
    """How much whoever holds a token, or without one an address, may ask for; more is refused with 429."""

    requests_per_s: float = Field(default=500, gt=0, description="on average; probes do not count")
    burst: int = Field(default=5_000, gt=0, description="requests at once, after a pause")
    ingest_bytes_per_s: int = Field(
        default=128 * 1024 * 1024, gt=0, description="of events and posted alerts, as they come, on average"
    )
    failed_logins_per_minute: float = Field(
        default=20, gt=0, description="tokens that are not good, from an address; as many at once"
    )
