"""Where atoms come from: a library with sources, builders, files, and the check that refuses a bad structure with its
reasons.

Every function returns an `ase.Atoms`; lengths are in Å. What was mended on the way is in ``atoms.info["mended"]``.
"""

from labkit.structures.bare import bare, electrons
from labkit.structures.build_cell import cell_widths, conventional, primitive, repeat, strain, supercell, transform
from labkit.structures.build_cof import phenylene_framework, stacked
from labkit.structures.build_defects import rattle, substitute, swap_disorder, unbound, vacancy
from labkit.structures.build_surface import slab
from labkit.structures.check import MAX_ATOMS, check
from labkit.structures.describe import Description, describe, space_group
from labkit.structures.field import StructureField, as_structure, from_dict, to_dict
from labkit.structures.library import Entry, entries, entry, named, names
from labkit.structures.read import read, read_frames
from labkit.structures.read_guards import MAX_BYTES, safe_name
from labkit.structures.substitution import Substitution

__all__ = [
    "MAX_ATOMS",
    "MAX_BYTES",
    "Description",
    "Entry",
    "StructureField",
    "Substitution",
    "as_structure",
    "bare",
    "cell_widths",
    "check",
    "conventional",
    "describe",
    "electrons",
    "entries",
    "entry",
    "from_dict",
    "named",
    "names",
    "phenylene_framework",
    "primitive",
    "rattle",
    "read",
    "read_frames",
    "repeat",
    "safe_name",
    "slab",
    "space_group",
    "stacked",
    "strain",
    "substitute",
    "supercell",
    "swap_disorder",
    "to_dict",
    "transform",
    "unbound",
    "vacancy",
]
