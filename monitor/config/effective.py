"""A model's whole configuration, each value with the layer that it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from monitor.config.document import Document, KeyPath, dotted
from monitor.config.load import Configuration
from monitor.config.model import Model
from monitor.config.nodes import Writer
from monitor.config.written import as_written

__all__ = ["Setting", "as_yaml", "effective", "settings"]

_ABSENT: Any = object()


@dataclass(frozen=True)
class Setting:
    """One value of a model's configuration.

    Attributes
    ----------
    path : tuple of str and int
    value : object
        As a file has it.
    layer : str
        ``model``, ``namespace``, ``defaults`` (of all models) or ``leeway``.
    file : str
        Empty for Leeway's own defaults.
    line, column : int
        0 for Leeway's own defaults.
    """

    path: KeyPath
    value: Any
    layer: str
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def origin(self) -> str:
        """Where the value comes from, for people."""
        if not self.file:
            return "Leeway's default"
        kind = {"namespace": ", defaults of the namespace", "defaults": ", defaults"}.get(self.layer, "")
        return f"{self.file}:{self.line}{kind}"

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "path": dotted(self.path),
            "value": self.value,
            "layer": self.layer,
            "file": self.file,
            "line": self.line,
            "column": self.column,
        }


def effective(configuration: Configuration, name: str) -> list[Setting]:
    """Return every value of a model's configuration, in the order of the reference.

    Parameters
    ----------
    configuration : Configuration
    name : str
        Of the model.
    """
    return settings(configuration.models[name], configuration.layered[name])


def settings(model: Model, document: Document) -> list[Setting]:
    """Return every value of a model that a document describes."""
    return list(_settings(model, document.value, (), document))


def _settings(section: BaseModel, written: Any, path: KeyPath, document: Document) -> Iterator[Setting]:
    for name, field in type(section).model_fields.items():
        key = field.alias or name
        value = getattr(section, name)
        part = written.get(key, _ABSENT)
        if part is not _ABSENT:
            yield from _stated(value, part, (*path, key), document)
            continue
        default = as_written(field, value)
        if isinstance(default, BaseModel):
            yield from _settings(default, {}, (*path, key), document)
        else:
            yield Setting((*path, key), default, "leeway")


def _stated(value: Any, written: Any, path: KeyPath, document: Document) -> Iterator[Setting]:
    """The settings of what stands in a layer: sections have parts, which may be defaults."""
    if isinstance(value, BaseModel) and isinstance(written, dict) and written.keys() <= _keys(value):
        yield from _settings(value, written, path, document)
    elif isinstance(value, dict) and isinstance(written, dict) and written:
        for key, part in written.items():
            yield from _stated(value.get(key), part, (*path, key), document)
    elif isinstance(written, list) and any(isinstance(part, dict) for part in written) and isinstance(value, list):
        for index, part in enumerate(written):
            yield from _stated(value[index], part, (*path, index), document)
    else:
        yield _placed(written, path, document)


def _keys(section: BaseModel) -> set[str]:
    """The keys of a section; some, such as `{psi: {min_effect: 0.1}}` of a rule, may also be written in short."""
    return {field.alias or name for name, field in type(section).model_fields.items()}


def _placed(written: Any, path: KeyPath, document: Document) -> Setting:
    layer, key = document.origin(path)
    value = _as_stated(written, path, document)
    return Setting(path, value, _layer_of(layer), str(layer.file), *layer.position(key))


def _as_stated(written: Any, path: KeyPath, document: Document) -> Any:
    if isinstance(written, dict):
        return {key: _as_stated(part, (*path, key), document) for key, part in written.items()}
    if isinstance(written, list):
        return [_as_stated(part, (*path, index), document) for index, part in enumerate(written)]
    return document.as_stated(path, written) if isinstance(written, str) else written


def _layer_of(document: Document) -> str:
    if document.value.get("kind") != "Defaults":
        return "model"
    return "namespace" if document.value.get("metadata", {}).get("namespace") else "defaults"


def as_yaml(settings: list[Setting]) -> str:
    """Write settings as a model's file that says everything itself, each line with where its value comes from.

    Defaults of Leeway's that are nothing, such as an empty list, are left out.
    """
    lines: list[tuple[str, str]] = []
    above: KeyPath = ()
    for setting in settings:
        if setting.file or setting.value not in (None, "", [], {}):
            line = f"{_indent(setting.path)}{_key(setting.path)}{_flow(setting.value)}"
            for text, origin in (*_headings(above, setting.path), (line, setting.origin)):
                item = lines.pop()[0] + " " if lines and lines[-1][0].strip() == "-" else ""
                lines.append((item + (text.lstrip() if item else text), origin))
            above = setting.path
    width = min(60, max((len(line) for line, _ in lines), default=0))
    return "".join(f"{line.ljust(width)}  # {origin}\n" if origin else f"{line}\n" for line, origin in lines)


def _headings(above: KeyPath, path: KeyPath) -> Iterator[tuple[str, str]]:
    """The lines of sections that begin between two settings."""
    common = 0
    while common < min(len(above), len(path)) and above[common] == path[common]:
        common += 1
    for length in range(common + 1, len(path)):
        yield f"{_indent(path[:length])}{_key(path[:length]).rstrip()}", ""


def _indent(path: KeyPath) -> str:
    return "  " * (len(path) - 1)


def _key(path: KeyPath) -> str:
    if isinstance(path[-1], int):
        return "- "
    # PyYAML takes `on` for a boolean, and quotes it; as a key it is none here.
    return "on: " if path[-1] == "on" else f"{_flow(path[-1])}: "


def _flow(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=Writer, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("...\n").strip()
