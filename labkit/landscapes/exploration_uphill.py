"""Searches uphill: how a minimum is left, and how saddle searches are kept going.

The one idea: gentle pushes along soft modes find more saddles than violent ones, and a search that has lost its way is
better helped by a fresh Hessian than by more steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labkit.landscapes.eigenvector_following import Saddle, find_saddles
from labkit.landscapes.exploration_subject import Subject
from labkit.landscapes.hessian import NormalModes
from labkit.landscapes.surface import Surface

#: Softest curvature (eV/Å²) that a push reckons with; `LEAST` squared is the gentlest push, as a part of the largest.
SOFT_EV_A2, LEAST = 0.5, 0.4
#: A push that is to lead far is harder by this factor; with 1.5 the rarest saddle of LJ8 was found more seldom.
HARDER = 2.2
#: Dihedral angles are turned by up to this in a random push (degrees).
TURN = 150.0
#: Steps of a saddle search before its Hessian is computed anew, and how often.
BURST, BURSTS = 20, 6
ARRAYS = ("directions", "hessians")


def pushed(
    subject: Subject, x: np.ndarray, modes: NormalModes, rng: np.random.Generator, push_A: float, *, far: bool
) -> np.ndarray:
    """A minimum x (n, 3) pushed at random, mostly gently and mostly along soft modes: c_k ~ N(0, 1) / λ_k.

    push_A: the largest displacement of an atom. far: turn a dihedral angle first, or, where there is none, push harder
    and less softly, c_k ~ N(0, 1) / sqrt(λ_k): that finds the few saddles that lie far off.
    """
    power = 1.0
    if far and subject.rotors:
        x = subject.turned(x, rng, 1, TURN)
    elif far:
        power, push_A = 0.5, HARDER * push_A
    sizes = rng.normal(size=len(modes.curvatures)) / np.maximum(modes.curvatures, SOFT_EV_A2) ** power
    push = np.einsum("m,mnx->nx", sizes, modes.directions)
    longest = np.linalg.norm(push, axis=1).max()
    return x + push * push_A * rng.uniform(LEAST, 1.0) ** 2 / max(longest, 1e-12)


def searched(surface: Surface, starts: np.ndarray, **options: Any) -> list[Saddle]:
    """Saddle searches (see `find_saddles`) from k structures in one batch, in bursts with a fresh Hessian each.

    Where one search breaks the algebra of all, they go one by one, and that one is refused.
    """
    try:
        found = find_saddles(surface, starts, max_steps=BURST, **options)
        options = {name: value for name, value in options.items() if name not in ARRAYS}
        for _ in range(BURSTS - 1):
            left = [i for i, one in enumerate(found) if one.state == "not converged"]
            if not left:
                break
            x = np.array([found[i].positions for i in left])
            for i, one in zip(left, find_saddles(surface, x, max_steps=BURST, **options), strict=True):
                found[i] = one
        return found
    except np.linalg.LinAlgError as error:
        if len(starts) == 1:
            return [Saddle(starts[0], float("nan"), "refused", f"its curvatures are no numbers ({error}).")]
    return [
        searched(surface, starts[[i]], **{k: v[[i]] if k in ARRAYS else v for k, v in options.items()})[0]
        for i in range(len(starts))
    ]
