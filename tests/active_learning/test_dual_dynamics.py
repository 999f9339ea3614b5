"""Barriers beside the activation energy of dynamics: a walk whose energy is known, and one that is too short."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units

from labkit.active_learning.dual_dynamics import compare_with_dynamics
from labkit.simulators import batched_dynamics
from labkit.simulators.batched_dynamics_trajectory import DynamicsTrajectory, Plan
from tests.active_learning.test_dual_labels import path_of

ACTIVATION_EV, LENGTH_A, FRAME_FS = 0.25, 12.0, 50.0


def walk(temperature_K, index, frames=400, ions=24):
    """Ions that walk at random with the variance that an Arrhenius law gives them."""
    rng = np.random.default_rng(index)
    spread = np.sqrt(0.6 * np.exp(-ACTIVATION_EV / (units.kB * temperature_K)) * 100)
    places = np.cumsum(rng.normal(scale=spread, size=(frames, ions, 3)), axis=0)
    made = [Atoms(f"Li{ions}", positions=one, cell=[LENGTH_A] * 3, pbc=True) for one in places]
    plan = Plan(index, 0, "model", temperature_K, 0, "Li")
    return DynamicsTrajectory(plan, "finished", "", FRAME_FS, made)


@pytest.fixture
def dynamics(monkeypatch):
    some = [walk(T, index) for index, T in enumerate((600.0, 800.0, 1000.0, 1300.0))]
    monkeypatch.setattr(batched_dynamics, "trajectories", lambda run: some)
    return some


def test_the_activation_energy_of_a_walk_is_found_and_agrees_with_the_right_barrier_only(dynamics):
    (row,) = compare_with_dynamics({"teacher": 0.25, "student": 0.6}, "a run", doubtful=True)
    assert row["structure"] == "model"
    assert row["md_activation_eV"] == pytest.approx(ACTIVATION_EV, abs=4 * row["md_error_eV"])
    assert row["md_error_eV"] < 0.05
    assert not row["student_agrees"]
    assert row["student_difference_eV"] == pytest.approx(row["md_activation_eV"] - 0.6)
    assert (row["low_K"], row["high_K"], row["temperatures"]) == (600, 1300, 4)


def test_the_higher_direction_of_paths_that_converged_counts(dynamics):
    path = replace(path_of([0.0, 0.5, 0.1]), name="hop")
    lost = replace(path, name="lost", state="not converged")
    (row,) = compare_with_dynamics([path, lost], "a run", doubtful=True)
    assert row["hop_eV"] == pytest.approx(0.5)
    assert "lost_eV" not in row


def test_too_few_temperatures_give_a_reason_and_no_number(dynamics):
    del dynamics[1:]
    (row,) = compare_with_dynamics({"teacher": 0.25}, "a run")
    assert np.isnan(row["md_activation_eV"])
    assert "temperature" in row["reason"]
    assert row["teacher_agrees"] is None


def test_a_trajectory_that_stopped_as_unstable_bends_no_line(dynamics):
    (before,) = compare_with_dynamics({"teacher": 0.25}, "a run", doubtful=True)
    dynamics.append(replace(walk(2500.0, 9), state="failed", reason="step 9: the temperature reached 30000 K"))
    (row,) = compare_with_dynamics({"teacher": 0.25}, "a run", doubtful=True)
    assert row == before
    del dynamics[1:-1]
    (row,) = compare_with_dynamics({"teacher": 0.25}, "a run", doubtful=True)
    assert "1 of 2 trajectories stopped as unstable" in row["reason"]


def test_a_framework_that_melts_is_fitted_on_request_only(dynamics):
    for number, one in enumerate(dynamics):
        host = np.cumsum(np.random.default_rng(number).normal(scale=0.3, size=(400, 4, 3)), axis=0)
        frames = [a + Atoms("O4", positions=b) for a, b in zip(one.frames, host, strict=True)]
        dynamics[number] = replace(one, frames=frames)
    (row,) = compare_with_dynamics({"teacher": 0.25}, "a run")
    assert np.isnan(row["md_activation_eV"])
    (row,) = compare_with_dynamics({"teacher": 0.25}, "a run", doubtful=True)
    assert np.isfinite(row["md_activation_eV"])


def test_without_a_barrier_there_is_nothing_to_compare(dynamics):
    with pytest.raises(ValueError, match="none of the paths converged"):
        compare_with_dynamics({"teacher": float("nan")}, "a run")
