"""Potentials on disk: a folder with safetensors and JSON, no pickle, complete or not there.

Reading trusts neither file: what is damaged, foreign or not of this kind is refused with a sentence, and nothing in a
folder can run code.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from labkit.errors import UnreadableFile

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential

MAX_DESCRIPTION_BYTES = 10_000_000
#: How a file begins that is a program: a pickle, or the zip of pickles that torch writes.
PICKLES = (b"\x80", b"PK\x03\x04")


def write_potential(path: Path, description: dict[str, Any], parameters: dict[str, Tensor]) -> Path:
    """Write `path`/potential.json and `path`/model.safetensors under a temporary name, fsync, then rename.

    Raises FileExistsError when `path` is a folder that is not a saved potential.
    """
    from safetensors.torch import save_file

    path = Path(path)
    if path.exists() and not (path / "potential.json").is_file():
        raise FileExistsError(f"{path} exists and is no saved potential; choose another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        save_file(
            {name: value.cpu().contiguous() for name, value in parameters.items()}, temporary / "model.safetensors"
        )
        (temporary / "potential.json").write_text(
            json.dumps(description, indent=1, ensure_ascii=False), encoding="utf-8"
        )
        for file in temporary.iterdir():
            file.chmod(0o644)  # safetensors writes for the owner alone
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        temporary.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def write_with_parts(path: Path, description: dict[str, Any], parts: Mapping[str, Potential]) -> Path:
    """Write a potential made of others: `path`/potential.json, and a folder for each part inside; it appears at once.

    Raises FileExistsError when `path` is a folder that is not a saved potential.
    """
    path = Path(path)
    if path.exists() and not (path / "potential.json").is_file():
        raise FileExistsError(f"{path} exists and is no saved potential; choose another name.")
    whole = path.with_name(f".{path.name}.new")
    try:
        write_potential(whole, description, {})
        for name, part in parts.items():
            part.save(whole / name)
        if path.exists():
            shutil.rmtree(path)
        whole.rename(path)
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    return path


def read_potential(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Description and parameters of the potential in folder `path`, which must say that it is of this `kind`.

    Raises UnreadableFile for a file that is missing, truncated, of another kind or not what its name says, and for
    parameters that are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    file = path / "model.safetensors"
    description = _description(path / "potential.json")
    if description.get("kind") != kind:
        raise UnreadableFile(f"{path}/potential.json does not describe a potential of kind {kind!r}.")
    try:
        with file.open("rb") as handle:
            head = handle.read(9)
        # The length of its JSON comes first in a safetensors file, and may begin with the byte of a pickle.
        if head.startswith(PICKLES) and head[8:] != b"{":
            raise UnreadableFile(
                f"{file} is a pickle under the name of safetensors. A pickle is a program; nothing of it was executed. "
                "Do not use this folder unless you know who made it."
            )
        parameters = load_file(file)
    except (OSError, SafetensorError, ValueError, OverflowError, KeyError, RuntimeError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(
            f"{file} is damaged or no safetensors file ({str(error)[:200]}). Nothing of it was used; take the folder "
            "from its source again, or train again."
        ) from None
    for name, value in parameters.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UnreadableFile(f"{file} holds numbers that are not finite in {name[:80]}; train it again.")
    return description, parameters


def _description(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MAX_DESCRIPTION_BYTES:
            raise ValueError("it is larger than any description")
        said = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(said, dict):
            raise ValueError(f"it holds a {type(said).__name__}, not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(f"{file} cannot be read ({error}); take it from its source again.") from None
    return said
