"""Which panel shows a run: trainings, campaigns, attacks, bands, screenings, explorations, phonons have their own.

Atoms and curves show everything else.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from labkit.runs import Run

from .active_learning_model import is_active_learning
from .active_learning_view import ActiveLearningView
from .arrhenius_model import is_batched_dynamics
from .arrhenius_view import ArrheniusView
from .attack_model import is_attack
from .attack_view import AttackView
from .curves import LiveCurves
from .exploration_model import is_landscape_exploration
from .exploration_view import ExplorationView
from .neb_source import is_nudged_elastic_band
from .neb_view import NebView
from .panel import Panel
from .phonon_source import is_phonons
from .phonon_view import PhononView
from .run_view import RunView
from .screening_model import is_screening
from .screening_table import ScreeningTable
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


#: Who shows what, the first that says yes.
_KINDS: tuple[tuple[Callable[[Run], bool], type[Panel]], ...] = (
    (is_training, TrainingView),
    (is_active_learning, ActiveLearningView),
    (is_attack, AttackView),
    (is_nudged_elastic_band, NebView),
    (is_batched_dynamics, ArrheniusView),
    (is_screening, ScreeningTable),
    (is_landscape_exploration, ExplorationView),
    (is_phonons, PhononView),
)


def panel_for(run: Run, *, status: RunView | None = None) -> Panel:
    """Return the panel that suits the run's kind; `status` is a RunView of it that is shown already."""
    view = next((view for suits, view in _KINDS if suits(run)), RunPanel)
    return view(run, status=status)
