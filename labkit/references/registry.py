"""Reference methods by name: what `labkit.references.load` opens, each brought in only when it is asked for.

An entry says where the method lives ("module:factory") and which package it needs; any potential that labkit knows is
a reference too, as a declared teacher.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from dataclasses import dataclass
from typing import Any

from labkit.errors import InvalidTask
from labkit.references.interface import Reference

_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Entry:
    """One name. factory: "module:function" that takes the options and gives the Reference; given: options that the
    name itself stands for; package: what must be installed, install: the command that does it; probe: "module:function"
    that says whether it is there, for a package of another Python, whose reference says itself when it is missing.
    """

    name: str
    sentence: str
    factory: str
    given: tuple[tuple[str, Any], ...] = ()
    package: str = ""
    install: str = ""
    probe: str = ""

    @property
    def installed(self) -> bool:
        """Whether the package is there; it is not imported."""
        if self.probe:
            return bool(_call(self.probe, self.name, {}))
        return not self.package or importlib.util.find_spec(self.package) is not None

    def load(self, **options: Any) -> Reference:
        """Open it; raises ModuleNotFoundError with the command that installs what is missing."""
        if not self.probe and not self.installed:
            raise ModuleNotFoundError(
                f"{self.name} needs the package {self.package}, which is not installed here: {self.install}"
            )
        return _call(self.factory, self.name, {**dict(self.given), **options})


_HERE = "labkit.references"
_TBLITE = {"package": "tblite", "install": "pip install tblite==0.8.0"}
_PYSCF = {"package": "pyscf", "install": "pip install pyscf==2.14.0"}
_GPAW = {"probe": f"{_HERE}.gpaw_child:installed", "install": "make dft (compiles GPAW 26.7)"}
_TORCHANI = {"package": "torchani", "install": 'pip install --no-deps torchani==1.2 && pip install "setuptools<81"'}
_DIEP = {"package": "diep", "install": "pip install --no-deps diep==2.0.0 torch-geometric lightning torchmetrics"}

ENTRIES: dict[str, Entry] = {
    one.name: one
    for one in (
        Entry("gfn1-xtb", "GFN1-xTB: H to Rn, molecules and insulating cells, 0.01 to 5 s",
              f"{_HERE}.tight_binding:gfn1", **_TBLITE),
        Entry("gfn2-xtb", "GFN2-xTB: H to Rn, better for molecules, no larger cells",
              f"{_HERE}.tight_binding:gfn2", **_TBLITE),
        Entry("ccsd(t)/cc-pvdz", "CCSD(T) in a small basis: up to benzene, for tests",
              f"{_HERE}.coupled_cluster:CoupledCluster", (("basis", "cc-pvdz"),), **_PYSCF),
        Entry("ccsd(t)/cc-pvtz", "CCSD(T) with triple zeta: two or three heavy atoms, minutes",
              f"{_HERE}.coupled_cluster:CoupledCluster", (("basis", "cc-pvtz"),), **_PYSCF),
        Entry("ccsd(t)/cbs", "CCSD(T) extrapolated to the complete basis set: the best there is, minutes to hours",
              f"{_HERE}.coupled_cluster:CoupledCluster", (("basis", "cbs"),), **_PYSCF),
        Entry("landscape17", "Molecular DFT at the level of the Landscape17 data set",
              f"{_HERE}.dft_molecules:landscape17", **_PYSCF),
        Entry("gpaw-pbe", "PBE with plane waves and k-points: solids, metals too, 2 to 150 s",
              f"{_HERE}.dft_solids:PlaneWavePBE", **_GPAW),
        Entry("ani-1ccx", "ANI-1ccx, 8 networks: molecules of C, H, N, O near CCSD(T), 0.02 s",
              f"{_HERE}.universal:ani_1ccx", **_TORCHANI),
        Entry("diep", "DIEP: 89 elements, r2SCAN, 0.5 s",
              f"{_HERE}.universal:diep", **_DIEP),
    )
}  # fmt: skip
#: Potentials that are named as teachers; every other one that `labkit.potentials.load` opens may be asked for as well.
TEACHERS = ("chgnet", "7net-0", "7net-l3i5")


def names(*, everything: bool = False) -> list[str]:
    """Names that `load` opens here; with `everything` also those whose package is not installed."""
    from labkit.potentials import registry as potentials

    known = potentials.names(everything=everything)
    own = [name for name, entry in ENTRIES.items() if everything or entry.installed]
    teachers = [name for name in TEACHERS if name in known]
    return own + teachers + [name for name in known if name not in teachers]


def describe(name: str) -> str:
    """One sentence about a named reference; raises ValueError for a name that is none."""
    if name in ENTRIES:
        entry = ENTRIES[name]
        return entry.sentence + ("" if entry.installed else f" (not installed here: {entry.install})")
    from labkit.potentials import registry as potentials

    if name in potentials.names(everything=True):
        return f"Teacher: {potentials.describe(name)}"
    raise ValueError(_unknown(name))


def load(name: str, **options: Any) -> Reference:
    """Open a reference: a name (see `names`), "module:factory" of one of your own, or any potential of labkit.

    `options` are those of the method. Raises ValueError for an unknown name, ModuleNotFoundError with the command that
    installs what is missing, InvalidTask for options that the method does not know.
    """
    if name in ENTRIES:
        return ENTRIES[name].load(**options)
    if _ADDRESS.fullmatch(name):
        made = _call(name, name, options, other=True)
        if isinstance(made, Reference):
            return made
    try:
        return _call(f"{_HERE}.universal:teacher", name, {"potential": name, **options})
    except ValueError as error:
        if str(error).startswith("no potential is called"):
            raise ValueError(_unknown(name)) from error
        raise


def _call(address: str, name: str, options: dict[str, Any], *, other: bool = False) -> Any:
    module, _, attribute = address.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and not other:
            raise
        raise ValueError(f"the reference {address} cannot be imported ({error}); install what defines it.") from error
    if other and isinstance(factory, type) and not issubclass(factory, Reference):
        return None  # an ASE calculator, say, which labkit.potentials opens
    try:
        return factory(**options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise InvalidTask(f"{name} cannot be opened with the options {options}: {error}.") from error


def _unknown(name: str) -> str:
    return f"no reference is called {name!r}; known names: {', '.join(names())}."
