"""The potentials with a name: what each covers (its card), how it is opened, and the package that brings it.

Nothing here imports a network before it is asked for, and nothing is downloaded: every name stands for weights that
lie in an installed package, or for a formula.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ase.data import chemical_symbols

from labkit.potentials.cards import Card
from labkit.potentials.interface import Potential

#: MPtrj holds no noble-gas radioactives, no francium and radium, and nothing beyond plutonium (Deng et al. 2023).
MPTRJ = frozenset(chemical_symbols[1:95]) - {"Po", "At", "Rn", "Fr", "Ra"}
_DENG = "B. Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi 10.1038/s42256-023-00716-3"
_PARK = "Y. Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi 10.1021/acs.jctc.4c00190"
_PBE = "PBE/PBE+U (Materials Project)"
_PERIODIC = "Trained on crystals: surfaces, molecules and barriers come out too soft more often than not."


@dataclass(frozen=True)
class Entry:
    """One name: its card, what opens it (device -> Potential), and the package that it needs, if any."""

    card: Card
    open: Callable[[str], Potential]
    package: str = ""
    install: str = ""

    @property
    def installed(self) -> bool:
        """Whether the package is there; it is not imported."""
        return not self.package or importlib.util.find_spec(self.package) is not None

    def present(self) -> Card:
        """The card, with the command that is missing to use it here."""
        return replace(self.card, install="" if self.installed else self.install)

    def load(self, device: str) -> Potential:
        """Open it; raises ModuleNotFoundError with the command that installs what is missing."""
        if not self.installed:
            raise ModuleNotFoundError(
                f"{self.card.name} needs the package {self.package}, which is not installed here: {self.install}"
            )
        return self.open(device)


def _chgnet(checkpoint: str) -> Callable[[str], Potential]:
    def load_chgnet(device: str) -> Potential:
        from labkit.potentials.chgnet import CHGNetPotential

        return CHGNetPotential.pretrained(checkpoint, device)

    return load_chgnet


def _emt(device: str) -> Potential:
    from ase.calculators.emt import EMT

    from labkit.potentials.ase_adaptor import ASEPotential

    card = GALLERY["emt"].card
    return ASEPotential(EMT, name="emt", level_of_theory=card.level_of_theory, elements=card.elements)


def _lennard_jones(device: str) -> Potential:
    from ase.calculators.lj import LennardJones

    from labkit.potentials.ase_adaptor import ASEPotential

    def argon() -> LennardJones:
        return LennardJones(epsilon=0.0103, sigma=3.405, rc=8.5, ro=7.5, smooth=True)

    card = GALLERY["lennard-jones"].card
    return ASEPotential(argon, name=card.name, level_of_theory=card.level_of_theory, elements=card.elements)


def _lennard_jones_cluster(device: str) -> Potential:
    from labkit.potentials.lennard_jones_cluster import LennardJonesCluster

    return LennardJonesCluster()


#: Where the two checkpoints lie inside the sevenn wheel.
_SEVENNET_FILES = {
    "7net-0": "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
    "7net-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth",
}


def sevennet_file(name: str) -> Path:
    """The checkpoint of `name` inside the installed sevenn; raises ValueError when this version does not ship it."""
    spec = importlib.util.find_spec("sevenn")
    folder = Path(next(iter(spec.submodule_search_locations))) / "pretrained_potentials"
    path = folder / _SEVENNET_FILES[name]
    if not path.is_file():
        raise ValueError(
            f"the installed sevenn does not ship {name} ({path.name} is missing), and labkit downloads nothing: "
            f"{SEVENNET_INSTALL}"
        )
    return path


def _sevennet(name: str) -> Callable[[str], Potential]:
    def load_sevennet(device: str) -> Potential:
        from labkit.potentials.ase_adaptor import ASEPotential
        from labkit.potentials.device import resolve_device, use_one_thread

        path, card = sevennet_file(name), GALLERY[name].card
        use_one_thread()
        with warnings.catch_warnings():
            # e3nn compiles with torch.jit, and sevenn advises CUDA accelerators: neither is the user's to mend.
            warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
            warnings.filterwarnings("ignore", message="No tensor product accelerator", category=UserWarning)
            from sevenn.calculator import SevenNetCalculator

            calculator = SevenNetCalculator(str(path), device=resolve_device(device))
        # One calculator for every composition: it keeps nothing but its weights, and they are 10 MB.
        potential = ASEPotential(
            lambda: calculator, name=name, level_of_theory=card.level_of_theory, elements=card.elements
        )
        potential.cutoff_A, potential.network = float(calculator.cutoff), calculator.model
        return potential

    return load_sevennet


SEVENNET_INSTALL = 'pip install "sevenn>=0.13,<0.14"'
_CHGNET_INSTALL = "pip install chgnet==0.4.2"
_CHGNET = Card(
    name="chgnet-0.3.0",
    sentence="CHGNet 0.3.0: 89 elements, PBE(+U), with magnetic moments",
    elements=MPTRJ,
    cutoff_A=6.0,
    level_of_theory=_PBE,
    properties=("energy", "forces", "stress", "magmoms"),
    n_parameters=412_525,
    licence="Modified BSD (BSD-3-Clause-LBNL)",
    citation=_DENG,
    source="weights inside the chgnet 0.4.2 wheel",
    errors_by_group={"MPtrj, 5 % test split": {
        "energy_mae_meV_atom": 29, "forces_mae_meV_A": 68, "stress_mae_GPa": 0.314, "magmoms_mae_muB": 0.037}},
    errors_on="test set, as its authors publish",
    trained_on="MPtrj",
    notes=(_PERIODIC, "Atoms without a neighbour within 6 Å are refused."),
)  # fmt: skip
_SEVENNET = Card(
    name="7net-0",
    sentence="SevenNet-0 (11 July 2024): 89 elements, PBE(+U), equivariant",
    elements=MPTRJ,
    cutoff_A=5.0,
    level_of_theory=_PBE,
    n_parameters=842_623,
    licence="MIT (sevenn 0.12 and later; earlier wheels were GPL-3)",
    citation=_PARK,
    source="weights inside the sevenn wheel",
    trained_on="MPtrj",
    notes=(_PERIODIC,),
)


def _entries() -> dict[str, Entry]:
    chgnet = {"package": "chgnet", "install": _CHGNET_INSTALL}
    sevenn = {"package": "sevenn", "install": SEVENNET_INSTALL}
    cards = [
        (replace(_CHGNET, name="chgnet", sentence=f"{_CHGNET.sentence}; the default"), _chgnet("chgnet-0.3.0"), chgnet),
        (_CHGNET, _chgnet("chgnet-0.3.0"), chgnet),
        (_CHGNET_R2SCAN, _chgnet("chgnet-r2scan"), chgnet),
        (_CHGNET_02, _chgnet("chgnet-0.2.0"), chgnet),
        (_EMT, _emt, {}),
        (_LENNARD_JONES, _lennard_jones, {}),
        (_LENNARD_JONES_CLUSTER, _lennard_jones_cluster, {}),
        (_SEVENNET, _sevennet("7net-0"), sevenn),
        (_SEVENNET_L3I5, _sevennet("7net-l3i5"), sevenn),
    ]
    return {card.name: Entry(card, opener, **needs) for card, opener, needs in cards}


_CHGNET_R2SCAN = replace(
    _CHGNET,
    name="chgnet-r2scan",
    sentence="CHGNet r2SCAN: right layer spacing for graphite and LiC6",
    elements=MPTRJ - {"Yb"},
    level_of_theory="r2SCAN (Materials Project)",
    citation='chgnet 0.4.2: "Cross-functional transferability in foundation machine learning interatomic potentials"',
    errors_by_group={"MP-r2SCAN, 10 % test split": {
        "energy_mae_meV_atom": 16.76, "forces_mae_meV_A": 38.46, "stress_mae_GPa": 0.167, "magmoms_mae_muB": 0.023}},
    trained_on="MP-r2SCAN (from CHGNet 0.3.0)",
)  # fmt: skip
_CHGNET_02 = replace(
    _CHGNET,
    name="chgnet-0.2.0",
    sentence="CHGNet 0.2.0: the first release, for comparison",
    cutoff_A=5.0,
    n_parameters=400_438,
    errors_by_group={"MPtrj, 10 % test split": {
        "energy_mae_meV_atom": 30, "forces_mae_meV_A": 77, "stress_mae_GPa": 0.348, "magmoms_mae_muB": 0.032}},
    notes=(_PERIODIC, "Atoms without a neighbour within 5 Å are refused."),
)  # fmt: skip
_SEVENNET_L3I5 = replace(
    _SEVENNET,
    name="7net-l3i5",
    sentence="SevenNet-l3i5: 89 elements, PBE(+U), more accurate and slower than SevenNet-0",
    n_parameters=1_171_327,
    notes=(_PERIODIC, "About three times slower than SevenNet-0."),
)
_EMT = Card(
    name="emt",
    sentence="Effective medium theory: Al, Cu, Ag, Au, Ni, Pd, Pt; instant",
    elements=frozenset({"Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt"}),
    level_of_theory="effective medium theory (Jacobsen 1996)",
    licence="LGPL-2.1-or-later (ASE)",
    citation="K. W. Jacobsen, P. Stoltze, J. K. Nørskov, Surf. Sci. 366, 394 (1996), doi 10.1016/0039-6028(96)00816-3",
    source="ase.calculators.emt",
    notes=("Fitted to close-packed metals and their alloys; for teaching and tests.",),
)
_LENNARD_JONES = Card(
    name="lennard-jones",
    sentence="Lennard-Jones argon: instant",
    elements=frozenset({"Ar"}),
    cutoff_A=8.5,
    level_of_theory="Lennard-Jones argon (Rahman 1964: 0.0103 eV, 3.405 Å)",
    n_parameters=2,
    licence="LGPL-2.1-or-later (ASE)",
    citation="A. Rahman, Phys. Rev. 136, A405 (1964), doi 10.1103/PhysRev.136.A405",
    source="ase.calculators.lj",
    notes=("Smoothed between 7.5 and 8.5 Å; pairs only.",),
)

_LENNARD_JONES_CLUSTER = Card(
    name="lennard-jones-cluster",
    sentence="Lennard-Jones clusters in reduced units (ε = 1 eV, σ = 1 Å): thousands at once",
    elements=frozenset(chemical_symbols[1:]),
    level_of_theory="Lennard-Jones cluster (ε 1 eV, σ 1 Å)",
    n_parameters=2,
    licence="MIT (labkit)",
    citation="J. E. Jones, Proc. R. Soc. A 106, 463 (1924), doi 10.1098/rspa.1924.0082",
    source="labkit.potentials.lennard_jones_cluster",
    notes=("No cut-off and no cell: clusters only. Every element counts as the same particle.",),
)

GALLERY: dict[str, Entry] = _entries()
