"""The random-charge gas: its labels are the gradient of its energy, and it is the same gas for the same seed."""

import numpy as np
import pytest

from labkit.datasets.random_charges import CLOSEST_A, charged_pairs, random_charge_gas, soft_repulsion
from labkit.potentials.coulomb import PointCharges


def test_the_same_seed_gives_the_same_gas_and_another_seed_another():
    one, same, other = (random_charge_gas(2, 8, 9.0, seed) for seed in (3, 3, 4))
    assert one[1].energy == same[1].energy
    assert (one[1].forces == same[1].forces).all()
    assert one[0].energy != other[0].energy


def test_boxes_are_neutral_and_no_two_ions_are_too_near():
    for record in random_charge_gas(3, 32, 10.0, 0):
        assert record.atoms.get_initial_charges().sum() == 0
        assert set(record.atoms.symbols) == {"Na", "Cl"}
        distances = record.atoms.get_all_distances(mic=True)[np.triu_indices(32, 1)]
        assert distances.min() > CLOSEST_A


def test_forces_are_minus_the_gradient_of_the_labelled_energy():
    record = random_charge_gas(1, 16, 8.0, 5)[0]

    def energy(atoms):
        return PointCharges().predict([atoms], ("energy",)).energies[0] + soft_repulsion(atoms)[0]

    assert record.energy == pytest.approx(energy(record.atoms), abs=1e-8)
    for index in ((0, 0), (5, 1), (15, 2)):
        energies = []
        for sign in (1, -1):
            moved = record.atoms.copy()
            moved.positions[index] += sign * 1e-4
            energies.append(energy(moved))
        assert record.forces[index] == pytest.approx((energies[1] - energies[0]) / 2e-4, abs=1e-6)
    assert np.abs(soft_repulsion(record.atoms)[1]).max() > 0.1


def test_a_box_that_is_too_small_and_an_odd_number_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="even number"):
        random_charge_gas(1, 7, 12.0)
    with pytest.raises(ValueError, match="Raise box_A"):
        random_charge_gas(1, 64, 8.0)
    with pytest.raises(ValueError, match="Raise box_A"):
        random_charge_gas(1, 2, 4.0)


def test_records_say_what_they_are():
    record = random_charge_gas(1, 8, 9.0, 11)[0]
    assert "point charges" in record.level_of_theory
    assert "seed 11" in record.provenance


def test_a_pair_alone_has_coulombs_energy_beyond_the_repulsion_and_forces_that_are_its_gradient():
    far = charged_pairs([8.0], "NaCl")[0]
    assert far.energy == pytest.approx(-14.399645 / 8, abs=1e-5)
    assert far.forces[0, 0] == pytest.approx(14.399645 / 64, abs=1e-5)
    below, near, above = charged_pairs([2.7 - 1e-4, 2.7, 2.7 + 1e-4], "Na2")
    assert near.forces[1, 0] == pytest.approx(-(above.energy - below.energy) / 2e-4, abs=1e-5)
    assert near.energy > 14.399645 / 2.7
    assert not near.atoms.pbc.any()


def test_a_pair_of_others_and_a_distance_of_zero_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="is not a pair of ions"):
        charged_pairs([3.0], "KCl")
    with pytest.raises(ValueError, match="above zero"):
        charged_pairs([3.0, 0.0])
