"""What a prediction will turn out to be worth, before anybody knows: of single events, from what is known of them."""

from detectors.estimate.calibration import Calibration, calibrate
from detectors.estimate.trees import Trees, constant, trees_of

__all__ = ["Calibration", "Trees", "calibrate", "constant", "trees_of"]
