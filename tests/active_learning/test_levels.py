"""The ladder: what a level brings, what is refused, and that labels of two levels never meet in a training set."""

import numpy as np
import pytest
from ase.build import bulk

from labkit import datasets
from labkit.active_learning import rounds
from labkit.active_learning.adversarial import Guards
from labkit.active_learning.levels import own_pool, pool, rattled
from labkit.active_learning.loop import ActiveLearning, QualityLevel
from labkit.errors import InvalidTask
from labkit.references.label_store import read_labelled
from labkit.runs import Run, Store
from labkit.runs.worker import work
from tests.active_learning.loop_tools import HERE, MORSE, SMALL, InThreads, task, trimer


def two_levels(**second):
    common = {"reference": MORSE, "model": SMALL, "select_eV_A": 1e-6, "break_eV_A": 1e6, "max_rounds": 1}
    return [
        QualityLevel(name="cheap", options={"depth": 0.4}, **common),
        QualityLevel(name="good", **{**common, "options": {"depth": 0.8}, **second}),
    ]


@pytest.fixture(scope="module")
def promoted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "Crew", InThreads)
        return task(levels=two_levels(structures=[trimer(3.0)])).run(store=Store(tmp_path_factory.mktemp("store")))


def test_a_level_adds_its_structures_to_the_pool_of_those_before():
    first, second, third = trimer(2.5), trimer(2.6), trimer(2.7)
    ladder = [QualityLevel(), QualityLevel(structures=[second]), QualityLevel(structures=[third])]
    sides = [[atoms.get_distance(0, 1) for atoms in pool([first], ladder, level)] for level in range(3)]
    np.testing.assert_allclose(sides[0], [2.5])
    np.testing.assert_allclose(sides[1], [2.5, 2.6])
    np.testing.assert_allclose(sides[2], [2.5, 2.6, 2.7])
    assert len(own_pool([first], ladder, 0)) == 1


def test_rattled_copies_are_reproducible_different_and_keep_their_distance():
    one, again = (rattled([trimer(), bulk("Cu")], 6, 0.3, 0.05, [1, 2]) for _ in range(2))
    for atoms, other in zip(one, again, strict=True):
        np.testing.assert_array_equal(atoms.positions, other.positions)
        assert not Guards().contact(atoms)
    assert [len(atoms) for atoms in one] == [3, 1, 3, 1, 3, 1]
    assert len({round(atoms.get_volume(), 6) for atoms in one[1::2]}) == 3
    assert not np.allclose(one[0].positions, one[2].positions)
    assert rattled([], 6, 0.3, 0.05, [1, 2]) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"levels": [{"select_eV_A": 1.0, "break_eV_A": 0.5}]}, "select_eV_A .1. is not below break_eV_A .0.5."),
        ({"levels": [{"temperatures_K": [300, -5]}]}, "a temperature is above 0 and at most 10000 K, not -5"),
        ({"levels": [{"reference": " "}]}, "needs a reference that labels"),
        ({"levels": [{"refrence": "chgnet"}]}, "no parameter refrence; did you mean reference"),
        ({"explore": "guessing"}, "'guessing' is no way to explore; take md, adversarial"),
        ({"duration_fs": 10.0, "sample_every_fs": 20.0}, "timestep_fs ≤ sample_every_fs ≤ duration_fs"),
        ({"initial_labels": 50, "max_labels": 40}, "nothing would be left to select"),
        ({"energy_weight": 0.0, "forces_weight": 0.0}, "nothing would be learned"),
        ({"magmoms_weight": 1.0}, "no magnetic moments"),
        ({"members": 1}, "greater than or equal to 2"),
        ({"device": "mps"}, "MPS does not have"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused_with_a_sentence(changes, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        ActiveLearning(structures=[trimer()], **changes)


def test_a_level_alone_is_refused_with_a_sentence_too():
    with pytest.raises(InvalidTask, match="is not below break_eV_A"):
        QualityLevel(select_eV_A=2.0)


def test_the_loop_climbs_and_labels_the_active_set_anew(promoted):
    table, result = promoted.table("rounds"), promoted.result()
    assert table["level"].tolist() == [0, 0, 1, 1]
    assert result["levels_reached"] == 2
    bought = table["labelled"].tolist()
    assert bought[0] == 12
    # 16 of the level before, and 12 copies of the triangle that the second level brings along
    assert bought[2] == bought[0] + bought[1] + 12
    assert result["labels_total"] == sum(bought) == table["labels_total"].iloc[-1]
    assert f"{bought[0] + bought[1]} structures of the active set are labelled anew" in promoted.log()
    assert result["reason"] == "level good has had its 1 round."


def test_labels_of_two_levels_never_meet(promoted):
    theories = [
        {one.level_of_theory for one in read_labelled(promoted.folder / "rounds" / f"{number:03d}" / "labels")}
        for number in range(4)
    ]
    assert theories == [{"Morse, 0.4 eV"}, {"Morse, 0.4 eV"}, {"Morse, 0.8 eV"}, {"Morse, 0.8 eV"}]
    final = datasets.load(promoted.result()["dataset"])
    assert final.levels == ("Morse, 0.8 eV",)
    table = promoted.table("rounds")
    assert len(final) == table["labelled"].iloc[2:].sum()
    from labkit.potentials.committee import Committee

    for number, theory in ((1, "Morse, 0.4 eV"), (2, "Morse, 0.8 eV"), (3, "Morse, 0.8 eV")):
        assert Committee.from_folder(promoted.folder / f"rounds/{number:03d}/committee").level_of_theory == theory


def test_a_level_with_the_same_reference_keeps_its_labels_and_changes_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    larger = SMALL.model_copy(update={"channels": 12})
    run = task(levels=two_levels(options={"depth": 0.4}, model=larger), epochs=4).run(store=Store(tmp_path))
    table = run.table("rounds")
    assert table["labelled"].tolist()[2] == 0
    assert len(datasets.load(run.result()["dataset"])) == table["labelled"].sum()
    from labkit.potentials.committee import Committee

    sizes = [Committee.from_folder(run.folder / f"rounds/{n:03d}/committee").settings.channels for n in (1, 2)]
    assert sizes == [8, 12]


def test_a_level_that_the_labels_left_cannot_pay_for_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    run = task(levels=two_levels(), epochs=2, max_labels=25).run(store=Store(tmp_path))
    assert run.result()["levels_reached"] == 1
    assert "would need 16 labels for the active set, and 9 of 25 are left" in run.result()["reason"]
    ladder = two_levels(options={"depth": 0.4}, structures=[trimer(3.0)])
    run = task(levels=ladder, epochs=2, max_labels=25).run(store=Store(tmp_path / "same"))
    assert run.result()["levels_reached"] == 1
    assert "would need 12 for rattled copies of what it adds to the pool, and 9 of 25" in run.result()["reason"]


def test_thresholds_that_were_steered_at_a_level_hold_there_only(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    store = Store(tmp_path)
    for name, level, lower in (("there", 0.0, [0.5, 0.5, 1e-6, 1e-6]), ("everywhere", None, [0.5] * 4)):
        run = Run(store.new_folder(task(levels=two_levels(), epochs=2, labels_per_round=2), name))
        run.set_controls(lower_eV_A=0.5, thresholds_level=level)
        work(run.folder, own_process=False)
        assert run.table("rounds")["lower_eV_A"].tolist() == lower


@pytest.mark.parametrize("depth", [0.8, 0.4])
def test_a_given_set_counts_only_when_it_is_of_the_levels_own_theory(tmp_path, monkeypatch, depth):
    from tests.active_learning.loop_reference import Morse

    monkeypatch.setattr(rounds, "Crew", InThreads)
    reference = Morse(depth)
    given = datasets.Dataset([reference.label(atoms) for atoms in rattled([trimer()], 20, 0.1, 0, [9])])
    path = given.write(tmp_path / "given.extxyz")
    run = task(initial=str(path), initial_labels=8, epochs=2, level={"max_rounds": 1}).run(store=Store(tmp_path))
    first = run.table("rounds").iloc[0]
    if depth == 0.8:  # the default of Morse
        assert (first["labelled"], first["labels_total"]) == (0, 20)
        assert len(datasets.load(run.result()["dataset"])) == 20 + run.table("rounds")["labelled"].sum()
    else:
        assert (first["labelled"], first["labels_total"]) == (8, 8)
        assert "not Morse, 0.8 eV: 8 are labelled anew" in run.log()


def test_a_function_that_cannot_be_found_or_gives_no_structures_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "Crew", InThreads)
    with pytest.raises(InvalidTask, match="nowhere:function cannot be imported"):
        task(explore="nowhere:function", epochs=1, initial_labels=4).run(store=Store(tmp_path))
    with pytest.raises(InvalidTask, match="nonsense gave dict; a list of"):
        task(explore=f"{HERE}:nonsense", epochs=1, initial_labels=4).run(store=Store(tmp_path))
