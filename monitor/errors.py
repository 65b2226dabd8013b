"""The errors that a user may see, drawn once.

::

    LeewayError                 anything Leeway says on purpose; the CLI prints it without a traceback
    ├── ConfigError             mistakes in a configuration, each with file, line and path   (exit 2)
    ├── InputError              a file, a column or an argument that cannot be used          (exit 2)
    ├── SourceError             a source cannot be read; ``retryable`` says whether waiting helps
    ├── StartStoppedError       a service that is still waiting to start is to end           (exit 0)
    └── CheckpointError         a checkpoint is corrupt or from another configuration or version

The store has a tree of its own (``sinks.store.contract``), since ``sinks`` does not know ``monitor``.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["CheckpointError", "InputError", "LeewayError", "SourceError", "StartStoppedError", "nearest_hint"]

LONGEST_NAME = 256
"""Of a name that is longer no near one is looked for behind so many characters."""


class LeewayError(Exception):
    """Base of every error that Leeway raises on purpose."""


class InputError(LeewayError):
    """Something the user named cannot be used: a missing file, an unknown column, a bad argument."""


class SourceError(LeewayError):
    """A source cannot be read.

    Parameters
    ----------
    message : str
    retryable : bool
        Whether the same call may succeed later without anybody changing anything.
    topics : iterable of str
        Those that it is about, where the others of the source can be read; none if it is about the source.
    """

    def __init__(self, message: str, *, retryable: bool, topics: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.retryable, self.topics = retryable, frozenset(topics)


class CheckpointError(LeewayError):
    """A checkpoint cannot be used: corrupt, or written under another configuration or code version."""


class StartStoppedError(LeewayError):
    """A start that waits for the store has been asked to end."""


def nearest_hint(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """Ask whether the nearest of some names was meant; nothing where none is near.

    Parameters
    ----------
    name : str
        That is none of them.
    names : iterable of str
    cutoff : float
        How much alike they have to be, from 0 to 1.

    Examples
    --------
    >>> nearest_hint("fruad", ["churn", "fraud"]), nearest_hint("x", ["fraud"])
    ("did you mean 'fraud'? ", '')
    """
    close = get_close_matches(name[:LONGEST_NAME], list(names), 1, cutoff)
    return f"did you mean {close[0]!r}? " if close else ""
