"""JSON Schema of configuration files, for editors: what stands in them, before layers are merged."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from monitor.config.layers import ModelDefaults
from monitor.config.model import Metadata, Model, ModelSpec
from monitor.config.service import Service

__all__ = ["KINDS", "json_schema", "shipped", "write_all"]

KINDS: dict[str, type[BaseModel]] = {"model": Model, "defaults": ModelDefaults, "service": Service}
"""What a file may hold, by the name that `leeway schema` takes."""

_FOLDER = Path(__file__).parent / "schemas"
_REFERENCE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
_TAKES_REFERENCES = {"integer", "number", "boolean"}


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file.

    Parameters
    ----------
    kind : str
        Of :data:`KINDS`.

    Examples
    --------
    >>> json_schema("model")["properties"]["kind"]["const"]
    'Model'
    """
    classes: list[type[BaseModel]] = [KINDS[kind], ModelSpec] if kind == "defaults" else [KINDS[kind]]
    _, document = models_json_schema([(each, "validation") for each in classes], ref_template="#/$defs/{model}")
    sections: dict[str, Any] = {name: _with_references(section) for name, section in document["$defs"].items()}
    if kind != "service":
        for section in {each.__name__ for each in _completed(ModelSpec)} | {Metadata.__name__} & sections.keys():
            _complete(sections[section])
    root = sections.pop(KINDS[kind].__name__)
    if kind == "model":
        root["required"].remove("spec")
        sections[Metadata.__name__]["required"] = ["name"]
    elif kind == "defaults":
        root["properties"]["spec"] = {"$ref": f"#/$defs/{ModelSpec.__name__}"}
    else:
        root["required"] = ["kind"]
    title = f"Leeway: kind {kind.capitalize()}"
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **root, "title": title, "$defs": dict(sorted(sections.items()))}


def _completed(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections of which a file may state a part, while another layer states the rest; lists are stated whole."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _completed(field.annotation)
    elif getattr(annotation, "__origin__", None) is not list:
        for argument in get_args(annotation):
            yield from _completed(argument)


def _complete(section: dict[str, Any]) -> None:
    """Let a section lack what another layer states, and take away what one below names."""
    section.pop("required", None)
    for key in section.get("properties", {}).values():
        if isinstance(key.get("additionalProperties"), dict):
            key["additionalProperties"] = {"anyOf": [key["additionalProperties"], {"type": "null"}]}
        if "discriminator" in key:
            key.pop("discriminator")
            key["anyOf"] = key.pop("oneOf")


def _with_references(schema: Any) -> Any:
    """Let every number and boolean be the name of an environment variable."""
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: _part_with_references(key, part) for key, part in schema.items()}
    kind = parts.get("type")
    is_leaf = isinstance(kind, str) and (kind in _TAKES_REFERENCES or (kind == "string" and "pattern" in parts))
    if not is_leaf or "const" in parts:
        return parts
    notes = {key: parts.pop(key) for key in ("title", "description", "default") if key in parts}
    return {"anyOf": [parts, _REFERENCE], **notes}


def _part_with_references(key: str, part: Any) -> Any:
    if key == "properties":
        return {name: _with_references(section) for name, section in part.items()}
    return part if key in {"default", "enum", "const"} else _with_references(part)


def shipped(kind: str) -> str:
    """Return the schema of a kind of file as it comes with the package, as JSON."""
    return (_FOLDER / f"{kind}.schema.json").read_text(encoding="utf-8")


def write_all(folder: Path = _FOLDER) -> None:
    """Write the schemas of all kinds of files."""
    folder.mkdir(exist_ok=True)
    for kind in KINDS:
        text = json.dumps(json_schema(kind), indent=1, ensure_ascii=False)
        (folder / f"{kind}.schema.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_all(*map(Path, sys.argv[1:]))
