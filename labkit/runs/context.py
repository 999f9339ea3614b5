"""What a working task is given: the only pen that writes into the run folder, and the ear for Stop, Pause and controls.

Rows and frames go out at once; steps that an earlier attempt already recorded are skipped, so a task that continues
from its checkpoint just reports what it computes.
"""

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import RunCancelled
from labkit.runs import folder as names
from labkit.runs.atomic import write_file, write_json
from labkit.runs.controls import ControlReader
from labkit.runs.status import StatusWriter
from labkit.runs.tables import TableWriter

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from labkit.runs.frames import FrameWriter

PAUSE_POLL_S = 0.05


class RunContext:
    """The run as its task sees it. One thread uses it: the one that executes the task."""

    def __init__(self, folder: Path, attempt: int, status: StatusWriter) -> None:
        """Made by the worker; `attempt` is 1 for the first start and grows with every resume."""
        self.folder = folder
        self.attempt = attempt
        self.status = status
        self.stop = threading.Event()
        self.fault: OSError | None = None  # what kept the watcher from writing the status
        self._controls = ControlReader(folder)
        self._tables: dict[str, TableWriter] = {}
        self._frames: FrameWriter | None = None

    def progress(self, done: int, total: int, stage: str = "") -> None:
        """Report that `done` of `total` steps are done and what is going on; costs microseconds."""
        self._raise_fault()
        self.status.progress(done, total, stage)

    def row(self, table: str, step: int, **values: Any) -> None:
        """Append a line to `<table>.csv`, unless `step` is already recorded there; units belong in the names.

        Raises ValueError when the columns differ from those of the first line.
        """
        self._raise_fault()
        if table not in self._tables:
            self._tables[table] = TableWriter(self.folder / names.safe_name(table, ".csv"))
        self._tables[table].write(int(step), values)

    def frame(self, atoms: "Atoms", step: int) -> None:
        """Append `atoms` to the trajectory, unless `step` is already recorded.

        Energy (eV) and forces (eV/Å) are taken from `atoms.info["energy"]` and `atoms.arrays["forces"]`, or from a
        SinglePointCalculator; numbers and short texts of `atoms.info` are kept.
        """
        self._raise_fault()
        if self._frames is None:
            from labkit.runs.frames import FrameWriter

            self._frames = FrameWriter(self.folder / names.FRAMES)
        self._frames.write(atoms, int(step))

    def checkpoint(self, arrays: "dict[str, np.ndarray]", state: dict[str, Any]) -> None:
        """Store what is needed to go on from here: numeric arrays and JSON state. The previous checkpoint is kept."""
        from labkit.runs import checkpoint

        self._raise_fault()
        checkpoint.save(self.folder, arrays, state)

    def load_checkpoint(self) -> "tuple[dict[str, np.ndarray], dict[str, Any]] | None":
        """Return (arrays, state) of the newest intact checkpoint, or None; a damaged one is reported in the log."""
        from labkit.runs import checkpoint

        return checkpoint.load(self.folder, self.log)

    def stop_requested(self) -> bool:
        """Tell whether somebody asked this run to stop; cheap enough for every step. React within a second."""
        self._raise_fault()
        return self.stop.is_set()

    def raise_if_stopped(self) -> None:
        """Raise RunCancelled when somebody asked this run to stop."""
        if self.stop_requested():
            message = f"run {self.folder.name} was cancelled on request; run.resume() continues it"
            raise RunCancelled(message)

    def controls(self) -> dict[str, Any]:
        """The controls left by the notebook, such as {"temperature_K": 600}; cheap when nothing changed."""
        return self._controls.read()

    def controls_changed(self) -> bool:
        """Tell whether the controls changed since `controls` was last called."""
        return self._controls.changed()

    def pause_point(self) -> None:
        """Wait here while the run is paused; returns at once when it is asked to stop."""
        if not self.controls().get("paused"):
            return
        self.status.set_state("paused")
        while self.controls().get("paused") and not self.stop_requested():
            time.sleep(PAUSE_POLL_S)
        self.status.set_state("running")

    def log(self, message: str) -> None:
        """Append a line with the time (UTC) to the log."""
        append_log(self.folder, message)

    def save_json(self, name: str, obj: Any) -> None:
        """Replace the file `<name>.json`; raises ValueError for a name that is a path or the run's own."""
        write_json(self.folder / names.safe_name(name, ".json"), obj)

    def save_text(self, name: str, text: str) -> None:
        """Replace the text file `name`; raises ValueError for a name that is a path or the run's own."""
        write_file(self.folder / names.safe_name(name), lambda file: file.write(text.encode()))

    def close(self) -> None:
        """Close the growing files; called by the worker."""
        for table in self._tables.values():
            table.close()
        if self._frames is not None:
            self._frames.close()

    def _raise_fault(self) -> None:
        if self.fault is not None:
            raise self.fault


def append_log(folder: Path, message: str) -> None:
    """Append `message` with the time to the log of the run in `folder`."""
    with (folder / names.LOG).open("a", encoding="utf-8") as file:
        file.write(f"{names.now()} {message.rstrip()}\n")
