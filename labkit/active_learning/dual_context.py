"""What a task is given when it runs as one stage of another run: a folder of its own, and the ear of the whole run.

The one idea: whatever works as a run of its own (a nudged elastic band, a training) keeps its tables, frames and
checkpoint in a folder of the larger run, and so goes on after a kill as it would alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.active_learning.committee_training import MemberContext
from labkit.runs import RunContext
from labkit.runs import folder as names
from labkit.runs.atomic import write_file
from labkit.runs.frames import FrameWriter

if TYPE_CHECKING:
    from ase import Atoms


class StageContext(MemberContext):
    """A run's context for one stage; `report(share, sentence)` hears of its progress."""

    def __init__(self, parent: RunContext, folder: Path, report: Callable[[float, str], None]) -> None:
        super().__init__(parent, folder, lambda share: report(share, ""))
        self._say, self._frames = report, None
        self.attempt, self.status = getattr(parent, "attempt", 1), getattr(parent, "status", None)

    def progress(self, done: int, total: int, stage: str = "") -> None:
        """Tell the run which share of this stage is done, and what goes on."""
        self._say(done / max(1, total), stage)

    def frame(self, atoms: Atoms, step: int) -> None:
        """See `RunContext.frame`."""
        if self._frames is None:
            self._frames = FrameWriter(self.folder / names.FRAMES)
        self._frames.write(atoms, int(step))

    def save_text(self, name: str, text: str) -> None:
        """See `RunContext.save_text`."""
        write_file(self.folder / names.safe_name(name), lambda file: file.write(text.encode()))

    def close(self) -> None:
        """Close the growing files."""
        super().close()
        if self._frames is not None:
            self._frames.close()
