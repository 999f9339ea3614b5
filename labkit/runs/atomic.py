"""Files that are either the old version or the new one, never half of each.

Everything is written under a temporary name in the same folder, forced to the disk, and renamed.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def plain(value: Any) -> Any:
    """Turn what JSON does not know (NumPy numbers and arrays, paths) into what it does.

    Raises TypeError, naming the type, for anything else.
    """
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    message = f"a {type(value).__name__} cannot be written as JSON; use numbers, strings, lists, dicts or NumPy arrays"
    raise TypeError(message)


def write_file(
    path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True, keep: Path | None = None
) -> None:
    """Replace `path` by what `write(file)` writes; raises OSError and then leaves the old version alone.

    With `durable` it survives a power cut; the old version lives on under the name `keep`, if one is given.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if keep is not None and path.exists():
            path.replace(keep)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replace the JSON file `path`; raises TypeError (not JSON) or OSError, leaving the old version alone."""
    data = json.dumps(value, default=plain, indent=1, ensure_ascii=False).encode()
    write_file(path, lambda file: file.write(data), durable=durable)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None when there is no such file; raises ValueError, naming the file, when it is broken."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        message = f"{path.name} is not readable JSON ({error})"
        raise ValueError(message) from error
    if not isinstance(value, dict):
        message = f"{path.name} holds a {type(value).__name__} where an object was expected"
        raise ValueError(message)
    return value


def sync_folder(folder: Path) -> None:
    """Force a rename in `folder` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
