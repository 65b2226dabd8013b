"""What names of fields, and values, say of a field."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = [
    "CALENDAR",
    "CODES",
    "IDS",
    "LABELS",
    "MODELS",
    "PREDICTIONS",
    "ROW_NUMBERS",
    "SEGMENTS",
    "TIMES",
    "VERSIONS",
    "personal_by_name",
    "personal_by_values",
    "words",
]

TIMES = ("event_time", "event_timestamp", "ts", "timestamp", "event_ts", "time", "datetime", "created", "date")
"""Names of an event's own time, the likeliest first."""

IDS = ("event_id", "id", "prediction_id", "request_id", "message_id", "uuid", "guid", "trace_id", "transaction_id")
"""Names of an event's identity, the likeliest first."""

VERSIONS = ("model_version", "version", "modelversion", "ver", "model_ver")
MODELS = ("model", "model_name", "model_id", "modelname")

PREDICTIONS = frozenset(
    [
        "prediction",
        "predictions",
        "predicted",
        "pred",
        "preds",
        "score",
        "scores",
        "proba",
        "probability",
        "yhat",
        "y_hat",
        "y_pred",
        "output",
        "outputs",
    ]
)
LABELS = frozenset(
    [
        "label",
        "labels",
        "target",
        "targets",
        "y",
        "truth",
        "actual",
        "actuals",
        "ground_truth",
        "y_true",
        "outcome",
        "class",
    ]
)

SEGMENTS = frozenset(
    [
        "country",
        "region",
        "market",
        "origin",
        "device",
        "platform",
        "channel",
        "tier",
        "plan",
        "segment",
        "store",
        "shop",
        "brand",
        "language",
        "locale",
        "os",
    ]
)
"""Names of fields by which people like to look at traffic."""

CALENDAR = frozenset(["year", "month", "day", "week", "quarter", "yday", "dayofyear", "day_of_year", "weekofyear"])
"""Parts of a date, which are others next month by themselves."""

CODES = frozenset(
    [
        "code",
        "zip",
        "postal",
        "postcode",
        "type",
        "kind",
        "class",
        "category",
        "cat",
        "group",
        "cluster",
        "sector",
        "status",
        "id",
    ]
)
"""Whole numbers under such names stand for something."""

ROW_NUMBERS = frozenset({"index", "index_level_0", "unnamed_0", "rownames", "row_number", "row"})
"""What tools call the numbers that they give to rows."""

_PERSONAL_NAMES: tuple[tuple[str, frozenset[str]], ...] = (
    ("a mail address", frozenset({"email", "mail", "emails"})),
    ("a phone number", frozenset({"phone", "mobile", "fax", "telephone", "msisdn"})),
    ("a name", frozenset({"name", "firstname", "lastname", "surname", "fullname", "username", "nickname"})),
    ("an address", frozenset({"address", "street", "addr"})),
    ("a date of birth", frozenset({"birthday", "birthdate", "dob", "birth"})),
    ("a number of an account or a document", frozenset({"ssn", "iban", "passport", "pan", "card", "taxid"})),
    ("a network address", frozenset({"ip", "mac", "ipaddress"})),
)

_PERSONAL_VALUES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a mail address", re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}\.[A-Za-z]{2,24}")),
    ("a network address", re.compile(r"(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")),
    ("a number of an account or a document", re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?")),
    ("a phone number", re.compile(r"\+\d[\d ().-]{6,18}\d|\(?\d{2,5}\)?[ -]\d{2,5}[ -]\d{3,6}")),
    ("a number of an account or a document", re.compile(r"\d{3}-\d{2}-\d{4}|(?:\d{4}[ -]){3}\d{4}")),
)


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case.

    Examples
    --------
    >>> words("customerEmail"), words("ip_address2"), words("URL")
    (['customer', 'email'], ['ip', 'address', '2'], ['url'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def personal_by_name(name: str) -> str:
    """Return what of a person a field holds by its name; empty if nothing.

    Examples
    --------
    >>> personal_by_name("customer_email"), personal_by_name("carrier_name"), personal_by_name("amount")
    ('a mail address', 'a name', '')
    """
    parts = set(words(name)) | {"".join(words(name))}
    return next((meaning for meaning, names in _PERSONAL_NAMES if parts & names), "")


def personal_by_values(values: Sequence[str]) -> str:
    """Return what of a person texts hold, most of them; empty if nothing.

    Examples
    --------
    >>> personal_by_values(["ann@example.org", "bob@example.org"]), personal_by_values(["DE", "FR"])
    ('a mail address', '')
    """
    for meaning, pattern in _PERSONAL_VALUES:
        if 2 * sum(pattern.fullmatch(value) is not None for value in values) > len(values):
            return meaning
    return ""
