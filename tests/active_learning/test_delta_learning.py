"""Delta-learning: where labels are asked for, what the fit reaches, and a run that repeats no label."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from scipy.optimize import minimize_scalar

from labkit import datasets, potentials
from labkit.active_learning.delta_fit import HELD_OUT, MODEL, RECIPE, TRAIN, UNSEEN, divided, errors, learn, parity
from labkit.active_learning.delta_fragments import PUBLISHED, monomer, parts
from labkit.active_learning.delta_labels import differences, price, without_offsets
from labkit.active_learning.delta_learning import DeltaLearning
from labkit.active_learning.delta_sampling import (
    HBAR,
    Modes,
    Sampling,
    bond_scans,
    displaced,
    normal_modes,
    placed,
    sample,
    thinned,
)
from labkit.errors import InvalidStructure, InvalidTask, RunCancelled
from labkit.potentials.interface import Potential, Prediction
from labkit.runs import Store
from labkit.training.quiet import Quiet

pytest.importorskip("tblite")
pytest.importorskip("pyscf")

LABELS = Path(__file__).parents[2] / "notebooks" / "longer" / "24_labels_cbs.extxyz.gz"
#: K. P. Huber and G. Herzberg, Constants of Diatomic Molecules (1979): 0.74144 Å.
H2_BOND_A = 0.7415


class Spring(Potential):
    """Two atoms on a spring: E = k (d - d0)^2 / 2."""

    name, level_of_theory, k, d0 = "spring", "spring", 30.0, 0.75

    def predict(self, structures, properties=("energy", "forces")):
        energies, forces = [], []
        for atoms in structures:
            vector = atoms.positions[1] - atoms.positions[0]
            length = np.linalg.norm(vector)
            energies.append(self.k * (length - self.d0) ** 2 / 2)
            pull = self.k * (length - self.d0) * vector / length
            forces.append(np.array([pull, -pull]))
        return Prediction(np.array(energies), forces, np.full((len(energies), 3, 3), np.nan))


@pytest.fixture(scope="module")
def spring_modes() -> Modes:
    return normal_modes(monomer("H2"), Spring())


@pytest.fixture(scope="module")
def gfn1():
    from labkit.references import load

    return load("gfn1-xtb").potential()


@pytest.fixture(scope="module")
def gfn2():
    from labkit.references import load

    return load("gfn2-xtb").potential()


@pytest.fixture(scope="module")
def labels():
    return datasets.read(LABELS, require=("energy",)).filter(lambda record: record.group in ("H2", "(H2)2"))


@pytest.fixture(scope="module")
def learned(labels, gfn2):
    return learn(labels, gfn2, recipe=RECIPE.model_copy(update={"epochs": 150}), device="cpu")


@pytest.fixture(scope="module")
def direct(labels):
    return learn(labels, None, recipe=RECIPE.model_copy(update={"epochs": 20}), device="cpu")


def test_the_vibration_of_a_spring_is_the_root_of_k_over_the_reduced_mass(spring_modes):
    reduced = 1.008 / 2
    assert spring_modes.energies_eV == pytest.approx([HBAR * np.sqrt(Spring.k / reduced)], rel=1e-4)
    assert spring_modes.atoms.get_distance(0, 1) == pytest.approx(Spring.d0, abs=1e-4)


@pytest.mark.parametrize(("statistics", "temperature_K"), [("wigner", 1.0), ("wigner", 1e4), ("classical", 300.0)])
def test_displacements_have_the_variance_of_the_harmonic_oscillator(spring_modes, statistics, temperature_K):
    rng = np.random.default_rng(5)
    drawn = [displaced(spring_modes, temperature_K, rng, statistics).get_distance(0, 1) for _ in range(4000)]
    ground_state, thermal = HBAR / (2 * np.sqrt(Spring.k * 0.504)), 8.617333e-5 * temperature_K / Spring.k
    wanted = ground_state if temperature_K == 1.0 else thermal
    assert np.var(drawn) == pytest.approx(wanted, rel=0.08)


def test_a_bond_scan_stretches_one_bond_of_each_kind():
    scans = bond_scans(monomer("C3H6"), [0.9, 1.1])
    kinds = {atoms.info["kind"].split()[1] for atoms in scans}
    assert len(scans) == 6
    assert kinds == {"C-C", "C-H"}  # the double bond and the single one
    lengths = sorted(atoms.get_all_distances()[atoms.numbers == 6][:, atoms.numbers == 6].max() for atoms in scans)
    assert lengths[-1] - lengths[0] > 0.1
    assert bond_scans(monomer("C6H6"), [1.1])[0].info["kind"].startswith("bond C-H")  # no ring is torn


def test_molecules_of_a_pair_neither_touch_nor_count_as_one(gfn2):
    from labkit.references.counterpoise import fragments

    pairs = sample("C2H4-H2", gfn2, Sampling(distances=4, orientations=2))
    assert 4 <= len(pairs) <= 8
    assert all(len(fragments(atoms)) == 2 for atoms in pairs)
    assert {atoms.info["fragment"] for atoms in pairs} == {"C2H4-H2"}
    assert sum("distorted" in atoms.info["kind"] for atoms in pairs) >= len(pairs) // 2
    with pytest.raises(InvalidStructure, match="touch"):
        placed(monomer("C6H6"), monomer("C6H6"), 1.0, np.random.default_rng(0))


def test_the_same_seed_gives_the_same_geometries(gfn2):
    first, again = (sample("H2", gfn2, Sampling(seed=4)) for _ in range(2))
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(first, again, strict=True))
    other = sample("H2", gfn2, Sampling(seed=5))
    assert not np.allclose(first[1].positions, other[1].positions)


def test_a_fragment_is_made_of_known_molecules():
    assert parts("(CH4)2") == ("CH4", "CH4")
    assert parts("C6H6-H2") == ("C6H6", "H2")
    assert all(parts(name) for name in PUBLISHED)
    with pytest.raises(InvalidTask, match="is no fragment"):
        parts("H2O")


def test_a_budget_keeps_the_minimum_and_at_least_so_many():
    structures = list("mabcdefg")
    assert thinned(structures, [10.0] * 8, 35.0, 2, 0)[0] == "m"
    assert len(thinned(structures, [10.0] * 8, 35.0, 2, 0)) == 3
    assert len(thinned(structures, [10.0] * 8, 1.0, 4, 0)) == 4
    assert thinned(structures, [1.0] * 8, 100.0, 4, 0) == structures


def test_offsets_of_species_are_regressed_away():
    structures = [Atoms("H2"), Atoms("CH4"), Atoms("C2H4"), Atoms("C2")]
    energies = np.array([-2.0, -14.0, -24.0, -20.0])
    assert np.allclose(without_offsets(structures, energies), 0.0, atol=1e-10)


def test_every_fragment_gives_its_share_to_the_held_out_set(labels):
    sets = divided(labels, 0.25, ["(H2)2"], seed=1)
    groups = np.array([record.group for record in labels])
    assert set(sets[groups == "(H2)2"]) == {UNSEEN}
    kinds = np.array([record.atoms.info["kind"] for record in labels])
    assert (sets == HELD_OUT).sum() >= 0.2 * (groups == "H2").sum()
    assert set(sets[np.isin(kinds, ["minimum", "bond H-H x 0.80", "bond H-H x 1.60"])]) == {TRAIN}
    again = divided(labels, 0.25, ["(H2)2"], seed=1)
    assert (sets == again).all()


def test_labels_of_two_levels_are_not_subtracted(labels, gfn2):
    other = labels.described(level_of_theory="something else")
    with pytest.raises(InvalidTask, match="cannot be mixed"):
        differences(labels.joined(other, mix_levels=True), gfn2)


def _bond_A(potential: Potential) -> float:
    def energy(length: float) -> float:
        return float(potential.predict([Atoms("H2", [[0, 0, 0], [0, 0, length]])], ("energy",)).energies[0])

    return float(minimize_scalar(energy, bounds=(0.65, 0.9), method="bounded", options={"xatol": 1e-6}).x)


def test_the_bond_of_hydrogen_is_ten_times_nearer_than_the_baseline(learned, gfn2):
    before, after = _bond_A(gfn2), _bond_A(learned.potential)
    assert before == pytest.approx(0.7767, abs=2e-4)
    assert abs(after - H2_BOND_A) < 0.002
    assert abs(after - H2_BOND_A) < abs(before - H2_BOND_A) / 10


def test_what_is_left_is_a_small_part_of_what_there_was_to_learn(learned):
    rows = {row["fragment"]: row for row in errors(learned)}
    assert set(rows) == {"H2", "(H2)2", "all"}
    assert rows["H2"]["train_rmse_meV_atom"] < rows["H2"]["spread_meV_atom"] / 50
    assert rows["H2"]["held_out_rmse_meV_atom"] < rows["H2"]["spread_meV_atom"] / 5
    assert np.isnan(rows["all"]["unseen_rmse_meV_atom"])
    points = parity(learned)
    assert len(points["energy_reference"]) == len(points["set"]) == len(learned.target)


def _pair(distance_A: float) -> Atoms:
    one = Atoms("H2", [[-0.38, 0, 0], [0.38, 0, 0]])
    other = one.copy()
    other.translate([0, 0, distance_A])
    return one + other


def test_beyond_the_cut_off_only_the_dispersion_of_tight_binding_is_left(learned, direct, gfn1):
    from labkit.potentials.delta import DeltaPotential

    distances = np.arange(8.0, 14.1)
    pairs, one = [_pair(distance) for distance in distances], _pair(8.0)[:2]
    whole = DeltaPotential(gfn1, learned.correction)
    far = whole.predict(pairs, ("energy",)).energies - 2 * whole.predict([one], ("energy",)).energies[0]
    slope = np.polyfit(np.log(distances), np.log(-far), 1)[0]
    assert slope == pytest.approx(-6.0, abs=0.1)
    bare = direct.potential.predict(pairs, ("energy", "forces"))
    alone = direct.potential.predict([one], ("energy",)).energies[0]
    assert np.allclose(bare.energies, 2 * alone, rtol=0, atol=1e-10)
    assert all(abs(forces.reshape(2, 2, 3).sum(axis=1)).max() < 1e-12 for forces in bare.forces)


def test_the_price_is_known_before_anything_is_computed():
    task = DeltaLearning(fragments=["H2", "(H2)2"], per_temperature=2, scan_points=3, distances=2, orientations=2)
    rows = task.price()
    assert [row["fragment"] for row in rows] == ["H2", "(H2)2", "all"]
    assert rows[0]["structures"] == 1 + 2 * 2 + 3
    assert rows[-1]["estimated_s"] == pytest.approx(rows[0]["estimated_s"] + rows[1]["estimated_s"])
    assert rows[1]["estimated_s"] > rows[0]["estimated_s"]


class Folder(Quiet):
    """A context with a folder; it is asked to stop when so many labels are there."""

    def __init__(self, folder: Path, stop_after: int | None = None) -> None:
        super().__init__()
        self.folder, self.stop_after, self.stages = folder, stop_after, []
        self.status = SimpleNamespace(set_state=lambda state: None)

    def progress(self, done, total, stage=""):
        self.stages.append(stage)

    def raise_if_stopped(self):
        if self.stop_after is not None and len(self.tables.get("labels", [])) >= self.stop_after:
            raise RunCancelled("stopped by the test")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_stopped_run_goes_on_without_repeating_a_label(tmp_path):
    task = DeltaLearning(
        fragments=["H2", "CH4"],
        reference="gfn2-xtb",
        baseline="gfn1-xtb",
        per_temperature=2,
        scan_points=3,
        epochs=3,
        model=MODEL.model_copy(update={"channels": 4}),
        device="cpu",
    )
    first = Folder(tmp_path, stop_after=4)
    with pytest.raises(RunCancelled):
        task.execute(first)
    kept = (tmp_path / "labels" / "labelled.extxyz").read_text()
    assert 4 <= kept.count("label_index") < 16
    second = Folder(tmp_path)
    result = task.execute(second)
    whole = (tmp_path / "labels" / "labelled.extxyz").read_text()
    assert whole.startswith(kept)
    numbers = [row["structure"] for row in second.tables["labels"]]
    assert sorted(numbers) == list(range(len(numbers)))
    assert result["labels"] == len(numbers) == 16
    assert [row["fragment"] for row in second.tables["fragments"]] == ["H2", "CH4", "all"]
    assert len(second.tables["differences"]) == 16
    assert any(stage.startswith("label: ") for stage in second.stages)
    from labkit.potentials import load

    assert load(result["potential"]).baseline.name == "gfn1-xtb"


def test_a_run_learns_from_labels_that_exist(labels, tmp_path):
    path = labels.select(range(12)).write(tmp_path / "labels.extxyz")
    task = DeltaLearning(labels=str(path), reference="ccsd(t)/cbs", epochs=2, device="cpu")
    context = Folder(tmp_path / "run")
    context.folder.mkdir()
    assert task.execute(context)["labels"] == 12
    assert not (context.folder / "labels").exists()


def test_a_price_needs_structures_with_a_fragment(gfn2):
    from labkit.references import load

    made = sample("H2", gfn2, Sampling(per_temperature=1, scan_points=0))
    rows = price(made, load("ccsd(t)/cc-pvdz"))
    assert rows[0]["structures"] == rows[-1]["structures"] == 3


def test_a_launched_run_killed_while_it_labels_and_while_it_learns_ends_the_same(tmp_path, until):
    fields = {
        "fragments": ["H2", "CH4"],
        "reference": "gfn2-xtb",
        "baseline": "gfn1-xtb",
        "per_temperature": 2,
        "scan_points": 3,
        "epochs": 60,
        "model": MODEL.model_copy(update={"channels": 4}),
        "device": "cpu",
    }
    store = Store(tmp_path)
    whole, killed = DeltaLearning(**fields).run(store=store), DeltaLearning(**fields).launch(store=store)
    for stage, enough in (("labels", 3), ("training", 10)):
        until(lambda: len(killed.table(stage)) >= enough)  # noqa: B023
        os.kill(killed.status().pid, signal.SIGKILL)
        until(lambda: not killed.status().active)
        killed.resume()
    assert [whole.state, killed.wait().state] == ["finished"] * 2
    for name in ("labels", "differences", "fragments"):
        one, other = (run.table(name).drop(columns="cpu_s", errors="ignore") for run in (whole, killed))
        assert one.equals(other), name
    networks = [potentials.load(run.folder / "potential").correction.network.state_dict() for run in (whole, killed)]
    for name, values in networks[0].items():
        np.testing.assert_array_equal(values.numpy(), networks[1][name].numpy())
