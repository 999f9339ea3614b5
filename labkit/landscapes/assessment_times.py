"""How long one landscape takes from a minimum to another, over what its reference takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import InvalidTask
from labkit.landscapes.kinetics import rates
from labkit.landscapes.match import Match
from labkit.landscapes.network import KineticNetwork

if TYPE_CHECKING:
    import pandas as pd

#: 1/kT (1/eV) of the published curves; 38.68 is 300 K.
BETAS_PER_EV = tuple(np.linspace(0.01, 40.0, 10))


def mfpt_ratio(
    found: Match,
    source: int,
    target: int,
    *,
    betas_per_eV: Sequence[float] | float = BETAS_PER_EV,
    path: Sequence[int] | None = None,
    closest: bool = True,
) -> pd.DataFrame:
    """Mean first passage times source -> target of the other network over those of the reference, unit prefactors.

    found: a match of the two networks. source, target: minima of the reference. path: only these minima of the
    reference, source and target included, and their partners are kept, and no transition state leads from source to
    target directly, so that one way is looked at alone. closest: minima without an exact partner take the closest one,
    as in the published figure; exact partners stay. Columns: beta_per_eV, log_reference, log_other (ln of the times),
    ratio: NaN when the other network lacks a minimum or no way leads to the target in either, inf when none does in
    the other alone.
    Raises InvalidTask for minima that do not exist.
    """
    import pandas as pd

    kept = list(path) if path is not None else [source, target]
    all_ = range(found.reference.n_minima)
    wrong = [i for i in (*kept, source, target) if i not in all_]
    if wrong or source == target or not {source, target} <= set(kept):
        said = f"minimum {wrong[0]} does not exist" if wrong else "the path lacks one of them, or both are the same"
        raise InvalidTask(f"source {source} and target {target}: {said}. Take two minima of the reference.")
    lacking = any(i not in found.partner for i in kept)
    partner = found.closest_partner if closest and lacking else found.partner
    ours, mine = _isolated(found.reference, (source, target), path)
    theirs, ends = None, mine
    if all(i in partner for i in kept):
        way = None if path is None else [partner[i] for i in path]
        theirs, ends = _isolated(found.other, (partner[source], partner[target]), way)
    rows = []
    for beta in np.atleast_1d(np.asarray(betas_per_eV, dtype=float)):
        a = _log_time(ours, *mine, beta)
        b = _log_time(theirs, *ends, beta) if theirs is not None else float("nan")
        with np.errstate(over="ignore", invalid="ignore"):
            rows.append((float(beta), a, b, float(np.exp(b - a))))
    return pd.DataFrame(rows, columns=["beta_per_eV", "log_reference", "log_other", "ratio"])


def _log_time(network: KineticNetwork, source: int, target: int, beta: float) -> float:
    return float(rates(network, beta_per_eV=beta).log_first_passage_times(target)[source])


def _isolated(
    network: KineticNetwork, ends: tuple[int, int], path: Sequence[int] | None
) -> tuple[KineticNetwork, tuple[int, int]]:
    """The network of the path's minima alone, without the direct way between its ends, and the ends' new numbers."""
    if path is None:
        return network, ends
    direct = {point.index for point in network.between(*ends)}
    keep = [point.index for point in network.transition_states if point.index not in direct]
    minima = list(path)
    return network.subset(minima, keep), (minima.index(ends[0]), minima.index(ends[1]))
