"""Potentials by name: what `labkit.potentials.load` can open, with one sentence for each."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit.potentials.interface import Potential


@dataclass(frozen=True)
class _Named:
    sentence: str
    load: Callable[[str], Potential]


def _chgnet(name: str) -> Callable[[str], Potential]:
    def load_chgnet(device: str) -> Potential:
        from labkit.potentials.chgnet import CHGNetPotential

        return CHGNetPotential.pretrained(name, device)

    return load_chgnet


def _emt(device: str) -> Potential:
    from ase.calculators.emt import EMT

    from labkit.potentials.ase_adaptor import ASEPotential

    metals = frozenset({"Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt"})
    return ASEPotential(EMT, name="emt", level_of_theory="effective medium theory (Jacobsen 1996)", elements=metals)


def _lennard_jones(device: str) -> Potential:
    from ase.calculators.lj import LennardJones

    from labkit.potentials.ase_adaptor import ASEPotential

    def argon() -> LennardJones:
        return LennardJones(epsilon=0.0103, sigma=3.405, rc=8.5, ro=7.5, smooth=True)

    return ASEPotential(
        argon,
        name="lennard-jones",
        level_of_theory="Lennard-Jones argon (Rahman 1964: 0.0103 eV, 3.405 Å)",
        elements=frozenset({"Ar"}),
    )


_NAMED = {
    "chgnet": _Named("CHGNet 0.3.0: 89 elements, PBE(+U), with magnetic moments; the default", _chgnet("chgnet-0.3.0")),
    "chgnet-0.3.0": _Named("CHGNet 0.3.0: 89 elements, PBE(+U), with magnetic moments", _chgnet("chgnet-0.3.0")),
    "chgnet-r2scan": _Named("CHGNet r2SCAN: right layer spacing for graphite and LiC6", _chgnet("chgnet-r2scan")),
    "chgnet-0.2.0": _Named("CHGNet 0.2.0: the first release, for comparison", _chgnet("chgnet-0.2.0")),
    "emt": _Named("Effective medium theory: Al, Cu, Ag, Au, Ni, Pd, Pt; instant", _emt),
    "lennard-jones": _Named("Lennard-Jones argon: instant", _lennard_jones),
}


#: "package.module:name" of something that, called without arguments, gives an ASE calculator or a Potential.
_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def _from_address(address: str) -> Potential:
    from labkit.potentials.ase_adaptor import ASEPotential

    module, _, name = address.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"the potential {address} cannot be imported ({error}); install what defines it.") from error
    made = factory()
    if isinstance(made, Potential):
        return made
    if not hasattr(made, "implemented_properties"):
        raise ValueError(
            f"{address} gives {type(made).__name__}, which is neither a labkit potential nor an ASE calculator."
        )
    return ASEPotential(factory, name=address, level_of_theory=address)


def names() -> list[str]:
    """Names that `load` knows."""
    return list(_NAMED)


def describe(name: str) -> str:
    """One sentence about a named potential."""
    return _NAMED[name].sentence


def load(name_or_path: str | Path, device: str = "auto") -> Potential:
    """Open a potential by name (see `names`), from a folder that `Potential.save` wrote, or any ASE calculator.

    An ASE calculator is named by the address of what makes it, "ase.calculators.emt:EMT" say, or a function in a module
    of your own: worker processes import it too.
    device: "auto" (CUDA, else MPS, else CPU), "cpu", "cuda" or "mps". Raises ValueError for a name that is neither
    known nor a saved potential; nothing is downloaded.
    """
    if str(name_or_path) in _NAMED:
        return _NAMED[str(name_or_path)].load(device)
    if _ADDRESS.fullmatch(str(name_or_path)):
        return _from_address(str(name_or_path))
    path = Path(name_or_path)
    if (path / "potential.json").is_file():
        kind = json.loads((path / "potential.json").read_text(encoding="utf-8")).get("kind")
        if kind == "chgnet":
            from labkit.potentials.chgnet import CHGNetPotential

            return CHGNetPotential.from_folder(path, device)
        raise ValueError(
            f"{path} holds a potential of kind {kind!r}, which this version of labkit cannot open. Update labkit."
        )
    if path.is_file():
        raise ValueError(
            f"{path.name} is a single file; labkit opens folders that hold potential.json and model.safetensors, "
            "never pickles."
        )
    raise ValueError(
        f"no potential is called {str(name_or_path)!r} and no saved one lies there; known names: {', '.join(_NAMED)}."
    )
