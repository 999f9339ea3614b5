"""Random symmetric crystals: the symmetry asked for, volume then full relaxation, perturbed, each with its parents."""

import numpy as np
import pytest
from ase.build import bulk

from labkit.active_learning import Perturbations, RandomSymmetric, perturbed, relaxed, seeds
from labkit.active_learning.relaxing import relax_batch
from labkit.errors import InvalidStructure, InvalidTask
from labkit.potentials import load
from labkit.structures import space_group


def swollen():
    """Copper with one atom off its place in a cell too large and sheared."""
    atoms = bulk("Cu", cubic=True)
    atoms.positions[0] += 0.1
    atoms.set_cell(atoms.cell.array @ (1.06 * np.eye(3) + 0.02 * np.eye(3, k=1)), scale_atoms=True)
    return atoms


def test_volume_relaxation_keeps_shape_and_fractional_coordinates_and_ends_at_zero_pressure():
    emt, start = load("emt"), swollen()
    (end,) = relax_batch([start], emt, "volume", fmax_eV_A=1e-3)
    assert end.state == "converged"
    assert end.atoms.get_scaled_positions() == pytest.approx(start.get_scaled_positions(), abs=1e-9)
    ratio = end.atoms.cell.array[0, 0] / start.cell.array[0, 0]
    assert ratio < 0.99
    assert end.atoms.cell.array == pytest.approx(ratio * start.cell.array, abs=1e-9)
    assert abs(np.trace(emt.predict([end.atoms]).stresses[0]) / 3) < 1e-4


def test_full_relaxation_finds_the_crystal_and_lowers_the_energy_again():
    emt = load("emt")
    (volume,) = relax_batch([swollen()], emt, "volume", fmax_eV_A=1e-3)
    (full,) = relax_batch([volume.atoms], emt, "full", fmax_eV_A=1e-3, max_steps=500)
    assert full.state == "converged"
    assert full.energy < volume.energy - 0.01
    assert full.energy == pytest.approx(relax_batch([bulk("Cu", cubic=True)], emt, "full")[0].energy, abs=2e-3)


def test_a_batch_goes_the_way_of_single_ones_and_one_refusal_stays_alone():
    emt = load("emt")

    class Picky:
        def predict(self, structures):
            if any(atoms.symbols[0] == "Ag" for atoms in structures):
                raise InvalidStructure("no silver here.")
            return emt.predict(structures)

    structures = [swollen(), bulk("Ag", cubic=True), bulk("Al", cubic=True)]
    batch = relax_batch(structures, Picky(), "full", max_steps=5)
    assert [one.state for one in batch] == ["not converged", "failed", "not converged"] or batch[2].state == "converged"
    assert batch[1].reason == "no silver here."
    (alone,) = relax_batch([swollen()], emt, "full", max_steps=5)
    assert batch[0].energy == pytest.approx(alone.energy, abs=1e-9)


@pytest.fixture(scope="module")
def crystals():
    pytest.importorskip("assyst.crystals")
    refused = {}
    made = list(seeds(["Cu2"], [2, 194, 225, 229], seed=3, refused=refused.__setitem__))
    return made, refused


def test_crystals_have_the_symmetry_asked_for_or_more(crystals):
    made, refused = crystals
    assert [one.id for one in made] == ["Cu2-sg2-0", "Cu2-sg194-0", "Cu2-sg229-0"]
    assert "incompatible" in refused["Cu2-sg225-0"]
    for one in made:
        assert one.found == space_group(one.atoms, symprec_A=1e-2)[1]
        assert one.found >= one.requested or one.requested == 2
        assert one.atoms.pbc.all()
        assert one.atoms.get_volume() > 0


def test_a_crystal_depends_on_the_seed_and_not_on_its_company(crystals):
    made, _ = crystals
    (alone,) = seeds(["Cu2"], [229], seed=3)
    assert alone.atoms.cell.array == pytest.approx(made[2].atoms.cell.array, abs=1e-12)
    (other,) = seeds(["Cu2"], [229], seed=4)
    assert abs(other.atoms.get_volume() - alone.atoms.get_volume()) > 1e-6


def test_relaxation_and_perturbation_say_where_they_come_from(crystals):
    made, _ = crystals
    emt = load("emt")
    (volume,) = relaxed(made[2:], emt, "volume")
    assert (volume.id, volume.parent, volume.found) == ("Cu2-sg229-0/volume", "Cu2-sg229-0", 229)
    assert volume.energy is not None
    copies = perturbed(volume, Perturbations(n_rattle=2, n_stretch=3), seed=1)
    again = perturbed(volume, Perturbations(n_rattle=2, n_stretch=3), seed=1)
    assert {copy.parent for copy in copies} == {volume.id}
    assert [copy.id.rsplit("/", 1)[1] for copy in copies] == [
        "rattle-1",
        "rattle-2",
        "stretch-1",
        "stretch-2",
        "stretch-3",
    ]
    for one, same in zip(copies, again, strict=True):
        assert one.atoms.positions == pytest.approx(same.atoms.positions, abs=1e-12)
        assert np.abs(one.atoms.cell.array - volume.atoms.cell.array).max() > 1e-3
    assert copies[0].found < 229
    assert copies[0].frame().info["parent"] == volume.id


def test_a_single_atom_is_rattled_in_a_larger_cell():
    pytest.importorskip("assyst.crystals")
    from labkit.active_learning import Crystal

    one = Crystal(bulk("Cu"), "Cu1-sg225-0", "", "seed", 225, 225)
    copies = perturbed(one, Perturbations(n_rattle=1, n_stretch=1))
    assert [len(copy.atoms) for copy in copies] == [8, 1]


def test_a_stopped_run_resumes_to_the_same_frames(tmp_path, monkeypatch):
    pytest.importorskip("assyst.crystals")
    from labkit.runs import RunContext, Store

    task = RandomSymmetric(
        formulas=["Cu1", "Cu2"],
        space_groups=[229, 2],
        potential="emt",
        n_rattle=1,
        n_stretch=1,
        portion=2,
        max_steps=60,
    )
    whole = task.run(store=tmp_path / "whole")
    table = whole.table("crystals")
    assert whole.result()["kept"] == len(table) == whole.n_frames
    assert set(table["stage"]) == {"seed", "volume", "full", "rattle", "stretch"}
    assert set(whole.table("refused")["id"]) == {"Cu1-sg229-0"}
    assert set(table["parent"].dropna()) <= set(table["id"])

    class Killed(Exception):
        pass

    original, calls = RunContext.frame, []

    def die(self, *arguments):
        calls.append(1)
        if len(calls) == len(table) - 2:
            raise Killed
        original(self, *arguments)

    monkeypatch.setattr(RunContext, "frame", die)
    with pytest.raises(Killed):
        task.run(store=tmp_path / "stopped")
    monkeypatch.undo()
    (run,) = Store(tmp_path / "stopped").runs()
    run.resume().wait(120)
    assert run.table("crystals")["id"].tolist() == table["id"].tolist()
    assert [frame.positions.tolist() for frame in run.frames()] == [
        frame.positions.tolist() for frame in whole.frames()
    ]


def test_what_is_no_space_group_or_no_formula_is_refused():
    with pytest.raises(InvalidTask, match="231 is no space group"):
        RandomSymmetric(space_groups=[231])
    with pytest.raises(InvalidTask, match="no chemical formula"):
        RandomSymmetric(formulas=["Xq2"])
