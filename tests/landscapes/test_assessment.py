import numpy as np
import pytest

from labkit.errors import InvalidTask, UnreadableFile
from labkit.landscapes import landscape17
from labkit.landscapes.alignment import Comparison
from labkit.landscapes.assessment import assess, mfpt_ratio, summary
from labkit.landscapes.matching import match
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.quick_assessment import from_reference
from labkit.landscapes.surface import Surface

from .networks import network, reordered

pytest.importorskip("rdkit")


def copied(network):
    return KineticNetwork.from_dict(network.to_dict())


@pytest.fixture
def ethanol():
    return landscape17.reference("ethanol")


def test_a_network_scores_full_marks_against_itself_however_it_is_turned(ethanol):
    turned = KineticNetwork(ethanol.symbols, "the same, mirrored")
    for point in ethanol.minima:
        turned.add_minimum(point.energy_eV + 1000.0, -point.positions[:, [1, 2, 0]])
    for point in ethanol.transition_states:
        turned.add_transition_state(point.minima, point.energy_eV + 1000.0, -point.positions[:, [1, 2, 0]])
    one = assess(turned, ethanol)
    assert one.counts["missing_minima"] == one.counts["extra_minima"] == one.counts["missing_transition_states"] == 0
    assert one.summary()["recall"] == 1.0
    assert one.summary()["mean_error_eV"] == pytest.approx(0.0, abs=1e-9)
    assert one.mfpt_ratio(0, 1).ratio.to_numpy() == pytest.approx(1.0, rel=1e-9)
    row = summary([one]).loc["the same, mirrored"]
    assert (row.minima_found, row.extra_minima, row.recall) == (2, 0, 1.0)


def test_a_comparison_belongs_to_atoms_in_any_order(ethanol):
    rng = np.random.default_rng(0)
    other = reordered(ethanol, [8, 6, 7, 5, 4, 3, 2, 1, 0])
    hydrogens = np.flatnonzero(np.array(other.symbols) == "H")
    like = np.arange(9)
    like[hydrogens] = np.roll(hydrogens, 2)
    for point in list(other.minima):
        other.add_minimum(point.energy_eV, point.positions[like] + rng.normal(0, 1e-4, (9, 3)))
    found = assess(other, ethanol, comparison=Comparison(ethanol.symbols))
    assert found.counts["extra_minima"] == found.counts["missing_transition_states"] == 0
    assert found.cleaning.mirror_images == 2


def test_the_ratio_compares_as_the_match_did_and_keeps_its_partners():
    first = network([0.0, 0.5, 0.1], [(0, 1, 1.0), (1, 2, 0.9)])
    second = KineticNetwork(first.symbols)
    for point in first.minima[::-1]:
        second.add_minimum(point.energy_eV, point.positions)
    for point in first.transition_states:
        second.add_transition_state([2 - end for end in point.minima], point.energy_eV, point.positions)
    fixed = Comparison(first.symbols, mode="fixed frame")
    for found in (match(first, second), match(first, second, 0.3, fixed)):
        assert mfpt_ratio(found, 1, 0, betas_per_eV=10.0).ratio.to_numpy() == pytest.approx(1.0)
    # minimum 2 has no partner: it takes what is left, and 0 and 1 keep theirs
    moved = second.subset([1, 2])
    moved.add_minimum(0.2, [[2.4, 0.0, 0.0]])
    assert match(first, moved).closest_partner == {0: 1, 1: 0, 2: 2}
    assert match(first, moved, 0.3, Comparison(first.symbols, "elements")).closest_partner != {0: 1, 1: 0, 2: 2}


def test_first_passage_times_of_the_dft_network_are_the_published_ones():
    salicylic = landscape17.reference("salicylic")
    found = match(salicylic, salicylic)
    table = mfpt_ratio(found, 3, 4, betas_per_eV=(5.0, 10.0, 20.0, 38.68))
    # methods A.1, unit prefactors
    assert np.exp(table.log_reference.to_numpy()) == pytest.approx([30.6191, 612.115, 534497.4, 1.8665e11], rel=1e-4)
    assert table.ratio.to_numpy() == pytest.approx(1.0)


def test_the_ratio_follows_the_barrier_of_the_isolated_path():
    salicylic = landscape17.reference("salicylic")
    higher = KineticNetwork(salicylic.symbols)
    for point in salicylic.minima:
        higher.add_minimum(point.energy_eV, point.positions)
    for point in salicylic.transition_states:
        up = 0.1 if set(point.minima) == {3, 5} else 0.0
        higher.add_transition_state(point.minima, point.energy_eV + up, point.positions)
    found = match(salicylic, higher)
    table = mfpt_ratio(found, 3, 4, path=(3, 5, 4), betas_per_eV=(20.0, 40.0))
    # the climb from 3 to 5 is the bottleneck (0.55 eV against 0.16 eV): the time grows as exp(0.1 β)
    assert table.ratio.to_numpy() == pytest.approx(np.exp([2.0, 4.0]), rel=0.02)
    whole = mfpt_ratio(found, 3, 4, betas_per_eV=(40.0,))
    assert whole.ratio[0] < table.ratio[1]


def test_a_missing_minimum_gives_no_ratio_and_a_missing_way_an_infinite_one(ethanol):
    lonely = KineticNetwork(ethanol.symbols)
    lonely.add_minimum(-1.0, ethanol.minima[0].positions)
    assert mfpt_ratio(match(ethanol, lonely), 0, 1, closest=False).ratio.isna().all()
    lonely.add_minimum(-1.1, ethanol.minima[1].positions)
    assert np.isinf(mfpt_ratio(match(ethanol, lonely), 0, 1).ratio).all()
    with pytest.raises(InvalidTask, match="minimum 7 does not exist"):
        mfpt_ratio(match(ethanol, lonely), 0, 7)


def test_a_potential_is_tested_from_the_stationary_points_of_the_reference(ethanol):
    pytest.importorskip("tblite")
    one = assess("gfn2-xtb", ethanol)
    # the authors' GFN2 network holds both DFT minima and both transition states of ethanol
    theirs = match(ethanol, landscape17.model_network("gfn2-xtb", "ethanol"))
    assert one.counts["minima_found"] == len(theirs.minima) == 2
    assert one.counts["transition_states_found"] == len(theirs.transition_states) == 2
    ours, published = ([p.dE_rel_eV for p in m.minima] for m in (one.match, theirs))
    assert ours == pytest.approx(published, abs=1e-4)
    assert "stationary points only" in one.caveats[0]
    assert one.match.other.info["from_reference"] == {"minima": [0, 1], "transition_states": [0, 1]}


def test_a_symmetric_minimum_that_the_potential_does_not_have_is_left():
    # a double well: the reference's symmetric minimum at the origin is a saddle of this surface
    def double_well(positions):
        x, rest = positions[:, 0, 0], positions[:, 0, 1:]
        forces = np.zeros_like(positions)
        forces[:, 0, 0] = -4 * x * (x**2 - 1)
        forces[:, 0, 1:] = -2 * rest
        return (x**2 - 1) ** 2 + (rest**2).sum(axis=1), forces

    surface = Surface(double_well, ["Ar"], frame="fixed frame", name="double well")
    reference = KineticNetwork(["Ar"])
    reference.add_minimum(0.0, [[0.0, 0.0, 0.0]])
    reference.add_minimum(0.0, [[1.1, 0.0, 0.0]])
    reference.add_transition_state((0, 1), 1.0, [[0.1, 0.0, 0.0]])
    fixed = Comparison(["Ar"], mode="fixed frame")
    made, _ = from_reference(surface, reference, comparison=fixed)
    assert sorted(round(abs(float(p.positions[0, 0])), 3) for p in made.minima) == [1.0, 1.0]
    assert [round(float(p.positions[0, 0]), 3) + 0.0 for p in made.transition_states] == [0.0]
    assert all(min(p.eigenvalues) > 0 for p in made.minima)
    assert sum(value < 0 for value in made.transition_states[0].eigenvalues) == 1
    found = assess(surface, reference, comparison=fixed)
    assert found.counts["minima_found"] == 1
    assert found.counts["missing_transition_states"] == 1


def test_a_network_can_be_given_as_its_file_or_as_the_folder_of_its_exploration(ethanol, tmp_path):
    ethanol.write(tmp_path / "network.json")
    for subject in (tmp_path, str(tmp_path), tmp_path / "network.json"):
        assert assess(subject, landscape17.reference("ethanol")).counts["minima_found"] == 2


def test_a_run_without_a_network_and_swapped_arguments_are_sentences(ethanol, tmp_path):
    for subject in (tmp_path, tmp_path / "gone", str(tmp_path / "network.json")):
        with pytest.raises(UnreadableFile, match="an exploration writes it with its first minimum"):
            assess(subject, ethanol)
    with pytest.raises(InvalidTask, match="What is assessed comes first, the reference second"):
        assess(ethanol, "gfn2-xtb")


def test_options_of_a_potential_are_refused_for_a_network(ethanol):
    with pytest.raises(InvalidTask, match="takes no option 'max_steps'"):
        assess(copied(ethanol), ethanol, max_steps=3)
    with pytest.raises(InvalidTask, match="no assessments"):
        summary([])
