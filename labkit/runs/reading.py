"""What the state of a run is, worked out from what its folder and its lock say.

The worker's last word is believed while the lock is held, or when it is final; a free lock beside "running" is the
mark of a worker that was killed.
"""

from pathlib import Path
from typing import Any

from labkit.runs import folder as names
from labkit.runs import lock
from labkit.runs.atomic import read_json
from labkit.runs.controls import cancel_requested
from labkit.runs.status import FINAL, STATES, RunStatus

KILLED = "its worker was killed before it could finish"
STILLBORN = "its worker ended before its first report; the log may say why"


def read_status(folder: Path) -> RunStatus:
    """Return the status of the run in `folder`; raises ValueError when its files are broken."""
    launch, status = _load(folder)
    if not _spoken(launch, status):
        # Nothing from this attempt: waiting for its turn, or dead before its first word.
        attempt = int(launch.get("attempt", 1))
        if cancel_requested(folder, attempt):
            return RunStatus("cancelled", attempt=attempt)
        if launch.get("error"):
            kind, _, message = str(launch["error"]).partition(": ")
            return RunStatus("failed", attempt=attempt, error_type=kind, error_message=message or STILLBORN)
        if not launch or _starter_lives(launch) or lock.is_held(folder):
            return RunStatus("queued", attempt=attempt)
        launch, status = _load(folder)  # it may have spoken its first words since
        if not _spoken(launch, status):
            return RunStatus("interrupted", attempt=attempt, error_message=STILLBORN)
    if status["state"] not in FINAL and not lock.is_held(folder):
        status = read_json(folder / names.STATUS) or status  # it may have spoken its last words since
        if status["state"] not in FINAL:
            cancelled = cancel_requested(folder, int(status["attempt"]))
            state, message = ("cancelled", None) if cancelled else ("interrupted", KILLED)
            status = {**status, "state": state, "error_message": message, "eta_s": None}
    return _typed(status)


def _load(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not (folder / names.TASK).exists():
        message = f"{names.TASK} is gone: the run was deleted, or the folder is not a run"
        raise ValueError(message)
    status = read_json(folder / names.STATUS) or {}
    if status and (status.get("state") not in STATES or not isinstance(status.get("attempt"), int)):
        message = f"{names.STATUS} names neither a known state nor an attempt"
        raise ValueError(message)
    launch = read_json(folder / names.LAUNCH) or {}
    people = [launch.get(who, {}) for who in ("child", "launcher")]
    if not isinstance(launch.get("attempt", 1), int) or not all(isinstance(who, dict) for who in people):
        message = f"{names.LAUNCH} does not say who launched which attempt"
        raise ValueError(message)
    return launch, status


def _spoken(launch: dict[str, Any], status: dict[str, Any]) -> bool:
    return bool(status) and status["attempt"] >= launch.get("attempt", 1)


def _starter_lives(launch: dict[str, Any]) -> bool:
    # A child process speaks for itself; a place in an executor dies with the process that holds the executor.
    return lock.is_alive(launch.get("child") or launch.get("launcher") or {}) is not False


def _typed(status: dict[str, Any]) -> RunStatus:
    known = {key: status[key] for key in RunStatus.__dataclass_fields__ if key in status}
    return RunStatus(**known)
