"""The receivers of the service's file: the union of all kinds, each with the parameters that its own file states."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sinks.receivers import RECEIVERS, parameters_class, read_parameters
from sinks.receivers.parameters import Parameters

__all__ = ["Receiver"]


class _ByKind:
    """A union by ``kind`` that imports a receiver only when a file names it: a plain one would import them all."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_read)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kinds: Any = reduce(or_, map(parameters_class, RECEIVERS))
        return handler(TypeAdapter(Annotated[kinds, Field(discriminator="kind")]).core_schema)


def _read(value: object) -> Parameters:
    if isinstance(value, Parameters):
        return value
    if not isinstance(value, Mapping) or "kind" not in value:
        raise ValueError(f"a receiver has a kind: {', '.join(RECEIVERS)}")
    return read_parameters(value)


Receiver = Annotated[Parameters, _ByKind]
"""One receiver of ``spec.receivers``."""
