"""How the user called this program, so that what is printed can be run as it stands."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

__all__ = ["program", "runnable"]

NAME = "leeway"


def program() -> str:
    """Return the program's name if a shell finds it, else the path by which it was called."""
    called = sys.argv[0]
    if os.path.basename(called) != NAME:
        return NAME
    on_path = shutil.which(NAME)
    return (
        NAME if on_path is not None and os.path.realpath(on_path) == os.path.realpath(called) else shlex.quote(called)
    )


def runnable(text: str) -> str:
    """Return a text whose commands are spelled as the user called this one.

    Examples
    --------
    >>> runnable("the store lacks tables: `leeway store migrate` makes them")
    'the store lacks tables: `leeway store migrate` makes them'
    """
    return text.replace(f"`{NAME} ", f"`{program()} ")
