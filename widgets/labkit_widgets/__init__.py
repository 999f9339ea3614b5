"""The front end of labkit in a notebook: pick a structure, fill in a task, watch the run, read the curves.

Widgets are thin: every number they show comes from `labkit`, everything shown can be had as an object in the next cell
(`picker.structure`, `form.task`, `view.run`), and an error stands beside the control that caused it.
"""

from labkit_widgets.active_learning_view import ActiveLearningView
from labkit_widgets.arrhenius_view import ArrheniusView
from labkit_widgets.attack_view import AttackView
from labkit_widgets.curves import Curves, LiveCurves
from labkit_widgets.dataset_browser import DatasetBrowser
from labkit_widgets.diffusion import DiffusionView
from labkit_widgets.error_view import ErrorView
from labkit_widgets.exploration_view import ExplorationView
from labkit_widgets.form import TaskForm
from labkit_widgets.hop_explorer import HopExplorer
from labkit_widgets.hull_view import HullView
from labkit_widgets.iso_surface import IsoSurface
from labkit_widgets.laboratory import Lab, lab
from labkit_widgets.landscape_view import LandscapeView
from labkit_widgets.launcher import Launcher
from labkit_widgets.neb_view import NebView
from labkit_widgets.phase_diagram_view import PhaseDiagramView
from labkit_widgets.phonon_view import PhononView
from labkit_widgets.picker import StructurePicker
from labkit_widgets.potential_card import PotentialCard
from labkit_widgets.run_browser import RunBrowser
from labkit_widgets.run_panels import RunPanel, panel_for
from labkit_widgets.run_view import RunView
from labkit_widgets.screening_table import ScreeningTable
from labkit_widgets.shelf import Shelf
from labkit_widgets.spectrum_view import SpectrumView
from labkit_widgets.training_view import TrainingView
from labkit_widgets.trajectory import TrajectoryView
from labkit_widgets.viewer import AtomsView

__all__ = [
    "ActiveLearningView",
    "ArrheniusView",
    "AtomsView",
    "AttackView",
    "Curves",
    "DatasetBrowser",
    "DiffusionView",
    "ErrorView",
    "ExplorationView",
    "HopExplorer",
    "HullView",
    "IsoSurface",
    "Lab",
    "LandscapeView",
    "Launcher",
    "LiveCurves",
    "NebView",
    "PhaseDiagramView",
    "PhononView",
    "PotentialCard",
    "RunBrowser",
    "RunPanel",
    "RunView",
    "ScreeningTable",
    "Shelf",
    "SpectrumView",
    "StructurePicker",
    "TaskForm",
    "TrainingView",
    "TrajectoryView",
    "lab",
    "panel_for",
]
