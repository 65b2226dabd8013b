"""Programs that tests run but do not bring along: fetched into a cache folder once, and run from there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

__all__ = ["ROOT", "UnavailableError", "copy_jars", "default_cache", "digest", "java", "once", "run"]

ROOT = Path(__file__).resolve().parents[2]
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class UnavailableError(RuntimeError):
    """A program could not be fetched or started; the message says why."""


def default_cache() -> Path:
    """Return the folder for downloads: `$LEEWAY_CACHE`, else `.cache` in the repository."""
    return Path(os.environ.get("LEEWAY_CACHE") or ROOT / ".cache")


def digest(*files: Path) -> str:
    """Return eight characters that stand for what is in `files`: changed files are fetched into another folder."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


def once(folder: Path, lock: str, fill: Callable[[Path], None]) -> Path:
    """Return `folder`, which `fill` writes if it is not there yet.

    Two processes may call this at once: one fills, the other waits. What `fill` leaves when it fails is removed.

    Parameters
    ----------
    folder
        In the cache.
    lock
        Name of the lock, a file next to it.
    fill
        Is given a path at which to make the folder.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _held(folder.parent / f"{lock}.lock"):
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{lock}-incomplete-") as scratch:
                    incomplete = Path(scratch) / "folder"
                    fill(incomplete)
                    incomplete.rename(folder)
    return folder


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def copy_jars(pom: Path, folder: Path) -> None:
    """Copy what a Maven project needs at run time into a new folder."""
    maven = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(pom)]
    run([*maven, COPY_DEPENDENCIES, "-DincludeScope=runtime", f"-DoutputDirectory={folder}"])


def run(command: Sequence[str]) -> str:
    """Run a program to its end; return what it printed.

    Raises
    ------
    UnavailableError
        It is missing or failed.
    """
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise UnavailableError(f"{command[0]} is missing: run .ci/packages java mvn") from error
    if done.returncode:
        raise UnavailableError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def java(jars: Path, *arguments: str) -> list[str]:
    """Return the command that runs a Java program of the jars in a folder."""
    return ["java", "-cp", f"{jars}/*", *arguments]
