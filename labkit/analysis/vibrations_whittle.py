"""Maximum likelihood for averaged periodograms: many fits of one line at once.

A periodogram scatters about its expectation as an exponential variable does, so its logarithm weighs as much in the
wings as at the peak; least squares would see the peak only.
"""

from __future__ import annotations

import numpy as np

from labkit.analysis.vibrations_lineshape import LineModel

_MAX_STEPS = 60
#: In units of each parameter's own scale: far below any error bar.
_TOLERANCE = 1e-4


def whittle(model: LineModel, power: np.ndarray, start: np.ndarray, *, ground: bool) -> tuple[np.ndarray, np.ndarray]:
    """(parameters (R, 4), converged (R,)) that maximise the likelihood of mean periodograms `power` (R, F).

    Minimises sum_ν ln S + I/S, the likelihood of Whittle with the expectation of the periodogram in place of the
    spectrum (Sykulski et al., Biometrika 106 (2019) 251, 10.1093/biomet/asy071), by Fisher scoring, all R at once;
    `start` (4,) or (R, 4). `ground`: whether a constant background B >= 0 is fitted, else B = 0.
    """
    power = np.atleast_2d(power)
    theta = np.broadcast_to(start, (len(power), 4)).copy()
    converged = np.zeros(len(power), bool)
    for _ in range(_MAX_STEPS):
        todo = ~converged
        theta[todo], step = _score(model, power[todo], theta[todo], ground)
        converged[todo] = np.abs(step).max(axis=1) < _TOLERANCE
        if converged.all():
            break
    return theta, converged


def likelihood_errors(model: LineModel, parameters: np.ndarray, n_blocks: int, *, ground: bool) -> np.ndarray:
    """Standard errors (4,) that the likelihood of a Gaussian process gives for the mean periodogram of `n_blocks`.

    The inverse information; Hann's window correlates neighbouring frequencies by 4/9 and 1/36, so that its variances
    are 1 + 2 (4/9 + 1/36) times as large. The background's error is 0 where it is not fitted or lies at its bound.
    """
    spectrum, slopes = model(parameters)
    relative = (slopes / spectrum[..., None])[0]
    free = 4 if ground and parameters[3] > 0 else 3
    covariance = np.linalg.pinv(relative[:, :free].T @ relative[:, :free], hermitian=True) / n_blocks
    errors = np.zeros(4)
    errors[:free] = np.sqrt(np.diag(covariance) * (1 + 17 / 18 if model.window == "hann" else 1.0))
    return errors


def _score(model: LineModel, power: np.ndarray, theta: np.ndarray, ground: bool) -> tuple[np.ndarray, np.ndarray]:
    """One step of Fisher scoring: the new parameters, and the step in units of 1, Γ, 1 and S."""
    spectrum, slopes = model(theta)
    relative = slopes / spectrum[..., None]
    pull = np.einsum("rfp,rf->rp", relative, power / spectrum - 1)
    information = np.einsum("rfp,rfq->rpq", relative, relative)
    step = _solved(information[:, :3, :3], pull[:, :3])
    step = np.concatenate([step, np.zeros((len(step), 1))], axis=1)
    if ground:
        full = _solved(information, pull)
        # At the bound B = 0, where the data ask for less, the other three move without it.
        allowed = theta[:, 3] + full[:, 3] > 0
        step[allowed] = full[allowed]
        step[~allowed, 3] = -theta[~allowed, 3]
    gamma = np.exp(theta[:, 2])
    limit = np.stack([np.full_like(gamma, 1.0), gamma + 1 / model.length_ps, np.full_like(gamma, 0.7)], axis=1)
    shrink = np.minimum(1.0, (limit / np.maximum(np.abs(step[:, :3]), 1e-300)).min(axis=1))
    step *= shrink[:, None]
    theta = theta + step
    # Below a thousandth of the window a width has no bearing on the spectrum any more.
    theta[:, 2] = np.maximum(theta[:, 2], np.log(1e-3 / model.length_ps))
    scaled = step / np.stack([np.ones_like(gamma), gamma, np.ones_like(gamma), spectrum.mean(axis=1)], axis=1)
    floored = theta[:, 2] <= np.log(1.001e-3 / model.length_ps)
    scaled[floored, 2] = 0.0
    return theta, scaled


def _solved(information: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """The step of Newton's method, with parameters scaled to a unit diagonal and a trace of damping for safety."""
    scale = np.sqrt(np.maximum(np.einsum("rpp->rp", information), 1e-300))
    unit = information / (scale[:, :, None] * scale[:, None, :]) + 1e-9 * np.eye(information.shape[1])
    return np.linalg.solve(unit, (pull / scale)[..., None])[..., 0] / scale
