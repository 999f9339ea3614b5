"""FIRE for many structures at once: every structure has its own step, velocity and patience.

The state of each structure is independent of the others, so a batch takes exactly the steps that it would take one
by one; only the force evaluations are shared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006), with the step limits of ASE's FIRE.
DT_START, DT_MAX, MAX_STEP_A = 0.1, 1.0, 0.2
N_MIN, F_INC, F_DEC, ALPHA_START, F_ALPHA = 5, 1.1, 0.5, 0.1, 0.99


@dataclass
class FireState:
    """Fast inertial relaxation engine of one structure.

    velocity: (rows, 3), atoms first, then three rows of the cell if it relaxes too.
    """

    velocity: np.ndarray | None = None
    dt: float = DT_START
    alpha: float = ALPHA_START
    positive_steps: int = 0

    def displacement(self, forces: np.ndarray) -> np.ndarray:
        """The next move (rows, 3) from the present generalised forces (rows, 3); mass one, as in ASE.

        v <- (1 - α) v + α |v| F/|F| while F·v > 0, else v <- 0; then v <- v + dt F and a move of dt v, at most 0.2 Å
        long.
        """
        if self.velocity is None:
            self.velocity = np.zeros_like(forces)
        else:
            power = float((forces * self.velocity).sum())
            if power > 0:
                norm = np.sqrt((self.velocity**2).sum() / max(float((forces**2).sum()), 1e-300))
                self.velocity = (1 - self.alpha) * self.velocity + self.alpha * norm * forces
                if self.positive_steps > N_MIN:
                    self.dt = min(self.dt * F_INC, DT_MAX)
                    self.alpha *= F_ALPHA
                self.positive_steps += 1
            else:
                self.velocity = np.zeros_like(forces)
                self.alpha, self.dt, self.positive_steps = ALPHA_START, self.dt * F_DEC, 0
        self.velocity = self.velocity + self.dt * forces
        move = self.dt * self.velocity
        length = float(np.sqrt((move**2).sum()))
        return move * (MAX_STEP_A / length) if length > MAX_STEP_A else move
