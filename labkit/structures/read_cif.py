"""Read CIF: sites, occupancies and symmetry operations to a full cell.

ASE splits the file into tags; the cell is filled here from the operations that the file lists, so that neither the
origin nor the setting is guessed, and shared or partly filled sites are seen before anything is built.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure, UnreadableFile
from labkit.structures.check import LISTED, MAX_COORDINATE_A, ask_for_budget
from labkit.structures.cif_sites import Site, has_sites, listed_sites
from labkit.structures.cif_symmetry import block_operations, orbit


def read_cif_blocks(text: str, label: str, max_atoms: int, ordering: str | None) -> list[Atoms]:
    """Return the crystal of each data block that has one (Å)."""
    from ase.io.cif import parse_cif

    try:
        with warnings.catch_warnings(record=True) as remarks:
            warnings.simplefilter("always")
            blocks = [block for block in parse_cif(io.StringIO(text)) if has_sites(block)]
    except Exception as error:  # the parser raises nearly everything; its words go to the user, wrapped
        raise UnreadableFile(
            f"{label} cannot be read as CIF: {type(error).__name__}: {str(error)[:120]}. Check the file in an editor."
        ) from error
    if not blocks:
        raise UnreadableFile(
            f"{label} has no atoms: no data block with a cell and _atom_site_ lines was found. Is it the "
            "structure's CIF?"
        )
    _refuse_lost_rows(blocks, [str(remark.message) for remark in remarks], label)
    return [_block_atoms(block, label, max_atoms, ordering) for block in blocks]


def _refuse_lost_rows(blocks: list[Any], remarks: list[str], label: str) -> None:
    # The parser drops a row with too many words and only remarks on it: an atom may be lost.
    for block in blocks:
        n_columns = sum(1 for tag in block if tag.startswith("_atom_site_") and not tag.startswith("_atom_site_aniso"))
        for remark in remarks:
            if f"expected {n_columns}:" in remark:
                raise UnreadableFile(
                    f"{label} has a row of sites that does not fit its columns: {remark[-80:]}. Correct it."
                )


def _block_atoms(block: Any, label: str, max_atoms: int, ordering: str | None) -> Atoms:
    cell = _cell(block, label)
    rotations, translations, notes = block_operations(block, cell, label)
    sites: list[Site] = []
    for position, shares in listed_sites(block, cell, label, max_atoms):
        sites += [Site(image, shares) for image in orbit(position, rotations, translations, cell)]
        ask_for_budget(len(sites), max_atoms)
    partial = [site for site in sites if site.partial]
    if not partial:
        atoms = Atoms(
            [next(iter(site.shares)) for site in sites],
            scaled_positions=[site.position for site in sites],
            cell=cell,
            pbc=True,
        )
    elif ordering == "smallest":
        from labkit.structures.ordering import order_smallest

        atoms = order_smallest(sites, cell, max_atoms)
    else:
        raise InvalidStructure(_partial_reasons(partial, label))
    if notes:
        atoms.info["mended"] = [*atoms.info.get("mended", []), *notes]
    return atoms


def _partial_reasons(partial: list[Site], label: str) -> list[str]:
    kinds = dict.fromkeys(
        ", ".join(f"{symbol} {value:.3g}" for symbol, value in site.shares.items()) for site in partial
    )
    shown = "; ".join(list(kinds)[:LISTED]) + ("; ..." if len(kinds) > LISTED else "")
    return [
        f"{len(partial)} sites of {label} are shared or partly filled ({shown}). A simulation needs whole atoms: "
        'ask for an ordered cell with ordering="smallest".'
    ]


def _cell(block: Any, label: str) -> np.ndarray:
    from ase.geometry import cellpar_to_cell

    parameters = block.get_cellpar()
    if parameters is None or not all(isinstance(value, (int, float)) and np.isfinite(value) for value in parameters):
        raise UnreadableFile(
            f"{label} lacks a complete cell (_cell_length_a ... _cell_angle_gamma). Add the six numbers."
        )
    if not 0 < min(parameters[:3]) <= max(parameters[:3]) <= MAX_COORDINATE_A or not all(
        0 < angle < 180 for angle in parameters[3:]
    ):
        raise UnreadableFile(
            f"{label} has an impossible cell: {parameters} (Å and degrees). Lengths are above 0, angles between 0 "
            "and 180."
        )
    cosines = np.cos(np.radians(parameters[3:]))
    if 1 - np.sum(cosines**2) + 2 * np.prod(cosines) < 1e-6:
        raise UnreadableFile(f"{label} has angles that close no cell: {parameters[3:]} degrees. Check them.")
    return cellpar_to_cell(parameters)
