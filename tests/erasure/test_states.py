"""A checkpoint is written again only where it names the subject."""

from __future__ import annotations

from monitor.erasure.states import without_subject
from monitor.erasure.subject import Subject
from tests.erasure.test_erase import CONFIGURATION, KEY


def test_what_labels_say_of_nobody_stays_as_it_is() -> None:
    subject = Subject(KEY, dict(CONFIGURATION.models), {"loans": frozenset({"feature:customer"})}, "(erased)")
    state = {"config": "c", "lifecycle": {}, "changes": [{"key": ["1", "", "coverage"], "last_ms": 5}]}
    assert without_subject("performance", "loans", state, subject) == state


def test_a_segment_of_the_subject_is_renamed_wherever_a_checkpoint_has_it() -> None:
    subject = Subject(KEY, dict(CONFIGURATION.models), {"loans": frozenset({"feature:customer"})}, "(erased)")

    def state(name: str) -> dict[str, object]:
        key = ["1", f"tier=1,customer={name}", "feature:amount"]
        return {"config": "c", "changes": [{"begun": [key]}], "skills": [{"key": key, "last_ms": 5}]}

    for stage in ("evaluate", "performance"):
        assert without_subject(stage, "loans", state(KEY), subject) == state("(erased)")
        assert without_subject(stage, "loans", state(f"{KEY}7"), subject) == state(f"{KEY}7")
