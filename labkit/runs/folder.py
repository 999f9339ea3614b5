"""The layout of a run folder: one name for each file, and who may write it.

The worker writes everything but `launch.json` (the launcher) and `control.json` and `requests/` (the notebook): one
writer for each file is what makes a crash harmless.
"""

import re
import unicodedata
from datetime import UTC, datetime

TASK = "task.json"
LAUNCH = "launch.json"
STATUS = "status.json"
OWNER = "owner.lock"
REQUESTS = "requests"
CANCEL = "requests/cancel"
CONTROL = "control.json"
FRAMES = "frames.extxyz"
CHECKPOINT = "checkpoint.npz"
PREVIOUS_CHECKPOINT = "checkpoint.previous.npz"
RESULT = "result.json"
ERROR = "error.json"
LOG = "log.txt"

RESERVED = frozenset(
    {TASK, LAUNCH, STATUS, OWNER, REQUESTS, CONTROL, FRAMES, CHECKPOINT, PREVIOUS_CHECKPOINT, RESULT, ERROR, LOG}
)


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def slug(text: str, length: int = 40) -> str:
    """A file-name part made of a-z, 0-9 and single hyphens: `MolecularDynamics` gives `molecular-dynamics`."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z]{2})", "-", ascii_text)
    return re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-")[:length].strip("-")


def run_id(kind: str, name: str, suffix: str) -> str:
    """A readable run id in order of time: `20261121-142530-molecular-dynamics-licoo2-3f9a`."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    kind, name = slug(kind), slug(name)
    words = name if name.startswith(kind) else f"{kind}-{name}"
    return "-".join(part for part in (stamp, words.strip("-"), suffix) if part)


def safe_name(name: str, extension: str = "") -> str:
    """Return `name` with `extension` as a file name inside a run folder.

    Raises ValueError for a path, a hidden file, or one of the names that the run itself uses.
    """
    file_name = name if not extension or name.endswith(extension) else name + extension
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,100}", file_name):
        message = f"{name!r} cannot name a file of a run: use letters, digits, '.', '_' and '-', and no folders"
        raise ValueError(message)
    if file_name in RESERVED:
        message = f"{file_name!r} is a name that every run uses for itself; choose another one"
        raise ValueError(message)
    return file_name
