"""One run, several tasks one after the other: each sees the run folder as if it were its own.

The one idea: a checkpoint carries the name of the stage that wrote it, so a stage finds its own and no other, and the
answer of a stage that is over stays in a small file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.runs import RunContext

WHOLE = 1000


class Stage:
    """A `RunContext` for one stage of a longer task.

    share: (begin, end) of the whole progress, between 0 and 1. frames: whether frames of this stage are kept.
    """

    def __init__(
        self, context: RunContext, name: str, share: tuple[float, float] = (0.0, 1.0), *, frames: bool = True
    ) -> None:
        self._context, self.name, self._share, self._frames = context, name, share, frames

    def __getattr__(self, name: str) -> Any:
        """All that a stage does not change is that of the run."""
        return getattr(self._context, name)

    def once(self, work: Callable[[Stage], Any]) -> Any:
        """The answer of `work` (what JSON can hold), computed unless an earlier attempt has stored it."""
        file = self._context.folder / f"stage-{self.name}.json"
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        answer = work(self)
        self._context.save_json(f"stage-{self.name}", answer)
        return answer

    def progress(self, done: int, total: int, stage: str = "") -> None:
        """Report progress within the share of this stage."""
        begin, end = self._share
        self._context.progress(round(WHOLE * (begin + (end - begin) * done / max(1, total))), WHOLE, stage)

    def frame(self, atoms: Atoms, step: int) -> None:
        """Append a frame, in a stage that keeps them."""
        if self._frames:
            self._context.frame(atoms, step)

    def checkpoint(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Store what is needed to go on, under the name of this stage."""
        self._context.checkpoint(arrays, {"stage_name": self.name, "stage_state": state})

    def load_checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The newest checkpoint if this stage wrote it."""
        stored = self._context.load_checkpoint()
        if stored is None or stored[1].get("stage_name") != self.name:
            return None
        return stored[0], stored[1]["stage_state"]
