"""A task that writes the tables and the network of a landscape exploration without any physics: food for its view."""

import time
from typing import Any, ClassVar

import numpy as np
from ase.build import molecule

from labkit.landscapes.network import KineticNetwork
from labkit.runs import RunContext, Task, quantity

#: Found before the first saddle is looked for.
FIRST = 4


class PretendsToExplore(Task):
    """Ethanol, shaken: each step finds a minimum, a transition state, or fails; kill it and it goes on where it was."""

    kind: ClassVar[str] = "LandscapeExploration"

    minima: int = quantity(12, "", "How many minima there are", ge=1)
    pause_s: float = quantity(0.0, "s", "Time of a step", ge=0)
    seed: int = quantity(0, "", "Seed")

    def execute(self, context: RunContext) -> dict[str, Any]:
        """A chain of minima with side branches, a second saddle for every third pair, and a loop."""
        path, loaded = context.folder / "network.json", context.load_checkpoint()
        state = loaded[1] if loaded else {"step": 0, "network": KineticNetwork(molecule("CH3CH2OH").symbols).to_dict()}
        step, network = state["step"], KineticNetwork.from_dict(state["network"])
        work = self.work()
        while step < len(work):
            context.pause_point()
            context.raise_if_stopped()
            stage, what = work[step]
            rng = np.random.default_rng((self.seed, step))
            if what is None:
                reason = (
                    f"pair {step % 3} and {step % 5}: the band did not converge in 100 steps ({rng.random():.3f} eV/Å)"
                )
                context.row("failures", step, stage=stage, reason=reason)
            else:
                self.find(context, network, stage, what, rng)
                network.write(path)
            lowest = network.global_minimum.energy_eV
            context.row(
                "growth", step, time_s=0.5 * (step + 1), stage=stage, minima=network.n_minima,
                transition_states=network.n_transition_states, components=len(network.components()),
                evaluations=120 * (step + 1), energy_eV=lowest,
            )  # fmt: skip
            step += 1
            context.checkpoint({}, {"step": step, "network": network.to_dict()})
            context.progress(step, len(work), f"{stage}: {network.n_minima} minima")
            time.sleep(self.pause_s)
        return {"minima": network.n_minima, "transition_states": network.n_transition_states}

    def work(self) -> list[tuple[str, Any]]:
        """(stage, what) of each step: a minimum's number, a pair of minima, or None for a failure."""
        steps: list[tuple[str, Any]] = [("hopping", number) for number in range(min(FIRST, self.minima))]
        steps.append(("hopping", None))
        for number in range(1, self.minima):
            if number >= FIRST:
                steps.append(("single-ended", number))
            other = number - 1 if number % 4 else number // 2
            steps.append(("double-ended", (number, other)))
            if number % 3 == 0:
                steps += [("double-ended", (number, other)), ("single-ended", None)]
            if number == 5:
                steps.append(("single-ended", (5, 5)))
        return steps

    def find(self, context: RunContext, network: KineticNetwork, stage: str, what: Any, rng: Any) -> None:
        """Add a minimum or a saddle to the network, the tables and the frames."""
        atoms = molecule("CH3CH2OH")
        atoms.rotate(float(rng.uniform(0, 360)), "z")
        atoms.positions += rng.normal(0, 0.06, (9, 3))
        info = {"found_by": stage, "number": network.n_minima + network.n_transition_states}
        if isinstance(what, int):
            energy = -10.0 + (0.0 if what == 2 else float(rng.uniform(0.02, 0.4)))
            network.add_minimum(energy, atoms.positions, info=info)
            context.row("minima", what, minimum=what, energy_eV=energy, found_by=stage)
        else:
            energy = max(network.minima[end].energy_eV for end in what) + float(rng.uniform(0.05, 0.6))
            number = network.add_transition_state(what, energy, atoms.positions, info=info)
            context.row(
                "transition_states", number, transition_state=number, first=what[0], second=what[1], energy_eV=energy,
                curvature=-float(rng.uniform(1, 9)), found_by=stage,
            )  # fmt: skip
        atoms.info.update(energy=energy, found_by=stage)
        context.frame(atoms, info["number"])
