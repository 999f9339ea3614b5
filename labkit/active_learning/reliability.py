"""Is a predicted error right? Predicted against observed, bin by bin, and the numbers that sum it up.

The one idea: a predicted σ is no claim about one atom but about all atoms with that σ: their root mean square error has
to be σ (Levi et al., Sensors 22, 5540 (2022)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.active_learning.calibration import COMPONENTS, LEAST_SPREAD, Calibration, negative_log_likelihood

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram with B bins of equal numbers of atoms, in the order of σ; all eV/Å.

    predicted, observed: (B,) root mean square of σ and of the errors. counts: (B,). `n` atoms in all. nll: the negative
    log-likelihood. rms_z: root mean square of e/σ, 1 when right, above 1 when overconfident. rank_correlation:
    Spearman's, of σ and e. miscalibration_area: see that function.
    """

    predicted: np.ndarray
    observed: np.ndarray
    counts: np.ndarray
    nll: float
    rms_z: float
    rank_correlation: float
    miscalibration_area: float
    label: str = ""

    @property
    def n(self) -> int:
        """Atoms behind the diagram."""
        return int(self.counts.sum())

    @property
    def ence(self) -> float:
        """Expected normalised calibration error: mean over bins of |predicted - observed| / predicted."""
        return float(np.mean(np.abs(self.predicted - self.observed) / self.predicted))


def reliability(
    predicted: np.ndarray, error: np.ndarray, bins: int = BINS, least_spread: float = 0.0, label: str = ""
) -> Reliability:
    """Compare predicted errors σ (n,) with true ones e (n,), both eV/Å and root mean square over components.

    Atoms with σ ≤ `least_spread` are left out. Raises ValueError for fewer than two atoms a bin.
    """
    from scipy.stats import spearmanr

    sigma, e = np.ravel(np.asarray(predicted, dtype=float)), np.ravel(np.asarray(error, dtype=float))
    if sigma.shape != e.shape:
        raise ValueError(f"{len(sigma)} predicted and {len(e)} true errors: each atom needs both.")
    used = sigma > least_spread
    sigma, e = sigma[used], e[used]
    if bins < 1 or len(sigma) < 2 * bins:
        raise ValueError(f"{len(sigma)} atoms are too few for {bins} bins; at least two a bin are needed.")
    groups = np.array_split(np.argsort(sigma, kind="stable"), bins)
    return Reliability(
        predicted=np.array([np.sqrt((sigma[group] ** 2).mean()) for group in groups]),
        observed=np.array([np.sqrt((e[group] ** 2).mean()) for group in groups]),
        counts=np.array([len(group) for group in groups]),
        nll=negative_log_likelihood(sigma, e),
        rms_z=float(np.sqrt(((e / sigma) ** 2).mean())),
        rank_correlation=float(spearmanr(sigma, e).statistic),
        miscalibration_area=miscalibration_area(sigma, e),
        label=label,
    )


def judge(calibration: Calibration, spread: np.ndarray, error: np.ndarray, bins: int = BINS) -> Reliability:
    """The reliability of σ = a u^b on spreads u and errors e that it was not fitted on; u ≤ 10⁻⁴ eV/Å is left out."""
    used = np.asarray(spread, dtype=float) > LEAST_SPREAD
    return reliability(calibration(np.asarray(spread)[used]), np.asarray(error)[used], bins, label=calibration.kind)


def miscalibration_area(predicted: np.ndarray, error: np.ndarray, components: int = COMPONENTS) -> float:
    """Area between expected and observed coverage, 0 (right) to 0.5.

    If each of `components` errors is Gaussian with σ, components e²/σ² follows χ² with as many degrees of freedom. At
    level p the observed coverage is the fraction of atoms whose value is below the p quantile; the area is
    ∫ |observed(p) - p| dp over 0..1 (Kuleshov et al., ICML 2018), computed exactly for the empirical step function.
    """
    from scipy.stats import chi2

    sigma, e = np.asarray(predicted, dtype=float), np.asarray(error, dtype=float)
    levels = np.concatenate([[0.0], np.sort(chi2.cdf(components * (e / sigma) ** 2, components)), [1.0]])
    observed = np.arange(len(levels) - 1) / (len(levels) - 2)
    # |c - p| over an interval [left, right]: two triangles where c lies inside, one trapezium where not
    left, right = levels[:-1] - observed, levels[1:] - observed
    crossed = (left < 0) & (right > 0)
    pieces = np.where(crossed, (left**2 + right**2) / 2, np.abs(right**2 - left**2) / 2)
    return float(pieces.sum())
