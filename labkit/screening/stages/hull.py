"""How far above the hull: the energy that a candidate could gain by decomposing into the phases that are known here.

The hull is the lower convex hull of the campaign's own entries and of the given competing phases, all with the energies
of one potential; a phase that nobody gave is not on it, and that is said in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from labkit.runs import quantity
from labkit.screening.candidate import Outcome, passed, rejected
from labkit.screening.stage import Member, Stage
from labkit.structures import StructureField

ENERGY = "energy_eV_atom"
TINY = 1e-8


class Hull(Stage):
    """Keep candidates near the hull of this campaign and the given competing phases, all by the same potential."""

    gathers: ClassVar[bool] = True

    phases: list[StructureField] = Field([], description="Competing phases; relaxed like the candidates")
    own_entries: bool = Field(True, description="The campaign's own candidates compete too")
    max_eV_atom: float = quantity(0.1, "eV/atom", "Largest distance to the hull", ge=0, le=100)
    unknown: str = Field(
        "keep",
        description="A candidate that cannot decompose into these phases: keep or reject",
        pattern="^(keep|reject)$",
    )

    def judge_all(self, members: Sequence[Member], phases: Sequence[Member]) -> Mapping[int, Outcome]:
        """Values: hull_eV_atom (0 on the hull, None where it is not defined), stability_eV_atom (the same against all
        others, so negative on the hull), decomposition (the competing mixture), hull_phases (number of entries). A
        candidate that could decompose into a given phase without an energy fails: its distance is not known.
        """
        entries = (*(members if self.own_entries else ()), *phases)
        competitors = [one for one in entries if one.values.get(ENERGY) is not None]
        missing = [one for one in phases if one.values.get(ENERGY) is None]
        outcomes = {}
        for member in members:
            energy = member.values.get(ENERGY)
            if energy is None:
                outcomes[member.index] = Outcome("failed", f"no stage before gave its {ENERGY}.")
                continue
            gaps = [one for one in missing if set(one.counts) <= set(member.counts)]
            if gaps:  # it may be stable, or not: whoever is missing could be the one below it
                outcomes[member.index] = Outcome("failed", _without(gaps))
                continue
            found = distance(member, competitors)
            if found is None:
                reason = "it cannot decompose into the given phases, so it has no distance to their hull."
                values: dict[str, Any] = {"hull_eV_atom": None, "hull_phases": len(competitors)}
                outcomes[member.index] = passed(**values) if self.unknown == "keep" else rejected(reason, **values)
                continue
            gap, parts = found
            values = {"hull_eV_atom": max(0.0, gap), "stability_eV_atom": gap, "decomposition": parts}
            values["hull_phases"] = len(competitors)
            outcomes[member.index] = (
                passed(**values)
                if gap <= self.max_eV_atom
                else rejected(
                    f"{gap:.3f} eV/atom above the hull, against the given phases ({parts}); at most "
                    f"{self.max_eV_atom:g} are wanted.",
                    **values,
                )
            )
        return outcomes


def distance(member: Member, competitors: Sequence[Member]) -> tuple[float, str] | None:
    """Energy of `member` above the hull of the others (eV/atom) and what these are; None when it cannot decompose.

    E_hull = min sum_p f_p E_p with sum_p f_p x_p = x, f >= 0 (f: atomic fractions, x: compositions); a linear
    programme, which unlike a convex hull of all compositions needs no elements as corners. Negative: below them all.
    """
    from scipy.optimize import linprog

    elements = sorted(member.counts)
    own = _shares(member, elements)
    near = [one for one in competitors if set(one.counts) <= set(elements)]
    others = [one for one in near if one.index != member.index]
    if not others:
        return None
    table = np.array([_shares(one, elements) for one in others]).T
    energies = np.array([float(one.values[ENERGY]) for one in others])
    found = linprog(energies, A_eq=table, b_eq=own, bounds=(0, None), method="highs")
    if not found.success:
        return None
    gap = float(member.values[ENERGY]) - float(found.fun)
    weights = [(share, one.name) for share, one in zip(found.x, others, strict=True) if share > TINY]
    return gap, " + ".join(f"{share:.3f} {name}" for share, name in sorted(weights, reverse=True))


def _without(phases: Sequence[Member]) -> str:
    first = phases[0]
    others = f" (and {len(phases) - 1} more)" if len(phases) > 1 else ""
    why = (first.reason or f"no stage before gave its {ENERGY}").rstrip(".")
    return f"the competing phase {first.name}{others} has no energy: {why}. Mend it, or take it out of phases."


def _shares(member: Member, elements: list[str]) -> np.ndarray:
    atoms = np.array([member.counts.get(symbol, 0) for symbol in elements], dtype=float)
    return atoms / sum(member.counts.values())
