"""The small molecules, alone and in pairs, on which coupled cluster is affordable: what a correction is learned from.

The one idea: a local correction to tight binding sees no further than its cut-off, so molecules of a few atoms and
pairs of them already hold every neighbourhood of a large framework (arXiv:2508.14306; methods B 2.1).
"""

from __future__ import annotations

import re

from ase import Atoms
from ase.build import molecule

from labkit.errors import InvalidTask

#: Formula -> its name in ASE's collection of the G2 set; of several isomers the most stable one.
MONOMERS: dict[str, str] = {
    "H2": "H2",
    "CH4": "CH4",
    "C2H2": "C2H2",
    "C2H4": "C2H4",
    "C2H6": "C2H6",
    "C3H4": "C3H4_C3v",
    "C3H6": "C3H6_Cs",
    "C4H6": "butadiene",
    "C6H6": "C6H6",
}
#: The list of the published workflow.
PUBLISHED = (*MONOMERS, "(H2)2", "(CH4)2", "(C2H4)2", "C2H4-H2", "C6H6-H2", "(C2H2)2")
_REPEATED = re.compile(r"\((\w+)\)([2-4])")


def parts(name: str) -> tuple[str, ...]:
    """The monomers of a fragment: "(H2)2" -> ("H2", "H2"), "C2H4-H2" -> ("C2H4", "H2").

    Raises InvalidTask for a molecule that is not in `MONOMERS`, or more than four of them.
    """
    repeated = _REPEATED.fullmatch(name)
    found = (repeated[1],) * int(repeated[2]) if repeated else tuple(name.split("-"))
    unknown = [one for one in found if one not in MONOMERS]
    if unknown or len(found) > 4:
        raise InvalidTask(
            f"{name!r} is no fragment; a fragment is one of {', '.join(MONOMERS)}, or up to four of them: (CH4)2, "
            "C2H4-H2."
        )
    return found


def monomer(formula: str) -> Atoms:
    """One molecule at its geometry in the G2 set (MP2/6-31G*), a start for a relaxation."""
    atoms = molecule(MONOMERS[formula])
    clean = Atoms(atoms.numbers, atoms.positions - atoms.get_center_of_mass())
    clean.info["name"] = formula
    return clean
