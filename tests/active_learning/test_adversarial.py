"""Attacks: the gradient is one, the dial goes where it is turned, the guards hold, the true error is the wanted one."""

from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms

from labkit.active_learning import (
    Attack,
    ByAutograd,
    ByDifferences,
    Calibration,
    Guards,
    atom_error,
    atom_spread,
    attack,
    fit_power_law,
    member_forces,
    objective,
    surface_of,
)
from labkit.errors import InvalidStructure, InvalidTask
from labkit.potentials.committee import Committee
from tests.active_learning.toy import cluster, committee
from tests.potentials.made import crystal, small

LAW = Calibration("given", 0.7, 0.73)
WIDE = Guards(energy_window_eV=1.0)
KINDS = {
    "CAMP-L": {"architecture": "CAMP-L"},
    "latent charges": {"architecture": "CAMP-L", "long_range": True, "dl_A": 1.5},
    "CAMP": {"architecture": "CAMP"},
}


def camps(**kind):
    return Committee([small(seed=seed, **kind) for seed in range(3)])


def calibrated(seed):
    """A toy's truth, its members, and the law fitted on rattled clusters that the members were not fitted on."""
    truth, members = committee(seed)
    generator = np.random.default_rng(100 + seed)
    pool = [cluster(generator, amplitude) for amplitude in np.linspace(0.05, 0.3, 40)]
    forces, right = member_forces(members, pool), truth.predict(pool).forces
    errors = [atom_error(mine, true) for mine, true in zip(forces, right, strict=True)]
    return truth, members, fit_power_law(np.concatenate([atom_spread(each) for each in forces]), np.concatenate(errors))


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_objective_equals_finite_differences(kind):
    made = camps(**KINDS[kind])
    atoms = crystal("".join(sorted(made.elements)), 4)
    surface = surface_of(made)
    value, gradient = objective(surface, atoms, LAW, 0.01)
    assert value > 0
    assert gradient.sum(axis=0) == pytest.approx(0, abs=1e-9 * np.abs(gradient).max() + 1e-12)
    for atom, axis in ((0, 0), (1, 2), (3, 1)):
        values = []
        for step in (1e-4, -1e-4):
            moved = atoms.copy()
            moved.positions[atom, axis] += step
            values.append(objective(surface, moved, LAW, 0.01)[0])
        numeric = (values[0] - values[1]) / 2e-4
        assert gradient[atom, axis] == pytest.approx(numeric, rel=1e-4, abs=1e-5 * np.abs(gradient).max())


def test_differences_give_the_gradient_of_autograd():
    made = camps()
    atoms = crystal("".join(sorted(made.elements)), 4)
    one, other = ByAutograd(made), ByDifferences(made.members)
    expected = objective(one, atoms, LAW, 0.01)
    found = objective(other, atoms, LAW, 0.01)
    assert found[0] == pytest.approx(expected[0], rel=1e-8)
    assert found[1] == pytest.approx(expected[1], rel=1e-3, abs=1e-4 * np.abs(expected[1]).max())


def test_four_of_five_structures_have_the_wanted_error_within_a_factor_of_two():
    # The error of a structure is that of its worst atom, predicted (max σ_i) as true (max e_i). Acceptance of issue 4;
    # measured over 30 attacks: all of them, median 0.89 of the wanted error.
    wanted, ratios = 0.2, []
    for seed in range(3):
        truth, members, law = calibrated(seed)
        generator = np.random.default_rng(seed)
        for number in range(5):
            start = cluster(generator, 0.05)
            last = list(attack(ByDifferences(members), start, law, wanted, guards=WIDE, seed=number))[-1]
            assert last.state == "reached"
            assert last.predicted_error == pytest.approx(wanted, rel=0.05)
            (forces,) = member_forces(members, [last.atoms])
            ratios.append(atom_error(forces, truth.predict([last.atoms]).forces[0]).max() / wanted)
    within = np.mean((np.array(ratios) > 0.5) & (np.array(ratios) < 2))
    assert within >= 0.8


def test_without_calibration_the_error_overshoots():
    wanted = 0.1
    truth, members, law = calibrated(0)
    true = {"calibrated": [], "raw": []}
    for number in range(3):
        start = cluster(np.random.default_rng(number), 0.05)
        for name, each in (("calibrated", law), ("raw", Calibration("raw", 1.0))):
            last = list(attack(ByDifferences(members), start, each, wanted, guards=WIDE))[-1]
            (forces,) = member_forces(members, [last.atoms])
            true[name].append(atom_error(forces, truth.predict([last.atoms]).forces[0]).max() / wanted)
    assert np.median(true["raw"]) > 1.5 * np.median(true["calibrated"])
    assert np.median(true["raw"]) > 1.5


def test_the_dial_can_be_turned_while_it_moves_up_and_down():
    _, members, law = calibrated(0)
    dial = iter([0.25] * 3 + [0.12] * 100)
    steps = list(attack(ByDifferences(members), cluster(np.random.default_rng(1), 0.05), law, lambda: next(dial)))
    assert steps[-1].state == "reached"
    assert steps[-1].predicted_error == pytest.approx(0.12, rel=0.05)
    assert {step.wanted for step in steps} == {0.25, 0.12}


def test_no_step_and_no_journey_is_longer_than_allowed():
    _, members, law = calibrated(0)
    start = cluster(np.random.default_rng(2), 0.05)
    guards = Guards(max_displacement_A=0.15, energy_window_eV=5.0)
    steps = list(attack(ByDifferences(members), start, law, 5.0, guards=guards, max_step_A=0.05, max_steps=30))
    moves = [
        np.linalg.norm(after.atoms.positions - before.atoms.positions, axis=1).max()
        for before, after in pairwise(steps)
    ]
    assert max(moves) <= 0.1 + 1e-9  # the way back onto the sphere may add to a step
    assert max(step.max_displacement_A for step in steps) <= 0.15 + 1e-9
    assert steps[-1].state == "stopped"
    assert steps[-1].reason


def test_the_energy_window_and_the_distances_hold():
    _, members, law = calibrated(1)
    start = cluster(np.random.default_rng(3), 0.05)
    guards = Guards(closest=0.9, max_displacement_A=5.0, energy_window_eV=0.05)
    steps = list(attack(ByDifferences(members), start, law, 3.0, guards=guards, max_steps=40))
    assert max(step.energy for step in steps) <= steps[0].energy + 0.05 * len(start) + 1e-9
    assert all(not guards.contact(step.atoms) for step in steps)
    assert steps[-1].state == "stopped"


def test_a_start_that_breaks_a_guard_is_refused():
    _, members, law = calibrated(0)
    with pytest.raises(InvalidStructure, match=r"0\.50 Å apart, the limit is 1\.27 Å"):
        list(attack(ByDifferences(members), Atoms("Ar2", [(0, 0, 0), (0, 0, 0.5)]), law, 0.2))
    with pytest.raises(ValueError, match="positive number"):
        list(attack(ByDifferences(members), cluster(np.random.default_rng(0), 0.05), law, -1.0))
    with pytest.raises(ValueError, match="cannot disagree"):
        surface_of(members[:1])


def test_an_attack_is_a_run_with_a_table_and_frames(tmp_path):
    made = camps()
    atoms = crystal("".join(sorted(made.elements)), 4)
    path = made.save(tmp_path / "committee")
    before = atom_spread(member_forces(made, [atoms])[0]).max()
    run = Attack(
        structures=[atoms, atoms],
        committee=str(path),
        wanted_eV_A=1.3 * before,
        closest=0.3,
        energy_window_eV=50,
        max_steps=20,
        device="cpu",
    ).run(store=tmp_path)
    table, result = run.table("attack"), run.result()
    assert {"step", "wanted_eV_A", "predicted_eV_A", "energy_eV", "max_displacement_A"} <= set(table)
    assert run.n_frames == len(table)
    assert result["n_reached"] == 2
    for index in (0, 1):
        last = table[table["structure"] == index].iloc[-1]
        assert last["predicted_eV_A"] == pytest.approx(1.3 * before, rel=0.05)
        assert result["predicted_eV_A"][index] == pytest.approx(last["predicted_eV_A"])
    assert list(run.frames())[-1].arrays["predicted_error"].max() == pytest.approx(result["predicted_eV_A"][1])


def test_a_single_potential_cannot_be_attacked(tmp_path):
    with pytest.raises(InvalidTask, match="needs a committee"):
        Attack(structures=["LiCl"], committee="emt").run(store=tmp_path)
    with pytest.raises(InvalidTask, match="first step"):
        Attack(structures=["LiCl"], committee="x", max_step_A=0.5, max_displacement_A=0.2)
