"""The diffusion coefficient from a mean-squared displacement, with an error that can be believed.

The regression error of a straight line through an MSD is meaningless, because its points are correlated; here the
error comes from the scatter between atoms and between blocks of time (or, with kinisi, from the covariance of the
points).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from labkit.analysis.msd import MSD, atom_chunks, msd, windowed_msd
from labkit.analysis.trajectory import Frames

CM2_S_PER_A2_FS = 0.1  # 1 Å^2/fs = 1e-16 cm^2 / 1e-15 s
MIN_FRAMES = 10
_BALLISTIC_FS = 200.0  # longer than a vibration period of the light ions (about 10 THz)
_MIN_BLOCK_FRAMES = 20
_MAX_BLOCKS = 8
_DEFAULT_HOP_A = 2.0


@dataclass(frozen=True)
class Diffusion:
    """A tracer diffusion coefficient.

    error_cm2_s is one standard error, and interval_cm2_s the 95 % interval with Student's factor for the number of
    atoms and blocks behind the error: of 50 synthetic walks each, at least 90 % keep the true value inside, also where
    ions hop in groups. Both are None when nothing can be said (one atom and few frames). per_direction_* hold x, y, z.
    `exponent` is d ln MSD / d ln t in the window: 2 ballistic, 1 diffusive, 0 caged. `warning` is an empty string or
    the reason why D must not be trusted.
    """

    D_cm2_s: float
    error_cm2_s: float | None
    per_direction_cm2_s: tuple[float, float, float]
    per_direction_error_cm2_s: tuple[float | None, float | None, float | None]
    window_fs: tuple[float, float]
    intercept_A2: float
    exponent: float | None
    method: str
    directions: str
    species: tuple[str, ...]
    n_atoms: int
    n_blocks: int
    warning: str
    interval_cm2_s: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON-able form."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def __str__(self) -> str:
        """Return D ± error and the warning, if any, in one line."""
        error = "unknown" if self.error_cm2_s is None else f"{self.error_cm2_s:.1e}"
        text = f"D = {self.D_cm2_s:.2e} ± {error} cm²/s"
        return f"{text} ({self.warning})" if self.warning else text


def diffusion(
    source: MSD | Frames,
    *,
    window_fs: tuple[float, float] | None = None,
    method: str = "block",
    directions: str = "xyz",
    seed: int = 0,
    **msd_options: Any,
) -> Diffusion:
    """Return D = slope(MSD) / (2 d), d = number of `directions`, from an `MSD` or from frames.

    With frames the options of `msd` follow: `frame_interval_fs=...` and the others.

    The straight line (with intercept, which takes up the vibrations) is fitted within `window_fs`; by default from 10
    % of the trajectory, but not below 200 fs where that leaves room, to 50 %: the ballistic part and the noisy long
    lags are dropped.

    method="block": ordinary least squares; the error is the larger of two. (a) Atoms: the standard error of the mean
    of the atoms' own slopes, widened by Student's factor; right for independent ions. (b) Time: the scatter of D
    between up to 8 consecutive blocks of time, each fitted in a window shortened in proportion; as the relative
    scatter of an MSD slope of a Brownian walk depends on window/length only, that scatter is the error of the whole.
    It sees what atoms do together, which (a) does not: in ten consecutive segments of one run of molten copper (EMT,
    32 atoms, 2.9 ps each, 2500 K) D scattered by 1.7e-5 cm^2/s; (b) said 1.6e-5 and (a) 0.7e-5.

    method="bayesian": kinisi (McCluskey et al., J. Chem. Theory Comput. 2025, 10.1021/acs.jctc.4c01249); the error is
    the standard deviation of the posterior, which takes the atoms as independent and D as positive, also in a cage;
    `seed` fixes its sampling. per_direction_* still come from the blocks.

    Raises InvalidStructure or ValueError for fewer than 10 frames, a window with fewer than 3 lags, or unknown words.
    """
    if method not in ("block", "bayesian"):
        raise ValueError(f"method={method!r} is unknown; use 'block' or 'bayesian'.")
    if not directions or set(directions) - set("xyz") or len(set(directions)) != len(directions):
        raise ValueError(f"directions={directions!r} must name some of x, y and z once each, such as 'xyz' or 'xy'.")
    if isinstance(source, MSD) and msd_options:
        raise ValueError(
            f"{', '.join(msd_options)} was settled when the MSD was made; pass frames, or make the MSD anew."
        )
    result = source if isinstance(source, MSD) else msd(source, **msd_options)
    window = _window(result, window_fs)
    axes = ["xyz".index(letter) for letter in directions]
    slopes, intercepts = _slopes(result.positions_A, result.frame_interval_fs, window)
    blocks = _block_slopes(result, window)
    to_D = CM2_S_PER_A2_FS / 2
    D = float(slopes[:, axes].mean() * to_D)
    error, half = _errors(slopes[:, axes].mean(axis=1) * to_D, blocks[:, axes].mean(axis=1) * to_D)
    per_direction = tuple(float(value) for value in slopes.mean(axis=0) * to_D)
    per_error = tuple(_errors(slopes[:, axis] * to_D, blocks[:, axis] * to_D)[0] for axis in range(3))
    intercept = float(intercepts[:, axes].sum(axis=1).mean())
    curve = result.per_direction_A2[axes].sum(axis=0)
    if not curve.any():
        error, half, per_error = (
            None,
            None,
            (None, None, None),
        )  # the scatter of zeros is no measure of what was not seen
    elif method == "bayesian":
        from labkit.analysis.bayesian import bayesian_diffusion

        D, error, intercept = bayesian_diffusion(result, window[0], directions, seed=seed)
        half = 1.96 * error
    exponent = _exponent(result.lag_fs, curve, window)
    return Diffusion(
        D_cm2_s=D,
        error_cm2_s=error,
        per_direction_cm2_s=per_direction,
        per_direction_error_cm2_s=per_error,
        window_fs=window,
        intercept_A2=intercept,
        exponent=exponent,
        method=method,
        directions=directions,
        species=result.species,
        n_atoms=result.n_atoms,
        n_blocks=len(blocks),
        warning=_warning(result, curve, window, D, error, exponent),
        interval_cm2_s=None if half is None else (D - half, D + half),
    )


def _window(result: MSD, window_fs: tuple[float, float] | None) -> tuple[float, float]:
    if result.n_frames < MIN_FRAMES:
        raise ValueError(
            f"{result.n_frames} frames are too few for a diffusion coefficient; at least {MIN_FRAMES} are needed. "
            "Run longer or write frames more often."
        )
    longest = float(result.lag_fs[-1])
    if window_fs is None:
        start = 0.1 * longest
        window = (_BALLISTIC_FS if start < _BALLISTIC_FS <= 0.25 * longest else start, 0.5 * longest)
    else:
        window = (float(window_fs[0]), float(window_fs[1]))
    inside = (result.lag_fs >= window[0]) & (result.lag_fs <= window[1])
    if not 0 <= window[0] < window[1] <= longest or inside.sum() < 3:
        raise ValueError(
            f"window_fs={window} holds {inside.sum()} lag times; it needs at least 3 between 0 and {longest:g} fs, "
            f"which are {result.frame_interval_fs:g} fs apart."
        )
    return window


def _slopes(
    positions_A: np.ndarray, frame_interval_fs: float, window: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return least-squares slopes (Å^2/fs) and intercepts (Å^2) of every atom's MSD, each (n, 3)."""
    lag = np.arange(len(positions_A)) * frame_interval_fs
    inside = (lag >= window[0] * (1 - 1e-9)) & (lag <= window[1] * (1 + 1e-9))
    centred = lag[inside] - lag[inside].mean()
    weights = centred / (centred**2).sum()
    curves = [windowed_msd(chunk)[inside] for chunk in atom_chunks(positions_A)]
    slopes = np.concatenate([np.einsum("l,lnd->nd", weights, curve) for curve in curves])
    means = np.concatenate([curve.mean(axis=0) for curve in curves])
    return slopes, means - slopes * lag[inside].mean()


def _block_slopes(result: MSD, window: tuple[float, float]) -> np.ndarray:
    """Return the mean slope of each block of time (B, 3), with the window shortened as the block; (0, 3) if too few
    frames.
    """
    count = min(_MAX_BLOCKS, result.n_frames // _MIN_BLOCK_FRAMES)
    if count < 3:
        return np.zeros((0, 3))
    shortened = (window[0] / count, window[1] / count)
    if (shortened[1] - shortened[0]) / result.frame_interval_fs < 3:
        return np.zeros((0, 3))
    blocks = np.array_split(result.positions_A, count)
    return np.array([_slopes(block, result.frame_interval_fs, shortened)[0].mean(axis=0) for block in blocks])


def _errors(atoms: np.ndarray, blocks: np.ndarray) -> tuple[float | None, float | None]:
    """Return the larger of the error by atoms (n,) and by blocks of time (B,), and half of the wider 95 % interval."""
    from scipy.stats import t as student

    errors, halves = [], []
    if len(atoms) >= 3:
        half = student.ppf(0.975, len(atoms) - 1) * atoms.std(ddof=1) / np.sqrt(len(atoms))
        errors.append(half / 1.96)
        halves.append(half)
    if len(blocks):
        errors.append(blocks.std(ddof=1))
        halves.append(student.ppf(0.975, len(blocks) - 1) * errors[-1])
    return (float(max(errors)), float(max(halves))) if errors else (None, None)


def _exponent(lag_fs: np.ndarray, curve: np.ndarray, window: tuple[float, float]) -> float | None:
    inside = (lag_fs >= window[0]) & (lag_fs <= window[1]) & (lag_fs > 0) & (curve > 0)
    if inside.sum() < 2:
        return None
    return float(np.polyfit(np.log(lag_fs[inside]), np.log(curve[inside]), 1)[0])


def _warning(
    result: MSD,
    curve: np.ndarray,
    window: tuple[float, float],
    D: float,
    error: float | None,
    exponent: float | None,
) -> str:
    """Return why D must not be trusted, or an empty string."""
    if not curve.any():
        return "no atom moved in this trajectory: D = 0 says nothing about diffusion."
    reasons = []
    hop = result.neighbour_A or _DEFAULT_HOP_A
    moved = float(np.sqrt(np.interp(window[1], result.lag_fs, curve)))
    if exponent is not None and exponent > 1.5:
        reasons.append(f"the MSD grows as t^{exponent:.1f}, so the ions still fly ballistically or drift as one")
    elif moved < hop:
        caged = exponent is None or exponent < 0.5 or moved < 0.5 * hop
        reasons.append(
            f"the ions moved {moved:.2g} Å (rms) in {window[1] / 1000:.3g} ps, less than the {hop:.2g} Å to the "
            + ("nearest site: this is vibration, not diffusion" if caged else "nearest site: less than one hop each")
        )
    if error is None:
        reasons.append("too few atoms and frames for an error bar")
    elif error >= abs(D) or D <= 0:
        reasons.append("D cannot be told from zero within its error")
    return f"{'; '.join(reasons)}. Run longer or hotter." if reasons else ""
