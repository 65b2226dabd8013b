"""Which models read a topic."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.errors import InputError
from monitor.ingest.readers import Readers
from monitor.watch import Watch, compile_watch
from tests.monitor.streams import TOPIC, configured


def of_format(name: str, kind: str) -> Watch:
    source: dict[str, Any] = {"kafka": TOPIC, "format": kind, "event_time": "ts"}
    return compile_watch(configured(name, sources=[source]), name)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_model_of_the_api_never_keeps_one_of_a_file_from_its_topic(is_first: bool) -> None:
    posted, of_file = of_format("posted", "cloudevents"), of_format("of_file", "json")
    watches = (posted, of_file) if is_first else (of_file, posted)
    readers = Readers(watches, changing={"posted"})
    assert [watch.name for watch, _ in readers[TOPIC]] == ["of_file"]


def test_of_two_models_of_files_neither_gives_way() -> None:
    readers = Readers([of_format("a", "cloudevents"), of_format("b", "json")])
    with pytest.raises(InputError, match=r"models 'a' and 'b' read topic .* in different formats"):
        _ = readers[TOPIC]
