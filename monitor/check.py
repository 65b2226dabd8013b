"""Loading a configuration, together with what decoders say of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from monitor import config
from monitor.config import Configuration, Model
from monitor.config.document import KeyPath
from monitor.config.model import SourceSpec
from monitor.errors import InputError

__all__ = ["load"]


def load(path: str | os.PathLike[str]) -> Configuration:
    """Load a configuration as :func:`monitor.config.load` does, and see whether decoders can use the files it names.

    Raises
    ------
    ConfigError
        With every mistake, not only the first.
    """
    return config.load(path, checks=[_unusable_files])


def _unusable_files(model: Model, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and message of every file of a format that is not there or cannot be used."""
    for index, source in enumerate(model.spec.sources):
        for key, name in source.format.files.items():
            path = ("spec", "sources", index, "format", key)
            if not (folder / name).is_file():
                yield path, f"no such file: {folder / name}"
            elif message := _refusal(model, source, folder):
                yield path, message


def _refusal(model: Model, source: SourceSpec, folder: Path) -> str:
    """Why a decoder cannot use the files of a source's format; empty if it can."""
    # Only here: decoders bring the compiler along, and most configurations name no file.
    from monitor.decoders import Schemas, TopicPlan, decoder_for

    schemas = Schemas(resolve=lambda _model, name: (folder / name).resolve())
    try:
        decoder_for([TopicPlan(model.name, source, model.spec.schema_)], schemas)
    except InputError as error:
        return str(error)
    return ""
