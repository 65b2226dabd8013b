"""Kafka's published jars, copied into a cache folder once."""

from __future__ import annotations

import re
from pathlib import Path

from tests.services.cache import UnavailableError, copy_jars, default_cache, digest, once

__all__ = ["KafkaUnavailableError", "fetch", "version"]

POM = Path(__file__).with_name("pom.xml")


class KafkaUnavailableError(UnavailableError):
    """The broker could not be started; the message says why and ends with its log."""


def version() -> str:
    """Return the version of Kafka that the tests run against, as `pom.xml` states it."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", POM.read_text())
    if found is None:
        raise KafkaUnavailableError(f"{POM} states no kafka.version")
    return found[1]


def fetch(cache: Path | None = None) -> Path:
    """Return the folder of Kafka's jars, fetching them with Maven if they are not there yet.

    Two processes may call this at once: one fetches, the other waits. A broken fetch leaves nothing.

    Raises
    ------
    UnavailableError
        Maven is missing or failed.
    """
    folder = (cache or default_cache()) / f"kafka-{version()}-{digest(POM)}"
    return once(folder, "kafka", lambda incomplete: copy_jars(POM, incomplete))
