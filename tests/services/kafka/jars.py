"""Kafka's published jars, copied into a cache folder once, and running the programs in them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["ROOT", "KafkaUnavailableError", "default_cache", "fetch", "java", "run", "version"]

ROOT = Path(__file__).resolve().parents[3]
POM = Path(__file__).with_name("pom.xml")
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class KafkaUnavailableError(RuntimeError):
    """The broker could not be fetched or started; the message says why and ends with its log."""


def version() -> str:
    """Return the version of Kafka that the tests run against, as `pom.xml` states it."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", POM.read_text())
    if found is None:
        raise KafkaUnavailableError(f"{POM} states no kafka.version")
    return found[1]


def default_cache() -> Path:
    """Return the folder for downloads: `$LEEWAY_CACHE`, else `.cache` in the repository."""
    return Path(os.environ.get("LEEWAY_CACHE") or ROOT / ".cache")


def fetch(cache: Path | None = None) -> Path:
    """Return the folder of Kafka's jars, fetching them with Maven if they are not there yet.

    Two processes may call this at once: one fetches, the other waits. A broken fetch leaves nothing.

    Raises
    ------
    KafkaUnavailableError
        Maven is missing or failed.
    """
    cache = default_cache() if cache is None else cache
    # A changed pom is another set of jars, so it gets a folder of its own.
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    jars = cache / f"kafka-{version()}-{digest}"
    if not jars.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _held(cache / "kafka.lock"):
            if not jars.is_dir():
                _copy_jars(jars)
    return jars


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _copy_jars(jars: Path) -> None:
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix="kafka-incomplete-") as scratch:
        incomplete = Path(scratch) / "jars"
        maven = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(POM)]
        run([*maven, COPY_DEPENDENCIES, "-DincludeScope=runtime", f"-DoutputDirectory={incomplete}"])
        incomplete.rename(jars)


def run(command: Sequence[str]) -> str:
    """Run a program to its end; return what it printed.

    Raises
    ------
    KafkaUnavailableError
        It is missing or failed.
    """
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise KafkaUnavailableError(f"{command[0]} is missing: run .ci/packages java mvn") from error
    if done.returncode:
        raise KafkaUnavailableError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def java(jars: Path, *arguments: str) -> list[str]:
    """Return the command that runs a Java program of the jars."""
    return ["java", "-cp", f"{jars}/*", *arguments]
