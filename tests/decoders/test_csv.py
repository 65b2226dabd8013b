"""Rows of comma-separated values: a value is a number where one is wanted, and a text everywhere else."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders import Decoded, decoder_for
from tests.decoders.plans import NOON_MS, plan, records
from tests.decoders.test_both_ways import seen

AMOUNT = {"features": {"amount": "numeric"}}
COUNTRY = {"features": {"country": "category"}}


def decode(schema: dict[str, Any], *rows: str, columns: str = "amount country", **more: Any) -> Decoded:
    source = {key: more.pop(key) for key in ("event_time", "where") if key in more}
    form = {"kind": "csv", "columns": columns.split(), **more}
    return decoder_for([plan(schema, format=form, **source)]).decode(records([row.encode() for row in rows]))


@pytest.mark.parametrize(
    ("cell", "number", "reason"),
    [
        ("3", 3.0, ""),
        ("007", 7.0, ""),
        (" -2.5e3 ", -2500.0, ""),
        ("true", 1.0, ""),
        ("False", 0.0, ""),
        ("", math.nan, ""),
        ("1_000", math.inf, "wrong_type"),
        ("0x10", math.inf, "wrong_type"),
        ("١", math.inf, "wrong_type"),
        ("12 EUR", math.inf, "wrong_type"),
        ("nan", math.inf, "not_finite"),
        ("1e999", math.inf, "not_finite"),
        ("9" * 5000, math.inf, "not_finite"),
    ],
)
def test_what_counts_as_a_number(cell: str, number: float, reason: str) -> None:
    decoded = decode(AMOUNT, f"{cell},DE")

    found = decoded.events["m"].numeric[0, 0]
    assert math.isnan(found) if math.isnan(number) else found == number
    assert [problem.reason for _, problem in decoded.problems] == ([reason] if reason else [])


def test_a_text_stays_as_it_stands() -> None:
    decoded = decode(COUNTRY, "1,007", '1,"a,""b"""', "1,true", "1,", "1, x ", "1,1.50", '"1","a\nb"')

    assert list(decoded.events["m"].category[0]) == ["007", 'a,"b"', "true", None, " x ", "1.50", "a\nb"]
    assert all(value is None or type(value) is str for value in decoded.events["m"].category[0])
    assert decoded.problems == []


def test_line_ends_belong_to_no_value() -> None:
    decoded = decode(COUNTRY, "1,DE\n", "1,DE\r\n", "1,DE")

    assert list(decoded.events["m"].category[0]) == ["DE", "DE", "DE"]


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        ("1", "wrong_columns", "1 columns; 2 are named"),
        ("1,DE,x", "wrong_columns", "3 columns"),
        ("\n", "wrong_columns", "1 columns"),
        ('1,"DE', "not_csv", "unexpected end of data"),
        ('1,"DE"x', "not_csv", "expected after"),
        ("1,DE\n2,FR", "not_csv", "new-line character"),
        ("", "empty", ""),
    ],
)
def test_what_is_no_such_row_is_rejected(row: str, reason: str, detail: str) -> None:
    decoded = decode(AMOUNT, "1,DE", row, "2,FR")

    [(model, problem)] = decoded.problems
    assert (model, problem.offset, problem.action, problem.reason) == ("", 1, "rejected", reason)
    assert detail in problem.detail
    assert decoded.events["m"].numeric.tolist() == [[1.0, 2.0]]


def test_delimiter_quote_and_missing_are_what_the_configuration_says() -> None:
    decoded = decode(COUNTRY, "1|'a|b'", "1|NULL", "1|", delimiter="|", quote="'", missing=["NULL"])
    assert list(decoded.events["m"].category[0]) == ["a|b", None, ""]

    decoded = decode(COUNTRY, '1\t"a"', quote=None, delimiter="\t")
    assert list(decoded.events["m"].category[0]) == ['"a"']


def test_one_model_s_number_is_another_one_s_text() -> None:
    form = {"kind": "csv", "columns": ["x"]}
    plans = [
        plan({"features": {"x": "numeric"}}, "number", format=form),
        plan({"features": {"x": "category"}, "id": "x", "version": "x"}, "text", format=form),
    ]

    decoded = decoder_for(plans).decode(records([b"1.50", b"7"]))

    assert decoded.problems == []
    assert decoded.events["number"].numeric.tolist() == [[1.5, 7.0]]
    text: Any = decoded.events["text"]
    assert [list(column) for column in (text.category[0], text.ids or [], text.versions or [])] == [["1.50", "7"]] * 3


@pytest.mark.parametrize("wanted", [7, "7"])
def test_a_filter_picks_by_what_is_written(wanted: object) -> None:
    decoded = decode(COUNTRY, "7,DE", "07,FR", "8,US", where={"amount": wanted})

    assert list(decoded.events["m"].category[0]) == ["DE"]
    assert decode(COUNTRY, "true,DE", where={"amount": True}).unmatched == 0


@pytest.mark.parametrize(
    "cell", [str(NOON_MS), "1700000000", "1700000000.0", "1.7e9", "2023-11-14T22:13:20Z", "2023-11-14 22:13:20"]
)
def test_event_times_in_every_form(cell: str) -> None:
    decoded = decode(AMOUNT, f"{cell},1", columns="ts amount", event_time="ts")

    assert decoded.problems == []
    assert decoded.events["m"].event_ms.tolist() == [NOON_MS]


CELLS = st.one_of(
    st.sampled_from(
        ["", "NULL", "true", "7", "-0", "007", "1.50", " 3", "nan", "-inf", "1e999", "1_0", "+1", "1.7e9", "0" * 20]
    ),
    st.sampled_from(
        [str(NOON_MS), "1700000000.25", "2023-11-14T22:13:20Z", "20231114", "9" * 400, "x" * 257, '"', "ä,b"]
    ),
    st.floats().map(str),
    st.integers().map(str),
    st.text(st.characters(codec="utf-8"), max_size=5),
)


@settings(deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=4, max_size=5), max_size=5), st.sampled_from(["auto", "s", "iso"]), st.booleans()
)
def test_another_model_on_the_topic_changes_nothing(rows: list[list[str]], unit: str, extra: bool) -> None:
    form = {"kind": "csv", "columns": ["ts", "n", "c", "other"], "missing": ["", "NULL"]}
    schema = {"features": {"n": "numeric", "c": "category"}, "version": "c", "extra": "count" if extra else "ignore"}
    mine = plan(schema, format=form, event_time={"path": "ts", "unit": unit})
    # It reads each column as something else, so that none can be read at once.
    other = plan({"features": {"ts": "numeric", "n": "category", "c": "numeric"}}, "other", format=form)
    payloads = []
    for row in rows:
        out = io.StringIO()
        csv.writer(out).writerow(row)
        payloads.append(out.getvalue().encode())

    alone = seen(decoder_for([mine]).decode(records(payloads)))
    together = seen(decoder_for([mine, other]).decode(records(payloads)))

    assert together["events"].get("m") == alone["events"].get("m")
    assert [item for item in together["problems"] if item[0] != "other"] == alone["problems"]
    assert together["extra"] == alone["extra"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=2, max_size=2))
def test_what_another_program_writes_is_read_as_it_was(cells: list[str]) -> None:
    row = io.StringIO()
    csv.writer(row, quoting=csv.QUOTE_ALL).writerow(cells)

    decoded = decode({"features": {"a": "category", "b": "category"}, "id": "a"}, row.getvalue(), columns="a b")

    if any(len(cell) > 256 for cell in cells):
        return
    assert [column[0] for column in decoded.events["m"].category] == [cell or None for cell in cells]
