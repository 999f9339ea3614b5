"""The published scores of Landscape17 from the shipped networks, and the rules of matching on made-up ones."""

import numpy as np
import pytest

from labkit.errors import InvalidStructure, InvalidTask
from labkit.landscapes import landscape17
from labkit.landscapes.alignment import Comparison, distances
from labkit.landscapes.assessment import score_landscape17, summary
from labkit.landscapes.matching import Matcher, closest_match, match
from labkit.landscapes.network import KineticNetwork

from .networks import reordered

pytest.importorskip("rdkit")

#: Methods A.1: minima found of 28, extra minima, transition states found of 67.
PUBLISHED = {
    "MACE": (20, 8, 11),
    "MACE + landscape data": (27, 10, 24),
    "NequIP": (21, 12, 12),
    "NequIP + landscape data": (27, 68, 7),
    "Allegro": (20, 14, 16),
    "Allegro + landscape data": (26, 6, 20),
    "ANI-2x": (28, 22, 13),
    "AIMNet2": (26, 14, 19),
    "MACE-MP-0b3": (20, 20, 7),
    "GFN2-xTB": (21, 16, 13),
}


@pytest.fixture(scope="module")
def scores():
    return score_landscape17()


def line(points, saddles=(), name=""):
    """A network on a line: argon with energy `e` at distance `x` from the origin; comparisons in a fixed frame."""
    network = KineticNetwork(["Ar"], name=name)
    for x, energy in points:
        network.add_minimum(energy, [[x, 0, 0]])
    for ends, x, energy in saddles:
        network.add_transition_state(ends, energy, [[x, 0, 0]])
    return network


def minima_only(symbols, structures):
    network = KineticNetwork(symbols)
    for positions in structures:
        network.add_minimum(0.0, positions)
    return network


FIXED = Comparison(["Ar"], mode="fixed frame")


def test_the_published_table_of_methods_is_reproduced_from_the_shipped_networks(scores):
    table = summary(scores)
    published = landscape17.published_table()
    assert list(table.index) == list(published.index) == list(PUBLISHED)
    for name, (found, extra, saddles) in PUBLISHED.items():
        row, theirs = table.loc[name], published.loc[name]
        assert (theirs.minima_found, theirs.extra_minima, theirs.transition_states_found) == (found, extra, saddles)
        # the published 68 hold 58 minima without an energy, which are no minima
        ours = (row.minima_found, row.extra_minima + row.without_energy, row.transition_states_found)
        assert np.abs(np.subtract(ours, (found, extra, saddles))).max() <= 1, name
        assert (row.minima, row.transition_states) == (28, 67)
    assert table.without_energy.sum() == table.without_energy["NequIP + landscape data"] == 58
    assert (table.recall < 0.5).all()  # "all the models considered miss over half of the DFT transition states"


def test_each_molecule_of_each_model_is_matched_as_published(scores):
    published = landscape17.published_statistics().set_index(["label", "molecule"])
    assert len(scores) == len(published) == 60
    off = 0
    for one in scores:
        row = published.loc[(one.name, one.molecule)]
        ours = one.match
        off += abs(len(ours.minima) - row.matched_min) + abs(len(ours.transition_states) - row.matched_ts)
        off += abs(len(ours.extra_minima) + one.without_energy - row.extra_min)
        # the published aligner stops below the threshold: its distances are never shorter than ours
        for pairs, distances_A in ((ours.minima, row.minima_distances_A), (ours.transition_states, row.ts_distances_A)):
            if len(pairs) == len(distances_A):
                assert (np.sort([p.rmsd_A for p in pairs]) <= np.sort(distances_A) + 1e-4).all()
        if row.same_dft_reference and len(ours.minima) == len(row.minima_dE_rel_eV):
            assert np.sort([p.dE_rel_eV for p in ours.minima]) == pytest.approx(np.sort(row.minima_dE_rel_eV), abs=2e-5)
    assert off == 0


def test_most_published_distances_are_root_mean_squares_per_atom(scores):
    published = landscape17.published_statistics().set_index(["label", "molecule"])
    ours, theirs = [], []
    for one in scores:
        row = published.loc[(one.name, one.molecule)]
        ours += np.sort([p.rmsd_A for p in one.match.minima]).tolist()
        theirs += np.sort(row.minima_distances_A).tolist()
    same = np.isclose(ours, theirs, atol=1e-4)
    # the others are longer: the published search stops at the first alignment below the threshold
    assert same.mean() > 0.85
    roots = np.concatenate([[len(s.match.reference.symbols)] * len(s.match.minima) for s in scores]) ** 0.5
    assert np.isclose(np.multiply(ours, roots), theirs, atol=1e-4).mean() < 0.1


@pytest.mark.parametrize(
    ("wrong", "options"),
    [
        ("a threshold on the norm", {"threshold_A": 0.3 / np.sqrt(21)}),
        ("atoms that keep their numbers", {"classes": tuple(range(21))}),
        ("mirror images that differ", {"inversion": False}),
    ],
)
def test_a_wrong_matcher_does_not_give_the_published_counts(wrong, options):
    reference = landscape17.reference("aspirin")
    network = landscape17.model_network("mace", "aspirin")
    threshold = options.pop("threshold_A", 0.3)
    found = match(reference, network, threshold, Comparison(reference.symbols, **options))
    assert len(found.minima) < 5, wrong  # as published: 5 and 3
    assert len(found.transition_states) < 3, wrong


def test_of_two_reference_minima_with_one_nearest_partner_the_closer_one_keeps_it():
    reference = line([(0.0, 0.0), (0.2, 0.1)])
    other = line([(0.15, 5.0), (1.0, 6.0)])
    found = match(reference, other, 0.3, FIXED)
    assert [(p.reference, p.other) for p in found.minima] == [(1, 0)]
    assert found.missing_minima == [0]
    assert found.extra_minima == [1]
    # the one that lost does not take its second nearest, even where that is close enough
    second = match(reference, line([(0.15, 5.0), (-0.2, 6.0)]), 0.3, FIXED)
    assert found.partner == second.partner == {1: 0}


def test_a_transition_state_counts_only_between_partners_and_below_the_threshold():
    reference = line([(0.0, 0.0), (1.0, 0.1)], [((0, 1), 0.5, 0.6), ((0, 0), 0.1, 0.7)])
    near, far, elsewhere = 0.55, 0.9, 0.5
    other = line(
        [(0.0, 3.0), (1.0, 3.2), (2.0, 4.0)],
        [((1, 0), far, 3.9), ((0, 1), near, 3.7), ((0, 2), elsewhere, 3.5), ((1, 1), 0.1, 3.4)],
    )
    found = match(reference, other, 0.3, FIXED)
    assert [(p.reference, p.other, round(p.rmsd_A, 9)) for p in found.transition_states] == [(0, 1, 0.05)]
    assert found.missing_transition_states == [1]  # a self-loop of minimum 0; theirs is one of minimum 1
    assert found.extra_transition_states == [0, 2, 3]
    assert found.minima[1].dE_rel_eV == pytest.approx(0.1 - 0.2)
    assert found.transition_states[0].dE_rel_eV == pytest.approx(0.6 - 0.7)
    barriers = found.barriers().set_index(["start", "end"])
    assert barriers.error_eV[(0, 1)] == pytest.approx(0.1)
    assert barriers.error_eV[(1, 0)] == pytest.approx(0.5 - 0.5)
    states = found.table().groupby(["kind", "state"]).size()
    assert states[("minimum", "matched")] == 2
    assert states[("minimum", "extra")] == 1
    assert states[("transition state", "extra")] == 3


def test_one_transition_state_taken_by_two_is_said():
    reference = line([(0.0, 0.0), (1.0, 0.1)], [((0, 1), 0.5, 0.6), ((0, 1), 0.6, 0.7)])
    other = line([(0.0, 0.0), (1.0, 0.1)], [((0, 1), 0.55, 0.6)])
    found = match(reference, other, 0.3, FIXED)
    assert len(found.transition_states) == 2
    assert found.extra_transition_states == []
    assert "nearest of 2 of the reference: [0, 1]" in found.warnings[0]


def test_another_global_minimum_is_said():
    reference, other = line([(0.0, 0.0), (1.0, 0.1)]), line([(0.0, 0.3), (1.0, 0.1)], name="the model")
    found = match(reference, other, 0.3, FIXED)
    assert "lowest matched minimum of the model is 1 (reference 1)" in found.warnings[0]
    # each network counts from its own lowest matched minimum
    assert [p.dE_rel_eV for p in found.minima] == pytest.approx([-0.2, 0.1])


def test_closest_matches_are_one_to_one_and_have_no_threshold():
    reference = line([(0.0, 0.0), (0.2, 0.1), (5.0, 0.2)])
    other = line([(0.15, 0.0), (100.0, 0.0)])
    found = closest_match(reference, other, FIXED)
    assert found.partner == {1: 0, 2: 1}
    assert found.missing_minima == [0]
    assert Matcher(reference, other, FIXED).closest_minima() == found.partner
    # exact partners stay where another minimum would take them, and only the others are sought
    assert Matcher(reference, other, FIXED).closest_minima({0: 0}) == {0: 0, 2: 1}


def test_one_atom_is_a_point_of_a_surface_and_not_laid_upon_another():
    surface = line([(0.0, 0.0), (1.0, 0.1), (3.0, 0.2)], [((0, 1), 0.5, 0.6)])
    found = match(surface, surface)
    assert found.partner == {0: 0, 1: 1, 2: 2}
    assert found.counts["transition_states_found"] == 1
    assert match(surface, line([(0.1, 0.0), (9.0, 0.1)])).missing_minima == [1, 2]


def test_a_threshold_can_be_moved_without_computing_anything_twice(monkeypatch):
    reference = landscape17.reference("paracetamol")
    matcher = Matcher(reference, landscape17.model_network("gfn2-xtb", "paracetamol"))
    thresholds = (0.5, 0.45, 0.4, 0.3, 0.1)
    asked = [matcher.match(threshold).counts for threshold in thresholds]
    assert [one["minima_found"] for one in asked][::4] == [4, 0]
    monkeypatch.setattr("labkit.landscapes.alignment.distances", None)
    assert [matcher.match(threshold).counts for threshold in thresholds] == asked
    monkeypatch.undo()
    assert [match(reference, matcher.other, threshold).counts for threshold in thresholds] == asked


def test_a_narrower_threshold_finds_what_a_wider_search_ended_before():
    # transition state 1 of ethanol is 0.484 Å from theirs; below 1 Å a search ends at 0.798 Å already
    reference, other = landscape17.reference("ethanol"), landscape17.model_network("nequip+landscape", "ethanol")
    matcher = Matcher(reference, other)
    for threshold in (1.0, 0.7, 0.5, 1.0, 0.5):
        assert matcher.match(threshold).counts == match(reference, other, threshold).counts, threshold
    assert matcher.match(0.5).counts["transition_states_found"] == 1
    both = [p.positions for p in reference.transition_states[:2]]
    swapped = Matcher(*(minima_only(reference.symbols, both[::way]) for way in (1, -1)))
    swapped.match(1.0)
    assert swapped.minima_A(0.2) == pytest.approx(Matcher(swapped.reference, swapped.other).minima_A(0.2))


def test_networks_whose_atoms_stand_in_another_order_are_compared():
    reference, network = landscape17.reference("ethanol"), landscape17.model_network("mace+landscape", "ethanol")
    shuffled = reordered(network, [8, 6, 7, 5, 4, 3, 2, 1, 0])
    a, b = match(reference, network), match(reference, shuffled)
    assert a.counts == b.counts
    assert [p.rmsd_A for p in a.minima] == pytest.approx([p.rmsd_A for p in b.minima], abs=1e-6)


def test_empty_networks_and_other_molecules():
    reference = line([(0.0, 0.0)], [((0, 0), 0.1, 0.2)])
    empty = line([])
    assert match(reference, empty, 0.3, FIXED).counts["missing_transition_states"] == 1
    assert match(empty, reference, 0.3, FIXED).counts["extra_minima"] == 1
    assert closest_match(empty, empty, FIXED).counts["minima_found"] == 0
    assert match(empty, empty, 0.3, FIXED).table().empty
    with pytest.raises(InvalidStructure, match="only networks of the same atoms"):
        match(landscape17.reference("ethanol"), landscape17.reference("malonaldehyde"))
    with pytest.raises(InvalidTask, match="positive distance"):
        match(reference, reference, 0.0, FIXED)


def test_all_pairs_of_a_batch_are_those_of_single_pairs():
    network = landscape17.reference("malonaldehyde")
    comparison = Comparison(network.symbols)
    points = [p.positions for p in (*network.minima, *network.transition_states)]
    matrix = comparison.matrix(points, points)
    assert matrix == pytest.approx(matrix.T, abs=1e-6)
    assert matrix[0, 3] == pytest.approx(comparison.distance(points[0], points[3]), abs=1e-9)
    assert distances(np.zeros((0, 2, 3)), np.zeros((4, 2, 3))).shape == (0, 4)
