"""How fast one minimum turns into another: transition-state rates, occupations, first passage times, committors.

Every rate is kept as a logarithm, so that a temperature at which nothing happens in the age of the universe is as
exact as a hot one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import networkx as nx
import numpy as np
from ase import units

from labkit.errors import InvalidStructure
from labkit.landscapes.first_passage import LOG_ZERO, Elimination, logadd, logsum
from labkit.landscapes.network import KineticNetwork, Minimum

Prefactors = Literal["unit", "harmonic"]
States = int | Iterable[int]


@dataclass(frozen=True)
class FastestPath:
    """The path of largest probability: minima from source to target, the dominant saddle of each step, its ln p."""

    minima: tuple[int, ...]
    transition_states: tuple[int, ...]
    log_probability: float


@dataclass(frozen=True, eq=False)
class Rates:
    """Rate constants of a network at one temperature.

    beta_per_eV: 1/kT. log_rates: {i: {j: ln k(j←i)}}, k in 1/s with harmonic prefactors, in units of the common
    prefactor with unit ones. log_weights: (n,) ln of the Boltzmann weights of the minima, not normalised.
    """

    network: KineticNetwork
    beta_per_eV: float
    prefactors: Prefactors
    log_rates: dict[int, dict[int, float]]
    log_weights: np.ndarray

    @cached_property
    def log_matrix(self) -> np.ndarray:
        """(n, n) of ln k, [j, i] from i to j; -inf where no transition state joins them."""
        matrix = np.full((self.network.n_minima,) * 2, LOG_ZERO)
        for i, row in self.log_rates.items():
            for j, value in row.items():
                matrix[j, i] = value
        return matrix

    @property
    def matrix(self) -> np.ndarray:
        """(n, n) of rate constants K[j, i] = k(j←i), zero on the diagonal."""
        return np.exp(self.log_matrix)

    @property
    def occupations(self) -> np.ndarray:
        """(n,) equilibrium probabilities of the minima."""
        return np.exp(self.log_weights - np.logaddexp.reduce(self.log_weights))

    @property
    def free_energies_eV(self) -> np.ndarray:
        """(n,) free energies of the minima -kT ln p, from the lowest."""
        return (self.log_weights.max() - self.log_weights) / self.beta_per_eV

    def log_first_passage_times(self, target: States) -> np.ndarray:
        """(n,) ln of the mean time to reach `target` first: -inf in it, inf where no path leads to it."""
        ends = self._states(target, "target")
        reached = self._reach(ends)
        solved = Elimination({i: row for i, row in self.log_rates.items() if i in reached}, ends)
        log_times = np.full(self.network.n_minima, np.inf)
        for state, value in solved.solve(dict.fromkeys(ends, LOG_ZERO), log_source=0.0).items():
            log_times[state] = value
        return log_times

    def mean_first_passage_time(self, source: States, target: States) -> float:
        """Mean time from `source` (in equilibrium within it, if several) to `target`; inf when no path leads there.

        Raises ValueError when the time is too long for a floating-point number: `log_first_passage_times` is not.
        """
        starts = sorted(self._states(source, "source"))
        log_p = self.log_weights[starts] - np.logaddexp.reduce(self.log_weights[starts])
        log_time = float(np.logaddexp.reduce(log_p + self.log_first_passage_times(target)[starts]))
        if np.isinf(log_time):
            return 0.0 if log_time < 0 else np.inf
        if log_time > np.log(np.finfo(float).max):
            raise ValueError(
                f"the mean first passage time is exp({log_time:.0f}), beyond what a number can hold; "
                "take log_first_passage_times."
            )
        return float(np.exp(log_time))

    def committors(self, source: States, target: States) -> np.ndarray:
        """(n,) probability to reach `target` before `source` from each minimum; NaN where neither can be reached."""
        back, ends = self._states(source, "source"), self._states(target, "target")
        if back & ends:
            raise ValueError(f"minimum {min(back & ends)} is both source and target; a committor needs them apart.")
        reached = self._reach(back | ends)
        solved = Elimination({i: row for i, row in self.log_rates.items() if i in reached}, back | ends)
        values = np.full(self.network.n_minima, np.nan)
        for state, value in solved.solve({**dict.fromkeys(back, LOG_ZERO), **dict.fromkeys(ends, 0.0)}).items():
            values[state] = np.exp(min(value, 0.0))
        return values

    def fastest_path(self, source: int, target: int) -> FastestPath:
        """The path with the largest product of branching probabilities k(j←i) / Σ_j k(j←i), by Dijkstra's method.

        Raises ValueError when no path joins the two.
        """
        self._states([source, target], "source or target")
        graph = nx.DiGraph()
        graph.add_nodes_from(range(self.network.n_minima))
        for i, row in self.log_rates.items():
            total = logsum(row.values())
            graph.add_weighted_edges_from((i, j, max(0.0, total - value)) for j, value in row.items())
        try:
            length, path = nx.single_source_dijkstra(graph, source, target)
        except nx.NetworkXNoPath:
            raise ValueError(f"no path of transition states joins the minima {source} and {target}.") from None
        saddles = [max(self.network.between(i, j), key=self._log_flux) for i, j in itertools.pairwise(path)]
        return FastestPath(tuple(path), tuple(point.index for point in saddles), -length)

    def _log_flux(self, saddle: Minimum) -> float:
        return _log_weight(saddle, self.beta_per_eV, self.prefactors, self.network.global_minimum.energy_eV)

    def _reach(self, states: Iterable[int]) -> set[int]:
        graph = self.network.graph
        return set().union(*(nx.node_connected_component(graph, state) for state in states))

    def _states(self, states: States, what: str) -> set[int]:
        chosen = {int(states)} if isinstance(states, int | np.integer) else {int(state) for state in states}
        wrong = [state for state in sorted(chosen) if not 0 <= state < self.network.n_minima]
        if wrong or not chosen:
            said = f"minimum {wrong[0]} does not exist" if wrong else "no minimum is given"
            raise ValueError(f"{what}: {said}; the network has {self.network.n_minima} minima, numbered from 0.")
        return chosen


def rates(
    network: KineticNetwork,
    temperature_K: float | None = None,
    beta_per_eV: float | None = None,
    prefactors: Prefactors = "unit",
) -> Rates:
    """Harmonic transition-state rates of all steps of a network, at a temperature (K) or 1/kT (1/eV).

        k(j←i) = Σ_TS (o_i / o_TS) (Π ν_i / Π ν_TS) exp[-β (E_TS - E_i)]        p_i ∝ exp(-β E_i) / (o_i Π ν_i)

    with the point-group orders o and the frequencies ν of the stationary points, the unstable mode of the saddle left
    out (D. J. Wales, Energy Landscapes, Cambridge 2003, ch. 7). Parallel transition states add; self-loops take a
    minimum to a copy of itself and do not count. "unit" sets all prefactors to one, as Carare et al. do
    (doi:10.1038/s41524-025-01878-x). Detailed balance holds by construction.

    Raises InvalidStructure when harmonic prefactors are asked for without the eigenvalues that they need.
    """
    beta = _beta(temperature_K, beta_per_eV)
    if prefactors not in ("unit", "harmonic"):
        raise ValueError(f"prefactors={prefactors!r}; choose 'unit' or 'harmonic'.")
    if prefactors == "harmonic":
        _check_modes(network)
    # Absolute energies of 10⁴ eV would cost five digits.
    origin = network.global_minimum.energy_eV
    weights = np.array([_log_weight(point, beta, prefactors, origin) for point in network.minima])
    table: dict[int, dict[int, float]] = {index: {} for index in range(network.n_minima)}
    for saddle in network.transition_states:
        first, second = saddle.minima
        if first == second:
            continue
        log_flux = _log_weight(saddle, beta, prefactors, origin)
        for i, j in ((first, second), (second, first)):
            table[i][j] = logadd(table[i].get(j, LOG_ZERO), log_flux - float(weights[i]))
    return Rates(network, beta, prefactors, table, weights)


def occupations(
    network: KineticNetwork,
    temperature_K: float | None = None,
    beta_per_eV: float | None = None,
    prefactors: Prefactors = "unit",
) -> np.ndarray:
    """(n,) equilibrium probabilities of the minima; see `rates`."""
    return rates(network, temperature_K, beta_per_eV, prefactors).occupations


def mean_first_passage_time(
    network: KineticNetwork,
    source: States,
    target: States,
    *,
    temperature_K: float | None = None,
    beta_per_eV: float | None = None,
    prefactors: Prefactors = "unit",
) -> float:
    """Mean time from `source` to `target` (s with harmonic prefactors); see `Rates.mean_first_passage_time`."""
    return rates(network, temperature_K, beta_per_eV, prefactors).mean_first_passage_time(source, target)


def _beta(temperature_K: float | None, beta_per_eV: float | None) -> float:
    if (temperature_K is None) == (beta_per_eV is None):
        raise ValueError("give the temperature either as temperature_K or as beta_per_eV = 1/kT, and not both.")
    value = beta_per_eV if temperature_K is None else temperature_K
    if not np.isfinite(value) or value <= 0:
        name, unit = ("beta_per_eV", "1/eV") if temperature_K is None else ("temperature_K", "K")
        raise ValueError(f"{name} is {value} {unit}; it must be a positive number.")
    return float(value) if temperature_K is None else 1.0 / (units.kB * float(value))


def _log_weight(point: Minimum, beta: float, prefactors: Prefactors, origin_eV: float) -> float:
    """ln [exp(-βE) / (o Π ν)], ν in 1/s, over the stable modes; a saddle has one less, so that the quotient is 1/s."""
    energy = -beta * (point.energy_eV - origin_eV)
    if prefactors == "unit":
        return energy
    stable = np.array([value for value in point.eigenvalues or () if value > 0])
    log_nu = 0.5 * np.log(stable) - np.log(2 * np.pi) + np.log(units.second)
    return energy - float(np.log(point.order)) - float(log_nu.sum())


def _check_modes(network: KineticNetwork) -> None:
    modes = None
    for what, points, unstable in (
        ("minimum", network.minima, 0),
        ("transition state", network.transition_states, 1),
    ):
        for point in points:
            if point.eigenvalues is None:
                raise InvalidStructure(
                    f"{what} {point.index} has no Hessian eigenvalues, which harmonic prefactors need; compute them "
                    "(labkit.landscapes.hessian) or take prefactors='unit'."
                )
            negative = sum(value <= 0 for value in point.eigenvalues)
            modes = len(point.eigenvalues) if modes is None else modes
            if negative != unstable or len(point.eigenvalues) != modes:
                raise InvalidStructure(
                    f"{what} {point.index} has {negative} unstable modes of {len(point.eigenvalues)}; expected "
                    f"{unstable} of {modes}. Converge it more tightly, or leave it out with network.subset."
                )
