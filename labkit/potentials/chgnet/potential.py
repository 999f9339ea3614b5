"""CHGNet as a labkit potential: the chgnet wheel's checkpoints, labkit's graph, one backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.data import chemical_symbols
from ase.symbols import Symbols

from labkit.errors import BudgetExceeded, InvalidStructure, UnreadableFile, UnsupportedElement
from labkit.potentials.chgnet.network import CHGNetNetwork
from labkit.potentials.chgnet.weights import (
    PRETRAINED,
    UNTRAINED,
    UNTRAINED_R2SCAN,
    read_folder,
    read_pretrained,
)
from labkit.potentials.device import resolve_device, use_one_thread
from labkit.potentials.graph import Neighbourhood, PeriodicGraph, forces_and_virial, join, neighbourhood
from labkit.potentials.interface import DEFAULT_PROPERTIES
from labkit.potentials.memory import free_bytes, keep_freed_memory
from labkit.potentials.trainable import Evaluation, TrainablePotential

#: Atoms evaluated in one pass: on a CPU larger batches fall out of the cache, on a GPU memory is the limit.
BATCH_ATOMS = {"cpu": 128, "mps": 1024, "cuda": 4096}
#: Peak memory of forces for each pair within the cut-off: 55 kB at 256 and at 1,024 atoms of LiMnO2, measured on a CPU.
BYTES_PER_PAIR = 55_000

#: The parts that fine-tuning may freeze, in the order of the forward pass, and how the names of their parameters begin.
LAYERS = {
    "atom_embedding": ("atom_embedding.",),
    "bond_embedding": ("bond_embedding.", "bond_weights_", "bond_basis_expansion."),
    "angle_embedding": ("angle_embedding.", "angle_basis_expansion."),
    **{
        f"interaction_{layer + 1}": tuple(f"{kind}_layers.{layer}." for kind in ("atom_conv", "bond_conv", "angle"))
        for layer in range(4)
    },
    "magmoms": ("site_wise.",),
    "readout": ("readout_norm.", "mlp."),
    "reference_energies": ("composition_model.",),
}


class CHGNetPotential(TrainablePotential):
    """Charge-informed pretrained graph network.

    Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi 10.1038/s42256-023-00716-3.

    Equal to `chgnet.CHGNet.predict_structure` to rounding, with energies as totals (eV) and stresses in eV/Å^3.
    Raises InvalidStructure for an atom without a neighbour within the cut-off: the network has never seen one.
    """

    implemented = ("energy", "forces", "stress", "magmoms")
    batch_atoms = BATCH_ATOMS

    def __init__(
        self, name: str, level_of_theory: str, elements: frozenset[str], network: CHGNetNetwork, device: str
    ) -> None:
        keep_freed_memory()
        use_one_thread()
        self.name, self.level_of_theory, self.elements = name, level_of_theory, elements
        self.device = resolve_device(device)
        self.network = network.to(self.device).eval()
        self.cutoff_A = float(network.architecture["atom_graph_cutoff"])
        #: What the training that made it says of itself: data set and its hash, metrics, the potential it started from.
        self.provenance: dict[str, Any] = {}

    @classmethod
    def pretrained(cls, name: str = "chgnet-0.3.0", device: str = "auto") -> CHGNetPotential:
        """One of the checkpoints that ship inside the chgnet wheel: chgnet-0.3.0, chgnet-0.2.0, chgnet-r2scan."""
        architecture, parameters = read_pretrained(name)
        missing = UNTRAINED_R2SCAN if name == "chgnet-r2scan" else UNTRAINED
        elements = frozenset(chemical_symbols[1:95]) - missing
        return cls(name, PRETRAINED[name][1], elements, CHGNetNetwork(architecture, parameters), device)

    @classmethod
    def from_folder(cls, folder: Path, device: str = "auto") -> CHGNetPotential:
        """Open a potential that `save` wrote; raises UnreadableFile for a folder that is not one."""
        said, parameters = read_folder(folder)
        network = CHGNetNetwork(said["architecture"], parameters)
        potential = cls(str(said.get("name")), str(said.get("level_of_theory")), said["elements"], network, device)
        try:
            # Whether names and shapes fit together shows at the first answer.
            potential.predict([bulk("LiF", "rocksalt", a=4.0)], potential.implemented)
        except (KeyError, AttributeError, RuntimeError, IndexError, UnsupportedElement) as error:
            raise UnreadableFile(
                f"{folder}: the parameters do not fit the architecture that potential.json states ({str(error)[:200]})."
            ) from error
        potential.provenance = dict(said.get("provenance") or {})
        return potential

    def save(self, path: str | Path) -> Path:
        """Write a folder with model.safetensors and potential.json, complete or not at all."""
        from labkit.potentials.storage import write_potential

        description = {
            "kind": "chgnet",
            "name": self.name,
            "level_of_theory": self.level_of_theory,
            "elements": sorted(self.elements),
            "architecture": self.network.architecture,
            "units": {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å^3", "magmoms": "µ_B"},
            "provenance": self.provenance,
        }
        return write_potential(Path(path), description, self.network.parameters_by_name())

    def prepare(self, atoms: Atoms) -> Neighbourhood:
        """The pairs within the cut-off; raises InvalidStructure for an atom without any."""
        part = neighbourhood(atoms, self.cutoff_A)
        self._refuse_isolated(part)
        return part

    def collate(self, prepared: Sequence[Neighbourhood]) -> PeriodicGraph:
        """One graph of prepared structures; raises BudgetExceeded when it would not fit into memory."""
        graph = join(prepared, self.device)
        self._refuse_too_large(graph)
        return graph

    def evaluate(
        self, batch: PeriodicGraph, properties: Sequence[str] = DEFAULT_PROPERTIES, *, create_graph: bool = False
    ) -> Evaluation:
        """See `TrainablePotential.evaluate`; magmoms are (N,) µ_B, unsigned as the network gives them."""
        gradients = "forces" in properties or "stress" in properties
        with torch.set_grad_enabled(gradients or create_graph):
            energies, magmoms = self.network(batch)
        magmoms = magmoms if "magmoms" in properties else None
        if not gradients:
            return Evaluation(energies, magmoms=magmoms)
        forces, virial = forces_and_virial(energies, batch, create_graph=create_graph)
        return Evaluation(energies, forces, virial / batch.volumes[:, None, None], magmoms)

    def layers(self) -> dict[str, list[str]]:
        """See `TrainablePotential.layers`."""
        names = [name for name, _ in self.network.named_parameters()]
        plain = [name.removeprefix("weights.").replace("|", ".") for name in names]
        return {
            layer: [name for name, known in zip(names, plain, strict=True) if known.startswith(prefixes)]
            for layer, prefixes in LAYERS.items()
        }

    def fit_shift(self, structures: Sequence[Atoms], energies: np.ndarray) -> None:
        """Move the reference energy of each element so that total `energies` (B,) eV of another level of theory fit.

        Least squares of the residuals on the compositions, the smallest change where compositions do not tell the
        elements apart: what the network learned about bonding stays untouched.
        """
        residuals = np.asarray(energies) - self.predict(structures, ("energy",)).energies
        counts = np.array([np.bincount(atoms.numbers - 1, minlength=94)[:94] for atoms in structures], dtype=float)
        weights = 1 / counts.sum(axis=1)
        shift = np.linalg.lstsq(counts * weights[:, None], residuals * weights, rcond=1e-8)[0]
        reference = self.network.weights["composition_model|fc|weight"]
        with torch.no_grad():
            reference += torch.as_tensor(shift, dtype=reference.dtype, device=reference.device)

    def _refuse_too_large(self, graph: PeriodicGraph) -> None:
        """The kernel kills a process that takes more memory than there is; a sentence beforehand is kinder."""
        wanted, free = BYTES_PER_PAIR * graph.pair_i.shape[0], free_bytes(self.device)
        if free is not None and wanted > free:
            raise BudgetExceeded(
                f"{graph.n_atoms:,} atoms with {graph.pair_i.shape[0]:,} pairs need about {wanted / 1e9:.1f} GB in "
                f"{self.name}, and {free / 1e9:.1f} GB are free on {self.device}. Take a smaller cell or more memory."
            )

    def _refuse_isolated(self, part: Neighbourhood) -> None:
        paired = np.zeros(len(part.numbers), dtype=bool)
        paired[part.pair_i] = True
        paired[part.pair_j] = True
        if paired.all():
            return
        index, symbols = int(np.flatnonzero(~paired)[0]), Symbols(part.numbers)
        raise InvalidStructure(
            f"atom {index} ({symbols[index]}) of {symbols.get_chemical_formula()} has no neighbour within "
            f"{self.cutoff_A:g} Å; {self.name} was never trained on isolated atoms. "
            "Use a denser structure, or a potential for molecules."
        )
