"""Is my function right? A user's own loss, advantage or estimator, tried against the right one and against the bug zoo."""

from derivations.diagnose.diagnosis import Diagnosis, diagnose
from derivations.diagnose.subjects import SUBJECTS

__all__ = ["SUBJECTS", "Diagnosis", "diagnose"]
