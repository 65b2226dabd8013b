"""Who has decided something, and why: of what people write spaces around it are none of it, and nothing is endless."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

__all__ = ["Author", "Comment", "Reason"]

MOST_OF_AUTHOR, MOST_OF_REASON = 200, 2_000

Author = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_OF_AUTHOR)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_OF_REASON)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MOST_OF_REASON)]
"""A reason that need not be given."""
