"""Harmonic crystals on the disk: one npz file without pickle, whole or not there at all."""

from __future__ import annotations

import io
import json
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure, UnreadableFile
from labkit.runs.atomic import write_file

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import HarmonicCrystal

#: Name of the file of structure number ... in the folder of a `Phonons` run.
FILE = "phonons-{}.npz"
KIND = "labkit harmonic crystal"
DAMAGED = (zipfile.BadZipFile, zlib.error, tokenize.TokenError, LookupError, ValueError, TypeError, EOFError, OSError)
DAMAGED += (NotImplementedError, RuntimeError)


def write(crystal: HarmonicCrystal, path: Path) -> Path:
    """Replace `path` by the crystal; raises OSError and then leaves the old file alone."""
    atoms = crystal.atoms
    about = {"kind": KIND, "version": 1, "name": str(atoms.info.get("name", ""))}
    entries = {
        "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        "numbers": atoms.numbers,
        "positions": atoms.positions,
        "cell": np.asarray(atoms.cell),
        "masses": atoms.get_masses(),
        "supercell_matrix": crystal.supercell_matrix,
        "force_constants_eV_A2": crystal.force_constants_eV_A2,
    }
    write_file(path, lambda file: np.savez_compressed(file, **entries))
    return path


def read_file(path: Path) -> HarmonicCrystal:
    """Read what `write` wrote; raises UnreadableFile with the reason and what to do."""
    from labkit.simulators.phonons_result import HarmonicCrystal

    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
            about = json.loads(data["about"].tobytes())
            if about["kind"] != KIND or about["version"] != 1:
                raise ValueError(f"it says it is {about['kind']!r}, version {about['version']}")
            atoms = Atoms(
                data["numbers"], positions=data["positions"], cell=data["cell"], masses=data["masses"], pbc=True
            )
            matrix, constants = data["supercell_matrix"], data["force_constants_eV_A2"]
    except FileNotFoundError as error:
        raise UnreadableFile(
            f"{path} does not exist; a Phonons run writes such a file when a structure is done."
        ) from error
    except DAMAGED as error:
        raise UnreadableFile(
            f"{path.name} is not a readable file of phonons ({error}); a new Phonons run writes it again."
        ) from error
    if about["name"]:
        atoms.info["name"] = about["name"]
    try:
        return HarmonicCrystal(atoms, matrix, constants)
    except InvalidStructure as error:
        raise UnreadableFile(f"{path.name} holds phonons that do not fit together: {error}") from error
