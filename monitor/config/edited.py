"""A document with another baseline: the rest of its text, comments included, stays as it was written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.config.document import ConfigError, read_posted
from monitor.config.nodes import Writer, YamlError, compose
from monitor.errors import InputError

__all__ = ["baseline_line", "with_baseline"]


def baseline_line(baseline: Mapping[str, Any]) -> str:
    """Return a baseline in one line, as a file has it.

    Examples
    --------
    >>> baseline_line({"kind": "rolling", "span": "7d"})
    'baseline: {kind: rolling, span: 7d}'
    """
    written: str = yaml.dump(
        dict(baseline), Dumper=Writer, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return f"baseline: {written.strip()}"


def with_baseline(text: str, baseline: Mapping[str, Any]) -> str:
    r"""Return the text of a model's document with another ``spec.baseline``.

    Parameters
    ----------
    text : str
        YAML or JSON.
    baseline : mapping
        As a file has it.

    Raises
    ------
    InputError
        If that cannot be done by changing this part alone: where the baseline is another part's by an alias, say.

    Examples
    --------
    >>> print(with_baseline("spec:\n  baseline:\n    kind: rolling # as ever\n  detect: {}", {"kind": "dataset"}))
    spec:
      baseline: {kind: dataset} # as ever
      detect: {}
    """
    changed = _changed(text, baseline)
    if changed is None or _value(changed) != _expected(text, baseline):
        raise InputError(f"its document has to be edited by hand: put `{baseline_line(baseline)}` under `spec`")
    return changed


def _changed(text: str, baseline: Mapping[str, Any]) -> str | None:
    try:
        spec = _part(next(compose(text)), "spec")
    except (YamlError, StopIteration):
        return None
    if spec is None or not isinstance(spec[1], yaml.MappingNode) or not spec[1].value:
        return None
    held = _part(spec[1], "baseline")
    first_key = spec[1].value[0][0]
    is_json = first_key.style == '"'
    line = f'"baseline": {json.dumps(baseline)}' if is_json else baseline_line(baseline)
    if held is not None:
        return text[: held[0].start_mark.index] + line + text[_end(held[1]) :]
    start = first_key.start_mark
    between = ", " if spec[1].flow_style else "\n" + " " * start.column
    return text[: start.index] + line + between + text[start.index :]


def _part(node: yaml.Node | None, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the key and the value of a part of a mapping."""
    parts = node.value if isinstance(node, yaml.MappingNode) else ()
    return next(((key, value) for key, value in parts if key.value == name), None)


def _end(node: yaml.Node) -> int:
    """Where a node's text ends: that of a block mapping with its last value, and not where the next key begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        final = node.value[-1]
        return _end(final[1] if isinstance(node, yaml.MappingNode) else final)
    return int(node.end_mark.index)


def _expected(text: str, baseline: Mapping[str, Any]) -> Any:
    value = _value(text)
    if isinstance(value, dict) and isinstance(value.get("spec"), dict):
        return {**value, "spec": {**value["spec"], "baseline": dict(baseline)}}
    return None


def _value(text: str) -> Any:
    try:
        return read_posted(Path("document.yaml"), text).value
    except ConfigError:
        return None
