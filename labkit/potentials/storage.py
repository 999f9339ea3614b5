"""Potentials on disk: a folder with safetensors and JSON, no pickle, complete or not there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from torch import Tensor


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
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        temporary.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path
