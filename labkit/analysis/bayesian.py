"""Bayesian regression of an MSD through kinisi, an optional extra.

kinisi samples the straight lines that fit the MSD under the full covariance of its points; labkit gives it the
unwrapped, drift-free displacements, so both methods see the same data.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from labkit.analysis.diffusion import CM2_S_PER_A2_FS
from labkit.analysis.msd import MSD

_LAGS = 40  # kinisi's cost grows with frames x lags, its covariance is nearly singular for many


def bayesian_diffusion(
    result: MSD, start_fs: float, directions: str = "xyz", *, seed: int = 0
) -> tuple[float, float, float]:
    """Return (D in cm^2/s, standard deviation of its posterior in cm^2/s, intercept in Å^2) for lags from `start_fs`
    on.

    McCluskey et al., J. Chem. Theory Comput. 2025, 10.1021/acs.jctc.4c01249. All long lags take part: the covariance
    gives them little weight. Raises ModuleNotFoundError with the way to install kinisi where it is missing.
    """
    try:
        import scipp as sc
        from kinisi.diffusion import Diffusion as Regression
        from kinisi.displacement import calculate_msd
    except ImportError as missing:
        raise ModuleNotFoundError(
            "method='bayesian' needs kinisi, which is not installed: pip install 'labkit-mlip[bayesian]' "
            "(or use method='block')."
        ) from missing

    first = max(1, int(np.ceil(start_fs / result.frame_interval_fs - 1e-9)))
    lags = np.unique(np.linspace(first, result.n_frames - 1, _LAGS).round().astype(int))
    axes = ["xyz".index(letter) for letter in directions]
    displacements = (result.positions_A[1:] - result.positions_A[:1])[:, :, axes]
    # The four attributes of a kinisi parser that its MSD reads; its own parsers would wrap and unwrap again.
    parsed = SimpleNamespace(
        displacements=sc.array(dims=["obs", "particle", "dimension"], values=displacements, unit="angstrom"),
        dt_index=sc.array(dims=["time interval"], values=lags),
        dt=sc.array(dims=["time interval"], values=lags * result.frame_interval_fs, unit="fs"),
        dimensionality=len(axes) * sc.units.dimensionless,
    )
    regression = Regression(calculate_msd(parsed, progress=False))
    # kinisi samples from numpy's global generator: seed it for this call and give it back as it was.
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(seed)  # noqa: NPY002
        regression.bayesian_regression(start_dt=lags[0] * result.frame_interval_fs * sc.Unit("fs"), progress=False)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    samples = np.asarray(regression.gradient.values) * CM2_S_PER_A2_FS / (2 * len(axes))
    return float(samples.mean()), float(samples.std(ddof=1)), float(np.mean(regression.intercept.values))
