"""Names that messages give their models: which of them are models, which are to become one, and why others are not.

A model that appears registers itself before any message of it is folded: its partition waits in front of the first one
until the service has written a version of the model down, and goes on under it. So does every other partition, in
whatever process, and the events of a model are all in its rows, wherever and whenever they were read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.config import Configuration
from monitor.config.model import Model, SourceSpec
from monitor.decoders import Named, TopicPlan
from monitor.events import Appearance, Partition
from monitor.privacy.privacy import NOTHING_PRIVATE, ModelPrivacy, privacy_of

__all__ = ["NO_NAMES", "REASONS", "Names", "name_groups"]

REASONS = {
    "no_name": "the message names no model: nothing, an empty text or no text stands there",
    "not_a_name": "no model can be called so: letters, digits and `._-`, at most 128, and a letter or digit first",
    "not_in_pattern": "`models.pattern` of the source is for other names",
    "not_registering": "`models.at_most` of the source is 0",
    "too_many": "so many as `models.at_most` of the source says have registered themselves",
    "given_up": "somebody has released the model, or taken its file away",
    "not_ready": "the model has registered itself, and cannot be made ready: `leeway versions` says why",
    "named_otherwise": "another model, which does not read the stream, is called so",
    "others": "more names have appeared on the partition than are counted apart",
    "refused": "it cannot be registered: its namespace, or the service, has as many models or series as it may, or"
    " another process has a file of that name",
}
"""Why a name is not that of a model that reads the stream."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
TO_REGISTER = ""


@dataclass(frozen=True)
class Names:
    """The templates of a process, and what it knows of models.

    Attributes
    ----------
    templates : mapping of str to Model
    models : mapping of str to Model
        Those that are watched.
    registered : mapping of str to str
        Those that have registered themselves, with their templates.
    given_up, unready : collection of str
    privacy : mapping of str to ModelPrivacy
        By template.
    refused : collection of str
        Names that the service could not register, as it finds them, and templates like which it can register none.
    """

    templates: Mapping[str, Model] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    registered: Mapping[str, str] = field(default_factory=dict)
    given_up: Collection[str] = frozenset()
    unready: Collection[str] = frozenset()
    privacy: Mapping[str, ModelPrivacy] = field(default_factory=dict)
    refused: Collection[str] = frozenset()

    @classmethod
    def of(cls, configuration: Configuration, refused: Collection[str] = frozenset()) -> Names:
        """Return those of a configuration.

        Raises
        ------
        InputError
            Digests are to be made, and the service has no key.
        """
        templates, service = configuration.templates, configuration.service
        return cls(
            templates,
            configuration.models,
            configuration.registered,
            configuration.given_up,
            configuration.unread,
            {name: privacy_of(template, service) for name, template in templates.items()},
            frozenset(refused),
        )

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(self.registered.values())

    def sources(self, topic: str) -> list[tuple[str, SourceSpec]]:
        """Return the templates that read a topic, with their source that does."""
        sources = [(name, template.spec.source_of(topic)) for name, template in self.templates.items()]
        return [(name, source) for name, source in sources if source is not None]

    def plans(self, topic: str) -> list[TopicPlan]:
        """Return what templates want from a topic: the names alone."""
        return [
            TopicPlan(name, source, self.templates[name].spec.schema_, by=source.models.by)
            for name, source in self.sources(topic)
            if source.models is not None
        ]

    def withholds(self, topic: str) -> bool:
        """Whether messages of a topic are not to be stored: models that may appear there say so."""
        return any(self.privacy.get(name, NOTHING_PRIVATE).withholds_messages for name, _ in self.sources(topic))

    def room(self, template: str, source: SourceSpec) -> int:
        """Return how many models may still register themselves."""
        if template in self.refused:
            return 0
        return max(0, 0 if source.models is None else source.models.at_most - self._counts[template])

    def appeared(self, partition: Partition, named: Mapping[str, Named]) -> list[Appearance]:
        """Return the models that are to register themselves, in the order in which they have appeared."""
        appearances: list[Appearance] = []
        for template, source in self.sources(partition[0]) if named else ():
            names = [
                Appearance(template, name, *partition, int(named[template].offsets[rows[0]]))
                for name, rows in (name_groups(named[template]) if template in named else ())
                if self.reason(template, source, partition[0], name) == TO_REGISTER
            ]
            appearances += sorted(names, key=lambda each: each.offset)[: self.room(template, source)]
        return sorted(appearances, key=lambda each: each.offset)

    def reason(self, template: str, source: SourceSpec, topic: str, name: str) -> str | None:
        """Return why a name is not that of a model here, of `REASONS`; empty if it is to be one, None if it is."""
        if name in self.models and self.models[name].spec.source_of(topic) is not None:
            return None
        assert source.models is not None
        reasons = {
            "no_name": not name,
            "not_a_name": _NAME.fullmatch(name) is None,
            "not_in_pattern": not fnmatchcase(name, source.models.pattern),
            "named_otherwise": name in self.models or name in self.templates,
            "not_ready": name in self.unready,
            "given_up": name in self.given_up,
            "not_registering": source.models.at_most == 0,
            "refused": name in self.refused or template in self.refused,
            "too_many": self.room(template, source) == 0,
        }
        return next((reason for reason, holds in reasons.items() if holds), TO_REGISTER)


NO_NAMES = Names()


def name_groups(named: Named) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield each name with its rows, ascending; what is no text has none.

    Examples
    --------
    >>> from detectors.sketch import Coded
    >>> offsets = np.arange(4)
    >>> named = Named(offsets, offsets, Coded(["fraud", 7, "fraud"], np.array([0, 1, 2, 0])))
    >>> [(name, rows.tolist()) for name, rows in name_groups(named)]
    [('fraud', [0, 2, 3]), ('', [1])]
    """
    codes = named.names.codes
    order = np.argsort(codes, kind="stable")
    firsts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    groups: dict[str, list[NDArray[np.int64]]] = {}
    for rows in np.split(order, firsts[1:]):
        if len(rows):
            groups.setdefault(_text(named.names[int(rows[0])]), []).append(rows)
    for name, parts in groups.items():
        yield name, np.sort(np.concatenate(parts)) if len(parts) > 1 else parts[0]


def _text(value: Any) -> str:
    """Return a name as it can be written down: half of a pair of surrogates is no character."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else ""
