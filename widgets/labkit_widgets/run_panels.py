"""Which panel shows a run: the curves and parity of a training, atoms and curves of everything else."""

from __future__ import annotations

import ipywidgets as w

from labkit.runs import Run

from .curves import LiveCurves
from .panel import Panel
from .run_view import RunView
from .training_model import is_training
from .training_view import TrainingView
from .trajectory import TrajectoryView


class RunPanel(Panel):
    """Everything about one run side by side: status above, atoms on the left, curves on the right."""

    def __init__(self, run: Run, *, height: str = "340px", status: RunView | None = None) -> None:
        self.run = run
        self.status = status or RunView(run)
        self.trajectory = TrajectoryView(run, height=height)
        self.curves = LiveCurves(run)
        left = w.VBox([self.trajectory], layout=w.Layout(flex="1 1 420px", min_width="320px", margin="0 12px 0 0"))
        right = w.VBox([self.curves], layout=w.Layout(flex="1 1 380px", min_width="300px"))
        body = w.Box([left, right], layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
        super().__init__([self.status, body])

    def release(self) -> None:
        """Close the three views."""
        for part in (self.status, self.trajectory, self.curves):
            part.close()


def panel_for(run: Run, *, status: RunView | None = None) -> RunPanel | TrainingView:
    """Return the panel that suits the run's kind; `status` is a RunView of it that is shown already."""
    return TrainingView(run, status=status) if is_training(run) else RunPanel(run, status=status)
