"""The core model as a labkit potential: made, fitted to data, evaluated, saved.

CAMP is the published architecture; CAMP-L stands beside it under its own name. Both take latent Ewald terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from torch import Tensor

from labkit.errors import BudgetExceeded, UnreadableFile
from labkit.potentials.camp.derivatives import Derivatives
from labkit.potentials.camp.neighbours import Neighbours, PaddedBatch, find_neighbours, pad
from labkit.potentials.camp.network import CAMPNetwork
from labkit.potentials.camp.settings import CAMPSettings
from labkit.potentials.device import resolve_device, use_one_thread
from labkit.potentials.ewald import LatentEwald
from labkit.potentials.interface import DEFAULT_PROPERTIES
from labkit.potentials.memory import free_bytes, keep_freed_memory
from labkit.potentials.trainable import Evaluation, TrainablePotential

UNITS = {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å^3", "charges": "e"}
#: Structures that the sizes of the moments are measured on.
CALIBRATION_STRUCTURES = 20
#: Batches that need less memory than this are computed without asking how much is free.
SMALL_BYTES = 500_000_000


class CAMP(TrainablePotential):
    """Cartesian atomic moment potential, with latent Ewald summation where the settings ask for it.

    M. Wen et al., npj Comput. Mater. 11, 128 (2025). `settings.architecture` says whether it is the published
    architecture ("CAMP") or the faster one with linear radial functions and scalar messages ("CAMP-L").
    """

    batch_atoms = {"cpu": 256, "cuda": 16384}  # noqa: RUF012  (declared by the base class)

    def __init__(
        self,
        settings: CAMPSettings,
        elements: Sequence[str],
        network: CAMPNetwork,
        device: str = "auto",
        level_of_theory: str = "",
        name: str = "camp",
    ) -> None:
        keep_freed_memory()
        use_one_thread()
        self.settings, self.name, self.level_of_theory = settings, name, level_of_theory
        self.elements = frozenset(elements)
        self.cutoff_A = settings.cutoff_A
        self.device = resolve_device(device)
        if self.device.startswith("mps"):
            raise ValueError("CAMP sums energies in float64, which Apple's MPS does not have: use device='cpu'.")
        self.network = network.to(self.device).eval()
        #: What the training that made it says of itself: data set and its hash, metrics, units.
        self.provenance: dict[str, Any] = {}
        self.ewald = LatentEwald(settings.sigma_A, settings.dl_A) if settings.long_range else None
        self._species = np.full(len(chemical_symbols), -1)
        ordered = sorted(self.elements, key=atomic_numbers.get)
        self._species[[atomic_numbers[symbol] for symbol in ordered]] = range(len(ordered))

    @classmethod
    def untrained(
        cls,
        settings: CAMPSettings | None = None,
        elements: Sequence[str] = (),
        seed: int = 0,
        device: str = "auto",
        level_of_theory: str = "",
        name: str = "camp",
    ) -> CAMP:
        """Random parameters from `seed`; the global generator of torch is left as it was."""
        if not elements:
            raise ValueError('a new potential needs its elements, such as ["H", "C", "O"].')
        if strange := [symbol for symbol in elements if symbol not in atomic_numbers]:
            raise ValueError(f'{strange[0]!r} is no chemical element; elements are named as in ["H", "C", "O"].')
        settings = settings or CAMPSettings()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = CAMPNetwork(settings, len(set(elements)))
        return cls(settings, elements, network, device, level_of_theory, name)

    def fit_scale_and_shift(
        self, structures: Sequence[Atoms], energies: Sequence[float], forces: Sequence[np.ndarray] | None = None
    ) -> None:
        """Set, from data, the energy of each element and the unit in which the network works.

        shift_Z: the mean energy (eV) of the structures that are a single atom of Z without a cell; of elements without
        such a structure, least squares of what is left of the total energies on the composition. scale: root mean
        square of the force components (eV/Å, times 1 Å) of each element, or the spread of the energies without forces.
        The sizes of all moments are measured on up to 20 of the structures.
        """
        self.require(structures, ("energy",))
        counts, energies = self._composition(structures), np.asarray(energies, dtype=float)
        # The network of an atom without neighbours is zero, so the shift has to be what the data say of lone atoms.
        alone = np.array([len(atoms) == 1 and not atoms.pbc.any() for atoms in structures])
        lone = counts[alone].sum(axis=0)
        shift = counts[alone].T @ energies[alone] / np.maximum(lone, 1)
        shift[lone == 0] = np.linalg.lstsq(counts[:, lone == 0], energies - counts @ shift, rcond=None)[0]
        spread = np.std((energies - counts @ shift) / counts.sum(1)) or 1.0
        scale = np.full(len(self.elements), spread)
        if forces is not None:
            species = self._species[np.concatenate([atoms.numbers for atoms in structures])]
            squares = np.square(np.concatenate(list(forces))).mean(axis=1)
            for index in range(len(scale)):
                scale[index] = np.sqrt(squares[species == index].mean()) if (species == index).any() else spread
        network = self.network
        network.shift.copy_(torch.as_tensor(shift))
        network.scale.copy_(torch.as_tensor(np.where(scale > 0, scale, 1.0)))
        step = max(1, len(structures) // CALIBRATION_STRUCTURES)
        network.calibrate(self.collate([self.prepare(atoms) for atoms in structures[::step]]))

    def fit_shift(self, structures: Sequence[Atoms], energies: Sequence[float]) -> None:
        """Move the energy of each element (eV) to another level of theory by least squares; forces stay as they are."""
        left = np.asarray(energies, dtype=float) - self.predict(structures, ("energy",)).energies
        change = np.linalg.lstsq(self._composition(structures), left, rcond=None)[0]
        self.network.shift.add_(torch.as_tensor(change, device=self.network.shift.device))

    def _composition(self, structures: Sequence[Atoms]) -> np.ndarray:
        """Number of atoms of each element, (B, elements)."""
        counts = np.zeros((len(structures), len(self.elements)))
        for row, atoms in zip(counts, structures, strict=True):
            np.add.at(row, self._species[atoms.numbers], 1)
        return counts

    def prepare(self, atoms: Atoms) -> Neighbours:
        """Neighbours within the cut-off, and the wave vectors of the cell where there are latent charges."""
        plan = self.ewald.prepare(atoms.cell.array, atoms.pbc) if self.ewald else None
        return find_neighbours(atoms, self.cutoff_A, plan)

    def collate(self, prepared: Sequence[Neighbours]) -> PaddedBatch:
        """One padded batch; raises BudgetExceeded when it would not fit into memory."""
        self._refuse_too_large(prepared)
        dtype = next(self.network.parameters()).dtype
        return pad(prepared, self._species, self.cutoff_A, self.device, dtype, self.ewald)

    def evaluate(
        self, batch: PaddedBatch, properties: Sequence[str] = DEFAULT_PROPERTIES, *, create_graph: bool = False
    ) -> Evaluation:
        """See `TrainablePotential.evaluate`; charges (N, channels) in e are latent, None without a long range."""
        gradients = "forces" in properties or "stress" in properties
        with torch.set_grad_enabled(gradients or create_graph):
            derivatives = Derivatives(batch, self.ewald, gradients=gradients)
            energies, charges = self.network(batch)
            if charges is not None:
                energies = energies + derivatives.long_range(charges)
        if not gradients:
            return Evaluation(energies, charges=charges)
        forces, stresses = derivatives.forces_and_stresses(
            energies, create_graph=create_graph, stress="stress" in properties
        )
        if not create_graph:
            energies, charges = energies.detach(), None if charges is None else charges.detach()
        return Evaluation(energies, forces if "forces" in properties else None, stresses, charges=charges)

    def layers(self) -> dict[str, list[str]]:
        """Parts from input to output: embedding, layer_1, ..., charges, readout."""
        parts: dict[str, list[str]] = {}
        names = [name for name, _ in self.network.named_parameters()]
        for title, prefixes in {
            "embedding": ("embedding",),
            **{f"layer_{n + 1}": (f"layers.{n}.",) for n in range(self.settings.n_layers)},
            "charges": ("charge_head.",),
            "readout": ("readouts.",),
        }.items():
            if found := [name for name in names if name.startswith(prefixes)]:
                parts[title] = found
        return parts

    def save(self, path: str | Path) -> Path:
        """Write a folder with model.safetensors and potential.json, complete or not at all."""
        from labkit.potentials.storage import write_potential

        description = {
            "kind": "camp",
            "name": self.name,
            "level_of_theory": self.level_of_theory,
            "elements": sorted(self.elements, key=atomic_numbers.get),
            "architecture": self.settings.model_dump(mode="json"),
            "units": UNITS,
            "provenance": self.provenance,
        }
        return write_potential(Path(path), description, self.network.state_dict())

    @classmethod
    def from_folder(cls, folder: str | Path, device: str = "auto") -> CAMP:
        """Open a potential that `save` wrote; raises UnreadableFile for a folder that is damaged or not CAMP's."""
        from labkit.potentials.storage import read_potential

        return cls.from_description(*read_potential(Path(folder), "camp"), Path(folder), device)

    @classmethod
    def from_description(
        cls, description: dict[str, Any], parameters: dict[str, Tensor], folder: Path, device: str = "auto"
    ) -> CAMP:
        """The potential that a potential.json and its parameters describe; raises UnreadableFile, naming `folder`."""
        try:
            settings, elements = CAMPSettings(**description["architecture"]), description["elements"]
            labels = str(description["level_of_theory"]), str(description["name"])
            with torch.device("meta"):
                blank = CAMPNetwork(settings, len(set(elements)))
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableFile(f"{folder}/potential.json does not describe a CAMP potential: {error}") from None
        # Before anything is made: a description that lies about its size must not take the memory.
        check_parameters(blank, parameters, folder)
        try:
            potential = cls.untrained(settings, elements, 0, device, *labels)
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableFile(f"{folder}/potential.json does not describe a CAMP potential: {error}") from None
        potential.network.load_state_dict(parameters)
        said = description.get("provenance")
        potential.provenance = said if isinstance(said, dict) else {}
        return potential

    def _refuse_too_large(self, prepared: Sequence[Neighbours]) -> None:
        """The kernel kills a process that takes more memory than there is; a sentence beforehand is kinder."""
        slots = sum(len(part.numbers) for part in prepared) * max((part.width for part in prepared), default=0)
        wanted = slots * self._bytes_per_slot()
        if wanted < SMALL_BYTES:  # asking the system costs as much as a small batch
            return
        free = free_bytes(self.device)
        if free is not None and wanted > free:
            raise BudgetExceeded(
                f"{sum(len(part.numbers) for part in prepared):,} atoms with {slots:,} neighbours need about "
                f"{wanted / 1e9:.1f} GB in {self.name}, and {free / 1e9:.1f} GB are free on {self.device}. "
                "Take a smaller cell or more memory."
            )

    def _bytes_per_slot(self) -> int:
        s = self.settings
        floats = 10 * s.radial_degree * s.max_v if s.architecture == "CAMP-L" else 40 * s.channels * s.max_v
        return (4 if s.dtype == "float32" else 8) * (3 * floats + s.n_layers * s.message_channels * 4)


def check_parameters(network: torch.nn.Module, parameters: dict[str, Tensor], folder: Path) -> None:
    """Raise UnreadableFile when names or shapes of `parameters` are not those of the network, or for a NaN."""
    own = network.state_dict()
    wrong = [name for name in own if name not in parameters or parameters[name].shape != own[name].shape]
    wrong += [name for name in parameters if name not in own]
    if wrong:
        raise UnreadableFile(
            f"{folder}: {wrong[0]} in model.safetensors does not fit the architecture in potential.json "
            f"({len(wrong)} such parameters). The two files are not of one potential; take the folder from its source."
        )
    if not all(bool(torch.isfinite(value).all()) for value in parameters.values() if value.is_floating_point()):
        raise UnreadableFile(f"{folder}: model.safetensors holds numbers that are not finite; train it again.")
