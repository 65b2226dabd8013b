"""Whatever stands in a sample, the file that is drafted from it is one, and says nothing of its own."""

from __future__ import annotations

import string
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import Model
from monitor.draft import Origin, Sample, draft
from monitor.draft.text import model_text
from monitor.errors import InputError

NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(
    ["null", "yes", "1", "a: b", "- x", "#", "{", "a\nb", "é", "'"]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=10)
    | st.lists(st.integers(), max_size=3)
    | st.sampled_from(["2024-01-01", 1_700_000_000, 1_700_000_000_000, "a\nkind: Service"])
)
ROWS = st.lists(st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=2), max_size=5), max_size=8)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.booleans(), st.none() | st.floats(0.001, 1e9))
def test_what_is_drafted_is_a_model(rows: list[dict[str, Any]], has_data_set: bool, per_hour: float | None) -> None:
    sample = Sample()
    for row in rows:
        sample.add(row, 0, -1)
    try:
        made = draft("fraud", sample, Origin("rows\nof a test", data_set="a b.csv" if has_data_set else ""), per_hour)
    except InputError:
        return
    document = yaml.safe_load(model_text(made))
    spec = Model.model_validate(document).spec
    watched = {spec.schema_.paths().get(name, name) for name in (*spec.schema_.features, *spec.schema_.prediction)}
    assert watched == {each.path for each in made.guesses if each.is_watched}


def test_a_line_of_the_sample_cannot_end_a_comment() -> None:
    sample = Sample()
    for i in range(60):
        sample.add({"x": i * 0.7, "kind\nspec: {}": f"{string.ascii_letters[i % 3]}\nowner: me"}, 0, -1)
    text = model_text(draft("fraud", sample, Origin("rows")))
    assert "\nowner: me" not in text
    assert list(yaml.safe_load(text)["spec"]["schema"]["features"]) == ["x", "kind_spec_{}"]
