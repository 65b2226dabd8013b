"""``python -m monitor.demo.estimator``: how good the demo's model is before flights have landed."""

from __future__ import annotations

from pathlib import Path

from monitor.check import load
from monitor.demo.flights import Flights, january_scores, load_flights
from monitor.estimators.artefact import Artefact, write_artefact
from monitor.estimators.fitting import fit
from monitor.estimators.labelled import LabelledEvents

__all__ = ["FILE", "fitted"]

CONFIG = Path("configs/demo.yaml")
FILE = Path("configs/models/flights.cbpe.json")


def fitted(flights: Flights) -> Artefact:
    """Return an estimator that was fitted on January, as the model was, of flights that no model had seen.

    Raises
    ------
    InputError
        If there are too few flights.
    """
    plan = load(CONFIG).models["flights"].spec.performance_plan
    assert plan is not None
    scores, is_late = january_scores(flights)
    is_right = (scores >= 0.5) == is_late
    events = LabelledEvents("January's flights", is_right.astype(float), {plan.prediction: scores}, {})
    return fit("cbpe", events, plan, "flights")


if __name__ == "__main__":
    write_artefact(FILE, fitted(load_flights()))
