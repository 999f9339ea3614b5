"""What exploration means: dynamics, adversarial attacks, random crystals, or a function of the user's own.

The one idea: exploring is a list of jobs, each of them data in and structures out, so that one process, several, or a
Dask cluster do the same work with the same numbers; what a job found is on the disk before the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.active_learning.adversarial import Guards, attack
from labkit.active_learning.calibration import Calibration
from labkit.active_learning.committee_gradient import surface_of
from labkit.active_learning.trajectories import Sight, Watch, explore
from labkit.active_learning.uncertainty import atom_spread, member_forces
from labkit.errors import InvalidStructure
from labkit.structures import bare

if TYPE_CHECKING:
    from labkit.potentials.committee import Committee

Listen = Callable[[str], None]
Job = dict[str, Any]
#: An attack is given up after so many steps, and above this mean energy (eV/atom) of its start.
ATTACK_STEPS, ATTACK_WINDOW_eV = 60, 0.5
#: Steps of each relaxation of a random crystal, and atoms of its cell at most.
RELAX_STEPS, CRYSTAL_ATOMS = 60, 16
#: A random crystal whose atoms are too close grows by this factor along its edges until they are not.
LOOSER = 1.02


def perform(job: Job, listen: Listen, upper: Callable[[], float] | None = None) -> dict[str, Any]:
    """Do one job (see `jobs.jobs`): {"frames": extended xyz, "ends": sentences, "cpu_s": ...}.

    Every frame has the array `predicted_error` (eV/Å) and in `info` source, structure (index in the pool),
    predicted_eV_A and worst_atom, committee_energy_eV and broken. upper: the break threshold, if not the job's own.
    """
    from labkit.runs.extxyz import read_frame, write_frame

    began = time.process_time()
    committee = opened(job["committee"], job["device"])
    start = read_frame(job["frame"].encode())
    watch = Watch(Calibration(**job["calibration"]), upper or (lambda: job["upper_eV_A"]), listen)
    sights = {"md": _dynamics, "adversarial": _attacks, "random symmetric": _crystals}[job["kind"]](
        job, committee, start, watch
    )
    frames = b"".join(write_frame(as_frame(sight, job["structure"])) for sight in sights)
    return {"frames": frames.decode(), "ends": watch.ends, "cpu_s": time.process_time() - began}


def look(committee: Committee, structures: Sequence[Atoms], sources: Sequence[str], watch: Watch) -> list[Sight]:
    """What the committee thinks of structures; one that it refuses, or with atoms on top of each other, is broken."""
    sights, upper = [], watch.upper()
    for atoms, source in zip(structures, sources, strict=True):
        watch.listen(f"looking at {source}")
        try:
            if sentence := Guards().contact(atoms):
                raise InvalidStructure(sentence)
            predicted = watch.calibration(atom_spread(member_forces(committee, [atoms])[0]))
            energy = float(committee.predict([atoms], ("energy",)).energies[0])
        except (InvalidStructure, ValueError) as error:
            watch.ends.append(f"{source} is left out: {error}")
            predicted, energy = np.full(len(atoms), np.inf), float("nan")
        sights.append(Sight(atoms, predicted, energy, source, bool(predicted.max() >= upper)))
    return sights


def as_frame(sight: Sight, structure: int) -> Atoms:
    """The structure with what was thought of it, fit for a file; errors that are infinite are written as zero."""
    frame = bare(sight.atoms)
    lost = not np.isfinite(sight.predicted).all()
    worst = int(np.argmax(sight.predicted))
    frame.arrays["predicted_error"] = np.zeros(len(frame)) if lost else np.array(sight.predicted)
    frame.info |= {
        "source": sight.source,
        "structure": structure,
        "worst_atom": worst,
        "broken": bool(sight.broken),
        "lost": lost,
    }
    if not lost:
        frame.info |= {"predicted_eV_A": float(sight.predicted[worst]), "committee_energy_eV": sight.energy}
    return frame


def predicted(frame: Atoms) -> float:
    """The predicted error (eV/Å) of the worst atom of a frame that `as_frame` made; infinite when it is no physics."""
    return float("inf") if frame.info["lost"] else float(frame.info["predicted_eV_A"])


@lru_cache(maxsize=2)
def opened(folder: str, device: str) -> Committee:
    """The committee in a folder, opened once for each process."""
    from labkit.potentials.committee import Committee

    return Committee.from_folder(folder, device)


def _dynamics(job: Job, committee: Committee, start: Atoms, watch: Watch) -> list[Sight]:
    starts = [
        (start, temperature, [*job["seed"], number], f"md {temperature:g} K from {job['structure']}")
        for number, temperature in enumerate(job["temperatures_K"])
    ]
    names = ("duration_fs", "timestep_fs", "sample_every_fs", "friction_per_ps")
    return explore(committee, starts, watch, **{name: job[name] for name in names})


def _attacks(job: Job, committee: Committee, start: Atoms, watch: Watch) -> list[Sight]:
    step, source = None, f"attack on {job['structure']}"
    try:
        for step in attack(
            surface_of(committee),
            start,
            watch.calibration,
            job["wanted_eV_A"],
            guards=Guards(energy_window_eV=ATTACK_WINDOW_eV),
            max_steps=ATTACK_STEPS,
            rattle_A=job["rattle_A"],
            seed=int(np.random.SeedSequence(job["seed"]).generate_state(1)[0]),
        ):
            watch.listen(f"{source}, step {step.step}: {step.predicted_error:.3g} of {step.wanted:.3g} eV/Å")
    except InvalidStructure as error:
        watch.ends.append(f"{source} ended: {error}")
    if step is None:
        return []
    if step.reason:
        watch.ends.append(f"{source} ended at {step.predicted_error:.3g} eV/Å: {step.reason}")
    broken = step.predicted_error >= watch.upper()
    return [Sight(step.atoms, step.predicted, step.energy, f"{source}, step {step.step}", broken)]


def _crystals(job: Job, committee: Committee, start: Atoms, watch: Watch) -> list[Sight]:
    from labkit.active_learning import random_symmetric as crystals

    generator = np.random.default_rng(job["seed"])
    formula, _ = start.symbols.formula.reduce()
    times = int(generator.integers(1, max(1, CRYSTAL_ATOMS // len(formula)) + 1))
    whole = (formula * times).format("hill")
    seed = int(generator.integers(2**31))
    for group in generator.permutation(np.arange(1, 231))[:10]:
        found = list(crystals.seeds([whole], [int(group)], seed=seed))
        if found:
            break
    else:
        watch.ends.append(f"{whole} fits none of ten space groups that were drawn")
        return []
    while Guards().contact(found[0].atoms):  # drawn too dense; a young committee would not push the atoms apart
        found[0].atoms.set_cell(LOOSER * found[0].atoms.cell, scale_atoms=True)

    def refused(identifier: str, reason: str) -> None:
        watch.ends.append(f"{identifier} was left out: {reason}")

    for kind in ("volume", "full"):

        def step(number: int, active: int, kind: str = kind) -> None:
            watch.listen(f"{kind} relaxation of {whole}, step {number}")

        options = {"max_steps": RELAX_STEPS, "every_step": step, "guards": Guards()}
        found += crystals.relaxed(found[-1:], committee, kind, refused=refused, **options)
    made = found[1:] + crystals.perturbed(found[-1], crystals.Perturbations(), seed)
    return look(committee, [one.atoms for one in made], [one.id for one in made], watch)
