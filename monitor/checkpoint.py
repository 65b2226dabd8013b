"""State to bytes and back: what a crash must not take away.

A checkpoint is one row: the state of one partition (or of one model's evaluation) together with the position from
which to go on. The bytes carry a format number, a checksum and the hash of the configuration they belong to; what
does not fit is refused, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import msgspec
import numpy as np
import xxhash
import zstandard

from monitor.errors import CheckpointError
from sinks.store.contract import Query, Store

__all__ = ["Checkpoint", "decode_state", "encode_state", "load", "save"]

FORMAT = 1
"""To be raised with every change of what a state holds or means, in the bytes or in the code that goes on from it."""
_ARRAY = 1


def encode_state(state: Any) -> bytes:
    """Pack nested dicts, lists, scalars, bytes and numpy arrays.

    Examples
    --------
    >>> decode_state(encode_state({"a": np.arange(3)}))["a"].tolist()
    [0, 1, 2]
    """
    body = zstandard.compress(msgspec.msgpack.Encoder(enc_hook=_array_to_bytes).encode(state), 1)
    return bytes([FORMAT]) + xxhash.xxh3_64_digest(body) + body


def decode_state(data: bytes) -> Any:
    """Unpack what :func:`encode_state` packed.

    Raises
    ------
    CheckpointError
        If the bytes are damaged or of another format.
    """
    if not data or data[0] != FORMAT:
        raise CheckpointError(
            f"unknown checkpoint format {data[:1].hex() or 'empty'}, expected {FORMAT:02x}: another version of Leeway"
            " wrote it; run that one, or read the log again into an empty store"
        )
    if xxhash.xxh3_64_digest(data[9:]) != data[1:9]:
        raise CheckpointError("the checkpoint's checksum is wrong: its bytes are damaged")
    return msgspec.msgpack.Decoder(ext_hook=_bytes_to_array).decode(zstandard.decompress(data[9:]))


def _array_to_bytes(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        descr = value.dtype.descr if value.dtype.names else value.dtype.str
        data = np.ascontiguousarray(value).tobytes()
        return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode([descr, value.shape, data]))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}")


def _bytes_to_array(code: int, data: memoryview) -> Any:
    if code != _ARRAY:
        raise CheckpointError(f"unknown extension {code} in a checkpoint")
    descr, shape, content = msgspec.msgpack.decode(data)
    dtype = np.dtype(descr) if isinstance(descr, str) else np.dtype([tuple(field) for field in descr])
    return np.frombuffer(content, dtype=dtype).reshape(shape).copy()


@dataclass(frozen=True)
class Checkpoint:
    """A state, whose it is, and from where it goes on.

    Attributes
    ----------
    stage : str
        ``ingest`` or ``evaluate``.
    name : str
        The topic, or the model.
    partition : int
    position : int
        The next offset to read, or the event time up to which windows are evaluated: up to one step of the former
        configuration further where a changed one has a shorter step.
    config : str
        Hashes of the configurations under which the state came about, for people who look.
    state : object
        As :func:`encode_state` takes it.
    """

    stage: str
    name: str
    partition: int
    position: int
    config: str
    state: Any


def save(store: Store, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; every row that depends on what lies before its position must be acknowledged by now.

    Raises
    ------
    StoreError
    """
    # Not `asdict`, which would copy the state.
    row = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    row["state"] = data = encode_state(checkpoint.state)
    key = f"{checkpoint.stage}/{checkpoint.name}/{checkpoint.partition}/{checkpoint.position}"
    columns = {name: [value] for name, value in row.items()}
    store.append("checkpoints", columns, token=f"{key}/{xxhash.xxh3_64_hexdigest(data)}")


def load(store: Store, stage: str, name: str, partition: int) -> tuple[int, Any] | None:
    """Return the newest checkpoint's position and state, or None.

    Raises
    ------
    CheckpointError
        If its state cannot be used; the message says whose it is.
    """
    rows = store.read(Query("checkpoints", where={"stage": stage, "name": name, "partition": partition}))
    if not len(rows["position"]):
        return None
    position = int(rows["position"][0])
    try:
        return position, decode_state(rows["state"][0])
    except CheckpointError as error:
        raise CheckpointError(f"checkpoint of {stage} {name}/{partition} at {position}: {error}") from error
