"""Compiled kernels that outlive a clone: they are kept with the downloads."""

from __future__ import annotations

import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path

__all__ = ["keep_compiled", "prune"]

LOCATORS = "UserProvidedCacheLocator,detectors.kernel_cache.ByContent,InTreeCacheLocator,UserWideCacheLocator"
MOST_BYTES = 200_000_000
"""Some states of the source: a run of all tests compiles tens of megabytes."""
SPARED_S = 3600
"""What was used this recently may be in use."""


def keep_compiled(folder: Path, environment: MutableMapping[str, str]) -> str | None:
    """Let this process and those that it starts keep compiled kernels in `folder`; return why they may not, if so.

    What is kept there is run: so nobody else may be able to write to it.

    Parameters
    ----------
    folder
        It is made if it is not there.
    environment
        In which Numba's settings are put, unless the user has put some.
    """
    if {"NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES"} & environment.keys():
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        return f"{folder} belongs to another user, or others may write to it"
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return f"{folder} cannot be written"
    environment.update(LEEWAY_KERNELS=str(folder.resolve()), NUMBA_CACHE_LOCATOR_CLASSES=LOCATORS)
    return None


def prune(folder: Path, now_s: float, most_bytes: int = MOST_BYTES) -> None:
    """Remove what was not used for longest, until the rest is small enough.

    Parameters
    ----------
    folder
        As it was given to :func:`keep_compiled`.
    now_s
        Seconds since 1970.
    most_bytes
        How much may stay; what was used within the hour stays beyond that.
    """
    used = sorted(((entry.stat().st_mtime, entry) for entry in folder.iterdir()), reverse=True)
    total = 0
    for used_s, entry in used:
        total += sum(file.stat().st_size for file in entry.iterdir())
        if total > most_bytes and used_s < now_s - SPARED_S:
            shutil.rmtree(entry, ignore_errors=True)
