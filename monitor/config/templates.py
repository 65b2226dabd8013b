"""What models that register themselves are like: the document of a template, with a name filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import yaml

from monitor.config.document import ConfigError, Document, Mistake
from monitor.config.load import Check, Configuration
from monitor.config.nodes import Writer
from monitor.config.posted import read_model

__all__ = ["document_like", "wrong_templates"]

ANY_NAME = "any"


def document_like(template: Document, name: str) -> str:
    """Return the document of a model that is called so, and is like a template: a function of the two alone.

    Examples
    --------
    >>> from pathlib import Path
    >>> source = {"kafka": "scores", "models": {"by": "model"}, "where": {"live": True}}
    >>> value = {"kind": "Model", "metadata": {"name": "any-score"}, "spec": {"sources": [source]}}
    >>> print(document_like(Document(Path("any-score.yaml"), value, {}), "fraud"), end="")
    # Registered by itself, like any-score.
    kind: Model
    metadata: {name: fraud}
    spec:
      sources:
      - kafka: scores
        where: {live: true, model: fraud}
    """
    value = template.value
    sources = [_source_of(source, name) for source in value["spec"]["sources"]]
    own = {**value, "metadata": {**value["metadata"], "name": name}, "spec": {**value["spec"], "sources": sources}}
    written: str = yaml.dump(
        own, Dumper=Writer, default_flow_style=None, sort_keys=False, allow_unicode=True, width=120
    )
    return f"# Registered by itself, like {value['metadata']['name']}.\n{written}"


def _source_of(source: dict[str, object], name: str) -> dict[str, object]:
    rule = source["models"]
    where = source.get("where") or {}
    assert isinstance(rule, dict)
    assert isinstance(where, dict)
    return {key: part for key, part in source.items() if key != "models"} | {"where": {**where, rule["by"]: name}}


def wrong_templates(configuration: Configuration, checks: list[Check]) -> Iterator[Mistake]:
    """Yield what keeps models from being like a template: their documents come by the way that the API's take.

    Parameters
    ----------
    configuration : Configuration
    checks : list of Check
        What else to look for in their models.
    """
    for name in configuration.templates:
        document = configuration.layered[name]
        if any(layer.referenced for layer in document.layers or (document,)):
            message = "names an environment variable, which no model that is like this may hold"
            yield document.mistake(("spec",), message)
            continue
        try:
            read_model(configuration.root, ANY_NAME, document_like(document, ANY_NAME), checks)
        except ConfigError as error:
            for mistake in error.mistakes:
                path = tuple(int(part) if part.isdigit() else part for part in mistake.path.split("."))
                yield replace(document.mistake(path, mistake.message), path=mistake.path)
