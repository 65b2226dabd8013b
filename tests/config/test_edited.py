"""A document in which the baseline alone is another one."""

from __future__ import annotations

import pytest
import yaml

from monitor.config.edited import with_baseline
from monitor.errors import InputError

WEEKS = {"kind": "rolling", "span": "7d"}
LINE = "baseline: {kind: rolling, span: 7d}"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("spec:\n  detect: {}  # ours\n", f"spec:\n  {LINE}\n  detect: {{}}  # ours\n"),
        ("spec: {detect: {}}", f"spec: {{{LINE}, detect: {{}}}}"),
        ("spec: {detect: {}, baseline: {kind: dataset}}", f"spec: {{detect: {{}}, {LINE}}}"),
        ("spec:\n  baseline:\n    kind: a\n\n  # why\n  x: 1", f"spec:\n  {LINE}\n\n  # why\n  x: 1"),
        ('spec:\n  baseline: {kind: "}"} # }\n', f"spec:\n  {LINE} # }}\n"),
        ("spec:\n  baseline:\n  x: 1\n", None),
        ("a: &a {baseline: {kind: a}}\nspec: {<<: *a}\n", None),
        ('{"spec": {"x": 1}}', '{"spec": {"baseline": {"kind": "rolling", "span": "7d"}, "x": 1}}'),
        ('{"spec": {"baseline": {"kind": "a"}}}', '{"spec": {"baseline": {"kind": "rolling", "span": "7d"}}}'),
    ],
)
def test_nothing_but_the_baseline_changes(written: str, expected: str | None) -> None:
    changed = with_baseline(written, WEEKS)
    assert expected is None or changed == expected
    # The oracle reads YAML by itself.
    before, after = yaml.safe_load(written), yaml.safe_load(changed)
    assert after == {**before, "spec": {**before["spec"], "baseline": WEEKS}}


@pytest.mark.parametrize(
    "written",
    [
        "spec:\n  detect: &d {kind: a}\n  baseline: *d\n",
        "spec: &s\n  x: 1\nmetadata: *s\n",
        "spec: {}\n",
        "spec: [1]\n",
        "[1",
        "",
    ],
)
def test_what_cannot_be_edited_by_itself_is_left_to_people(written: str) -> None:
    with pytest.raises(InputError, match=f"put `{LINE}` under `spec`"):
        with_baseline(written, WEEKS)
