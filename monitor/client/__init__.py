"""Drift history for programs and notebooks.

>>> with Leeway("http://127.0.0.1:8080") as leeway:
...     drift = leeway.history("fraud", "feature:amount", from_="-7d", step="auto")

Nothing has been asked yet: that happens when rows are wanted, as ``drift.pandas()``. `AsyncLeeway` has the same methods
for programs with an event loop. Errors are one tree::

    ClientError
    ├── UnreachableError        no answer, or one that was cut off: asked again a few times before
    ├── QuestionError           the question is wrong (4xx); its members say what would be right
    │   ├── AccessError         no token, or one of too small a role (401, 403)
    │   └── UnknownError        no such model, signal or alert (404)
    └── ServiceError            the service failed (5xx)
        └── UnavailableError    it says that waiting helps (429, 503): asked again a few times before
"""

from monitor.client.answer import FORMATS, Answer, AsyncAnswer
from monitor.client.errors import (
    AccessError,
    ClientError,
    QuestionError,
    ServiceError,
    UnavailableError,
    UnknownError,
    UnreachableError,
)
from monitor.client.leeway import DEFAULT_URL, AsyncLeeway, Leeway, Time
from monitor.tls.client import ClientTls

__all__ = [
    "DEFAULT_URL",
    "FORMATS",
    "AccessError",
    "Answer",
    "AsyncAnswer",
    "AsyncLeeway",
    "ClientError",
    "ClientTls",
    "Leeway",
    "QuestionError",
    "ServiceError",
    "Time",
    "UnavailableError",
    "UnknownError",
    "UnreachableError",
]
