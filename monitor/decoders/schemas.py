"""Where decoders find the schemas of messages: in a registry, or in files beside a model's configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from monitor.decoders.document import Refused
from monitor.errors import InputError

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.decoders.registry import Registered, Registry

__all__ = ["HEAD_BYTES", "NO_SCHEMAS", "Numbered", "Schemas", "framed"]

HEAD_BYTES = 5
"""A byte 0 and the number of a schema, in front of a message."""

T = TypeVar("T")
_Reason = tuple[str, str]


@dataclass
class Schemas:
    """What decoders of typed formats need beside the plans.

    Attributes
    ----------
    registry : Registry or None
    resolve : callable
        Gives the path of a file that a model names.
    """

    registry: Registry | None = None
    resolve: Callable[[str, str], Path] = lambda model, name: Path(name)

    @classmethod
    def of(cls, configuration: Configuration) -> Schemas:
        """What a configuration names.

        Raises
        ------
        InputError
            A certificate cannot be used.
        """
        spec = configuration.service.spec.schema_registry
        if spec is None:
            return cls(None, configuration.resolve)
        from monitor.decoders.registry import Registry

        return cls(Registry(spec), configuration.resolve)

    def close(self) -> None:
        """Let go of the registry."""
        if self.registry is not None:
            self.registry.close()

    def read(self, model: str, name: str) -> bytes:
        """Return what a model's file holds.

        Raises
        ------
        InputError
        """
        path = self.resolve(model, name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"model {model!r}: {path}: {error.strerror or error}") from error


NO_SCHEMAS = Schemas()
"""For formats that need none."""


class Numbered(Generic[T]):
    """What was made of the registry's schemas, by their number.

    Parameters
    ----------
    schemas : Schemas
    kind : str
        What the registry calls such schemas.
    prepare : callable
        Makes something of a schema, or raises ValueError with the reason why it cannot be used.
    form : str
        In which form the registry is asked for them.

    Raises
    ------
    InputError
        There is no registry.
    """

    def __init__(self, schemas: Schemas, kind: str, prepare: Callable[[Registered], T], form: str = "") -> None:
        if schemas.registry is None:
            raise InputError("messages name schemas of a registry: say where it is, in the service's schema_registry")
        self._registry = schemas.registry
        self._kind, self._prepare, self._form = kind, prepare, form
        self._known: dict[int, T | _Reason] = {}

    def of_batch(self) -> Callable[[int], T]:
        """Return what finds the prepared schemas of one batch of messages.

        It raises Refused where there is no such schema or it cannot be used, and SourceError where the registry did not
        say. A number that the registry does not know is asked for once per batch: it may become known.
        """
        unknown: dict[int, _Reason] = {}

        def find(number: int) -> T:
            registered = self._known.get(number) or unknown.get(number)
            if registered is None:
                registered = self._ask(number, unknown)
            if isinstance(registered, tuple):
                raise Refused(*registered)
            return registered

        return find

    def _ask(self, number: int, unknown: dict[int, _Reason]) -> T | _Reason:
        schema = self._registry.schema(number, self._form)
        if schema is None:
            unknown[number] = "unknown_schema", f"the registry has no schema {number}, or not all that it refers to"
            return unknown[number]
        prepared: T | _Reason
        try:
            if schema.kind != self._kind:
                raise ValueError(f"it is of kind {schema.kind}, not {self._kind}")
            prepared = self._prepare(schema)
        except ValueError as error:
            prepared = "unusable_schema", f"schema {number}: {error}"
        self._known[number] = prepared
        return prepared


def framed(payload: bytes) -> int:
    r"""Return the number of the schema in front of a message.

    Raises
    ------
    Refused

    Examples
    --------
    >>> framed(b"\x00\x00\x00\x01\x02rest")
    258
    """
    if payload[:1] != b"\x00" or len(payload) < HEAD_BYTES:
        head = payload[:HEAD_BYTES].hex(" ")
        raise Refused("not_framed", f"expected a byte 0 and the number of a schema in four bytes, found {head}")
    return int.from_bytes(payload[1:HEAD_BYTES], "big")
