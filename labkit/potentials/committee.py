"""Several potentials that learned the same thing from different seeds: their mean is better, their spread is a warning.

The one idea: members share the neighbour lists and, for the architecture CAMP-L, one forward and one backward pass
(`camp.stacked`): four cost 2.4 times one of them for 64 atoms, 3.1 times for 256, where the products of matrices, and
not the starting of operations, take the time. The published architecture runs member by member on shared neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers

from labkit.errors import UnreadableFile
from labkit.potentials.camp.neighbours import LongRange
from labkit.potentials.camp.potential import CAMP, UNITS
from labkit.potentials.camp.settings import CAMPSettings
from labkit.potentials.camp.stacked import StackedNetworks
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction
from labkit.potentials.trainable import Evaluation, in_groups

MOST_MEMBERS = 64


@dataclass(frozen=True)
class Spread:
    """Standard deviations over the members (n - 1 in the denominator) for B structures with n_b atoms each.

    energies: (B,) eV. forces: B arrays (n_b, 3) eV/Å. stresses: (B, 3, 3) eV/Å^3, NaN without a cell.
    """

    energies: np.ndarray
    forces: list[np.ndarray]
    stresses: np.ndarray


class Committee(Potential):
    """The mean of its members; `Prediction.uncertainty` (B,) in eV/Å is how much they differ on the worst atom.

    uncertainty = max_i |s_i|, where s_i (3 components) is the standard deviation over the members, with n - 1 in the
    denominator, of the force on atom i: the largest force deviation of DP-GEN, which divides by n (Y. Zhang et al.,
    Comput. Phys. Commun. 253, 107206 (2020)). Latent charges are not averaged: their sign is each
    member's own choice.

    Members must have equal settings, elements and level of theory. They are taken as they are: train them first, one
    by one, each from its own seed. For CAMP-L the committee makes its own copy of their parameters.
    """

    def __init__(self, members: Sequence[CAMP], name: str = "committee") -> None:
        """Raises ValueError for fewer than two members, more than 64, or members that do not fit together."""
        if not 2 <= len(members) <= MOST_MEMBERS:
            raise ValueError(
                f"a committee has 2 to {MOST_MEMBERS} members, not {len(members)}: a spread needs at least two."
            )
        first = members[0]
        for index, member in enumerate(members):
            _require_fit(first, member, index)
        self.members = tuple(members)
        self.name, self.level_of_theory, self.elements = name, first.level_of_theory, first.elements
        self.settings, self.cutoff_A, self.device = first.settings, first.cutoff_A, first.device
        self.n_parameters = sum(value.numel() for one in members for value in one.network.parameters())
        self.provenance: dict[str, Any] = {}
        self._stacked: StackedNetworks | None = None
        self._stack()

    @classmethod
    def untrained(
        cls,
        settings: CAMPSettings | None = None,
        elements: Sequence[str] = (),
        n_members: int = 4,
        seed: int = 0,
        device: str = "auto",
        level_of_theory: str = "",
        name: str = "committee",
    ) -> Committee:
        """Members with random parameters from the seeds `seed`, `seed` + 1, ..."""
        return cls(
            [
                CAMP.untrained(settings, elements, seed + n, device, level_of_theory, f"{name}-{n + 1}")
                for n in range(n_members)
            ],
            name,
        )

    def fit_scale_and_shift(
        self, structures: Sequence[Atoms], energies: Sequence[float], forces: Sequence[np.ndarray] | None = None
    ) -> None:
        """See `CAMP.fit_scale_and_shift`; done for every member."""
        for member in self.members:
            member.fit_scale_and_shift(structures, energies, forces)
        self._stack()

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; the uncertainty is None when forces are not asked for."""
        members = self.predict_members(structures, properties)
        forces = uncertainty = None
        if members[0].forces is not None:
            stacks = [np.stack(each) for each in zip(*(one.forces for one in members), strict=True)]
            forces = [each.mean(axis=0) for each in stacks]
            uncertainty = np.array([np.linalg.norm(each.std(axis=0, ddof=1), axis=1).max() for each in stacks])
        stresses = None
        if members[0].stresses is not None:
            stresses = np.mean([one.stresses for one in members], axis=0)
        made = Prediction(np.mean([one.energies for one in members], axis=0), forces, stresses, uncertainty=uncertainty)
        made.units["uncertainty"] = "eV/Å"
        return made

    def spread(self, structures: Sequence[Atoms]) -> Spread:
        """How much the members differ in energies, forces and stresses."""
        members = self.predict_members(structures)
        return Spread(
            energies=np.std([one.energies for one in members], axis=0, ddof=1),
            forces=[np.std(each, axis=0, ddof=1) for each in zip(*(one.forces for one in members), strict=True)],
            stresses=np.std([one.stresses for one in members], axis=0, ddof=1),
        )

    def predict_members(
        self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES
    ) -> list[Prediction]:
        """What each member says, latent charges included."""
        self.require(structures, properties)
        energies, forces, stresses, charges = [], [], [], []
        # the members' tensors lie in memory together, so each group is smaller by their number
        budget = CAMP.batch_atoms[self.device.split(":")[0]] // len(self.members)
        for group in in_groups(structures, budget):
            answers = self._evaluate(group, properties)
            ends = np.cumsum([len(atoms) for atoms in group])[:-1]
            energies.append([_numpy(one.energies) for one in answers])
            if answers[0].forces is not None:
                forces.append([np.split(_numpy(one.forces), ends) for one in answers])
            if answers[0].stresses is not None:
                stresses.append([_numpy(one.stresses) for one in answers])
            if answers[0].charges is not None:
                charges.append([np.split(_numpy(one.charges), ends) for one in answers])
        return [
            Prediction(
                energies=np.concatenate([part[m] for part in energies]) if energies else np.zeros(0),
                forces=[each for part in forces for each in part[m]] if "forces" in properties else None,
                stresses=np.concatenate([np.zeros((0, 3, 3)), *(part[m] for part in stresses)])
                if "stress" in properties
                else None,
                charges=[each for part in charges for each in part[m]] or None,
            )
            for m in range(len(self.members))
        ]

    def save(self, path: str | Path) -> Path:
        """Write a folder with all members in one model.safetensors, and potential.json."""
        from labkit.potentials.storage import write_potential

        description = {
            "kind": "committee",
            "name": self.name,
            "level_of_theory": self.level_of_theory,
            "elements": sorted(self.elements, key=atomic_numbers.get),
            "architecture": self.settings.model_dump(mode="json"),
            "members": [{"name": one.name, "provenance": one.provenance} for one in self.members],
            "units": UNITS | {"uncertainty": "eV/Å"},
            "provenance": self.provenance,
        }
        parameters = {
            f"members.{m}.{name}": value
            for m, member in enumerate(self.members)
            for name, value in member.network.state_dict().items()
        }
        return write_potential(Path(path), description, parameters)

    @classmethod
    def from_folder(cls, folder: str | Path, device: str = "auto") -> Committee:
        """Open a committee that `save` wrote; raises UnreadableFile for a folder that is damaged or no committee's."""
        from labkit.potentials.storage import read_potential

        folder = Path(folder)
        description, parameters = read_potential(folder, "committee")
        said = description.get("members")
        if not isinstance(said, list) or not 2 <= len(said) <= MOST_MEMBERS:
            raise UnreadableFile(
                f"{folder}/potential.json does not describe a committee: its members are {said!r:.60}."
            )
        parts: list[dict[str, torch.Tensor]] = [{} for _ in said]
        for key, value in parameters.items():
            head, _, rest = key.partition(".")
            index, _, name = rest.partition(".")
            if head != "members" or not index.isdecimal() or int(index) >= len(parts):
                raise UnreadableFile(
                    f"{folder}: {key[:80]} in model.safetensors belongs to none of the {len(parts)} members in "
                    "potential.json. The two files are not of one committee; take the folder from its source."
                )
            parts[int(index)][name] = value
        members = []
        for one, part in zip(said, parts, strict=True):
            one = one if isinstance(one, dict) else {}
            whole = {**description, "name": one.get("name"), "provenance": one.get("provenance")}
            members.append(CAMP.from_description(whole, part, folder, device))
        made = cls(members, str(description.get("name") or "committee"))
        provenance = description.get("provenance")
        made.provenance = provenance if isinstance(provenance, dict) else {}
        return made

    def _stack(self) -> None:
        if self.settings.architecture == "CAMP-L":
            self._stacked = StackedNetworks([member.network for member in self.members])

    def _evaluate(self, structures: Sequence[Atoms], properties: Sequence[str]) -> list[Evaluation]:
        first, m = self.members[0], len(self.members)
        prepared = [first.prepare(atoms) for atoms in structures]
        if self._stacked is None:
            batch = first.collate(prepared)
            return [member.evaluate(batch, properties) for member in self.members]
        batch = first.collate(prepared)
        if first.ewald is None:
            return self._stacked.evaluate(batch, properties)
        plans, near = [part.plan for part in prepared], batch.long_range
        copies = LongRange(
            near.positions.repeat(m, 1),
            near.cells.repeat(m, 1, 1),
            first.ewald.collate(plans * m, batch.sizes * m, self.device, near.positions.dtype),
        )
        return self._stacked.evaluate(batch, properties, first.ewald, copies)


def _require_fit(first: CAMP, member: CAMP, index: int) -> None:
    """Raise ValueError with a sentence when `member` cannot sit beside `first`."""
    if not isinstance(member, CAMP):
        raise ValueError(
            f"member {index + 1} is of the kind {type(member).__name__}; a committee is made of CAMP potentials."
        )
    for what in ("settings", "elements", "level_of_theory", "device"):
        one, other = getattr(first, what), getattr(member, what)
        if one == other:
            continue
        if what == "settings":
            names = [name for name in type(one).model_fields if getattr(one, name) != getattr(other, name)]
            what, one, other = names[0], getattr(one, names[0]), getattr(other, names[0])
        elif what == "elements":
            one, other = (", ".join(sorted(each, key=atomic_numbers.get)) for each in (one, other))
        raise ValueError(
            f"member {index + 1} has {what} = {other!r}, the first one {one!r}; energies of such members cannot be "
            "averaged. Train all members of a committee with the same settings on the same data."
        )


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()
