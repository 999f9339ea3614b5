"""The correction fitted to the labels, and what it is worth: errors of each fragment, seen and unseen.

The one idea: the same network can be taught the difference to a baseline or, for comparison, the energy itself; what
was held out chooses nothing, so its error is the error on new geometries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.active_learning.delta_labels import differences, without_offsets
from labkit.datasets.dataset import Dataset
from labkit.errors import InvalidTask
from labkit.potentials.camp.settings import CAMPSettings
from labkit.potentials.interface import Potential
from labkit.training.recipe import Recipe

if TYPE_CHECKING:
    from labkit.potentials.camp import CAMP
    from labkit.training import Outcome

#: Small on purpose: a hundred energies determine no large network. One layer sees 5 Å, as the published potential does,
#: and float64 keeps molecules that are further apart independent to the last digit.
MODEL = CAMPSettings(channels=16, n_layers=1, products=2, radial_degree=8, readout_hidden=16, dtype="float64")
RECIPE = Recipe(
    epochs=400, batch_size=16, learning_rate=0.01, energy_weight=1.0, forces_weight=0.0, precision="64",
    validation_interval=5, ema_decay=0.98,
)  # fmt: skip
TRAIN, HELD_OUT, UNSEEN = "train", "held out", "unseen fragment"


@dataclass(frozen=True)
class Learned:
    """A fitted potential and what it was fitted to.

    potential: the whole, baseline and correction (the correction alone without a baseline). target: what the network
    learned (energies in eV). baseline_eV: (B,) E_low, zero without a baseline. sets: (B,) "train", "held out" or
    "unseen fragment". outcome: how the training ended.
    """

    potential: Potential
    correction: CAMP
    target: Dataset
    baseline_eV: np.ndarray
    sets: np.ndarray
    outcome: Outcome

    def predicted_eV(self) -> np.ndarray:
        """What the network says of the target, (B,) in eV."""
        return self.correction.predict(self.target.structures(), ("energy",)).energies


def learn(
    labels: Dataset,
    baseline: Potential | None,
    model: CAMPSettings = MODEL,
    recipe: Recipe = RECIPE,
    *,
    held_out: float = 0.2,
    unseen: Sequence[str] = (),
    device: str = "auto",
    context: Any = None,
    name: str = "",
) -> Learned:
    """Fit a network to `labels` (total energies, forces where the recipe weighs them) minus `baseline`.

    Species offsets are regressed first (`CAMP.fit_scale_and_shift`). Without a baseline the network learns the energy
    itself. held_out: share of each fragment that only judges; unseen: fragments of which nothing is learned. context:
    of a run, which then holds checkpoints and tables. Raises InvalidTask when nothing is left to learn from.
    """
    from labkit.potentials.camp import CAMP
    from labkit.potentials.delta import DeltaPotential
    from labkit.training import Trainer

    target, lower = (labels, np.zeros(len(labels))) if baseline is None else differences(labels, baseline)
    sets = divided(target, held_out, unseen, recipe.seed)
    chosen = target.select(np.flatnonzero(sets == TRAIN).tolist())
    if not len(chosen):
        raise InvalidTask(f"all {len(target)} labels are held out; there is nothing to learn from.")
    correction = CAMP.untrained(
        model, sorted(target.elements), recipe.seed, device, target.level_of_theory, name or "delta"
    )
    correction.fit_scale_and_shift(chosen.structures(), [record.energy for record in chosen])
    correction.provenance = {"dataset": {"name": labels.name, "hash": labels.hash, "structures": len(chosen)}}
    outcome = Trainer(correction, chosen, None, recipe, context=context).fit()
    whole: Potential = correction
    if baseline is not None:
        whole = DeltaPotential(baseline, correction, name=name, level_of_theory=labels.level_of_theory)
        whole.provenance = correction.provenance
    return Learned(whole, correction, target, lower, sets, outcome)


def divided(labels: Dataset, held_out: float, unseen: Sequence[str], seed: int) -> np.ndarray:
    """Return the set of each label (B,); of every fragment the same share is held out.

    The minimum of a molecule and the ends of its bond scans are always learned from: what is held out lies inside of
    what the potential is made for.
    """
    found = np.full(len(labels), TRAIN, dtype=object)
    rng = np.random.default_rng([seed, 23])
    for group, members in labels.groups().items():
        if group in unseen:
            found[members] = UNSEEN
            continue
        fixed = _ends([str(labels[one].atoms.info.get("kind", "")) for one in members])
        movable = [one for place, one in enumerate(members) if place not in fixed]
        found[rng.permutation(movable)[: round(held_out * len(movable))]] = HELD_OUT
    return found


def _ends(kinds: Sequence[str]) -> set[int]:
    """Places of the minimum and of the shortest and the longest bond of each scan ("bond C-H x 0.80")."""
    scans: dict[str, list[tuple[float, int]]] = {}
    for place, kind in enumerate(kinds):
        if kind.startswith("bond "):
            bond, _, factor = kind.rpartition(" x ")
            scans.setdefault(bond, []).append((float(factor), place))
    ends = {end(scan)[1] for scan in scans.values() for end in (min, max)}
    return ends | {place for place, kind in enumerate(kinds) if kind == "minimum"}


def errors(learned: Learned) -> list[dict[str, Any]]:
    """Return a row for each fragment and one for all: fragment, labels, spread_meV_atom (rms of the target without its
    species offsets: what there is to learn), train_rmse_meV_atom, held_out_rmse_meV_atom, unseen_rmse_meV_atom.

    An error that has no labels is NaN.
    """
    target = learned.target
    sizes = np.array([len(record) for record in target])
    energies = np.array([record.energy for record in target])
    spread = 1000 * without_offsets(target.structures(), energies) / sizes
    wrong = 1000 * (learned.predicted_eV() - energies) / sizes
    rows = []
    everything = {**target.groups(), "all": list(range(len(target)))}
    for group, members in everything.items():
        sets = learned.sets[members]
        row = {"fragment": group, "labels": len(members), "spread_meV_atom": _rms(spread[members])}
        for kind, column in ((TRAIN, "train"), (HELD_OUT, "held_out"), (UNSEEN, "unseen")):
            row[f"{column}_rmse_meV_atom"] = _rms(wrong[members][sets == kind])
        rows.append(row)
    return rows


def parity(learned: Learned) -> dict[str, Any]:
    """Points of a parity plot of the target per atom, without species offsets, as JSON for `labkit.plots.parity`."""
    target, predicted = learned.target, learned.predicted_eV()
    sizes = np.array([len(record) for record in target])
    energies = np.array([record.energy for record in target])
    flat = without_offsets(target.structures(), energies)
    return {
        "energy_reference": (flat / sizes).tolist(),
        "energy_predicted": ((flat + predicted - energies) / sizes).tolist(),
        "structure_of_energy": list(range(len(target))),
        "forces_reference": [],
        "forces_predicted": [],
        "structure_of_forces": [],
        "fragment": [record.group for record in target],
        "set": learned.sets.tolist(),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")
