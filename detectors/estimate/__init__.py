"""What a prediction will turn out to be worth, before anybody knows: of single events, from what is known of them."""

from detectors.estimate.calibration import Calibration, calibrate
from detectors.estimate.classes import ClassCalibration, calibrate_classes
from detectors.estimate.fidelity import LOST_LIMIT, REGAINED_LIMIT, FidelityChart
from detectors.estimate.trees import Trees, constant, trees_of

__all__ = [
    "LOST_LIMIT",
    "REGAINED_LIMIT",
    "Calibration",
    "ClassCalibration",
    "FidelityChart",
    "Trees",
    "calibrate",
    "calibrate_classes",
    "constant",
    "trees_of",
]
