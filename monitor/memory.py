"""How the process keeps memory that it will need again."""

from __future__ import annotations

import ctypes
import gc

__all__ = ["collect_rarely", "give_back_freed", "keep_freed"]

# The numbers that glibc's malloc.h gives these.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_BYTES = 32 * 1024 * 1024
_KEPT_BYTES = 128 * 1024 * 1024
_NEW_OBJECTS = 100_000
_YOUNG_ROUNDS = _OLD_ROUNDS = 1


def keep_freed() -> bool:
    """Have the C library keep up to 128 MiB that were freed, instead of giving them back at once.

    Answers of a broker, decompressed batches and columns have megabytes each and live for a moment. By default every
    one of them is mapped anew, and the kernel clears it page by page: half of what it costs to fetch an uncompressed
    message. Up to so much more stays with the process, in each pool, until :func:`give_back_freed`.

    Returns
    -------
    bool
        Whether the C library does as it is told: glibc does, others are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))


def give_back_freed() -> None:
    """Have the C library give back the pages that nothing lies on, those between what is in use too.

    By itself it gives back the end of a pool alone. After a burst, something that stays lies behind what was freed as a
    rule, and hundreds of megabytes would be kept for good. C libraries other than glibc are left as they are.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def collect_rarely() -> None:
    """Have Python look for unreachable cycles after 100,000 new objects instead of 700, and not among those of today.

    A batch that is read record by record makes some objects for each, none of which is part of a cycle; looking at them
    again and again, together with all that the compiler's modules hold, took a quarter of the time.

    What outlived that is looked at after half a million more, and not before a quarter of what the last such look left
    has come to it, since CPython skips it until then: unreachable objects may become half a million, or a quarter of
    those in use. A client keeps errors, with all that their frames hold, for as long as a request is under way, and
    these are old when they become unreachable. Python's own factors of ten would leave ten million of them, which is
    two gigabytes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_ROUNDS, _OLD_ROUNDS)
