"""Nudged elastic bands: the minimum-energy paths between many pairs of states, all images of all bands in one batch.

Improved tangents, a climbing image after a first coarse convergence, one optimiser state for each band; end states are
relaxed in the same batch, each once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, model_validator

from labkit.errors import NotConverged, RunCancelled
from labkit.runs import Run, RunContext, Task, quantity
from labkit.simulators.neb_path import MinimumEnergyPath
from labkit.simulators.neb_start import Interpolation, unwrap
from labkit.structures import StructureField

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential


class Band(BaseModel):
    """Two states of the same atoms, in the same order, that a path is wanted between."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    initial: StructureField = Field(description="Where the path begins")
    final: StructureField = Field(description="Where it ends: the same atoms in the same order, in the same cell")
    name: str = Field("", description="What it is called in tables and plots")

    @model_validator(mode="after")
    def _same_atoms(self) -> Self:
        unwrap(self.initial, self.final)
        return self


class NudgedElasticBand(Task):
    """Find the lowest path, and so the energy barrier, between two states; many pairs of states at once."""

    bands: list[Band] = Field(description="Pairs of states", min_length=1)
    potential: str = Field("chgnet", description="Name or path of the potential that gives the forces")
    images: int = quantity(5, "", "Structures on each path, its two ends not counted", ge=1, le=100)
    fmax_eV_A: float = quantity(
        0.05, "eV/Å", "Converged when no force on the band is larger than this", gt=0, le=10, label="Largest force"
    )
    climb: bool = Field(
        True, description="Let the highest image climb to the saddle once the path is coarsely converged"
    )
    spring_eV_A2: float = quantity(0.1, "eV/Å²", "Stiffness of the springs that keep images apart", gt=0, le=1000)
    relax_ends: bool = Field(True, description="Relax the end states first; otherwise they are taken as they are")
    fmax_ends_eV_A: float = quantity(0.03, "eV/Å", "Largest force in a relaxed end state", gt=0, le=10)
    interpolation: Interpolation = Field(
        "idpp", description="The start path: idpp keeps atoms apart, linear is the straight line"
    )
    max_steps: int = quantity(300, "steps", "Give a band, or an end state, up after so many steps", ge=1, le=1_000_000)
    use_symmetry: bool = Field(
        False,
        description="Hold a path symmetric where a symmetry operation turns it around: saves half of the work; a path "
        "of lower symmetry may be lower",
    )
    batch_atoms: int | None = Field(
        None, ge=1, description="Atoms in a batch at most; empty: found by trying", json_schema_extra={"unit": "atoms"}
    )
    processes: int = quantity(1, "", "Processes that share the work (on a CPU; one core each)", ge=1, le=256)
    saddle_mode: bool = Field(False, description="Find the unstable mode of each saddle by finite differences")
    profile_interval: int = quantity(5, "steps", "The profile of each band is recorded every so many steps", ge=1)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    def label(self) -> str:
        """The name of the band, or the number of bands."""
        if len(self.bands) > 1:
            return f"{len(self.bands)} bands"
        return f"Band {self.bands[0].name or self.bands[0].initial.get_chemical_formula()}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Find the paths; tables: neb (every step), bands (one row each) and profiles. Raises NotConverged when none
        converged.
        """
        from labkit.potentials import load
        from labkit.simulators.neb_run import Recorder

        context.progress(0, len(self.bands), f"loading {self.potential}")
        recorder = Recorder(self, context, load(self.potential, self.device))
        found = recorder.run()
        if not any(path.state == "converged" for path in found):
            reasons = "; ".join(f"{path.name}: {path.reason}" for path in found[:5])
            raise NotConverged(
                f"none of {len(found)} band{'s' if len(found) > 1 else ''} converged: {reasons} "
                "The paths so far are kept in the run."
            )
        return result(found)


def result(found: Sequence[MinimumEnergyPath]) -> dict[str, Any]:
    """What a run returns of its paths: numbers only; the images are in its frames and in `paths(run)`."""
    return {
        "bands": [path.to_dict(images=False) for path in found],
        "converged": [path.state == "converged" for path in found],
        "not_converged": {
            str(index): f"{path.state}: {path.reason}" for index, path in enumerate(found) if path.state != "converged"
        },
        "forward_eV": [path.forward_eV for path in found],
        "backward_eV": [path.backward_eV for path in found],
        "reaction_eV": [path.reaction_eV for path in found],
    }


def settings_of(task: NudgedElasticBand) -> Any:
    """The part of the task's fields that says how a band is treated."""
    from labkit.simulators.neb_member import Settings

    return Settings(**{name: getattr(task, name) for name in Settings.__dataclass_fields__})


def paths(run: Run | Path | str) -> list[MinimumEnergyPath]:
    """The paths of a run, in the order of its bands; of a running one those that are finished so far.

    Raises LabkitError when `run` is neither a run nor its folder.
    """
    from labkit.simulators.neb_run import PATH_FILE

    folder = (run if isinstance(run, Run) else Run(run)).folder
    files = sorted(folder.glob(PATH_FILE.format("*") + ".json"))
    return [MinimumEnergyPath.read(file) for file in files]


def find_paths(
    bands: Sequence[Band | tuple[Atoms, Atoms]],
    potential: Potential,
    *,
    images: int = 5,
    batch_atoms: int | None = None,
    report: Callable[[float, str], None] = lambda *_: None,
    stopped: Callable[[], bool] = lambda: False,
    log: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> list[MinimumEnergyPath]:
    """The paths of `bands`, in their order, without a run; `settings` are the other fields of NudgedElasticBand.

    report: called after each step with the fraction done and a sentence. stopped: asked between evaluations. Bands that
    fail come back with state "failed" and a reason. `use_symmetry=True` saves half of the work on a path that a
    symmetry operation turns around, and cannot find a lower path without that symmetry. Raises RunCancelled when
    stopped.
    """
    from labkit.simulators.neb_batch import Batch
    from labkit.simulators.neb_engine import Engine
    from labkit.simulators.neb_member import Settings

    def check() -> None:
        if stopped():
            raise RunCancelled("the search for paths was stopped on request")

    ready = [band if isinstance(band, Band) else Band(initial=band[0], final=band[1]) for band in bands]
    batch = Batch(potential, fixed=batch_atoms, log=log, check=check)
    engine = Engine(ready, batch, Settings(images=images, **settings), log=log)
    engine.watch = lambda _: report(engine.progress(), engine.describe())
    return engine.run()
