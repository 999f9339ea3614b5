"""What is taken out of a network before it is scored: other molecules, crowded hydrogens, mirror images."""

import pytest

from labkit.errors import InvalidStructure
from labkit.landscapes import landscape17
from labkit.landscapes.assessment import assess
from labkit.landscapes.cleaning import clean, crowded_hydrogen, smiles
from labkit.landscapes.matching import match
from labkit.landscapes.network import KineticNetwork

pytest.importorskip("rdkit")


@pytest.fixture
def ethanol():
    return landscape17.reference("ethanol")


def test_the_published_networks_are_clean_and_nothing_is_taken_out_of_them():
    for name in landscape17.molecules():
        reference = landscape17.reference(name)
        for model in ("mace+landscape", "nequip+landscape", "mace-mp-0b3"):
            assert clean(landscape17.model_network(model, name), reference, mirror_images=False).removals == ()
    assert clean(reference, reference).removals == ()


def isomers():
    """HCN and HNC with the saddle between, where hydrogen touches both: a reaction."""
    made = KineticNetwork(["H", "C", "N"])
    made.add_minimum(0.0, [[-1.07, 0, 0], [0, 0, 0], [1.16, 0, 0]])
    made.add_minimum(0.6, [[2.17, 0, 0], [0, 0, 0], [1.17, 0, 0]])
    made.add_transition_state((0, 1), 2.0, [[0.35, 1.15, 0], [0, 0, 0], [1.19, 0, 0]])
    return made


def test_isomers_that_the_reference_has_are_no_faults_and_others_still_are():
    assert crowded_hydrogen(isomers().symbols, isomers().transition_states[0].positions) == 0
    assert assess(isomers(), isomers()).counts == match(isomers(), isomers()).counts
    other = isomers()
    torn = other.add_minimum(3.0, [[-5.0, 0, 0], [0, 0, 0], [1.16, 0, 0]])
    lost = other.add_transition_state((0, torn), 4.0, [[-3.0, 0, 0], [0, 0, 0], [1.16, 0, 0]])
    removed = clean(other, isomers()).removals
    assert [(one.kind, one.index, one.cause) for one in removed] == [
        ("minimum", torn, "bonds"),
        ("transition state", lost, "minimum gone"),
    ]
    assert "or 1 more" in removed[0].reason
    assert clean(isomers(), isomers().atoms(isomers().minima[0])).unphysical_minima == 1


def test_a_smiles_as_people_write_it_names_the_molecule_and_nonsense_is_refused(ethanol):
    for text in ("CCO", "OCC", "[H]OCC", smiles(ethanol.symbols, ethanol.minima[0].positions)):
        assert clean(ethanol, text).removals == ()
    assert clean(landscape17.reference("salicylic"), "O=C(O)c1ccccc1O").removals == ()
    assert clean(ethanol, "COC").network.n_minima == 0
    with pytest.raises(InvalidStructure, match="'hello' is no SMILES"):
        clean(ethanol, "hello")
    with pytest.raises(InvalidStructure, match="'CCCO' is C3H8O, the network is C2H6O"):
        clean(ethanol, "CCCO")


def test_another_molecule_is_taken_out_with_its_transition_states(ethanol):
    broken = ethanol.minima[0].positions.copy()
    broken[ethanol.symbols.index("O")] += 3.0
    index = ethanol.add_minimum(-4217.0, broken)
    kept = ethanol.add_transition_state((0, 1), -4217.4, ethanol.transition_states[0].positions + 0.0)
    lost = ethanol.add_transition_state((0, index), -4216.9, ethanol.transition_states[0].positions)
    report = clean(ethanol, landscape17.reference("ethanol"))
    assert [(one.kind, one.index, one.cause) for one in report.removals] == [
        ("minimum", index, "bonds"),
        ("transition state", lost, "minimum gone"),
    ]
    assert report.unphysical_minima == 1
    assert report.unphysical_transition_states == 0
    assert report.unphysical_fraction == pytest.approx(1 / 7)
    assert report.network.n_minima == 2
    assert kept in report.network.info["was"]["transition_states"]


def test_a_hydrogen_between_two_atoms_is_taken_out(ethanol):
    hydrogen, oxygen, carbon = (ethanol.symbols.index(s) for s in ("H", "O", "C"))
    places = ethanol.minima[0].positions
    assert crowded_hydrogen(ethanol.symbols, places) is None
    squeezed = places.copy()
    squeezed[hydrogen] = (places[oxygen] + places[carbon]) / 2
    assert crowded_hydrogen(ethanol.symbols, squeezed) == hydrogen
    index = ethanol.add_minimum(-4210.0, squeezed)
    removed = clean(ethanol, smiles(ethanol.symbols, places)).removals
    assert [one.index for one in removed] == [index]
    assert removed[0].unphysical


def test_of_mirror_images_the_one_with_more_transition_states_stays(ethanol):
    point = ethanol.minima[0]
    twin = ethanol.add_minimum(point.energy_eV + 1e-3, -point.positions)
    other = ethanol.add_minimum(point.energy_eV + 6e-3, -point.positions)  # beyond 5 meV: another minimum
    report = clean(ethanol, landscape17.reference("ethanol"))
    assert [(one.index, one.cause, one.of) for one in report.removals] == [(twin, "mirror image", 0)]
    assert other in report.network.info["was"]["minima"]
    for _ in range(4):
        ethanol.add_transition_state((twin, 1), -4217.4, ethanol.transition_states[0].positions)
    report = clean(ethanol, landscape17.reference("ethanol"))
    assert (0, "mirror image") in [(one.index, one.cause) for one in report.removals if one.kind == "minimum"]
    assert report.network.transition_states_of(report.network.info["was"]["minima"].index(twin))
    assert clean(ethanol, landscape17.reference("ethanol"), mirror_images=False).mirror_images == 0


def test_a_network_of_another_molecule_cannot_be_cleaned(ethanol):
    with pytest.raises(InvalidStructure, match="the same molecule"):
        clean(ethanol, landscape17.reference("aspirin"))
