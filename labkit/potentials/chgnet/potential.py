"""CHGNet as a labkit potential: the chgnet wheel's checkpoints, labkit's graph, one backward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols

from labkit.errors import BudgetExceeded, InvalidStructure
from labkit.potentials.chgnet.network import CHGNetNetwork
from labkit.potentials.chgnet.weights import (
    PRETRAINED,
    UNTRAINED,
    UNTRAINED_R2SCAN,
    architecture_from,
    read_folder,
    read_pretrained,
)
from labkit.potentials.device import resolve_device, use_one_thread
from labkit.potentials.graph import PeriodicGraph, build_graph, forces_and_virial
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction
from labkit.potentials.memory import free_bytes, keep_freed_memory

#: Atoms evaluated in one pass: on a CPU larger batches fall out of the cache, on a GPU memory is the limit.
BATCH_ATOMS = {"cpu": 128, "mps": 1024, "cuda": 4096}
#: Peak memory of forces for each pair within the cut-off: 55 kB at 256 and at 1,024 atoms of LiMnO2, measured on a CPU.
BYTES_PER_PAIR = 55_000


class CHGNetPotential(Potential):
    """Charge-informed pretrained graph network.

    Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi 10.1038/s42256-023-00716-3.

    Equal to `chgnet.CHGNet.predict_structure` to rounding, with energies as totals (eV) and stresses in eV/Å^3.
    Raises InvalidStructure for an atom without a neighbour within the cut-off: the network has never seen one.
    """

    implemented = ("energy", "forces", "stress", "magmoms")

    def __init__(
        self, name: str, level_of_theory: str, elements: frozenset[str], network: CHGNetNetwork, device: str
    ) -> None:
        keep_freed_memory()
        use_one_thread()
        self.name, self.level_of_theory, self.elements = name, level_of_theory, elements
        self.device = resolve_device(device)
        self.network = network.to(self.device).eval()
        self.cutoff_A = float(network.architecture["atom_graph_cutoff"])

    @classmethod
    def pretrained(cls, name: str = "chgnet-0.3.0", device: str = "auto") -> CHGNetPotential:
        """One of the checkpoints that ship inside the chgnet wheel: chgnet-0.3.0, chgnet-0.2.0, chgnet-r2scan."""
        architecture, parameters = read_pretrained(name)
        missing = UNTRAINED_R2SCAN if name == "chgnet-r2scan" else UNTRAINED
        elements = frozenset(chemical_symbols[1:95]) - missing
        return cls(name, PRETRAINED[name][1], elements, CHGNetNetwork(architecture, parameters), device)

    @classmethod
    def from_folder(cls, folder: Path, device: str = "auto") -> CHGNetPotential:
        """Open a potential that `save` wrote."""
        description, parameters = read_folder(folder)
        network = CHGNetNetwork(architecture_from(description["architecture"]), parameters)
        return cls(
            description["name"], description["level_of_theory"], frozenset(description["elements"]), network, device
        )

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
        }
        return write_potential(Path(path), description, self.network.parameters_by_name())

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; magmoms are (n,) µ_B, unsigned as the network gives them."""
        self.require(structures, properties)
        gradients = "forces" in properties or "stress" in properties
        energies, forces, stresses, magmoms = [], [], [], []
        for batch in self._batches(structures):
            graph = build_graph(batch, self.cutoff_A, self.device)
            self._refuse_isolated(graph, batch)
            self._refuse_too_large(graph)
            with torch.set_grad_enabled(gradients):
                energy, moments = self.network(graph)
            energies.append(energy.detach().double().cpu().numpy())
            magmoms += [part.cpu().numpy() for part in moments.detach().double().split(graph.sizes)]
            if gradients:
                force, virial = forces_and_virial(energy, graph)
                forces += [part.cpu().numpy() for part in force.double().split(graph.sizes)]
                stresses.append((virial / graph.volumes[:, None, None]).double().cpu().numpy())
        return Prediction(
            energies=np.concatenate(energies) if energies else np.zeros(0),
            forces=forces if "forces" in properties else None,
            stresses=np.concatenate(stresses) if stresses and "stress" in properties else None,
            magmoms=magmoms if "magmoms" in properties else None,
        )

    def _batches(self, structures: Sequence[Atoms]) -> Iterator[list[Atoms]]:
        """Consecutive structures, as many as fit in the device's budget of atoms, at least one."""
        budget = BATCH_ATOMS[self.device.split(":")[0]]
        batch: list[Atoms] = []
        for atoms in structures:
            if batch and sum(map(len, batch)) + len(atoms) > budget:
                yield batch
                batch = []
            batch.append(atoms)
        if batch:
            yield batch

    def _refuse_too_large(self, graph: PeriodicGraph) -> None:
        """The kernel kills a process that takes more memory than there is; a sentence beforehand is kinder."""
        wanted, free = BYTES_PER_PAIR * graph.pair_i.shape[0], free_bytes(self.device)
        if free is not None and wanted > free:
            raise BudgetExceeded(
                f"{graph.n_atoms:,} atoms with {graph.pair_i.shape[0]:,} pairs need about {wanted / 1e9:.1f} GB in "
                f"{self.name}, and {free / 1e9:.1f} GB are free on {self.device}. Take a smaller cell or more memory."
            )

    def _refuse_isolated(self, graph: PeriodicGraph, batch: Sequence[Atoms]) -> None:
        paired = torch.zeros(graph.n_atoms, dtype=torch.bool, device=graph.pair_i.device)
        paired[graph.pair_i] = True
        paired[graph.pair_j] = True
        if bool(paired.all()):
            return
        index = int(torch.nonzero(~paired)[0])
        structure = int(graph.owner[index])
        atoms = batch[structure]
        index -= sum(graph.sizes[:structure])
        raise InvalidStructure(
            f"atom {index} ({atoms.symbols[index]}) of {atoms.get_chemical_formula()} has no neighbour within "
            f"{self.cutoff_A:g} Å; {self.name} was never trained on isolated atoms. "
            "Use a denser structure, or a potential for molecules."
        )
