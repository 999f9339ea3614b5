"""Does the framework stay where it is? Diffusion in a crystal means nothing once the crystal melts.

Groups that turn (PS4) let their outer atoms move far in a sound crystal, so the slowest of the other species is judged:
when even that one travels, the framework is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.analysis.msd import msd
from labkit.analysis.trajectory import Frames, checked

#: Mean-squared displacement (Å^2) from which the slowest framework species no longer merely vibrates, and the factor by
#: which it must have grown between an eighth and a half of the trajectory.
MOVES_A2, GROWS = 1.5, 1.4


@dataclass(frozen=True)
class FrameworkMotion:
    """msd_A2: mean-squared displacement (Å^2) of each framework species over half of the trajectory; `warning`: why the
    framework is no crystal any more, or empty.
    """

    msd_A2: dict[str, float]
    warning: str


def framework_motion(
    frames: Frames, species: str, *, frame_interval_fs: float, wrapped: bool | None = None
) -> FrameworkMotion:
    """Return how far the atoms other than `species` move, and a warning where even the slowest of them travel.

    They travel when their MSD at half of the length exceeds 1.5 Å^2 and is 1.4 times that at an eighth of it. Raises
    InvalidStructure for a broken trajectory.
    """
    frames = checked(frames, minimum=2)
    others = sorted(set(frames[0].symbols) - {species})
    found, growth = {}, {}
    for symbol in others:
        drift = "all" if len(others) > 1 or species in frames[0].symbols else None
        curve = msd(frames, frame_interval_fs=frame_interval_fs, species=symbol, drift=drift, wrapped=wrapped).total_A2
        early, late = float(curve[max(1, len(curve) // 8)]), float(curve[len(curve) // 2])
        found[symbol], growth[symbol] = late, late / early if early > 0 else 1.0
    warning = ""
    if found:
        slowest = min(found, key=lambda symbol: found[symbol])
        if found[slowest] > MOVES_A2 and growth[slowest] > GROWS:
            warning = (
                f"the framework moves too: even {slowest} travelled {np.sqrt(found[slowest]):.2g} Å (rms) and does not "
                "stop, so the crystal is melting or reacting. Use a lower temperature."
            )
    return FrameworkMotion(found, warning)
