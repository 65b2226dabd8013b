"""The errors that a user may see, drawn once.

::

    LeewayError                 anything Leeway says on purpose; the CLI prints it without a traceback
    ├── ConfigError             mistakes in a configuration, each with file, line and path   (exit 2)
    ├── InputError              a file, a column or an argument that cannot be used          (exit 2)
    ├── SourceError             a source cannot be read; ``retryable`` says whether waiting helps
    └── CheckpointError         a checkpoint is corrupt or from another configuration or version

The store has a tree of its own (``sinks.store.contract``), since ``sinks`` does not know ``monitor``.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["CheckpointError", "InputError", "LeewayError", "SourceError"]


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
