"""Checkpoints: arrays and JSON state in one file, without pickle, of which the last two are kept.

The new file is written beside the old one, forced to the disk and renamed, so a kill at any instant leaves one that
loads; the checksums of the zip format tell a damaged one apart.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from labkit.runs import folder as names
from labkit.runs.atomic import plain, write_file

STATE = "state.json"
ARRAY = "arrays/"
DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, OSError, NotImplementedError)


def save(folder: Path, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    """Replace the checkpoint of the run in `folder`, keeping the one before.

    Raises TypeError for arrays of Python objects and for state that is not JSON, OSError when the disk is full.
    """
    state_bytes = json.dumps(state, default=plain).encode()
    entries = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.hasobject:
            message = f"checkpoint array {name!r} holds Python objects; store numbers, or put it into the state as JSON"
            raise TypeError(message)
        entries[ARRAY + name] = array
    entries[STATE] = np.frombuffer(state_bytes, dtype=np.uint8)
    # Between the two renames inside there is no newest file, but `load` then finds the one before under its name.
    write_file(
        folder / names.CHECKPOINT,
        lambda file: np.savez(file, **entries),
        keep=folder / names.PREVIOUS_CHECKPOINT,
    )


def load(folder: Path, report: Callable[[str], None]) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Return (arrays, state) of the newest intact checkpoint, or None; `report` hears about a damaged one."""
    for name in (names.CHECKPOINT, names.PREVIOUS_CHECKPOINT):
        path = folder / name
        if not path.exists():
            continue
        try:
            # Read at once: a later read could meet a file that has been replaced meanwhile.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
                arrays = {key.removeprefix(ARRAY): data[key] for key in data.files if key.startswith(ARRAY)}
                return arrays, json.loads(data[STATE].tobytes())
        except DAMAGED as error:
            report(f"checkpoint {name} is damaged ({error}); the one before it is used if there is one")
    return None
