"""The endpoint that other tests rely on does what they rely on."""

from __future__ import annotations

import pytest
from clickhouse_driver import errors

from tests.services.clickhouse import Faults, Target


@pytest.fixture
def numbers(clickhouse_database: Target) -> Target:
    """A database with an empty table ``numbers`` of one column ``n``."""
    with clickhouse_database.client() as client:
        client.execute(
            "CREATE TABLE numbers (n Int64) ENGINE = MergeTree ORDER BY n "
            "SETTINGS non_replicated_deduplication_window = 100"
        )
    return clickhouse_database


def insert(target: Target, *numbers: int, token: str = "") -> None:
    with target.client(settings={"insert_deduplication_token": token}) as client:
        client.execute("INSERT INTO numbers VALUES", [(number,) for number in numbers])


def stored(target: Target) -> list[int]:
    with target.client() as client:
        return [number for (number,) in client.execute("SELECT n FROM numbers ORDER BY n")]


def test_inserted_rows_are_there(numbers: Target) -> None:
    insert(numbers, 3, 4)
    assert stored(numbers) == [3, 4]


def test_a_second_insert_with_the_same_token_is_none(numbers: Target) -> None:
    for _ in range(2):
        insert(numbers, 3, token="once")
    assert stored(numbers) == [3]


@pytest.mark.parametrize(
    ("kind", "kept"), [("drop_in_data", []), ("drop_before", []), ("drop_after", [3]), ("drop_in_result", [3])]
)
@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_insert_is_whole_or_not_there(
    kind: str, kept: list[int], reset: bool, numbers: Target, faults: Faults
) -> None:
    before = faults.injected[kind]
    faults.inject(kind, statement="insert", reset=reset)
    with pytest.raises((errors.NetworkError, EOFError, OSError)):
        insert(numbers, 3)
    assert stored(numbers) == kept
    assert faults.injected[kind] == before + 1
