"""The loop as a whole and its parts: what it writes, what it explores, what it picks, and that it beats chance."""

import functools
import importlib.util
import itertools
import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from labkit import datasets, potentials
from labkit.active_learning import forecasts, picking, rounds
from labkit.active_learning.calibration import RAW, Calibration
from labkit.active_learning.committee_training import shared_out
from labkit.active_learning.explore import as_frame, look, perform, predicted
from labkit.active_learning.jobs import jobs
from labkit.active_learning.trajectories import Langevin, Watch, explore
from labkit.active_learning.uncertainty import atom_spread, member_forces
from labkit.potentials.camp import CAMP
from labkit.potentials.committee import Committee
from labkit.runs import Store
from tests.active_learning.loop_reference import REST_A, Morse
from tests.active_learning.loop_tools import HERE, SMALL, InThreads, Watched, hiding, task, trimer

ROUNDS = """step level reference explored accurate candidate failed selected labelled label_failures labels_total
    lower_eV_A upper_eV_A largest_eV_A force_rmse_eV_A energy_rmse_eV_atom ence calibration_a calibration_b
    explore_cpu_s label_cpu_s train_cpu_s"""


@functools.cache
def fitted(element="Ar"):
    """A committee of three that knows the scale of Morse triangles and nothing else."""
    reference = Morse()
    records = [reference.label(trimer(side)) for side in np.linspace(2.3, 3.2, 8)]
    for record in records:
        record.atoms.symbols[:] = element
    members = [CAMP.untrained(SMALL, [element], seed, "cpu") for seed in range(3)]
    made = Committee(members)
    made.fit_scale_and_shift([one.atoms for one in records], [one.energy for one in records],
                             [one.forces for one in records])  # fmt: skip
    return made


@pytest.fixture
def threads(monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop")
    reference = Morse()
    rng = np.random.default_rng(7)
    records = []
    for _ in range(12):
        atoms = trimer(REST_A * rng.uniform(0.97, 1.1))
        atoms.positions += rng.normal(scale=0.1, size=(3, 3))
        records.append(reference.label(atoms))
    test = datasets.Dataset(records).write(folder / "test.extxyz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "Crew", InThreads)
        events = ["round 1, decide -> lower_eV_A=0.5"]
        steered = task(Watched, events=events, test=str(test), initial_labels=30, epochs=40)
        return steered.run(store=Store(folder / "store"))


def test_the_tables_have_the_columns_that_the_views_read(run):
    assert list(run.table("rounds")) == ROUNDS.split()
    assert list(run.table("grades")) == (
        ["step", "round", "structure", "predicted_eV_A", "worst_atom", "verdict", "selected", "source"]
    )
    assert list(run.table("reliability")) == ["step", "round", "bin", "predicted_eV_A", "observed_eV_A", "count"]
    assert list(run.table("members")) == ["step", "round", "member", "force_rmse_eV_A", "energy_rmse_eV_atom", "epochs"]
    for name in ("rounds", "grades", "members"):
        assert run.table(name)["step"].tolist() == list(range(len(run.table(name))))


def test_the_numbers_of_a_round_add_up(run):
    table, grades = run.table("rounds"), run.table("grades")
    explored = table[table["explored"] > 0]
    assert len(explored) >= 1
    for row in explored.itertuples():
        own = grades[grades["round"] == row.step]
        assert len(own) == row.explored == row.accurate + row.candidate + row.failed
        assert own["selected"].sum() == row.selected == row.labelled + row.label_failures
        inside = (own["predicted_eV_A"] >= row.lower_eV_A) & (own["predicted_eV_A"] < row.upper_eV_A)
        assert inside.sum() == row.candidate == (own["verdict"] == "candidate").sum()
        assert own["predicted_eV_A"].max() == row.largest_eV_A
    assert table["labels_total"].tolist() == table["labelled"].cumsum().tolist()
    assert (table[["explore_cpu_s", "label_cpu_s", "train_cpu_s"]] >= 0).all(axis=None)


def test_a_control_changes_the_threshold_of_the_next_round(run):
    table = run.table("rounds")
    assert table["lower_eV_A"].tolist()[:2] == [0.05, 0.05]
    assert (table["lower_eV_A"].iloc[2:] == 0.5).all()
    assert len(table) > 2


def test_the_result_says_why_it_stopped_and_where_things_are(run):
    result = run.result()
    assert set(result) == {
        *("reason", "rounds", "levels_reached", "labels_total", "label_failures", "committee", "calibration"),
        *("dataset", "force_rmse_eV_A", "cost"),
    }
    assert result["reason"].endswith(".")
    assert result["rounds"] == len(run.table("rounds"))
    assert set(result["calibration"]) == {"a", "b"}
    assert result["force_rmse_eV_A"] == run.table("rounds")["force_rmse_eV_A"].iloc[-1]
    assert len(datasets.load(result["dataset"])) == result["labels_total"]
    json.dumps(result, allow_nan=False)
    committee = potentials.load(result["committee"], "cpu")
    assert len(committee.members) == 2
    assert committee.level_of_theory == "Morse, 0.8 eV"
    test = datasets.load(run.task.test)
    errors = [committee.predict([one.atoms]).forces[0] - one.forces for one in test]
    rmse = np.sqrt(np.mean(np.square(errors)))
    assert rmse == pytest.approx(result["force_rmse_eV_A"], rel=1e-4)


def test_every_round_leaves_its_files(run):
    for number in range(run.result()["rounds"]):
        folder = run.folder / "rounds" / f"{number:03d}"
        assert {"candidates.extxyz", "selected.extxyz", "round.json"} <= {path.name for path in folder.iterdir()}
        stages = json.loads((folder / "round.json").read_text())
        assert {"explore", "select", "label", "train", "calibrate", "decide"} <= set(stages)
    assert (run.folder / "rounds" / "000" / "labels" / "labelled.extxyz").exists()
    assert (run.folder / "rounds" / "000" / "committee" / "model.safetensors").exists()


def test_the_worst_structure_of_each_round_is_a_frame_with_its_errors(run):
    table = run.table("rounds")
    assert run.n_frames == len(table)
    for frame, row in zip(run.frames(), table.itertuples(), strict=True):
        assert (frame.info["step"], frame.info["round"], frame.info["level"]) == (row.step, row.step, row.level)
        assert frame.arrays["predicted_error"].shape == (3,)
        assert np.isfinite(frame.get_potential_energy())
        if row.explored:
            assert frame.arrays["predicted_error"].max() == pytest.approx(row.largest_eV_A, rel=1e-9)


def test_a_hidden_region_is_found_by_the_loop_and_missed_by_chance(tmp_path, threads):
    # methods B 2.3: an atom of the triangle in a second well, in 2 of 50 structures explored
    reference = {"reference": "tests.active_learning.loop_reference:Morse", "options": {"second": 0.5}}
    found = {}
    for selection in ("top-k", "random"):
        level = {**reference, "max_rounds": 3, "select_eV_A": 1e-6, "break_eV_A": 1e6}
        loop = task(explore=f"{HERE}:hiding", selection=selection, labels_per_round=2, initial_labels=16, level=level,
                    epochs=30, seed=1)  # fmt: skip
        run = loop.run(store=Store(tmp_path / selection))
        grades = run.table("grades")
        bought = grades[grades["selected"] == 1]
        truth = Morse(second=0.5)
        wild = [atoms for seed in range(8) for atoms in hiding(None, [trimer()], np.random.default_rng(seed), None)]
        there = [atoms for atoms in wild if atoms.info["source"] == "hidden"]
        exam = forecasts.examine(potentials.load(run.result()["committee"], "cpu"), [truth.label(a) for a in there])
        found[selection] = ((bought["source"] == "hidden").sum(), len(bought), exam["force_rmse_eV_A"])
    (hits, labels, error), (chance, equal, blind) = found["top-k"], found["random"]
    assert labels == equal == 6
    assert hits >= 4
    assert chance <= 1
    assert error < blind


def test_the_break_threshold_ends_a_trajectory_and_the_frame_counts_as_failed():
    committee = fitted()
    settings = {"duration_fs": 200.0, "timestep_fs": 2.0, "sample_every_fs": 40.0, "friction_per_ps": 10.0}
    starts = [(trimer(), 300.0, [1], "slow"), (trimer(), 1500.0, [2], "hot")]
    free = explore(committee, starts, Watch(RAW, lambda: np.inf), **settings)
    assert [sight.source for sight in free] == [f"{n}, {t} fs" for n in ("slow", "hot") for t in range(40, 201, 40)]
    upper = 0.7 * max(sight.predicted.max() for sight in free)
    watch = Watch(RAW, lambda: upper)
    seen = explore(committee, starts, watch, **settings)
    broken = [sight for sight in seen if sight.broken]
    assert len(broken) == len(watch.ends) >= 1
    assert len(seen) < len(free)
    assert all(np.isinf(sight.predicted.max()) or sight.predicted.max() >= upper for sight in broken)
    assert all(sight.predicted.max() < upper for sight in seen if not sight.broken)
    for sentence in watch.ends:
        assert "reached the break threshold" in sentence
        name = sentence.split(" ended")[0]
        assert [sight for sight in seen if sight.source.startswith(name)][-1].broken


def test_trajectories_that_leave_physics_end_alone():
    settings = {"duration_fs": 300.0, "timestep_fs": 5.0, "sample_every_fs": 50.0, "friction_per_ps": 10.0}
    starts = [(trimer(), 100.0, [1], "sound"), (trimer(1.0), 100.0, [2], "crushed")]
    watch = Watch(RAW, lambda: np.inf)
    close = starts[1][0]
    close.positions[1] = close.positions[0] + [0.3, 0, 0]
    seen = explore(fitted(), starts, watch, **settings)
    assert [sight.source for sight in seen if not sight.broken] == [f"sound, {t} fs" for t in range(50, 301, 50)]
    assert len(watch.ends) == 1
    assert watch.ends[0].startswith("crushed ended after 5 fs")
    lost = as_frame(next(sight for sight in seen if sight.broken), 0)
    assert predicted(lost) == np.inf


def test_the_langevin_thermostat_samples_the_oscillator_it_should():
    # <x²> = 3 k T / κ for each relative coordinate of a harmonic triangle; the centre of mass stays
    stiffness, temperature = 2.0, 300.0
    walker = Langevin(trimer(), temperature, 4.0, 20.0, np.random.default_rng(3))
    rest = walker.atoms.positions.copy()
    forces, squares, heat = np.zeros((3, 3)), [], []
    for _ in range(6000):
        walker.before(forces)
        forces = -stiffness * (walker.atoms.positions - rest)
        forces -= forces.mean(axis=0)
        walker.after(forces)
        squares.append(((walker.atoms.positions - rest) ** 2).sum())
        heat.append(walker.kinetic_temperature_K)
    from ase.units import kB

    np.testing.assert_allclose(walker.atoms.positions.mean(axis=0), rest.mean(axis=0), atol=1e-9)
    assert np.mean(squares[500:]) == pytest.approx(6 * kB * temperature / stiffness, rel=0.1)
    assert np.mean(heat[500:]) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("kind", ["md", "adversarial"])
def test_a_job_gives_the_same_structures_each_time(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("labkit.active_learning.explore.ATTACK_STEPS", 6)
    folder = fitted().save(tmp_path / "committee")
    loop = task(explore=kind, duration_fs=60.0, timestep_fs=2.0, sample_every_fs=20.0, starts=2)
    law = Calibration("power law", 2.0, 1.0).to_dict()
    spread = atom_spread(member_forces(fitted(), [trimer()])[0]).max()
    todo = jobs(loop, loop.levels[0], [trimer(), trimer(2.8)], [0, 1, 1], folder, law, (3 * spread, 50 * spread))
    assert [(job["structure"], job["seed"][-1]) for job in todo] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    first, again = (perform(todo[0], lambda sentence: None) for _ in range(2))
    assert first["frames"] == again["frames"]
    assert first["frames"] != perform(todo[2], lambda sentence: None)["frames"]
    assert "predicted_error" in first["frames"]
    if kind == "adversarial":
        assert "attack on 0, step" in first["frames"]
    else:
        assert first["frames"].count("md 300 K from 0") == 3


@pytest.mark.skipif(importlib.util.find_spec("assyst") is None, reason="needs the packages assyst and pyxtal")
def test_random_crystals_are_made_relaxed_and_graded(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.active_learning.explore.RELAX_STEPS", 4)
    copper = bulk("Cu")
    folder = fitted("Cu").save(tmp_path / "committee")
    loop = task(explore="random symmetric", structures=[copper])
    todo = jobs(loop, loop.levels[0], [copper], [0, 1, 1], folder, RAW.to_dict(), (0.1, 1e9))
    said = []
    first = perform(todo[0], said.append)
    from labkit.active_learning.round_folder import read_frames

    (tmp_path / "frames.extxyz").write_text(first["frames"])
    frames = read_frames(tmp_path / "frames.extxyz")
    assert frames
    assert all(frame.pbc.all() and set(frame.symbols) == {"Cu"} for frame in frames)
    assert any("relaxation of Cu" in sentence for sentence in said)
    assert perform(todo[0], said.append)["frames"] == first["frames"]


def test_what_the_committee_refuses_is_lost_and_not_in_the_way():
    crushed = trimer(0.5)
    stranger = Atoms("He2", positions=[[0, 0, 0], [0, 0, 3]])
    watch = Watch(RAW, lambda: np.inf)
    sights = look(fitted(), [trimer(), crushed, stranger], ["good", "crushed", "stranger"], watch)
    assert [sight.broken for sight in sights] == [False, True, True]
    assert "crushed is left out: atoms" in watch.ends[0]
    assert "never trained on" in watch.ends[1]


def graded(values):
    frames = [trimer(2.3 + 0.05 * number) for number in range(len(values))]
    return frames, np.array(values, dtype=float)


def picked(rule, values, most=3, lower=0.1, upper=1.0, known=(), adaptive=False, frames=None):
    own, values = graded(values)
    return picking.pick(
        rule, frames or own, values, (lower, upper), most, adaptive=adaptive, known=known, seed=0,
        describe=lambda structures: np.array([[atoms.get_distance(0, 1)] for atoms in structures]),
    )  # fmt: skip


def test_each_rule_chooses_among_the_candidates_alone():
    values = [0.01, 0.2, 0.3, 0.9, 0.05, 0.4, 2.0, np.inf]
    for rule in ("threshold", "top-k", "farthest-point", "maxvol"):
        chosen = [choice.index for choice in picked(rule, values).choices]
        assert 1 <= len(chosen) <= 3
        assert set(chosen) <= {1, 2, 3, 5}
    assert [choice.index for choice in picked("top-k", values).choices] == [3, 5, 2]
    # sides of 2.35, 2.4, 2.45 and 2.55 Å against one of 2.25 Å that is known
    assert [one.index for one in picked("farthest-point", values, most=2, known=[trimer(2.25)]).choices] == [5, 2]
    blind = [choice.index for choice in picked("random", values, most=6).choices]
    assert sorted(blind) == [0, 1, 2, 3, 4, 5]


def test_near_duplicates_get_one_label_and_known_structures_none():
    values = [0.3, 0.4, 0.5]
    frames = [trimer(2.600), trimer(2.605), trimer(2.9)]
    chosen = [choice.index for choice in picked("top-k", values, frames=frames).choices]
    assert chosen == [2, 1]
    chosen = [choice.index for choice in picked("top-k", values, frames=frames, known=[trimer(2.602)]).choices]
    assert chosen == [2]


def test_a_chain_of_neighbours_is_not_one_structure():
    frames = [trimer(2.6 + 0.015 * number) for number in range(7)]
    chosen = picked("top-k", np.linspace(0.9, 0.3, 7), most=9, frames=frames).choices
    assert [choice.index for choice in chosen] == [0, 2, 4, 6]


def test_the_adaptive_threshold_leaves_as_many_candidates_as_can_be_labelled():
    values = np.linspace(0.05, 0.95, 19)
    found = picked("threshold", values, most=3, adaptive=True)
    assert found.lower == pytest.approx(0.85)
    assert len(found.verdict.candidate) == 3
    assert picked("threshold", values, most=3).lower == 0.1


def test_when_everything_is_beyond_the_break_threshold_the_nearest_is_labelled():
    found = picked("top-k", [3.0, 0.01, 2.0, np.inf, 5.0], most=2)
    assert [choice.index for choice in found.choices] == [2, 0]
    assert "but 4 structures lie beyond: the nearest of them are labelled" in found.remark


def test_descriptors_tell_structures_apart_and_know_no_orientation():
    committee = fitted()
    turned = trimer(2.8)
    turned.rotate(40, (1, 2, 3))
    rows = picking.descriptors(committee, [trimer(2.8), turned, trimer(2.5)])
    assert rows.shape == (3, SMALL.channels)
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-4, atol=1e-5)
    assert np.abs(rows[0] - rows[2]).max() > 1e-3


def test_members_are_trained_on_different_shares_that_stay_as_data_come_in():
    shares = [shared_out(40, 0.9, [0], member) for member in range(3)]
    for own, held in shares:
        assert sorted(own + held) == list(range(40))
        assert len(held) == 4
    assert len({tuple(held) for _, held in shares}) == 3
    later = shared_out(44, 0.9, [0], 0)[1]
    assert len(set(later) & set(shares[0][1])) >= 3
    assert shared_out(3, 0.9, [0], 0) == ([0, 1, 2], [])


def test_calibration_falls_back_to_a_line_and_then_to_what_was_there():
    rng = np.random.default_rng(0)
    spread = np.exp(rng.uniform(-4, 0, 300))
    error = 2 * spread**0.8 * np.sqrt(rng.chisquare(3, 300) / 3)
    said = []
    law = forecasts.fit([{"spread": spread.tolist(), "error": error.tolist()}], RAW, said.append)
    assert (law.kind, said) == ("power law", [])
    assert law.b == pytest.approx(0.8, abs=0.1)
    flat = forecasts.fit([{"spread": spread.tolist(), "error": (0.1 + 0 * error).tolist()}], RAW, said.append)
    assert flat.kind == "linear"
    assert "a line instead of a power law" in said[-1]
    few = {"spread": spread[:4].tolist(), "error": error[:4].tolist()}
    assert forecasts.fit([few], RAW, said.append) is RAW
    assert "spreads are taken as they are" in said[-1]
    assert forecasts.fit([few], law, said.append) is law
    assert "the calibration stays as it was" in said[-1]


def test_the_newest_examinations_come_first_in_a_calibration():
    new = {"spread": [1.0] * 60, "error": [1.0] * 60}
    old = {"spread": [2.0] * 60, "error": [1.0] * 60}
    oldest = {"spread": [3.0] * 60, "error": [1.0] * 60}
    spread, _ = forecasts.gathered([new, old, oldest])
    assert list(itertools.chain(dict.fromkeys(spread.tolist()))) == [1.0, 2.0]


@pytest.mark.parametrize(("explore", "selection"), [("adversarial", "top-k"), ("random symmetric", "maxvol")])
def test_a_crystal_is_attacked_or_reinvented_and_learned(tmp_path, monkeypatch, explore, selection):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    if explore == "random symmetric":
        pytest.importorskip("assyst", reason="needs the extra labkit-mlip[learning]")
    level = {"reference": "emt", "max_rounds": 1, "select_eV_A": 1e-3, "break_eV_A": 100.0}
    run = task(
        structures=[bulk("Cu", cubic=True)], level=level, explore=explore, selection=selection, starts=2, epochs=4
    ).run(store=Store(tmp_path))
    table, grades = run.table("rounds"), run.table("grades")
    assert table["explored"].iloc[1] >= 2
    assert 1 <= table["selected"].iloc[1] <= 4
    assert set(grades["verdict"]) <= {"accurate", "candidate", "failed"}
    assert len(datasets.load(run.result()["dataset"])) == table["labelled"].sum() > 12
