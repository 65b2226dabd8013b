"""Makes a workspace of Evidently's UI, with a report of each day; a program of its own, in Evidently's environment.

``reports.py FLIGHTS.csv WORKSPACE``: January is the reference. Prints a line of JSON for each day, with its time.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from datetime import date, datetime, timedelta

import pandas as pd
from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]
from evidently.presets import DataDriftPreset, DataSummaryPreset  # type: ignore[import-not-found]
from evidently.sdk.models import PanelMetric  # type: ignore[import-not-found]
from evidently.sdk.panels import line_plot_panel  # type: ignore[import-not-found]
from evidently.ui.workspace import Workspace  # type: ignore[import-not-found]

NAMES = ("carrier", "origin", "dest")
PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Rows", "RowCount", {}),
    ("Share of drifted columns", "DriftedColumnsCount", {"value_label": "share"}),
)


def main(flights: str, workspace: str) -> None:
    warnings.filterwarnings("ignore")
    frame = pd.read_csv(flights, parse_dates=["departed"])
    columns = [name for name in frame if name != "departed"]
    definition = DataDefinition(
        numerical_columns=[name for name in columns if name not in NAMES], categorical_columns=list(NAMES)
    )
    days = frame.departed.dt.date
    reference = Dataset.from_pandas(frame.loc[days < date(2013, 2, 1), columns], definition)
    kept = Workspace.create(workspace)
    project = kept.create_project("flights")
    for title, metric, labels in PANELS:
        project.dashboard.add_panel(
            line_plot_panel(title=title, values=[PanelMetric(legend=title, metric=metric, metric_labels=labels)])
        )
    project.save()
    for day in sorted(set(days[days >= date(2013, 2, 1)])):
        of_day = Dataset.from_pandas(frame.loc[days == day, columns], definition)
        began = time.perf_counter()
        next_day = datetime.combine(day, datetime.min.time()) + timedelta(days=1)
        run = Report([DataSummaryPreset(), DataDriftPreset()], include_tests=True).run(
            of_day, reference, timestamp=next_day
        )
        kept.add_run(project.id, run, name=str(day))
        tests = [test for test in run.dict()["tests"] if test["status"] == "FAIL"]
        failed = sorted(test["name"] for test in tests)
        print(json.dumps({"day": str(day), "s": time.perf_counter() - began, "failed": failed}), flush=True)
    print(json.dumps({"project": str(project.id)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
