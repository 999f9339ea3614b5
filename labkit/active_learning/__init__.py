"""Potentials that know what they do not know: uncertainty, its calibration, and structures that are worth a label.

Nothing here loads torch when imported; what needs it does so when it is called.
"""

from labkit.active_learning.adversarial import AttackStep, Guards, attack, objective, smooth_largest
from labkit.active_learning.attack_task import Attack
from labkit.active_learning.calibration import (
    LEAST_SPREAD,
    RAW,
    Calibration,
    fit_linear,
    fit_power_law,
    negative_log_likelihood,
)
from labkit.active_learning.committee_gradient import ByAutograd, ByDifferences, Look, Surface, surface_of
from labkit.active_learning.delta_fragments import PUBLISHED
from labkit.active_learning.delta_learning import DeltaLearning
from labkit.active_learning.dual_dynamics import compare_with_dynamics
from labkit.active_learning.dual_neb import DualNEB
from labkit.active_learning.extrapolation import ActiveSet, maxvol, moment_tensor_grades
from labkit.active_learning.loop import ActiveLearning, QualityLevel
from labkit.active_learning.random_symmetric import Crystal, Perturbations, perturbed, relaxed, seeds
from labkit.active_learning.random_symmetric_task import RandomSymmetric
from labkit.active_learning.reliability import Reliability, judge, miscalibration_area, reliability
from labkit.active_learning.selection import (
    Choice,
    Verdict,
    adaptive_lower,
    at_random,
    by_threshold,
    by_volume,
    farthest_point,
    sort_out,
    top_k,
)
from labkit.active_learning.tungsten import TungstenSpread, tungsten_spread
from labkit.active_learning.uncertainty import (
    ATOM_WISE,
    STRUCTURE_WISE,
    atom_error,
    atom_spread,
    member_forces,
    structure_spread,
)

__all__ = [
    "ATOM_WISE",
    "LEAST_SPREAD",
    "PUBLISHED",
    "RAW",
    "STRUCTURE_WISE",
    "ActiveLearning",
    "ActiveSet",
    "Attack",
    "AttackStep",
    "ByAutograd",
    "ByDifferences",
    "Calibration",
    "Choice",
    "Crystal",
    "DeltaLearning",
    "DualNEB",
    "Guards",
    "Look",
    "Perturbations",
    "QualityLevel",
    "RandomSymmetric",
    "Reliability",
    "Surface",
    "TungstenSpread",
    "Verdict",
    "adaptive_lower",
    "at_random",
    "atom_error",
    "atom_spread",
    "attack",
    "by_threshold",
    "by_volume",
    "compare_with_dynamics",
    "farthest_point",
    "fit_linear",
    "fit_power_law",
    "judge",
    "maxvol",
    "member_forces",
    "miscalibration_area",
    "moment_tensor_grades",
    "negative_log_likelihood",
    "objective",
    "perturbed",
    "relaxed",
    "reliability",
    "seeds",
    "smooth_largest",
    "sort_out",
    "structure_spread",
    "surface_of",
    "top_k",
    "tungsten_spread",
]
