"""What messages are written in: the `format` of a source, by its name alone or with what else there is to say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from monitor.values import Strict

__all__ = [
    "FORMAT_KINDS",
    "AvroFormat",
    "CloudEventsFormat",
    "CsvFormat",
    "Format",
    "JsonFormat",
    "JsonSchemaFormat",
    "ParquetFormat",
    "ProtobufFormat",
    "by_name",
]

Character = Annotated[str, Field(pattern=r"^[\x09\x20-\x7e]$")]


class _Format(Strict):
    """What the service asks of every format."""

    @property
    def needs_registry(self) -> bool:
        """Whether messages name their schema by its number in the registry."""
        return False

    @property
    def can_be_bare(self) -> bool:
        """Whether a file may say what the messages are, instead of a registry."""
        return False

    @property
    def files(self) -> dict[str, str]:
        """Files that the format names, by the key that names them."""
        return {}


class JsonFormat(_Format):
    """Each message is a JSON object."""

    kind: Literal["json"] = "json"


class ParquetFormat(_Format):
    """Each row of a file is a message."""

    kind: Literal["parquet"]


class AvroFormat(_Format):
    """Avro, each message with the number of its schema in the registry; or bare, with one schema for all."""

    kind: Literal["avro"]
    schema_: str | None = Field(
        default=None,
        alias="schema",
        description="a file of the schema (.avsc) in which bare messages are written; without it the registry knows",
    )

    @property
    def needs_registry(self) -> bool:
        return self.schema_ is None

    @property
    def can_be_bare(self) -> bool:
        return True

    @property
    def files(self) -> dict[str, str]:
        return {} if self.schema_ is None else {"schema": self.schema_}


class ProtobufFormat(_Format):
    """Protobuf, each message with the number of its schema in the registry; or bare, with one type for all."""

    kind: Literal["protobuf"]
    descriptors: str | None = Field(
        default=None,
        description="a file that `protoc --include_imports --descriptor_set_out` wrote, for bare messages",
    )
    message: str | None = Field(default=None, description="full name of the type of bare messages: `shop.Order`")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.descriptors is None) != (self.message is None):
            raise ValueError("bare messages need both descriptors and message; without both the registry is asked")
        return self

    @property
    def needs_registry(self) -> bool:
        return self.descriptors is None

    @property
    def can_be_bare(self) -> bool:
        return True

    @property
    def files(self) -> dict[str, str]:
        return {} if self.descriptors is None else {"descriptors": self.descriptors}


class JsonSchemaFormat(_Format):
    """JSON, each message with the number of its JSON Schema in the registry."""

    kind: Literal["json_schema"]
    validate_: bool = Field(
        default=True,
        alias="validate",
        description="false: what breaks its own schema counts all the same, and reading is faster",
    )

    @property
    def needs_registry(self) -> bool:
        return self.validate_


class CloudEventsFormat(_Format):
    """CloudEvents with JSON data, in binary or structured mode; attributes stand at `ce.NAME`."""

    kind: Literal["cloudevents"]


class CsvFormat(_Format):
    """Each message is one row of comma-separated values, without a header."""

    kind: Literal["csv"]
    columns: list[Annotated[str, Field(pattern=r"^[^.:]+$")]] = Field(
        min_length=1, description="names of the columns, in their order"
    )
    delimiter: Character = Field(default=",", description="between two values")
    quote: Character | None = Field(default='"', description="around a value that holds a delimiter; null for none")
    missing: list[str] = Field(default=[""], description="texts that stand for a missing value")

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        for name in self.columns:
            if self.columns.count(name) > 1:
                raise ValueError(f"columns: {name!r} is named twice")
        if self.delimiter == self.quote:
            raise ValueError(f"delimiter and quote are both {self.quote!r}")
        return self


FORMAT_KINDS: tuple[Any, ...] = (
    JsonFormat,
    ParquetFormat,
    AvroFormat,
    ProtobufFormat,
    JsonSchemaFormat,
    CloudEventsFormat,
    CsvFormat,
)


def _kind_of(value: Any) -> str:
    return str(value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None))


def by_name(value: object) -> object:
    """A format that is named alone, as the mapping that it is short for."""
    return {"kind": value} if isinstance(value, str) else value


_FormatAsWritten = (
    JsonFormat
    | ParquetFormat
    | AvroFormat
    | ProtobufFormat
    | JsonSchemaFormat
    | CloudEventsFormat
    | CsvFormat
    | Literal["json", "parquet", "avro", "protobuf", "json_schema", "cloudevents"]
)

Format = Annotated[
    Annotated[JsonFormat, Tag("json")]
    | Annotated[ParquetFormat, Tag("parquet")]
    | Annotated[AvroFormat, Tag("avro")]
    | Annotated[ProtobufFormat, Tag("protobuf")]
    | Annotated[JsonSchemaFormat, Tag("json_schema")]
    | Annotated[CloudEventsFormat, Tag("cloudevents")]
    | Annotated[CsvFormat, Tag("csv")],
    Discriminator(
        _kind_of,
        custom_error_type="unknown_format",
        custom_error_message="the formats are json, parquet, avro, protobuf, json_schema, cloudevents and csv",
    ),
    BeforeValidator(by_name, json_schema_input_type=_FormatAsWritten),
]
"""What a source's messages are written in, by `kind`."""
