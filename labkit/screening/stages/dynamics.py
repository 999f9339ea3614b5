"""Does it move: a short molecular dynamics at a high temperature, and the diffusion coefficient it shows."""

from __future__ import annotations

import tempfile
from math import ceil

from pydantic import Field

from labkit.errors import UnstableDynamics
from labkit.runs import quantity
from labkit.screening.candidate import Candidate, Outcome, passed, rejected
from labkit.screening.stage import Stage


class Dynamics(Stage):
    """Run a short molecular dynamics and estimate how fast an ion diffuses at that temperature."""

    potential: str = Field("chgnet", description="Name or path of the potential")
    species: str = Field("Li", description="The mobile ion")
    temperature_K: float = quantity(1000.0, "K", "Temperature (NVT)", gt=0, le=10_000)
    time_ps: float = quantity(5.0, "ps", "Length of the part that is analysed", gt=0, le=100_000)
    warm_up_ps: float = quantity(0.5, "ps", "Length of the part before it", ge=0, le=10_000)
    timestep_fs: float = quantity(2.0, "fs", "Length of a step", gt=0, le=10)
    min_length_A: float = quantity(8.0, "Å", "The cell is repeated to at least this width", gt=0, le=50)
    min_D_cm2_s: float = quantity(0.0, "cm²/s", "Keep no slower ions", ge=0)
    seed: int = Field(0, description="Seed of the first velocities and of the thermostat", ge=0)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    def judge(self, candidate: Candidate) -> Outcome:
        """Values: D_cm2_s, D_error_cm2_s, D_warning, sigma_S_cm (Nernst-Einstein), md_temperature_K, md_atoms."""
        from labkit.analysis import diffusion, nernst_einstein
        from labkit.simulators.molecular_dynamics import MolecularDynamics
        from labkit.structures import cell_widths, repeat

        atoms = candidate.atoms.copy()
        if self.species not in atoms.get_chemical_symbols():
            return rejected(f"it has no {self.species}.")
        if atoms.pbc.all():
            atoms = repeat(atoms, [max(1, ceil(self.min_length_A / width - 1e-6)) for width in cell_widths(atoms)])
        every = max(1, round(10.0 / self.timestep_fs))
        warm_up, steps = (round(1000 * time / self.timestep_fs) for time in (self.warm_up_ps, self.time_ps))
        task = MolecularDynamics(
            structure=atoms,
            potential=self.potential,
            temperature_K=self.temperature_K,
            timestep_fs=self.timestep_fs,
            steps=warm_up + steps,
            frame_interval=every,
            table_interval=every,
            checkpoint_interval=10 * every,
            seed=self.seed,
            device=self.device,
        )
        # What is kept of it are the numbers; a trajectory worth looking at is launched as a run of its own.
        with tempfile.TemporaryDirectory(prefix="labkit-md-") as store:
            try:
                run = task.run(store=store)
            except UnstableDynamics as error:
                return Outcome("failed", f"the dynamics became unstable: {error}")
            frames = run.frames(start=warm_up // every)
        found = diffusion(frames, frame_interval_fs=every * self.timestep_fs, species=self.species)
        values = {
            "D_cm2_s": found.D_cm2_s,
            "D_error_cm2_s": found.error_cm2_s,
            "D_warning": found.warning,
            "md_temperature_K": self.temperature_K,
            "md_atoms": len(atoms),
        }
        if atoms.pbc.all() and found.D_cm2_s > 0:
            ions = int((atoms.symbols == self.species).sum())
            values["sigma_S_cm"] = nernst_einstein(found.D_cm2_s, ions, float(atoms.get_volume()), self.temperature_K)
        if 0 < self.min_D_cm2_s > found.D_cm2_s:
            return rejected(
                f"D = {found.D_cm2_s:.1e} cm²/s at {self.temperature_K:g} K; at least {self.min_D_cm2_s:g} is wanted.",
                **values,
            )
        return passed(**values)
