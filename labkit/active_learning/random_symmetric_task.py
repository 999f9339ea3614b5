"""Random symmetric crystals as a run: drawn, relaxed in volume, relaxed fully, perturbed, group after group.

Work goes in portions of seeds; a portion that is done is in the checkpoint, so a resume repeats at most one.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from pydantic import Field, field_validator

from labkit.active_learning.random_symmetric import Crystal, Perturbations, composition, perturbed, relaxed, seeds
from labkit.errors import InvalidTask, NotConverged
from labkit.runs import RunContext, Task, quantity


class RandomSymmetric(Task):
    """Make a training set of random crystals of many space groups, relaxed and perturbed (ASSYST)."""

    formulas: list[str] = Field(["Cu1", "Cu2", "Cu3", "Cu4"], description="Contents of the cells", min_length=1)
    space_groups: list[int] = Field(list(range(1, 231)), description="Space groups 1 to 230", min_length=1)
    per_group: int = quantity(1, "", "Crystals of each formula in each group", ge=1, le=1000)
    potential: str = Field("chgnet", description="Name or path of the potential that relaxes")
    tolerance: Literal["metallic", "atomic", "molecular", "vdW"] = Field(
        "metallic", description="Radii that random atoms keep from each other (pyxtal)"
    )
    max_aspect: float = quantity(6.0, "", "Longest over shortest side of a cell", ge=1)
    fmax_eV_A: float = quantity(0.05, "eV/Å", "Relaxed when no generalised force is larger", gt=0, le=10)
    max_steps: int = quantity(200, "steps", "Steps of each relaxation at most", ge=1, le=100_000)
    n_rattle: int = quantity(4, "", "Rattled copies of each minimum", ge=0, le=100)
    rattle_A: float = quantity(0.25, "Å", "Standard deviation of the rattle", ge=0, le=2)
    n_stretch: int = quantity(4, "", "Stretched copies of each minimum", ge=0, le=100)
    stretch: float = quantity(0.8, "", "Largest strain along the axes", ge=0, lt=1)
    shear: float = quantity(0.2, "", "Largest shear strain", ge=0, lt=1)
    portion: int = quantity(16, "seeds", "Seeds relaxed in one batch", ge=1, le=10_000)
    seed: int = quantity(0, "", "Seed of all random numbers", ge=0)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @field_validator("space_groups")
    @classmethod
    def _are_space_groups(cls, groups: list[int]) -> list[int]:
        if wrong := [group for group in groups if not 1 <= group <= 230]:
            raise InvalidTask(f"{wrong[0]} is no space group; they are numbered 1 to 230.")
        return groups

    @field_validator("formulas")
    @classmethod
    def _are_formulas(cls, formulas: list[str]) -> list[str]:
        for formula in formulas:
            composition(formula)
        return formulas

    def label(self) -> str:
        """First formula and the number of grid points."""
        return f"Random crystals {self.formulas[0]}, {len(self.formulas) * len(self.space_groups)} grid points"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Make them; frames are all structures kept, each with its provenance in `info` (see `Crystal.frame`); tables:
        "crystals" (one row a frame) and "refused" (what could not be made, and why). Raises NotConverged when no grid
        point gave a crystal.
        """
        from labkit.potentials import load

        total = len(self.formulas) * len(self.space_groups) * self.per_group
        context.progress(0, total, f"loading {self.potential}")
        potential = load(self.potential, self.device)
        stored = context.load_checkpoint()
        state = stored[1] if stored else {"portions": 0, "kept": 0, "refused": 0, "counts": {}}
        grid = [(formula, group) for formula in self.formulas for group in self.space_groups]
        portions = [grid[first : first + self.portion] for first in range(0, len(grid), self.portion)]
        for number, part in enumerate(portions):
            if number >= state["portions"]:
                self._portion(part, potential, context, state)
                state["portions"] = number + 1
                context.checkpoint({}, state)
            context.progress(min((number + 1) * self.portion * self.per_group, total), total, f"{state['kept']} kept")
        if not state["kept"]:
            raise NotConverged(
                "no space group fits these formulas: allow others, or more atoms. See the table refused."
            )
        return {key: state[key] for key in ("kept", "refused", "counts")}

    def _portion(self, part: Any, potential: Any, context: RunContext, state: dict[str, Any]) -> None:
        """Some grid points from seed to perturbed crystals."""

        def refused(identifier: str, reason: str) -> None:
            context.row("refused", state["refused"], id=identifier, reason=reason)
            state["refused"] += 1

        options = {"fmax_eV_A": self.fmax_eV_A, "max_steps": self.max_steps, "refused": refused}
        start: list[Crystal] = []
        for formula, group in part:
            context.raise_if_stopped()
            start += seeds(
                [formula],
                [group],
                per_group=self.per_group,
                tolerance=self.tolerance,
                max_aspect=self.max_aspect,
                seed=self.seed,
                refused=refused,
            )
        volume = relaxed(
            start, potential, "volume", every_step=partial(self._listen, context, state, "volume"), **options
        )
        full = relaxed(volume, potential, "full", every_step=partial(self._listen, context, state, "full"), **options)
        settings = Perturbations(self.n_rattle, self.rattle_A, self.n_stretch, self.stretch, self.shear)
        moved = [copy for crystal in full for copy in perturbed(crystal, settings, self.seed)]
        for crystal in (*start, *volume, *full, *moved):
            self._keep(crystal, context, state)

    def _listen(self, context: RunContext, state: dict[str, Any], stage: str, step: int, active: int) -> None:
        """Between two steps of a relaxation: Stop, Pause and what is going on."""
        context.raise_if_stopped()
        context.pause_point()
        total = len(self.formulas) * len(self.space_groups) * self.per_group
        done = min(state["portions"] * self.portion * self.per_group, total)
        context.progress(done, total, f"{stage} relaxation: step {step}, {active} still moving")

    @staticmethod
    def _keep(crystal: Crystal, context: RunContext, state: dict[str, Any]) -> None:
        context.row(
            "crystals",
            state["kept"],
            id=crystal.id,
            parent=crystal.parent,
            stage=crystal.step,
            atoms=len(crystal.atoms),
            requested_space_group=crystal.requested,
            space_group=crystal.found,
            volume_A3_atom=float(crystal.atoms.get_volume()) / len(crystal.atoms),
            energy_eV_atom=float("nan") if crystal.energy is None else crystal.energy / len(crystal.atoms),
        )
        context.frame(crystal.frame(), state["kept"])
        state["kept"] += 1
        state["counts"][crystal.step] = state["counts"].get(crystal.step, 0) + 1
