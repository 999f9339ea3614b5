"""Molecular dynamics as a task: conservation, what is written, and parameters that are refused."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms

from labkit.errors import InvalidTask
from labkit.runs import Run
from labkit.simulators import MolecularDynamics
from labkit.simulators.integrators import STATE

ENSEMBLES = tuple(STATE)


def copper(repeat: int = 2) -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat(repeat)
    atoms.rattle(0.02, seed=1)
    return atoms


def dynamics(tmp_path, **parameters) -> Run:
    parameters = {"structure": copper(), "potential": "emt", "timestep_fs": 3, "steps": 200, **parameters}
    return MolecularDynamics(**parameters).run(store=tmp_path)


def test_energy_drifts_by_less_than_a_millielectronvolt_per_atom_and_picosecond(tmp_path):
    run = MolecularDynamics(
        structure="LiCoO2",
        potential="chgnet",
        ensemble="NVE",
        temperature_K=600,
        timestep_fs=1.5,
        steps=667,
        device="cpu",
    ).run(store=tmp_path)
    table = run.table("thermo")
    slope = np.polyfit(table["time_fs"] / 1000, table["total_energy_eV"], 1)[0]
    assert abs(slope) / 12 < 1e-3  # eV/ps for each of the 12 atoms
    assert table["total_energy_eV"].std() < 0.05 * table["potential_energy_eV"].std()


@pytest.mark.parametrize("ensemble", [name for name in ENSEMBLES if name != "NVT-Langevin"])
def test_the_conserved_quantity_is_conserved(tmp_path, ensemble):
    atoms = bulk("Cu").repeat(2)
    atoms.rattle(0.02, seed=1)
    run = dynamics(tmp_path, structure=atoms, ensemble=ensemble, steps=600, thermostat_time_fs=60)
    table = run.table("thermo")
    assert np.ptp(table["conserved_energy_eV"]) < 0.03 * np.ptp(table["potential_energy_eV"]) + 5e-4


def test_the_same_seed_gives_the_same_trajectory_and_another_seed_another(tmp_path):
    one, same, other = (dynamics(tmp_path, steps=20, seed=seed).frames()[-1].positions for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_rows_and_frames_come_at_their_intervals_and_at_the_end(tmp_path):
    run = dynamics(tmp_path, steps=45, frame_interval=20, table_interval=10)
    assert run.table("thermo")["step"].tolist() == [0, 10, 20, 30, 40, 45]
    frames = run.frames()
    assert [frame.info["step"] for frame in frames] == [0, 20, 40, 45]
    assert [frame.info["time_fs"] for frame in frames] == [0, 60, 120, 135]
    assert frames[0].get_forces().shape == (32, 3)
    result = run.result()
    assert result["steps"] == 45
    assert result["time_ps"] == pytest.approx(0.135)


def test_the_first_velocities_have_exactly_the_wanted_temperature_and_no_drift(tmp_path):
    run = dynamics(tmp_path, steps=1, ensemble="NVE", temperature_K=300, initial_temperature_K=450)
    assert run.table("thermo")["temperature_K"][0] == pytest.approx(450)


def test_positions_are_not_wrapped_so_that_displacements_can_be_read_off(tmp_path):
    atoms = copper()
    atoms.set_momenta(np.tile([30.0, 0, 0], (32, 1)) * np.where(np.arange(32) % 2, 1, -1)[:, None])
    run = dynamics(tmp_path, structure=atoms, ensemble="NVE", keep_velocities=True, steps=100, max_temperature_K=1e6)
    moved = run.frames()[-1].positions - run.frames()[0].positions
    largest_step = max(
        np.abs(after.positions - before.positions).max()
        for before, after in zip(run.frames()[:-1], run.frames()[1:], strict=True)
    )
    assert largest_step < atoms.cell.lengths()[0] / 2
    assert np.abs(moved).max() > 0.5


def test_a_barostat_finds_the_volume_of_zero_pressure(tmp_path):
    squeezed = bulk("Cu").repeat(2)
    squeezed.set_cell(squeezed.cell.array * 0.98, scale_atoms=True)
    run = dynamics(
        tmp_path,
        structure=squeezed,
        ensemble="NPT-isotropic",
        temperature_K=100,
        steps=800,
        barostat_time_fs=150,
        thermostat_time_fs=50,
    )
    table = run.table("thermo")
    assert table["pressure_GPa"][0] > 5
    assert abs(table["pressure_GPa"][-80:].mean()) < 1.0


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"temperature_K": -5}, "-5.*greater than or equal to 0.*unit: K"),
        ({"timestep_fs": 500}, "500.*less than or equal to 10.*unit: fs"),
        ({"timestep_fs": 0}, "greater than 0"),
        ({"ensemble": "NVTT"}, "NVT-Langevin"),
        ({"structure": "water", "ensemble": "NPT-isotropic"}, "periodic in all directions"),
        ({"structure": bulk("Cu")}, "one atom alone"),
        ({"temperature_K": 0, "ensemble": "NVT-Bussi"}, "cannot reach 0 K"),
        ({"temprature_K": 300}, "did you mean temperature_K"),
        ({"structure": "unobtainium"}, "unobtainium"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_in_a_sentence(parameters, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        MolecularDynamics(**parameters)


def test_constraints_are_refused_since_a_run_would_not_keep_them():
    slab = copper()
    slab.set_constraint(FixAtoms([0, 1]))
    with pytest.raises(InvalidTask, match=r"FixAtoms.*set_constraint\(\)"):
        MolecularDynamics(structure=slab)


def test_too_many_atoms_are_a_sentence_of_the_task():
    with pytest.raises(InvalidTask, match=r"32,000 atoms are .* the limit"):
        MolecularDynamics(structure=bulk("Cu", cubic=True).repeat(20))


def test_a_task_survives_its_journey_through_json():
    task = MolecularDynamics(structure="LiFePO4", temperature_K=900, ensemble="NVT-Bussi", seed=3)
    again = MolecularDynamics.from_json(task.to_json())
    assert again.to_dict() == task.to_dict()
