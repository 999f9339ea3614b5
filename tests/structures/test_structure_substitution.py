import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from pydantic import ValidationError

from labkit import structures
from labkit.errors import InvalidStructure
from labkit.structures.substitution import Substitution


def counts(atoms):
    return {symbol: int(number) for symbol, number in atoms.symbols.formula.count().items()}


def test_an_element_swap_keeps_the_prototype():
    (found,) = Substitution(replace={"Fe": "Mn"}).apply(structures.named("LiFePO4"))
    assert counts(found) == {"Li": 4, "Mn": 4, "P": 4, "O": 16}
    np.testing.assert_allclose(found.cell, structures.named("LiFePO4").cell)
    assert found.info["name"].endswith("from LiFePO4")
    assert structures.space_group(found)[1] == 62


def test_aliovalent_substitution_takes_out_as_many_ions_as_neutrality_wants():
    rule = Substitution(replace={"Mg": "Al"}, count=2, vacancy="Li")
    found = rule.apply(structures.named("LiMgPO4"))
    for one in found:
        assert counts(one) == {"Li": 2, "Mg": 2, "Al": 2, "P": 4, "O": 16}
        charge = {"Li": 1, "Mg": 2, "Al": 3, "P": 5, "O": -2}
        assert sum(charge[symbol] * number for symbol, number in counts(one).items()) == 0
    assert "Mg→Al ×2, Li vacancies" in found[0].info["source"]


def test_anions_are_balanced_too():
    rule = Substitution(replace={"O": "F"}, count=2, vacancy="Li", limit=2)
    found = rule.apply(structures.named("LiTiPO5"))
    assert [counts(one) for one in found] == [{"Li": 2, "Ti": 4, "P": 4, "O": 18, "F": 2}] * 2


def test_distinct_arrangements_are_those_that_no_symmetry_joins():
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.io.ase import AseAtomsAdaptor

    rule = Substitution(replace={"Mg": "Al"}, count=1, vacancy="Li")
    base = structures.named("LiMgPO4")
    found = rule.apply(base)
    magnesium, lithium = (np.flatnonzero(base.symbols == symbol) for symbol in ("Mg", "Li"))
    every = []
    for old, gone in itertools.product(magnesium, lithium):
        atoms = base.copy()
        atoms.symbols[int(old)] = "Al"
        del atoms[int(gone)]
        every.append(AseAtomsAdaptor.get_structure(atoms))
    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.1, primitive_cell=False, attempt_supercell=False)
    assert len(found) == len(matcher.group_structures(every)) == 2
    kept = [AseAtomsAdaptor.get_structure(atoms) for atoms in found]
    assert not matcher.fit(kept[0], kept[1])


def test_one_atom_in_a_cubic_crystal_is_one_arrangement():
    rule = Substitution(replace={"Cu": "Au"}, count=1, repeats=(2, 2, 2), oxidation_states={"Cu": 1, "Au": 1})
    assert len(rule.apply(bulk("Cu", cubic=True))) == 1
    two = Substitution(replace={"Cu": "Au"}, count=2, oxidation_states={"Cu": 1, "Au": 1})
    assert len(two.apply(bulk("Cu", cubic=True))) == 1  # all pairs of the four fcc sites are neighbours


def test_the_electrostatically_best_comes_first():
    # Two charges of the same sign on a chain of otherwise neutral sites keep away from each other.
    chain = Atoms("Na6", [[0, 0, 3.0 * n] for n in range(6)], cell=[9, 9, 18], pbc=True)
    chain += Atoms("Cl6", [[2.5, 0, 3.0 * n] for n in range(6)])
    rule = Substitution(replace={"Na": "Mg"}, count=2, oxidation_states={"Na": 1, "Mg": 2, "Cl": -1})
    with pytest.raises(InvalidStructure, match="name the ion that leaves"):
        rule.apply(chain)
    rule = Substitution(replace={"Na": "Mg"}, count=1, vacancy="Cl", oxidation_states={"Na": 1, "Mg": 2, "Cl": -1})
    with pytest.raises(InvalidStructure, match="Ions are never added"):
        rule.apply(chain)
    swap = Substitution(replace={"Cl": "O"}, count=2, vacancy="", oxidation_states={"Na": 1, "Cl": -1, "O": -2})
    with pytest.raises(InvalidStructure, match=r"changes the charge by -2 e \(Cl-1, O-2\)"):
        swap.apply(chain)
    same = Substitution(replace={"Na": "K"}, count=2, oxidation_states={"Na": 1, "K": 1, "Cl": -1})
    assert len(same.apply(chain)) == 3  # first, second and third neighbours of a ring of six


def ewald(atoms, states):
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.io.ase import AseAtomsAdaptor

    crystal = AseAtomsAdaptor.get_structure(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True))
    crystal.add_oxidation_state_by_element(states)
    return float(EwaldSummation(crystal).total_energy)


def test_the_best_is_the_best_of_all_arrangements_and_not_of_the_first():
    states = {"Mg": 2, "O": -2, "Li": 1}
    oxide = bulk("MgO", "rocksalt", 4.2, cubic=True) * (3, 1, 1)
    oxide.rattle(0.02, seed=1)  # no symmetry: 66 pairs of Mg times 12 O
    rule = Substitution(replace={"Mg": "Li"}, count=2, vacancy="O", limit=800)
    found = rule.apply(oxide)
    assert len(found) == 792
    assert found[0].info["source"].endswith("arrangement 1 of 792 distinct")
    some = [ewald(found[place], states) for place in (0, 1, 5, 50, 300, 700, 791)]
    assert some == sorted(some)
    assert some[-1] - some[0] > 5
    (best,) = rule.model_copy(update={"limit": 1}).apply(oxide)
    assert ewald(best, states) == pytest.approx(some[0])


def test_what_was_not_looked_at_is_said(monkeypatch):
    monkeypatch.setattr("labkit.structures.substitution.MAX_LOOKED_AT", 30)
    found = Substitution(replace={"Mg": "Al"}, count=2, vacancy="Li", limit=1).apply(structures.named("LiMgPO4"))
    assert found[0].info["source"].endswith("distinct among 30 of 36 choices")
    unknown = Substitution(replace={"Cu": "Au"}, count=2, repeats=(2, 1, 1), limit=2)
    monkeypatch.setattr("labkit.structures.substitution._states", lambda *_: {})
    first = unknown.apply(bulk("Cu", cubic=True))
    assert "in no order: its charges are not known" in first[0].info["source"]


def test_charges_of_a_large_formula_are_guessed_in_no_time():
    import time

    argyrodite = Atoms("Cl9Li47P8S39", positions=np.random.default_rng(0).uniform(0, 30, (103, 3)), cell=[30] * 3)
    argyrodite.pbc = True
    begin = time.perf_counter()
    (found,) = Substitution(replace={"Cl": "Br"}, count=1, limit=1).apply(argyrodite)
    assert time.perf_counter() - begin < 5
    assert counts(found)["Br"] == 1


def test_a_rule_that_does_not_fit_says_so():
    rule = Substitution(replace={"Mg": "Al"}, count=5, vacancy="Li")
    assert not rule.fits(structures.named("LiMgPO4"))
    with pytest.raises(InvalidStructure, match="too few atoms for Mg→Al ×5"):
        rule.apply(structures.named("LiMgPO4"))
    with pytest.raises(InvalidStructure, match="needs -1 Li ions to leave, of 6"):
        Substitution(replace={"Ti": "Al"}, count=1, vacancy="Li").apply(structures.named("LiTi2(PO4)3"))
    with pytest.raises(ValidationError, match="'Lo' is no element"):
        Substitution(replace={"Mg": "Lo"})
    with pytest.raises(ValidationError, match="take another ion"):
        Substitution(replace={"Li": "Na"}, vacancy="Li")


def test_the_limit_decides_how_many_are_given_and_twice_the_same():
    rule = Substitution(replace={"Mg": "Al"}, count=2, vacancy="Li", limit=3)
    first, second = (rule.apply(structures.named("LiMgPO4")) for _ in range(2))
    assert [one.info["name"] for one in first] == [one.info["name"] for one in second]
    assert [one.info["name"][-2:] for one in first] == ["#1", "#2", "#3"]
    assert "arrangement 1 of 10 distinct" in first[0].info["source"]
    assert np.allclose(first[0].positions, second[0].positions)
