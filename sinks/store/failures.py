"""What a failed statement means: whether the same call may succeed later, by ClickHouse's own codes."""

from __future__ import annotations

import re

from sinks.store.contract import StoreError

__all__ = ["RETRYABLE", "EngineError", "engine_error"]

RETRYABLE = {
    3: "UNEXPECTED_END_OF_FILE",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    40: "CHECKSUM_DOESNT_MATCH",
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    76: "CANNOT_OPEN_FILE",
    159: "TIMEOUT_EXCEEDED",
    173: "CANNOT_ALLOCATE_MEMORY",
    198: "DNS_ERROR",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    234: "NO_REPLICA_HAS_PART",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    244: "UNEXPECTED_ZOOKEEPER_ERROR",
    246: "CORRUPTED_DATA",
    252: "TOO_MANY_PARTS",
    254: "NO_ACTIVE_REPLICAS",
    265: "NO_AVAILABLE_REPLICA",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    289: "REPLICA_IS_NOT_IN_QUORUM",
    297: "SHARD_HAS_NO_CONNECTIONS",
    319: "UNKNOWN_STATUS_OF_INSERT",
    341: "UNFINISHED",
    364: "RECEIVED_ERROR_TOO_MANY_REQUESTS",
    369: "ALL_REPLICAS_ARE_STALE",
    394: "QUERY_WAS_CANCELLED",
    415: "ALL_REPLICAS_LOST",
    416: "REPLICA_STATUS_CHANGED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    499: "S3_ERROR",
    517: "CANNOT_ASSIGN_ALTER",
    574: "DISTRIBUTED_TOO_MANY_PENDING_BYTES",
    700: "USER_SESSION_LIMIT_EXCEEDED",
    722: "ASYNC_LOAD_WAIT_FAILED",
    735: "QUERY_WAS_CANCELLED_BY_CLIENT",
    745: "SERVER_OVERLOADED",
    999: "KEEPER_EXCEPTION",
    1000: "POCO_EXCEPTION",
}
"""Codes of what passes: too much at once, no room, a lost connection or Keeper, a server that starts or stops; and of
damaged parts. Those concern who reads them, and pass once they are repaired; on a full disk an unfinished merge looks
like one too, and goes by itself."""

_DAMAGE = (40, 246)
_OF_FILES = frozenset((3, 32, 33, 40, 49, 74, 76, 107, 117, 226, 228, 246, 271, 432))
"""What reads fail with that find files short, empty, gone, or with other bytes than there should be."""

# chDB says its codes in the text alone; a server sends them as numbers.
_CODE = re.compile(r"Code: (\d+)")
_READ_TABLE = re.compile(r"while reading from part .* in table [^ ]*?(\w+?)(?:_local)? \(")


class EngineError(StoreError):
    """ClickHouse refused a statement.

    Attributes
    ----------
    code : int
        ClickHouse's own; 0 if it gave none.
    damaged_table : str
        Of which a part is damaged that was read; empty if it is about something else.
    may_be_damage : bool
        Whether a damaged part can be why. A wrong statement is not.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, retryable=code in RETRYABLE)
        self.code = code
        match = _READ_TABLE.search(message) if code in _DAMAGE else None
        self.damaged_table = match[1] if match else ""
        self.may_be_damage = code in _OF_FILES or "while reading from part" in message


def engine_error(where: str, text: str, code: int | None = None) -> EngineError:
    """Return the error for what ClickHouse said.

    Parameters
    ----------
    where : str
        Names the store.
    text : str
    code : int, optional
        Read from the text if it is not given.

    Examples
    --------
    >>> error = engine_error("data", "Code: 252. DB::Exception: Too many parts")
    >>> error.code, error.retryable, str(error)
    (252, True, 'store at data: Code: 252. DB::Exception: Too many parts')
    """
    if code is None:
        match = _CODE.search(text)
        code = int(match[1]) if match else 0
    repair = "; if that lasts, a part is damaged: run leeway store verify" if code in _DAMAGE else ""
    return EngineError(f"store at {where}: {text}{repair}", code)
