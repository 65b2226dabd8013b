"""What a model is watched with in whole, each value with where it stands; and what may stand in a configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer, watched
from monitor.api.problems import ProblemError
from monitor.config import Model, effective
from monitor.config.document import read_posted
from monitor.config.json_schema import shipped
from monitor.configurations.log import ConfigurationLog

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["models"])


class EffectiveSetting(BaseModel):
    """One value, and what says it."""

    path: list[str | int] = Field(description="keys and places in lists, from the document's top")
    value: Any = Field(description="as a file has it; a variable of the environment by its name")
    layer: Literal["model", "namespace", "defaults", "leeway"] = Field(
        description="the model's own document, defaults of its namespace, of all models, or Leeway's own default"
    )
    file: str = Field(description="where that stands; empty of Leeway's defaults, and of a document of the API")
    line: int = Field(description="in the file or document, counted from 1; 0 of Leeway's defaults")
    column: int = Field(description="likewise")


class EffectiveConfiguration(BaseModel):
    """All that a model is watched with, defaults included."""

    model: str
    items: list[EffectiveSetting] = Field(description="in the order of the reference")


@router.get(
    "/models/{model}/configuration/effective",
    summary="All that a model is watched with, and where each value comes from",
    response_model=EffectiveConfiguration,
)
def effective_configuration(service: TheService, model: str) -> Response:
    watched(service, model)
    items = [
        {"path": each.path, "value": each.value, "layer": each.layer}
        | {"file": each.file, "line": each.line, "column": each.column}
        for each in _settings(service, model)
    ]
    return answer({"model": model, "items": items})


@router.get(
    "/schemas/{kind}",
    summary="The JSON Schema of a kind of configuration file",
    response_model=dict[str, Any],
)
async def configuration_schema(kind: Literal["model", "defaults", "service"]) -> Response:
    return Response(shipped(kind), media_type="application/json")


def _settings(service: ApiService, model: str) -> list[effective.Setting]:
    configuration = service.configuration
    if model in configuration.layered and model not in configuration.posted:
        return effective.effective(configuration, model)
    text = configuration.texts.get(model) or _stored(service, model)
    document = read_posted(Path(), text)
    # It came through the API, and stands in no file.
    return [replace(each, file="") for each in effective.settings(Model.model_validate(document.value), document)]


def _stored(service: ApiService, model: str) -> str:
    version = ConfigurationLog(service.store, service.clock).newest(model)
    if version is None or not version.document:
        raise ProblemError("no-configuration", f"the document of {model} is not at hand")
    return version.document
