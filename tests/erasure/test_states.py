"""A checkpoint is written again only where it names the subject."""

from __future__ import annotations

from monitor.erasure.states import without_subject
from monitor.erasure.subject import Subject
from tests.erasure.test_erase import CONFIGURATION, KEY


def test_what_labels_say_of_nobody_stays_as_it_is() -> None:
    subject = Subject(KEY, dict(CONFIGURATION.models), {"loans": frozenset({"feature:customer"})}, "(erased)")
    state = {"config": "c", "lifecycle": {}, "changes": [{"key": ["1", "", "coverage"], "last_ms": 5}]}
    assert without_subject("performance", "loans", state, subject) == state
