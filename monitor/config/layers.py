"""What models have in common: defaults of all models, and of a namespace, below what a model's own file says.

Layers are merged as documents, before anything of them is a value of Leeway's: what a model is, and what restarts its
learning, depends on the merged document alone. The order of its features is part of that, since open panes keep them
as columns: a model's file settles it by naming them, and what it does not name follows.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import getitem
from typing import Any, Literal, get_origin

from pydantic import BaseModel, Field

from monitor.config.document import Document, KeyPath, Mistake
from monitor.config.keep import NONE
from monitor.config.model import Model
from monitor.values import Name, Strict

__all__ = ["RULES", "DefaultsMetadata", "Layered", "Layers", "ModelDefaults", "is_mergeable", "rules_of", "sample_of"]

RULES = ("spec", "detect", "rules")
_BASELINE, _KEEP = ("spec", "baseline"), ("spec", "keep")
_NAMES = {"{model}": "name", "{namespace}": "namespace"}


class DefaultsMetadata(Strict):
    """Whose defaults they are, and what such models are labelled with."""

    namespace: Name | None = Field(
        default=None, description="they are for the models of this namespace; for all models if absent"
    )
    owner: str = Field(default="", description="the contact for questions")
    labels: dict[str, str] = Field(default_factory=dict, description="copied onto every alert")


class ModelDefaults(Strict):
    """What models have unless they say otherwise."""

    api_version: Literal["leeway/v1"] = Field(alias="apiVersion")
    kind: Literal["Defaults"]
    metadata: DefaultsMetadata = Field(default_factory=DefaultsMetadata)
    spec: dict[str, Any] = Field(
        default_factory=dict, description="any part of a model's; `{model}` and `{namespace}` stand for its own names"
    )


@dataclass
class Layered(Document):
    """A model's document, the last of its layers, with the defaults that are in force for it."""

    def origin(self, path: KeyPath) -> tuple[Document, KeyPath]:
        """The uppermost layer that says what stands at ``path``, and where in it; the model's own if none does."""
        values = [layer.value for layer in self.layers]
        if path[:3] == RULES and len(path) > 3:
            rules = _rules_in_force(values)
            if isinstance(path[3], int) and path[3] < len(rules):
                level, index = rules[path[3]]
                return self.layers[level], (*RULES, index, *path[4:])
        in_force = self.layers[_lowest_in_force(values, path) :]
        for length in range(len(path), 1, -1):
            for layer in reversed(in_force):
                if path[:length] in layer.positions or _is_short_for(layer.value, path[:length]):
                    return layer, path
        return self.layers[-1], path

    def as_stated(self, path: KeyPath, text: str) -> str:
        """Return a text as its layer has it, with the model's names filled in as its file has them."""
        layer, key = self.origin(path)
        own = self.layers[-1]
        if layer is own:
            return own.as_stated(key, text)
        names = {name: own.as_stated(("metadata", _NAMES[name]), text) for name, text in _names_of(own.value).items()}
        stated: str = _filled_at(layer.as_stated(key, reduce(getitem, key, layer.value)), (), names)
        return stated

    def whole(self) -> str:
        """Return what the layers say together, as one document: no comments, and variables by their names."""
        value = self._stated((), self.value) if any(layer.referenced for layer in self.layers) else self.value
        lines: list[str] = []
        for key, part in value.items():
            if key == "spec" and isinstance(part, dict):
                lines += ["spec:", *(f"  {_flow(name)}: {_flow(section)}" for name, section in part.items())]
            else:
                lines.append(f"{_flow(key)}: {_flow(part)}")
        return "\n".join(lines) + "\n"

    def _stated(self, path: KeyPath, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._stated((*path, key), part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._stated((*path, index), part) for index, part in enumerate(value)]
        return self.as_stated(path, value) if isinstance(value, str) else value


class Layers:
    """The defaults of a configuration.

    Parameters
    ----------
    documents : iterable of Document
        Of ``kind: Defaults``, each a valid one.

    Attributes
    ----------
    mistakes : list of Mistake
        Defaults of which there are others already.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self.mistakes: list[Mistake] = []
        self._of: dict[str | None, Document] = {}
        for document in documents:
            namespace = document.value.get("metadata", {}).get("namespace")
            first = self._of.setdefault(namespace, document)
            if first is not document:
                whose = "of all models" if namespace is None else f"of namespace {namespace!r}"
                self.mistakes.append(document.mistake(("kind",), f"second defaults {whose}; the first: {first.file}"))
        self._named = {id(document): list(_named_in(document.value)) for document in self._of.values()}

    def below(self, document: Document) -> Document:
        """Return a model's document with what defaults add to it; itself where they add nothing."""
        names = _names_of(document.value)
        defaults = [self._of[key] for key in (None, names["{namespace}"]) if key in self._of]
        if not defaults or not isinstance(document.value, dict):
            return document
        values = [*(_filled(layer.value, self._named[id(layer)], names) for layer in defaults), document.value]
        return Layered(document.file, merged(values), document.positions, document.referenced, (*defaults, document))


def _flow(value: Any) -> str:
    """Write a value as JSON, which is YAML as well."""
    return json.dumps(value, ensure_ascii=False, default=str)


def is_mergeable(defaults: Document) -> bool:
    """Whether defaults can be merged with models: they may still hold mistakes, which are then seen in models, too."""
    metadata = defaults.value.get("metadata", {})
    return isinstance(metadata, dict) and isinstance(metadata.get("namespace"), str | None)


def sample_of(defaults: Document) -> dict[str, Any]:
    """Return the document of a model that says nothing of its own, for what can be seen of defaults alone."""
    namespace = defaults.value.get("metadata", {}).get("namespace") or "default"
    own = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "model", "namespace": namespace}}
    return merged([_filled(defaults.value, list(_named_in(defaults.value)), _names_of(own)), own])


def merged(values: Sequence[Any]) -> dict[str, Any]:
    """Merge the documents of layers, the lowest first.

    Sections are merged key by key, in the order in which the uppermost names them; of all else the uppermost counts,
    but that rules of upper layers follow those below.

    Examples
    --------
    >>> detect = [{"pane": "1m", "rules": [{"on": "a"}]}, {"window": "1h", "rules": [{"on": "b"}]}]
    >>> document = merged([{"kind": "Defaults", "spec": {"detect": part}} for part in detect])
    >>> document["spec"]["detect"]
    {'window': '1h', 'rules': [{'on': 'a'}, {'on': 'b'}], 'pane': '1m'}
    """
    document = dict(values[-1])
    for key in ("metadata", "spec"):
        if sections := [value[key] for value in values if key in value]:
            document[key] = reduce(partial(_over, (key,)), sections)
    return _with_rules(document, values)


def _over(path: KeyPath, lower: Any, upper: Any) -> Any:
    if path == _KEEP and lower == "none" and isinstance(upper, dict):
        lower = NONE
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    # Baselines of two kinds have different keys.
    if path == _BASELINE and upper.get("kind") not in (None, lower.get("kind")):
        return upper
    # The upper one's keys come first: a model's file alone can then give its features their order.
    document = {
        key: _over((*path, key), lower[key], value) if key in lower else value
        for key, value in upper.items()
        if value is not None or key not in lower or path not in _NAMED
    }
    return document | {key: value for key, value in lower.items() if key not in upper}


def _is_short_for(value: Any, path: KeyPath) -> bool:
    """Whether a document's `keep: none` is what says what stands at ``path``."""
    return path[:-1] == _KEEP and path[-1] in NONE and (value.get("spec") or {}).get("keep") == "none"


def _lowest_in_force(values: Sequence[Any], path: KeyPath) -> int:
    """The lowest layer that has a part in what stands at ``path``: a list, for one, replaces all that is below."""
    return next((level for level in range(len(values) - 1, 0, -1) if _replaces(values[: level + 1], path)), 0)


def _replaces(values: Sequence[Any], path: KeyPath) -> bool:
    """Whether the last of some layers leaves nothing of those below it at ``path``."""
    *below, stated = values
    if path[:2] == _BASELINE and (kind := _baseline_kind(stated)) is not None:
        kinds = [None, *(other for value in below if (other := _baseline_kind(value)) is not None)]
        if kind != kinds[-1]:
            return True
    for key in path:
        if not isinstance(stated, dict) or key not in stated:
            break
        stated = stated[key]
    return not isinstance(stated, dict)


def _baseline_kind(value: Any) -> object:
    spec = value.get("spec")
    baseline = spec.get("baseline") if isinstance(spec, dict) else None
    return baseline.get("kind") if isinstance(baseline, dict) else None


def _with_rules(document: dict[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    rules = _rules_in_force(values)
    detect = _detect_of(document)
    if detect is None or not isinstance(detect.get("rules", []), list) or detect.get("rules", []) == rules:
        return document
    together = [_detect_of(values[layer])["rules"][index] for layer, index in rules]  # type: ignore[index]
    return {**document, "spec": {**document["spec"], "detect": {**detect, "rules": together}}}


def rules_of(document: Document) -> list[Any]:
    """Return the rules that a document states itself, as they stand there."""
    rules = (_detect_of(document.value) or {}).get("rules")
    return rules if isinstance(rules, list) else []


def _rules_in_force(values: Sequence[Any]) -> list[tuple[int, int]]:
    """Of every rule that counts its layer and its index there; ``default_rules: false`` ends those of lower layers."""
    rules: list[tuple[int, int]] = []
    for layer, value in enumerate(values):
        detect = _detect_of(value) or {}
        if detect.get("default_rules") is False:
            rules = []
        own = detect.get("rules")
        rules += [(layer, index) for index in range(len(own) if isinstance(own, list) else 0)]
    return rules


def _detect_of(value: Any) -> dict[str, Any] | None:
    spec = value.get("spec") if isinstance(value, dict) else None
    detect = spec.get("detect") if isinstance(spec, dict) else None
    return detect if isinstance(detect, dict) else None


def _named_sections(kind: type[BaseModel], path: KeyPath = ()) -> Iterator[KeyPath]:
    """Where a file names things itself, such as features: `null` takes away what defaults say of one."""
    for name, field in kind.model_fields.items():
        key = (*path, field.alias or name)
        if get_origin(field.annotation) is dict:
            yield key
        elif inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            yield from _named_sections(field.annotation, key)


_NAMED = frozenset(_named_sections(Model))


def _names_of(value: Any) -> dict[str, str]:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    named: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    return {"{model}": str(named.get("name")), "{namespace}": str(named.get("namespace", "default"))}


def _named_in(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Where texts name the model, or its namespace."""
    if isinstance(value, str):
        if any(name in value for name in _NAMES):
            yield path
        return
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, (dict, list)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield from _named_in(part, (*path, key))


def _filled(value: Any, paths: Iterable[KeyPath], names: Mapping[str, str]) -> Any:
    """Return a value with the names in its texts; what holds none of them is not copied."""
    for path in paths:
        value = _filled_at(value, path, names)
    return value


def _filled_at(value: Any, path: KeyPath, names: Mapping[str, str]) -> Any:
    if not path:
        for name, own in names.items():
            value = value.replace(name, own)
        return value
    copy = value.copy()
    copy[path[0]] = _filled_at(value[path[0]], path[1:], names)
    return copy
