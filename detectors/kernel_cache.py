"""Compiled kernels in a folder that several installations and versions of this source may share.

Numba keeps compiled code next to the source, or in a folder that is named after the source's path. So a new clone
compiles everything anew. Two versions of one path, each in its own container with the volume in common, replace each
other's files. Here each kernel has a folder that is named after the content of all that it is made of: nothing in it
is ever replaced by something else.

Numba takes this from the environment, where `LEEWAY_KERNELS` names the folder::

    NUMBA_CACHE_LOCATOR_CLASSES=UserProvidedCacheLocator,detectors.kernel_cache.ByContent,InTreeCacheLocator
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba.core.caching

from detectors.kernel import Kernel, taken_from_elsewhere

__all__ = ["ByContent"]

_COMPILERS = ("numba", "llvmlite", "numpy")
_NO_MATTER = ("NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES", "NUMBA_DEBUG_CACHE", "NUMBA_NUM_THREADS")


_InTree: Any = numba.core.caching.InTreeCacheLocator


class ByContent(_InTree):  # type: ignore[misc]  # Numba has no types
    """Where the compiled forms of a kernel are kept.

    Numba itself tells machines with other processors apart.

    Parameters
    ----------
    py_func : callable
        A kernel, as it was before it was compiled.
    py_file : str
        The file in which it stands.
    """

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        name = f"{py_func.__module__}.{py_func.__qualname__}"
        settings = [f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("NUMBA_")]
        parts = [
            name,
            sys.version,
            *(f"{package} {version(package)}" for package in _COMPILERS),
            *(setting for setting in settings if not setting.startswith(_NO_MATTER)),
            sha256(Path(py_file).read_bytes()).hexdigest(),
            *taken_from_elsewhere(py_func),
        ]
        content = sha256("\n".join(parts).encode()).hexdigest()[:32]
        readable = name.replace("<", "").replace(">", "")[-80:]
        self._cache_path = str(Path(os.environ["LEEWAY_KERNELS"], f"{readable}-{content}"))

    def ensure_cache_path(self) -> None:
        """Make the folder, or note that it is in use: who clears up begins with what was long not used."""
        super().ensure_cache_path()
        os.utime(self._cache_path)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> ByContent | None:
        """Return none, so that Numba asks the next, for what is no kernel or where the folder cannot be written."""
        # What another package compiles may be made of what only its own authors know of.
        is_kernel = isinstance(py_func.__globals__.get(py_func.__name__), Kernel)
        if not is_kernel or not os.environ.get("LEEWAY_KERNELS"):
            return None
        locator: ByContent | None = super().from_function(py_func, py_file)
        return locator
