"""Which models read a stream, and by which of their sources."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.config.model import SourceSpec
from monitor.errors import InputError
from monitor.watch import Watch

__all__ = ["Readers"]


class Readers:
    """Finds the readers of a stream, which need not be known beforehand: a pattern may match it.

    Parameters
    ----------
    watches : iterable of Watch
    """

    def __init__(self, watches: Iterable[Watch]) -> None:
        self._watches = list(watches)
        self._found: dict[str, list[tuple[Watch, SourceSpec]]] = {}

    def __getitem__(self, topic: str) -> list[tuple[Watch, SourceSpec]]:
        """Every model that reads the topic, in the order of their configuration, with the source that does.

        Raises
        ------
        InputError
            Their patterns meet in a topic, but their formats differ.
        """
        if topic not in self._found:
            sources = [(watch, watch.model.spec.source_of(topic)) for watch in self._watches]
            found = [(watch, source) for watch, source in sources if source is not None]
            for watch, source in found[1:]:
                if source.format != found[0][1].format:
                    raise InputError(
                        f"models {found[0][0].name!r} and {watch.name!r} read topic {topic!r} in different formats;"
                        " a topic has one"
                    )
            self._found[topic] = found
        return self._found[topic]
