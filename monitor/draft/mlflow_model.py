"""What a model in MLflow's registry was trained on, as a file of rows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from monitor.dataset import DATA_SETS, kind_of
from monitor.errors import InputError

__all__ = ["TrainedOn", "trained_on"]

EXAMPLE = "input_example.json"
_TRAINING = ("mlflow.data.context", "training")
_REFERENCE = re.compile(r"mlflow:(?P<name>.+?)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))")


@dataclass(frozen=True)
class TrainedOn:
    """Rows that a model was trained on.

    Attributes
    ----------
    path : Path
    is_example : bool
        Only its input example: a few rows, no data set to compare with.
    answers : tuple of str
        What the model's signature says that it answers with.
    """

    path: Path
    is_example: bool
    answers: tuple[str, ...]


def trained_on(reference: str, folder: Path) -> TrainedOn:
    """Return what a registered model was trained on: the data set that its run has logged, else its input example.

    A data set that lies on this machine stays where it is; everything else is fetched. The registry is that of
    ``MLFLOW_TRACKING_URI``.

    Parameters
    ----------
    reference : str
        ``mlflow:MODEL/VERSION`` or ``mlflow:MODEL@ALIAS``.
    folder : Path
        Where what is fetched goes.

    Raises
    ------
    InputError
        There is no such model, nothing of it can be read, or MLflow is not installed.
    """
    parts = _REFERENCE.fullmatch(reference)
    if parts is None:
        raise InputError(f"{reference}: expected mlflow:MODEL/VERSION or mlflow:MODEL@ALIAS")
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise InputError(f"{reference}: needs the package mlflow-skinny: pip install 'leeway[mlflow]'") from error
    try:
        client, name = MlflowClient(), parts["name"]
        read = client.get_model_version_by_alias if parts["alias"] else client.get_model_version
        version = read(name, parts["alias"] or parts["version"])
        return _trained_on(client, version, folder)
    except MlflowException as error:
        raise InputError(f"{reference}: {str(error).splitlines()[0]}") from error


def _trained_on(client: Any, version: Any, folder: Path) -> TrainedOn:
    from mlflow.models import Model

    model = Model.load(f"models:/{version.name}/{version.version}")
    outputs = model.signature.outputs if model.signature is not None else None
    answers = tuple(f"{each.name} ({each.type.name})" for each in outputs if each.name) if outputs is not None else ()
    path, reasons = _data_set(client, version.run_id, folder)
    if path is not None:
        return TrainedOn(path, False, answers)
    if model.saved_input_example_info is None:
        missing = "; ".join([*reasons, "no input example"])
        raise InputError(
            f"mlflow:{version.name}/{version.version}: nothing to draft a file from is logged with it ({missing}). Log"
            " its training data as a .csv, .parquet or .jsonl file (`mlflow.log_input(dataset, 'training')`), or name"
            " a file or a topic"
        )
    return TrainedOn(_example(version, folder), True, answers)


def _data_set(client: Any, run_id: str | None, folder: Path) -> tuple[Path | None, list[str]]:
    """Return the file of a data set that a run has logged, that of the training first, or why there is none."""
    from mlflow.data import get_source
    from mlflow.exceptions import MlflowException

    inputs = client.get_run(run_id).inputs.dataset_inputs if run_id else []
    reasons = [] if inputs else ["no data set"]
    for each in sorted(inputs, key=lambda each: _TRAINING not in {(tag.key, tag.value) for tag in each.tags}):
        try:
            path = _file_of(get_source(each.dataset), folder)
        # Sources of other kinds, such as tables of Spark, load what is no file, or need packages of their own.
        except (MlflowException, TypeError, NotImplementedError, OSError, ImportError) as error:
            reasons.append(f"data set {each.dataset.name}: {(str(error) or repr(error)).splitlines()[0]}")
            continue
        if path.is_file() and kind_of(path) in DATA_SETS:
            return path, []
        reasons.append(f"data set {each.dataset.name}: {path.name} is none of {', '.join(DATA_SETS)}")
    return None, reasons


def _file_of(source: Any, folder: Path) -> Path:
    """Return where a data set lies, if that is here; else fetch it."""
    uri = urlsplit(getattr(source, "uri", ""))
    local = Path(url2pathname(uri.path))
    return local if uri.scheme in ("", "file") and local.is_file() else Path(source.load(dst_path=str(folder)))


def _example(version: Any, folder: Path) -> Path:
    """Fetch an input example, and return it as JSON lines."""
    from mlflow.artifacts import download_artifacts

    fetched = download_artifacts(
        artifact_uri=f"models:/{version.name}/{version.version}/{EXAMPLE}", dst_path=str(folder)
    )
    example = json.loads(Path(fetched).read_text(encoding="utf-8"))
    rows = example if isinstance(example, list) else [example]
    if isinstance(example, dict) and {"columns", "data"} <= example.keys():
        rows = [dict(zip(example["columns"], row, strict=True)) for row in example["data"]]
    path = folder / f"{Path(version.name).name}.example.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
