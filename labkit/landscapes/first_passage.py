"""Mean first passage times and committors without a single subtraction, in logarithms throughout.

States are eliminated one after another (graph transformation of Trygubenko and Wales; the order of operations of
Grassmann, Taksar and Heyman), so that rates that differ by hundreds of orders of magnitude cost no digits.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

LOG_ZERO = -math.inf
#: When even the least connected state knows this share of more than FEW others, arrays are faster than dictionaries.
DENSE, FEW = 0.25, 60


@dataclass(frozen=True)
class _Step:
    """The elimination of one state: what left it, ln of their sum, and what had flown into it."""

    state: int
    out: dict[int, float]
    total: float
    into: dict[int, float]


class Elimination:
    """All states but the kept ones, eliminated from a network of rates.

    For f with Σ_j k(j←i) (f_j - f_i) = -w_i on every state that is not kept, the state x with K_x = Σ_j k(j←x) is
    removed by

        k(j←i) += k(x←i) k(j←x) / K_x   (i ≠ j),     w_i += k(x←i) w_x / K_x,

    and recovered, last first, by f_x = (w_x + Σ_j k(j←x) f_j) / K_x: sums and products of positive numbers only.
    S. A. Trygubenko and D. J. Wales, J. Chem. Phys. 124, 234110 (2006); W. K. Grassmann, M. I. Taksar and D. P. Heyman,
    Oper. Res. 33, 1107 (1985). The state with the fewest neighbours goes first, which keeps sparse networks sparse.

    log_rates: {i: {j: ln k(j←i)}}, with the way back for every way there. kept: states whose f is given.
    """

    def __init__(self, log_rates: Mapping[int, Mapping[int, float]], kept: Iterable[int]) -> None:
        self.kept = frozenset(kept)
        self.steps: list[_Step] = []
        out = {state: dict(row) for state, row in log_rates.items() if state not in self.kept}
        into: dict[int, set[int]] = {state: set() for state in out}
        for state, row in out.items():
            for other in row:
                if other in into:
                    into[other].add(state)
        waiting = [(len(row), state) for state, row in out.items()]
        heapq.heapify(waiting)
        while waiting:
            degree, state = heapq.heappop(waiting)
            if state not in out or degree != len(out[state]):
                continue  # an entry from before its neighbours went
            if degree > DENSE * len(out) and len(out) > FEW:
                self._all_together(out)
                break
            row = out.pop(state)
            total = logsum(row.values())
            came = {other: out[other].pop(state) for other in sorted(into.pop(state))}
            for other, log_in in came.items():
                _bypass(out[other], row, other, log_in - total)
                heapq.heappush(waiting, (len(out[other]), other))
            for other in row:
                if other in into:
                    into[other].discard(state)
                    into[other].update(one for one in came if one != other)
            self.steps.append(_Step(state, row, total, came))

    def _all_together(self, out: Mapping[int, Mapping[int, float]]) -> None:
        """The same for what is left once nearly all of it is connected: whole rows and columns at a time."""
        columns = [*out, *sorted(self.kept)]
        place = {state: number for number, state in enumerate(columns)}
        n = len(out)
        table = np.full((n, len(columns)), LOG_ZERO)
        for state, row in out.items():
            for other, rate in row.items():
                table[place[state], place[other]] = rate
        for first in range(n):
            row, came = table[first, first + 1 :], table[first + 1 :, first]
            total = float(row.max() + np.log(np.exp(row - row.max()).sum()))
            rest = table[first + 1 :, first + 1 :]
            np.logaddexp(rest, (came - total)[:, None] + row, out=rest)
            after = columns[first + 1 :]
            goes, comes = zip(after, row.tolist(), strict=True), zip(after, came.tolist(), strict=False)
            leaving = {other: rate for other, rate in goes if rate > LOG_ZERO}
            arriving = {other: rate for other, rate in comes if rate > LOG_ZERO}
            self.steps.append(_Step(columns[first], leaving, total, arriving))

    def solve(self, kept: Mapping[int, float], log_source: float = LOG_ZERO) -> dict[int, float]:
        """ln f of every state, from ln f of the kept ones and the same ln w for all others."""
        log_f = dict(kept)
        log_w = {step.state: log_source for step in self.steps}
        if log_source > LOG_ZERO:
            for step in self.steps:
                for other, log_in in step.into.items():
                    log_w[other] = logadd(log_w[other], log_in + log_w[step.state] - step.total)
        for step in reversed(self.steps):
            terms = [rate + log_f[other] for other, rate in step.out.items()]
            log_f[step.state] = logsum([log_w[step.state], *terms]) - step.total
        return log_f


def logsum(values: Iterable[float]) -> float:
    """ln Σ exp(values), -inf for none."""
    terms = list(values)
    top = max(terms, default=LOG_ZERO)
    if top == LOG_ZERO:
        return LOG_ZERO
    return top + math.log(math.fsum(math.exp(term - top) for term in terms))


def logadd(a: float, b: float) -> float:
    """ln(exp(a) + exp(b))."""
    high, low = (a, b) if a >= b else (b, a)
    return high if low == LOG_ZERO else high + math.log1p(math.exp(low - high))


def _bypass(row: dict[int, float], through: Mapping[int, float], state: int, log_share: float) -> None:
    for other, rate in through.items():
        if other != state:
            new = log_share + rate
            row[other] = logadd(row[other], new) if other in row else new
