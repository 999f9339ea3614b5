"""Potentials by name: what `labkit.potentials.load` can open, with one sentence and one card for each."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from labkit.potentials import speed
from labkit.potentials.cards import Card, card_of_folder, card_of_potential, read_description
from labkit.potentials.checkpoints import FAMILIES, PACKAGES, open_address, open_checkpoint, open_elsewhere
from labkit.potentials.gallery import GALLERY
from labkit.potentials.interface import Potential
from labkit.potentials.offline import no_downloads
from labkit.potentials.shipped import shipped, shipped_card

#: "package.module:name" of something that, called without arguments, gives an ASE calculator or a Potential.
_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
#: The kind that a saved folder says it is -> where its class lives; `from_folder(path, device)` opens it.
_KINDS = {
    "chgnet": "labkit.potentials.chgnet:CHGNetPotential",
    "camp": "labkit.potentials.camp:CAMP",
    "corrected": "labkit.potentials.corrected:CorrectedPotential",
    "committee": "labkit.potentials.committee:Committee",
    "delta": "labkit.potentials.delta:DeltaPotential",
}


def names(*, everything: bool = False) -> list[str]:
    """Names that `load` opens here; with `everything` also those whose package is not installed."""
    known = [name for name, entry in GALLERY.items() if everything or entry.installed]
    return known + [name for name in shipped() if name not in known]


def describe(name: str) -> str:
    """One sentence about a named potential."""
    return _card_of_name(name).sentence


def card(potential: str | Path | Potential) -> Card:
    """What a potential covers, by name, by the folder of a saved one, or of an opened one; opens no network.

    Raises ValueError for a name that is neither known nor a saved potential.
    """
    if isinstance(potential, Potential):
        found = card_of_potential(potential, _base(potential))
    elif str(potential) in _all_names():
        found = _card_of_name(str(potential))
    elif (Path(potential) / "potential.json").is_file():
        found = _card_of_folder(Path(potential))
    elif str(potential).partition(":")[0] in FAMILIES:
        found = _card_of_family(str(potential))
    else:
        raise ValueError(_unknown(potential))
    return speed.remembered(found)


def load(
    name_or_path: str | Path, device: str = "auto", *, trust: bool = False, python: str | Path | None = None
) -> Potential:
    """Open a potential by name (see `names`), from a folder that `Potential.save` wrote, or somebody else's.

    Somebody else's is either the address of what makes an ASE calculator, "ase.calculators.emt:EMT" say, or a function
    in a module of your own (worker processes import it too); or a checkpoint file of another package, "mace:FILE",
    "orb:FILE", "sevennet:FILE", "mattersim:FILE", "pickle:FILE". Such files are pickles, which are programs: one is
    opened in a child process, and only when `trust` says so, here or once for all (`labkit.potentials.trust`).

    device: "auto" (CUDA, else CPU), "cpu", "cuda" or "mps". python: another interpreter for that child.
    Raises ValueError for a name that is neither known nor a saved potential, NotTrusted, ModuleNotFoundError with the
    command that installs what is missing. Nothing is downloaded.
    """
    asked = str(name_or_path)
    if asked in GALLERY:
        return open_elsewhere(GALLERY[asked], device, python) or GALLERY[asked].load(device)
    if asked in shipped():
        return _from_folder(shipped()[asked], device)
    family, colon, rest = asked.partition(":")
    if colon and family in FAMILIES:
        return open_checkpoint(family, Path(rest), device, trust=trust, python=python)
    if _ADDRESS.fullmatch(asked):
        if python is not None or asked.split(".")[0].split(":")[0] in PACKAGES:
            return open_address(asked, device, trust=trust, python=python)
        return _from_address(asked)
    path = Path(name_or_path)
    if (path / "potential.json").is_file():
        return _from_folder(path, device)
    if path.is_file():
        raise ValueError(
            f"{path.name} is a single file; labkit opens folders that hold potential.json and model.safetensors, "
            f"never pickles unasked. If it is a checkpoint of {', '.join(FAMILIES)}, name its kind: "
            f"load('mace:{path}', trust=True), say."
        )
    raise ValueError(_unknown(name_or_path))


def _from_folder(folder: Path, device: str) -> Potential:
    kind = read_description(folder).get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(
            f"{folder} holds a potential of kind {kind!r}, which this version of labkit cannot open. Update labkit."
        )
    module, _, name = _KINDS[kind].partition(":")
    opener: Callable[[Path, str], Potential] = getattr(importlib.import_module(module), name).from_folder
    return opener(folder, device)


def _from_address(address: str) -> Potential:
    from labkit.potentials.ase_adaptor import ASEPotential

    module, _, name = address.partition(":")
    with no_downloads() as hosts:
        try:
            factory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"the potential {address} cannot be imported ({error}); install what defines it."
            ) from error
        try:
            made = factory()
        except Exception as error:
            if not hosts:
                raise
            raise ValueError(
                f"{address} wanted to download from {hosts[0]}, and labkit downloads nothing unasked. Fetch the file "
                "yourself and let a function of your own open it."
            ) from error
    if isinstance(made, Potential):
        return made
    if not hasattr(made, "implemented_properties"):
        raise ValueError(
            f"{address} gives {type(made).__name__}, which is neither a labkit potential nor an ASE calculator."
        )
    return ASEPotential(factory, name=address, level_of_theory=address)


def _all_names() -> list[str]:
    return names(everything=True)


def _card_of_name(name: str) -> Card:
    if name in GALLERY:
        return GALLERY[name].present()
    if name in shipped():
        return shipped_card(name)
    raise ValueError(_unknown(name))


def _card_of_folder(folder: Path) -> Card:
    """The card of a saved potential; one that corrects another takes over what it does not say itself."""
    found, said = card_of_folder(folder), read_description(folder)
    base: Card | None = None
    if isinstance(said.get("base"), str) and said["base"] in _all_names():
        base = _card_of_name(said["base"])
    elif (folder / "base" / "potential.json").is_file():
        base = card_of_folder(folder / "base")
    if base is None:
        return found
    return replace(
        found,
        elements=found.elements or base.elements,
        cutoff_A=found.cutoff_A or base.cutoff_A,
        n_parameters=base.n_parameters,
        licence=found.licence or base.licence,
        citation=found.citation or base.citation,
        notes=(*found.notes, f"Corrects {base.name}: {base.sentence}"),
    )


def _card_of_family(name: str) -> Card:
    family = FAMILIES[name.partition(":")[0]]
    return Card(
        name=name,
        sentence=f"A checkpoint of the package {family.package or 'that pickled it'}, opened in a child process",
        licence=family.licence,
        citation=family.citation,
        source=name.partition(":")[2],
        notes=("Elements, cut-off and parameters are known once it is open.",),
    )


def _base(potential: Potential) -> Card | None:
    """The card of the name that an opened potential goes by, if it goes by one."""
    if potential.name in _all_names():
        return _card_of_name(potential.name)
    if potential.name.partition(":")[0] in FAMILIES:
        return replace(_card_of_family(potential.name), notes=())
    return None


def _unknown(asked: str | Path) -> str:
    return f"no potential is called {str(asked)!r} and no saved one lies there; known names: {', '.join(names())}."
