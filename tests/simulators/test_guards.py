"""Dynamics that leaves physics stops, names the atom, the step and the cause, and keeps the last good frame."""

import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.singlepoint import SinglePointCalculator

from labkit.errors import UnstableDynamics
from labkit.runs import Store
from labkit.simulators import MolecularDynamics
from labkit.simulators.guards import Guard
from labkit.structures.contacts import any_contact, nearest_contacts


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.02, seed=1)
    return atoms


def with_results(atoms: Atoms, **results) -> Atoms:
    results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))} | results
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def test_a_force_that_is_not_a_number_is_named():
    forces = np.zeros((4, 3))
    forces[2, 1] = np.nan
    with pytest.raises(UnstableDynamics, match=r"step 7: the force of atom 2 \(Cu\)") as caught:
        Guard(1e4).check(with_results(copper(), forces=forces), 7, 300)
    assert (caught.value.atom, caught.value.step, caught.value.cause) == (2, 7, "non-finite")


def test_an_energy_that_is_not_a_number_is_named():
    with pytest.raises(UnstableDynamics, match="the energy is no longer"):
        Guard(1e4).check(with_results(copper(), energy=float("inf")), 1, 300)


def test_atoms_that_fuse_are_named_across_the_cell_border():
    atoms = copper()
    atoms.positions[1] = atoms.positions[0] - atoms.cell[0] + [0.3, 0, 0]
    with pytest.raises(UnstableDynamics, match=r"atoms 0 \(Cu\) and 1 \(Cu\) are 0.30 Å apart.*limit is 0.5"):
        Guard(1e4).check(with_results(atoms), 3, 300)


def test_the_quick_look_at_every_step_finds_a_contact_where_there_is_one():
    rng, touching = np.random.default_rng(0), 0
    for _ in range(600):
        cell = np.diag(rng.uniform(0.3, 6, 3)) + rng.uniform(-2, 2, (3, 3)) * rng.integers(0, 2)
        n_atoms, periodic = rng.integers(1, 9), rng.integers(0, 2, 3).astype(bool)
        places = rng.uniform(-10, 10, (n_atoms, 3)) * np.where(periodic, 1, 0.2)
        atoms = Atoms(f"H{n_atoms}", places, cell=cell, pbc=periodic)
        found = nearest_contacts(atoms, 0.5)
        assert any_contact(atoms, 0.5) == bool(found)
        touching += bool(found)
    assert 60 < touching < 540


def test_a_run_with_a_potential_that_needs_no_torch_does_not_wait_for_it(tmp_path):
    code = (
        "import sys; from ase.build import bulk; from labkit.simulators import MolecularDynamics; "
        f"MolecularDynamics(structure=bulk('Cu', cubic=True), potential='emt', steps=2).run(store={str(tmp_path)!r}); "
        "print('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False"]


def test_a_temperature_above_the_limit_names_the_fastest_atom():
    atoms = with_results(copper())
    momenta = np.zeros((4, 3))
    momenta[3] = [100, 0, 0]
    atoms.set_momenta(momenta)
    with pytest.raises(
        UnstableDynamics, match=r"reached 20000 K, the limit is 5000 K; the fastest atom is 3"
    ) as caught:
        Guard(5000).check(atoms, 3, 20_000)
    assert caught.value.cause == "temperature"


def test_a_trajectory_that_heats_up_ends_the_run_and_keeps_the_last_good_frame(tmp_path):
    atoms = copper().repeat(2)
    atoms.rattle(0.1, seed=2)
    task = MolecularDynamics(
        structure=atoms,
        potential="emt",
        ensemble="NVE",
        temperature_K=10,
        timestep_fs=3,
        steps=500,
        frame_interval=1000,
        max_temperature_K=150,
    )
    with pytest.raises(
        UnstableDynamics, match=r"step \d+: the temperature reached \d+ K, the limit is 150 K"
    ) as caught:
        task.run(store=tmp_path)
    (run,) = Store(tmp_path).runs()
    assert run.state == "failed"
    assert "Use a shorter time step" in run.status().error_message
    assert run.frames()[-1].info["step"] == caught.value.step - 1 > 0
    assert len(run.json("last_good")["symbols"]) == 32


class NaNAfter(Calculator):
    """Gives NaN forces from the third evaluation on."""

    implemented_properties = ("energy", "forces")
    calls = 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        value = np.nan if self.calls > 2 else 0.0
        self.results = {"energy": 0.0, "forces": np.full((len(atoms), 3), value)}


def test_nan_in_the_middle_of_a_run_is_never_written_to_the_trajectory(tmp_path):
    task = MolecularDynamics(
        structure=copper(), potential=f"{__name__}:NaNAfter", ensemble="NVE", steps=50, frame_interval=1
    )
    with pytest.raises(UnstableDynamics, match="no longer a finite number"):
        task.run(store=tmp_path)
    (run,) = Store(tmp_path).runs()
    assert all(np.isfinite(frame.positions).all() for frame in run.frames())


def test_atoms_that_leave_the_potential_s_domain_end_the_run_with_the_last_good_frame(tmp_path):
    pair = Atoms("LiCl", positions=[[0, 0, 0], [0, 0, 5.9]])
    pair.set_momenta([[0, 0, -20], [0, 0, 20]])
    task = MolecularDynamics(
        structure=pair, potential="chgnet", ensemble="NVE", keep_velocities=True, steps=200, max_temperature_K=1e6
    )
    with pytest.raises(UnstableDynamics, match=r"step \d+: atom 0 \(Li\).*no neighbour within 6 Å"):
        task.run(store=tmp_path)
    (run,) = Store(tmp_path).runs()
    distances = [frame.get_distance(0, 1) for frame in run.frames()]
    assert max(distances) <= 6.0
    assert run.json("last_good")["symbols"] == ["Li", "Cl"]
