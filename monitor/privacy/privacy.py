"""What becomes of the values of a model's fields, and what may be stored of its single events."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from monitor.config.model import Model
from monitor.config.privacy import Buckets
from monitor.config.schema import FieldSpec
from monitor.config.service import Service
from monitor.errors import InputError
from monitor.events import Problem
from monitor.privacy.mask import Mask, key_of

__all__ = ["NOTHING_PRIVATE", "NO_PRIVACY", "WITHHELD", "ModelPrivacy", "privacy_of", "quoting_nothing"]

WITHHELD = "withheld: a model that reads this topic has private fields"
"""In place of what a problem says, which may quote a message."""

NO_PRIVACY = "no privacy"
"""Of a signal whose values stay as they are."""

_QUOTES_NOTHING = frozenset({"future", "late", "too_late", "no_id", "offsets_lost", "log_truncated"})
"""Reasons of which what is said consists of times and counts alone."""


@dataclass(frozen=True)
class ModelPrivacy:
    """What is private of one model.

    Attributes
    ----------
    masks : dict of str to Mask
        By signal, labels among them; of fields that have a `privacy`.
    paths : dict of str to Mask
        The same by where the field stands.
    names : dict of str to Mask
        The same of features and prediction by the field's name, as data sets have it.
    summaries_only : bool
        Whether nothing of a single event may leave memory.
    key_id : str
        Says which key digests are made under; empty without digests.
    """

    masks: Mapping[str, Mask] = field(default_factory=dict)
    paths: Mapping[str, Mask] = field(default_factory=dict)
    names: Mapping[str, Mask] = field(default_factory=dict)
    summaries_only: bool = False
    key_id: str = ""

    @property
    def withholds_messages(self) -> bool:
        """Whether messages, and what quotes them, are not to be stored."""
        return bool(self.masks) or self.summaries_only

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Signals of which no single value may be stored."""
        return frozenset(signal for signal, mask in self.masks.items() if not mask.shows_values)

    def read_as(self, signal: str) -> str:
        """What a signal's values become, for people to compare with what they became under another configuration."""
        mask = self.masks.get(signal)
        if mask is None:
            return NO_PRIVACY
        edges = f" {', '.join(f'{edge:g}' for edge in mask.edges)}" if mask.edges else ""
        return f"privacy {mask.kind}{edges}{f' under the key {self.key_id}' if mask.key else ''}"

    @cached_property
    def fingerprint(self) -> str:
        """Changes when values become others than before; empty while they stay as they are."""
        masks = [f"{signal}={mask.kind}{mask.edges or ''}" for signal, mask in self.masks.items()]
        return f"{','.join(mask for mask in masks if not mask.startswith('label:'))}|{self.key_id}" if masks else ""


NOTHING_PRIVATE = ModelPrivacy()


def privacy_of(model: Model, service: Service) -> ModelPrivacy:
    """Return what is private of a model.

    Raises
    ------
    InputError
        Digests are to be made, and the service has no key.
    """
    schema, key = model.spec.schema_, key_of(service.spec.privacy.hash_key.get_secret_value())
    specs = schema.private_signals()
    is_keyed = any(spec.is_digest for spec in specs.values())
    if is_keyed and not key:
        raise InputError(f"model {model.name!r} makes digests of categories: spec.privacy.hash_key names no key")
    masks = {signal: _mask(spec, key) for signal, spec in specs.items()}
    return ModelPrivacy(
        masks,
        {spec.path or _field(signal): masks[signal] for signal, spec in specs.items()},
        {_field(signal): masks[signal] for signal in specs if not signal.startswith("label:")},
        model.spec.keep.summaries_only or service.spec.privacy.keep == "none",
        _key_id(key) if is_keyed else "",
    )


def quoting_nothing(problem: Problem) -> Problem:
    """Return a problem that quotes no message."""
    return problem if problem.reason in _QUOTES_NOTHING else replace(problem, detail=WITHHELD)


def _mask(spec: FieldSpec, key: bytes) -> Mask:
    if isinstance(spec.privacy, Buckets):
        return Mask("bucket", edges=tuple(spec.privacy.bucket), range=spec.range)
    assert spec.privacy is not None
    return Mask(spec.privacy, key if spec.is_digest else b"", range=spec.range)


def _key_id(key: bytes) -> str:
    return hashlib.blake2b(b"id", key=key, digest_size=4).hexdigest()


def _field(signal: str) -> str:
    return signal.partition(":")[2]
