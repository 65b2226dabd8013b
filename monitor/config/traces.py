"""Where spans go."""

from __future__ import annotations

from pydantic import Field, SecretStr

from monitor.values import Strict

__all__ = ["Traces"]


class Traces(Strict):
    """Spans of what the stages do, sent by OTLP over HTTP; needs `pip install 'leeway[traces]'`."""

    endpoint: str = Field(
        pattern=r"^https?://[^@\s]+$", description="of a collector, such as `http://collector:4318/v1/traces`"
    )
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="such as a key for the collector")
    share: float = Field(default=1.0, gt=0, le=1, description="of the rounds that are sent, all of whose spans are")
    service: str = Field(default="leeway", min_length=1, description="`service.name` of the spans")
