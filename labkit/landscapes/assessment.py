"""The test suite for potentials: one landscape scored against another.

The one idea: a potential is as good as the network of minima, barriers and waiting times that it has; how close its
energies are at structures somebody chose says less (Cărare et al., npj Comput. Mater. 2025,
doi:10.1038/s41524-025-01878-x).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import InvalidTask, UnreadableFile
from labkit.landscapes import landscape17
from labkit.landscapes.alignment import Comparison
from labkit.landscapes.assessment_times import mfpt_ratio
from labkit.landscapes.cleaning import CleanReport, clean
from labkit.landscapes.match import Match
from labkit.landscapes.matching import THRESHOLD_A, match
from labkit.landscapes.network import KineticNetwork

if TYPE_CHECKING:
    import pandas as pd

#: What an exploration keeps its network in.
NETWORK_FILE = "network.json"
#: Columns of `summary` that add up over molecules.
COUNTED = [
    "minima", "minima_found", "extra_minima", "without_energy",
    "transition_states", "transition_states_found", "extra_transition_states",
    "unphysical_minima", "unphysical_transition_states",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Assessment:
    """How one network stands against its reference.

    name: of what was assessed, molecule: of the reference. match: partners at the threshold. cleaning: what was taken
    out before, or None. caveats: sentences that belong beside the numbers, the match's warnings among them.
    """

    name: str
    molecule: str
    match: Match
    cleaning: CleanReport | None = None
    caveats: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """See `Match.counts`."""
        return self.match.counts

    @property
    def without_energy(self) -> int:
        """Minima that a published network lists without an energy; the published counts call them extra."""
        return len(self.match.other.info.get("without_energy", {}).get("minima", ()))

    def table(self) -> pd.DataFrame:
        """One row for each stationary point of either network: see `Match.table`."""
        return self.match.table()

    def barriers(self) -> pd.DataFrame:
        """Barriers of both networks and their errors (eV): see `Match.barriers`."""
        return self.match.barriers()

    def mfpt_ratio(self, source: int, target: int, **options: Any) -> pd.DataFrame:
        """Mean first passage times over those of the reference: see `mfpt_ratio`."""
        return mfpt_ratio(self.match, source, target, **options)

    def summary(self) -> dict[str, Any]:
        """The row of `summary` for this molecule alone."""
        counts, reference = self.counts, self.match.reference
        errors = [abs(pair.dE_rel_eV) for pair in (*self.match.minima, *self.match.transition_states)]
        return {
            "model": self.name,
            "molecule": self.molecule,
            "minima": reference.n_minima,
            "minima_found": counts["minima_found"],
            "extra_minima": counts["extra_minima"],
            "without_energy": self.without_energy,
            "transition_states": reference.n_transition_states,
            "transition_states_found": counts["transition_states_found"],
            "extra_transition_states": counts["extra_transition_states"],
            "unphysical_minima": self.cleaning.unphysical_minima if self.cleaning else 0,
            "unphysical_transition_states": self.cleaning.unphysical_transition_states if self.cleaning else 0,
            "recall": _recall(counts["transition_states_found"], reference.n_transition_states),
            "mean_error_eV": _mean(errors),
            "mean_barrier_error_eV": _mean(self.barriers()["error_eV"].abs()),
        }


def assess(
    subject: Any,
    reference: KineticNetwork,
    *,
    threshold_A: float = THRESHOLD_A,
    cleaning: bool = True,
    name: str = "",
    comparison: Comparison | None = None,
    **options: Any,
) -> Assessment:
    """Score a network, or a potential, against a reference network.

    subject: a KineticNetwork or its file; an exploration's run or folder (what it has found so far); or a potential in
    any form that `labkit.landscapes.surface.Surface.of` knows. That is searched from the reference's own stationary
    points only, a quick test whose limits stand in the caveats (`options` go to `quick_assessment.from_reference`); a
    complete score needs an exploration. threshold_A: partners are closer than this (root mean square per atom).
    cleaning: take out other molecules, crowded hydrogens and mirror images first (a cluster of one element has no bonds
    to clean). Raises UnreadableFile where no network
    is yet, and what `match` and `clean` raise.
    """
    if not isinstance(reference, KineticNetwork):
        raise InvalidTask(
            f"the reference is {reference!r}, and not a KineticNetwork. What is assessed comes first, the reference "
            "second; KineticNetwork.read(path) reads one from its file."
        )
    caveats: tuple[str, ...] = ()
    network = _network(subject)
    if network is None:
        from labkit.landscapes.quick_assessment import from_reference

        network, caveats = from_reference(subject, reference, comparison=comparison, **options)
    elif options:
        raise InvalidTask(f"a network takes no option {sorted(options)[0]!r}; only a potential does.")
    report = None
    if cleaning and len(set(reference.symbols)) > 1:
        report = clean(network, reference, comparison=comparison)
        network = report.network
    found = match(reference, network, threshold_A, comparison)
    return Assessment(
        name or network.level_of_theory or network.name or "network",
        str(reference.info.get("molecule", reference.name)),
        found,
        report,
        (*caveats, *found.warnings),
    )


def score_landscape17(
    models: Iterable[str] | str | None = None,
    molecules: Iterable[str] | str | None = None,
    threshold_A: float = THRESHOLD_A,
) -> list[Assessment]:
    """The published networks against the published DFT networks, one assessment for each model and molecule."""
    scores = []
    models = [models] if isinstance(models, str) else models
    molecules = [molecules] if isinstance(molecules, str) else molecules
    for model in landscape17.models() if models is None else models:
        entry = landscape17.model(model)
        for molecule in landscape17.molecules() if molecules is None else molecules:
            network, reference = landscape17.model_network(model, molecule), landscape17.reference(molecule)
            found = assess(network, reference, threshold_A=threshold_A, cleaning=False, name=entry.label)
            caveats = (entry.caveat, *found.caveats) if entry.caveat else found.caveats
            scores.append(replace(found, caveats=caveats))
    return scores


def summary(assessments: Iterable[Assessment] | Assessment, by: Sequence[str] = ("model",)) -> pd.DataFrame:
    """The scores added up, a row for each model (by=("model", "molecule"): for each molecule of it).

    Columns: minima and transition_states (of the reference), minima_found, extra_minima, without_energy (minima that a
    published network lists without an energy and that the published counts call extra), transition_states_found,
    extra_transition_states, unphysical_minima, unphysical_transition_states (taken out before), recall, mean_error_eV
    (|dE_rel| over all matched points), mean_barrier_error_eV: means over molecules that have any.
    """
    import pandas as pd

    keys = list(by)
    assessments = [assessments] if isinstance(assessments, Assessment) else assessments
    rows = pd.DataFrame([one.summary() for one in assessments])
    if rows.empty:
        raise InvalidTask("there are no assessments to add up.")
    groups = rows.groupby(keys, sort=False)
    table = groups[COUNTED].sum()
    found, all_ = table["transition_states_found"], table["transition_states"]
    table["recall"] = [_recall(a, b) for a, b in zip(found, all_, strict=True)]
    return table.join(groups[["mean_error_eV", "mean_barrier_error_eV"]].mean())


def _network(subject: Any) -> KineticNetwork | None:
    """The network of a subject that has one, or None for a potential."""
    from labkit.runs import Run

    if isinstance(subject, KineticNetwork):
        return subject
    folder = subject.folder if isinstance(subject, Run) else subject
    if not isinstance(folder, str | Path):
        return None
    path = Path(folder) / NETWORK_FILE if Path(folder).is_dir() else Path(folder)
    if path.is_file():
        return KineticNetwork.read(path)
    # a name alone may be that of a potential
    if isinstance(folder, Path) or str(folder).endswith((".json", ".json.gz")):
        raise UnreadableFile(f"there is no network {path}; an exploration writes it with its first minimum.")
    return None


def _mean(values: Iterable[float]) -> float:
    numbers = [float(value) for value in values if np.isfinite(value)]
    return float(np.mean(numbers)) if numbers else float("nan")


def _recall(found: int, all_: int) -> float:
    return round(found / all_, 2) if all_ else float("nan")
