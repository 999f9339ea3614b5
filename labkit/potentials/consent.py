"""Consent to open a pickled checkpoint: given for a content, not for a name, and kept in one readable JSON file.

A pickle is a program. `trust(path)` writes down the sha256 of what was looked at, so that worker processes and later
notebooks need not ask again, and a file that has changed since is asked about anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from labkit.errors import LabkitError


class NotTrusted(LabkitError, PermissionError):
    """A pickled checkpoint that nobody has vouched for: nothing of it was executed."""


def store() -> Path:
    """The file of consents: $LABKIT_TRUSTED, else labkit/trusted.json in the user's configuration folder."""
    named = os.environ.get("LABKIT_TRUSTED")
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(named) if named else Path(configuration) / "labkit" / "trusted.json"


def fingerprint(path: Path) -> str:
    """The sha256 of a file's content, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def trust(path: str | Path) -> str:
    """Vouch for the present content of a checkpoint, once for all; returns its sha256.

    Raises FileNotFoundError when there is no such file.
    """
    path = Path(path).expanduser().absolute()
    digest = fingerprint(path)
    known = _read()
    known[digest] = str(path)
    place = store()
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(known, indent=1, ensure_ascii=False), encoding="utf-8")
    temporary.replace(place)
    return digest


def distrust(path: str | Path) -> bool:
    """Take consent to a file's present content back; False when there was none."""
    known = _read()
    if known.pop(fingerprint(Path(path).expanduser()), None) is None:
        return False
    store().write_text(json.dumps(known, indent=1, ensure_ascii=False), encoding="utf-8")
    return True


def is_trusted(path: Path) -> bool:
    """Whether somebody vouched for the present content of this file."""
    return fingerprint(path) in _read()


def _read() -> dict[str, str]:
    try:
        known = json.loads(store().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LabkitError(
            f"{store()} lists the trusted checkpoints and cannot be read ({error}). Delete it."
        ) from error
    return known if isinstance(known, dict) else {}
