"""What each member of a committee would have found, from one trajectory that ran on their mean.

A member's potential differs little from the mean, so its thermal average follows by linear response, without a
trajectory of its own; the spread over members is the error of the potential in that average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import units

ORDERS = ("linear", "second", "exponential")
#: Spread of dV/kT beyond which the expansion is not trusted: the terms left out are a quarter of those kept.
_LARGEST_SPREAD = 0.5
#: Kish's effective share of frames below which exponential weights rest on a handful.
_LEAST_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Reweighted:
    """mean (...): on the committee's mean; members (M, ...): of each; committee_error (...): α times their standard
    deviation; statistical_error (...): of the mean, from blocks of time; spread (M,): standard deviation of dV_m/kT;
    effective_share (M,): Kish's share of frames that exponential weights would leave; warning: or "".
    """

    mean: np.ndarray
    members: np.ndarray
    committee_error: np.ndarray
    statistical_error: np.ndarray
    spread: np.ndarray
    effective_share: np.ndarray
    order: str
    calibration: float
    warning: str = ""

    @property
    def error(self) -> np.ndarray:
        """Both errors together, sqrt(committee² + statistical²)."""
        return np.hypot(self.committee_error, self.statistical_error)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in self.__dict__.items()}


def reweighted(
    values: np.ndarray,
    member_energies_eV: np.ndarray,
    temperature_K: float,
    *,
    mean_energies_eV: np.ndarray | None = None,
    order: str = "linear",
    calibration: float = 1.0,
    blocks: int = 10,
) -> Reweighted:
    """Return <A>_m for the members of a committee from T frames of a trajectory at `temperature_K` on their mean.

    linear: <A>_m = <A> - β [<A dV_m> - <A><dV_m>], dV_m = V_m - mean V, whose error is of second order in dV_m;
    second: + β²/2 <δA δdV_m²>, the next cumulant; exponential: <A exp(-β dV_m)>/<exp(-β dV_m)>, exact for infinitely
    many frames and noisy for few (cf. Imbalzano et al., J. Chem. Phys. 154 (2021) 074102, 10.1063/5.0036522).
    `values` (T, ...): A of each frame; `member_energies_eV` (T, M); `mean_energies_eV` (T,): what drove the dynamics,
    by itself the members' mean; `calibration`: α, by which the spread is scaled. dV grows with the cell: a large one
    needs a smaller disagreement of each atom. Raises ValueError for shapes that do not fit, fewer than 2 members,
    fewer frames than blocks, values that are not finite, or another order.
    """
    A, V = np.asarray(values, float), np.asarray(member_energies_eV, float)
    if V.ndim != 2 or V.shape[1] < 2 or len(A) != len(V) or A.ndim < 1:
        raise ValueError(
            f"values {A.shape} and member energies {V.shape} do not fit: (frames, ...) and (frames, members), at least "
            "2 members."
        )
    if order not in ORDERS:
        raise ValueError(f"order={order!r} is unknown; use {', '.join(map(repr, ORDERS))}.")
    if not temperature_K > 0 or not calibration > 0:
        raise ValueError(f"temperature_K={temperature_K} and calibration={calibration} must be positive.")
    if blocks < 2 or len(A) < blocks:
        raise ValueError(f"{len(A)} frames cannot be cut into {blocks} blocks; at least 2 blocks of 1 frame.")
    if not (np.isfinite(A).all() and np.isfinite(V).all()):
        raise ValueError("values or energies hold numbers that are not finite; leave those frames out.")
    base = V.mean(axis=1) if mean_energies_eV is None else np.asarray(mean_energies_eV, float)
    if base.shape != (len(V),) or not np.isfinite(base).all():
        raise ValueError(f"mean_energies_eV of shape {base.shape} needs a finite energy for each of {len(V)} frames.")
    x = (V - base[:, None]) / (units.kB * temperature_K)
    x = x - x.mean(axis=0)
    flat = A.reshape(len(A), -1)
    mean = flat.mean(axis=0)
    away = flat - mean
    weights = np.exp(-(x - x.min(axis=0)))
    weights /= weights.sum(axis=0)
    if order == "exponential":
        members = mean + weights.T @ away
    else:
        members = mean - x.T @ away / len(A)
        if order == "second":
            members = members + 0.5 * (x**2).T @ away / len(A)
    length = len(A) // blocks
    parts = flat[: blocks * length].reshape(blocks, length, -1).mean(axis=1)
    spread, share = x.std(axis=0), 1 / ((weights**2).sum(axis=0) * len(A))
    shape = A.shape[1:]
    return Reweighted(
        mean=mean.reshape(shape),
        members=members.reshape(-1, *shape),
        committee_error=calibration * members.std(axis=0, ddof=1).reshape(shape),
        statistical_error=(parts.std(axis=0, ddof=1) / np.sqrt(blocks)).reshape(shape),
        spread=spread,
        effective_share=share,
        order=order,
        calibration=float(calibration),
        warning=_warning(order, spread, share),
    )


def _warning(order: str, spread: np.ndarray, share: np.ndarray) -> str:
    if order == "exponential":
        worst = int(np.argmin(share))
        if share[worst] >= _LEAST_SHARE:
            return ""
        return (
            f"the weights of member {worst} leave {100 * share[worst]:.2g} % of the frames: its average rests on few. "
            "Use order='linear', a smaller cell, or train the members closer together."
        )
    worst = int(np.argmax(spread))
    if spread[worst] <= _LARGEST_SPREAD:
        return ""
    return (
        f"the energy of member {worst} differs from the mean by a spread of {spread[worst]:.2g} kT, over "
        f"{_LARGEST_SPREAD:g}: linear response does not hold. Use a smaller cell or run that member by itself."
    )
