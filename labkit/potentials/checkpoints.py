"""Checkpoint files of other packages: which families there are, and what stands between a file and its opening.

Such files are pickles. A family names the package that reads them, the command that installs it, and its licence; the
file is opened in a child process (`foreign`), after the user has vouched for it, and is never fetched.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from labkit.potentials.consent import NotTrusted, is_trusted
from labkit.potentials.foreign import ForeignPotential
from labkit.potentials.gallery import Entry


@dataclass(frozen=True)
class Family:
    """One kind of checkpoint; `weights_from` says where people get such files."""

    name: str
    package: str
    install: str
    licence: str
    citation: str
    weights_from: str


FAMILIES = {
    one.name: one
    for one in (
        Family(
            "mace", "mace", 'pip install "mace-torch>=0.3.14"', "MIT (code); the file's own for its weights",
            "I. Batatia et al., NeurIPS 35 (2022), arXiv 2206.07697",
            "https://github.com/ACEsuit/mace-foundations/releases",
        ),
        Family(
            "orb", "orb_models", 'pip install "orb-models>=0.5"', "Apache-2.0 (code); the file's own for its weights",
            "M. Neumann et al., arXiv 2410.22570; B. Rhodes et al., arXiv 2504.06231",
            "https://github.com/orbital-materials/orb-models",
        ),
        Family(
            "sevennet", "sevenn", 'pip install "sevenn>=0.13,<0.14"', "MIT (code); the file's own for its weights",
            "Y. Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi 10.1021/acs.jctc.4c00190",
            "https://github.com/MDIL-SNU/SevenNet",
        ),
        Family(
            "mattersim", "mattersim", "pip install mattersim", "MIT (code); the file's own for its weights",
            "H. Yang et al., arXiv 2405.04967", "https://github.com/microsoft/mattersim",
        ),
        Family("pickle", "", "", "the file's own", "", "whoever wrote it"),
    )
}  # fmt: skip
#: Addresses inside these packages make calculators from pickled files: they go the same way.
PACKAGES = {family.package: family.name for family in FAMILIES.values() if family.package}


def python_of(family: Family, python: str | Path | None = None) -> str | None:
    """The interpreter that opens this family: `python`, else $LABKIT_PYTHON_<FAMILY>, else None for this one.

    MACE and SevenNet want different versions of e3nn, so at most one of them lives beside labkit.
    """
    return str(python) if python else os.environ.get(f"LABKIT_PYTHON_{family.name.upper()}") or None


def open_checkpoint(
    name: str, path: Path, device: str, *, trust: bool = False, python: str | Path | None = None
) -> ForeignPotential:
    """Open `path`, a checkpoint of the family `name`, in a child process.

    Raises ValueError when there is no such file, ModuleNotFoundError when the package is missing, NotTrusted unless
    `trust` or `labkit.potentials.trust` vouched for the file.
    """
    family, path = FAMILIES[name], Path(path).expanduser().absolute()
    if not path.is_file():
        raise ValueError(
            f"{name}:{path} names no file, and labkit downloads nothing unasked. Get the weights yourself "
            f"({family.weights_from}) and name the file: load('{name}:/path/to/file', trust=True)."
        )
    interpreter = python_of(family, python)
    require_package(family, interpreter)
    if not (trust or is_trusted(path)):
        raise NotTrusted(
            f"{path.name} is a pickled checkpoint: opening it runs whatever program is in it, and nothing was opened. "
            f"If you know where it comes from, say so: load('{name}:{path}', trust=True), or, for runs and later "
            f"notebooks too, labkit.potentials.trust('{path}')."
        )
    return ForeignPotential(
        {"family": name, "path": str(path)},
        name=f"{name}:{path}",
        level_of_theory=f"as {path.name} was trained",
        device=device,
        python=interpreter,
        checkpoint=path,
    )


def open_address(
    address: str, device: str, *, trust: bool = False, python: str | Path | None = None
) -> ForeignPotential:
    """Call `package.module:name` of a checkpoint family's package in a child process, once it is vouched for.

    Raises NotTrusted without `trust`: such functions open pickled files that they keep somewhere, or fetch them.
    """
    package = address.split(".")[0].split(":")[0]
    name = PACKAGES.get(package, "")
    if name and not trust:
        raise NotTrusted(
            f"{address} opens a pickled checkpoint of its own choice, which may run any program, or fetches it. Name "
            f"the file instead: load('{name}:/path/to/file', trust=True); or say trust=True: what lies on this disk "
            "is then opened in a child process, and nothing is downloaded."
        )
    interpreter = python
    if name:
        interpreter = python_of(FAMILIES[name], python)
        require_package(FAMILIES[name], interpreter)
    return ForeignPotential(
        {"family": "address", "path": address}, name=address, level_of_theory=address, device=device, python=interpreter
    )


def open_elsewhere(entry: Entry, device: str, python: str | Path | None = None) -> ForeignPotential | None:
    """A named potential whose weights lie in the package of another Python, in a child process; None if none is named.

    No consent is asked: the weights are part of the package that the user installed there.
    """
    family = FAMILIES.get(PACKAGES.get(entry.package, ""))
    if family is None or (entry.installed and python is None):
        return None
    interpreter = python_of(family, python)
    if interpreter is None:
        return None
    card = entry.card
    question = {"family": family.name, "path": card.name}
    return ForeignPotential(
        question, name=card.name, level_of_theory=card.level_of_theory, device=device, python=interpreter
    )


def require_package(family: Family, python: str | Path | None) -> None:
    """Raise ModuleNotFoundError, with the command, when a family's package is missing; another Python is not asked."""
    if python is None and family.package and importlib.util.find_spec(family.package) is None:
        raise ModuleNotFoundError(
            f"{family.name} checkpoints need the package {family.package}, which is not installed here: "
            f"{family.install} (or name another Python that has it in $LABKIT_PYTHON_{family.name.upper()})"
        )
