import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111

from labkit import structures
from labkit.errors import InvalidTask
from labkit.screening import (
    Candidate,
    Composition,
    Geometry,
    Hull,
    Member,
    Ranking,
    Relax,
    run_screening,
    structure,
    table,
)
from labkit.screening.stage import build
from labkit.screening.stages.hull import distance
from tests.screening.made import EMT


def judged(stage, atoms, **values):
    return stage.judge(Candidate(0, "one", atoms, values))


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"require": ["Li", "Fe"]}, "it has no Fe."),
        ({"any_of": ["Na", "K"]}, "it has none of Na, K."),
        ({"forbid": ["Mg", "P"]}, "Mg, P are not wanted."),
        ({"allow": ["Li", "O", "P"]}, "Mg is not wanted."),
        ({"max_elements": 3}, "it has 4 elements, at most 3 are wanted."),
        ({"shares": {"Li": [0.2, 0.5]}}, "14.3 % of its atoms are Li; 20 to 50 % are wanted."),
        ({}, ""),
    ],
)
def test_composition_names_the_first_rule_that_is_broken(rules, reason):
    found = judged(Composition(**rules), structures.named("LiMgPO4"))
    assert found.reason == reason
    assert found.verdict == ("rejected" if reason else "passed")
    assert found.values["n_elements"] == 4


def test_composition_refuses_charges_that_do_not_add_up():
    assert judged(Composition(), structures.named("LiMgPO4")).values["oxidation"] == "Li+1 Mg+2 O-2 P+5"
    atoms = structures.substitute(structures.named("LiMgPO4"), "Mg", "Al", count=4)
    assert "do not add up" in judged(Composition(oxidation_states={"P": [5]}), atoms).reason
    assert judged(Composition(neutral=False), atoms).verdict == "passed"


def test_composition_of_a_large_formula_is_decided_or_fails():
    doped = Atoms("AlLi7Mg7O32P8")
    assert judged(Composition(), doped).values["oxidation"] == "Al+3 Li+1 Mg+2 O-2 P+5"
    mixed = judged(Composition(), Atoms("Fe33O44Li"))  # more than 50 atoms with two kinds of iron
    assert mixed.verdict == "failed"
    assert "whether Fe33LiO44 is neutral could not be decided" in mixed.reason
    assert judged(Composition(), Atoms("Fe9O12Li")).verdict in ("passed", "rejected")
    assert judged(Composition(oxidation_states={"Fe": [87 / 33]}), Atoms("Fe33O44Li")).verdict == "passed"


def test_an_unknown_element_is_refused_when_the_stage_is_made():
    with pytest.raises(InvalidTask, match="'Lo' is no element"):
        build("composition", {"require": ["Lo"]})


def test_geometry_measures_what_it_judges():
    copper = bulk("Cu", cubic=True)
    values = judged(Geometry(), copper).values
    assert values["density_g_cm3"] == pytest.approx(8.94, abs=0.05)
    assert values["shortest_A"] == pytest.approx(3.61 / np.sqrt(2), abs=1e-3)
    assert "400 atoms" not in judged(Geometry(max_atoms=3), copper).reason
    assert judged(Geometry(max_atoms=3), copper).reason == "its cell has 4 atoms; at most 3 are wanted."
    assert "density is 8.9" in judged(Geometry(max_density_g_cm3=8), copper).reason
    squeezed = bulk("Cu", a=1.7, cubic=True)
    assert "Cu and Cu are 1.20 Å apart" in judged(Geometry(max_density_g_cm3=1000), squeezed).reason
    assert "not a crystal" in judged(Geometry(periodic=True), Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])).reason


def test_relaxation_finds_the_minimum_of_the_potential():
    found = judged(Relax(potential=EMT, fmax_eV_A=1e-4), bulk("Cu", a=3.8, cubic=True))
    assert found.verdict == "passed"
    assert found.atoms.cell.lengths() == pytest.approx([3.5898] * 3, abs=2e-3)  # EMT's own lattice constant
    assert found.values["energy_eV_atom"] == pytest.approx(found.values["energy_eV"] / 4)
    assert found.atoms.info["energy"] == found.values["energy_eV"]


def test_relaxation_that_does_not_converge_fails_and_says_how_far_it_came():
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.rattle(0.2, seed=1)
    found = judged(Relax(potential=EMT, fmax_eV_A=1e-3, max_steps=2), atoms)
    assert found.verdict == "failed"
    assert "wanted is 0.001 after 2 steps" in found.reason


def test_the_hull_is_that_of_pymatgen():
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition as Formula

    rng = np.random.default_rng(3)
    formulas = ["Li", "O2", "P", "Li2O", "P2O5", "Li3PO4", "LiPO3", "Li4P2O7", "LiO2", "Li3PO4", "Li2PO3"]
    energies = [0, 0, 0, *rng.uniform(-2.5, -1.0, size=len(formulas) - 3)]
    entries = [PDEntry(Formula(f), e * Formula(f).num_atoms) for f, e in zip(formulas, energies, strict=True)]
    diagram = PhaseDiagram(entries)
    members = [
        Member(n, f, {k: int(v) for k, v in Formula(f).get_el_amt_dict().items()}, {"energy_eV_atom": e or 1e-15})
        for n, (f, e) in enumerate(zip(formulas, energies, strict=True))
    ]
    above = 0
    for entry, member in zip(entries, members, strict=True):
        found = distance(member, members)
        expected = diagram.get_e_above_hull(entry)
        assert (0.0 if found is None else max(0.0, found[0])) == pytest.approx(expected, abs=1e-8)
        if entry in diagram.stable_entries and found is not None:
            assert found[0] == pytest.approx(diagram.get_equilibrium_reaction_energy(entry), abs=1e-8)
        above += expected > 1e-3
    assert above >= 3  # else this test would prove nothing


def test_the_hull_says_against_what_and_when_it_knows_nothing():
    members = [
        Member(0, "a", {"Li": 1, "F": 1}, {"energy_eV_atom": -3.0}),
        Member(1, "b", {"Li": 1, "F": 1}, {"energy_eV_atom": -2.8}),
        Member(2, "c", {"Na": 1, "F": 1}, {"energy_eV_atom": -2.8}),
        Member(3, "d", {"Na": 1, "F": 1}, {}),
    ]
    found = Hull(max_eV_atom=0.1).judge_all(members, [])
    assert [found[n].verdict for n in range(4)] == ["passed", "rejected", "passed", "failed"]
    assert found[0].values["hull_eV_atom"] == 0.0
    assert "0.200 eV/atom above the hull, against the given phases (1.000 a)" in found[1].reason
    assert found[2].values["hull_eV_atom"] is None
    assert Hull(unknown="reject").judge_all(members, [])[2].verdict == "rejected"


def test_competing_phases_are_evaluated_by_the_same_potential(tmp_path):
    from ase.build import bulk

    alloy = bulk("Cu", cubic=True)
    alloy.symbols[0] = "Pt"
    phases = [structures.to_dict(bulk(symbol, cubic=True)) for symbol in ("Cu", "Pt")]
    stages = [
        {"name": "relaxation", "parameters": {"potential": EMT, "fmax_eV_A": 0.01}},
        {"name": "hull", "parameters": {"phases": phases, "max_eV_atom": 5.0}},
    ]
    run_screening([alloy], stages, tmp_path)
    found = table(tmp_path).iloc[0]

    def energy(atoms):
        return judged(Relax(potential=EMT, fmax_eV_A=0.01), atoms).values["energy_eV_atom"]

    expected = energy(alloy) - 0.75 * energy(bulk("Cu", cubic=True)) - 0.25 * energy(bulk("Pt", cubic=True))
    assert found["stability_eV_atom"] == pytest.approx(expected, abs=1e-4)
    assert found["hull_eV_atom"] == 0
    assert found["decomposition"] == "0.750 Cu4 + 0.250 Pt4"


def test_ranking_keeps_the_best_and_says_the_rank_of_the_others():
    members = [Member(n, str(n), {"Cu": 1}, {"x": value}) for n, value in enumerate([3.0, 1.0, None, 2.0])]
    found = Ranking(by="x", keep=2).judge_all(members, [])
    assert [found[n].verdict for n in range(4)] == ["rejected", "passed", "rejected", "passed"]
    assert [found[n].values["rank"] for n in range(4)] == [3, 1, 4, 2]
    assert found[0].reason == "rank 3 of 4 by x (3); the best 2 were kept."
    assert "no stage before gave its x" in found[2].reason
    assert Ranking(by="x", largest_first=True).judge_all(members, [])[0].values["rank"] == 1


def test_hops_lead_through_an_olivine_along_b():
    found = judged(build("hops", {"max_distance_A": 3.5}), structures.named("LiMgPO4"))
    assert found.verdict == "passed"
    assert found.values["percolates_1d_A"] == pytest.approx(3.0, abs=0.15)
    assert found.values["percolates_2d_A"] is None or not np.isfinite(found.values["percolates_2d_A"])
    assert "hops.json" in found.files
    assert (
        "do not lead"
        in judged(build("hops", {"max_distance_A": 3.5, "dimension": 3}), structures.named("LiMgPO4")).reason
    )
    assert "No two" in judged(build("hops", {"max_distance_A": 1.5}), structures.named("LiMgPO4")).reason


def test_barriers_of_a_vacancy_in_copper_are_those_of_the_potential(tmp_path):
    pytest.importorskip("labkit.simulators.neb")
    stages = [
        {"name": "relaxation", "parameters": {"potential": EMT, "fmax_eV_A": 0.02}},
        {
            "name": "barriers",
            "parameters": {"potential": EMT, "species": "Cu", "max_distance_A": 2.7, "images": 3, "min_length_A": 7},
        },
    ]
    run_screening([bulk("Cu", cubic=True)], stages, tmp_path)
    found = table(tmp_path).iloc[0]
    assert found["verdict"] == "passed", found["reason"]
    # One kind of hop, so one barrier in one, two and three dimensions: that of ASE's own band in the same cell.
    assert found["barrier_3d_eV"] == pytest.approx(_ase_barrier(structure(tmp_path, 0)), abs=0.005)
    assert found["barrier_1d_eV"] == pytest.approx(found["barrier_3d_eV"])
    assert (tmp_path / "candidates/000000/barriers.json").is_file()
    (kept,) = (tmp_path / "candidates/000000").glob("*-barriers/hop-*.json")
    # A worker that is lost in the middle of the next hop finds this one done.
    kept.write_text(kept.read_text().replace('"state": "converged"', '"state": "not converged"'))
    stage = build("barriers", stages[1]["parameters"])
    again = stage.judge(Candidate(0, "one", structure(tmp_path, 0), scratch=kept.parent))
    assert again.values["hops_lost"] == 1


def _ase_barrier(atoms):
    from ase.calculators.emt import EMT as ByASE
    from ase.mep import NEB
    from ase.optimize import BFGS, FIRE

    cell = atoms * (2, 2, 2)
    ends = []
    for gone, empty in ((0, 1), (1, 0)):
        end = cell.copy()
        # The atom that hops comes last in both, so that the order of the atoms is the same.
        moving = end[empty]
        end.append(moving)
        del end[sorted((gone, empty))]
        end.calc = ByASE()
        BFGS(end, logfile=None).run(fmax=0.02)
        ends.append(end)
    images = [ends[0], *(ends[0].copy() for _ in range(3)), ends[1]]
    band = NEB(images, climb=True, method="improvedtangent")
    band.interpolate(mic=True)
    for image in images[1:-1]:
        image.calc = ByASE()
    FIRE(band, logfile=None).run(fmax=0.04, steps=300)
    energies = [image.get_potential_energy() for image in images]
    return max(energies) - energies[0]


def test_the_frenkel_energy_is_that_of_a_vacancy_and_an_atom_in_a_void():
    from ase.calculators.emt import EMT as ByASE
    from ase.optimize import BFGS

    copper = bulk("Cu", cubic=True)
    stage = {"potential": EMT, "species": "Cu", "clearance": 0.5, "min_length_A": 7.0, "fmax_eV_A": 0.01}
    found = judged(build("frenkel", stage), copper, barrier_1d_eV=0.7, limiting_hop_A=2.55)
    cell = copper * (2, 2, 2)
    energies = []
    for void in ([1.805, 1.805, 1.805], [0.9025, 0.9025, 0.9025]):  # octahedron and tetrahedron of a cell of 3.61 Å
        pair = cell.copy()
        pair.append(Atoms("Cu", [void])[0])
        far = int(np.argmax(pair.get_distances(32, range(32), mic=True)))
        del pair[far]
        pair.calc = ByASE()
        BFGS(pair, logfile=None).run(fmax=0.01, steps=300)
        energies.append(pair.get_potential_energy())
    cell.calc = ByASE()
    assert found.values["frenkel_eV"] == pytest.approx(min(energies) - cell.get_potential_energy(), abs=0.01)
    assert found.values["activation_eV"] == pytest.approx(0.7 + found.values["frenkel_eV"] / 2)
    assert found.values["sigma_300K_estimate_S_cm"] < 1e-30
    refused = judged(build("frenkel", {**stage, "max_activation_eV": 1.0}), copper, barrier_1d_eV=0.7)
    assert refused.verdict == "rejected"
    assert "its vacancies hop over 0.70 eV, but making a pair costs" in refused.reason
    assert "frenkel_eV" in judged(build("frenkel", stage), copper).values  # without a barrier: no activation energy
    assert "activation_eV" not in judged(build("frenkel", stage), copper).values
    unknown = judged(build("frenkel", {**stage, "clearance": 1.9}), copper)
    assert (unknown.verdict, "is wide enough" in unknown.reason) == ("failed", True)


def test_dynamics_of_a_crystal_gives_no_diffusion_and_of_a_liquid_some():
    stage = {
        "potential": EMT,
        "species": "Cu",
        "time_ps": 0.4,
        "warm_up_ps": 0.12,
        "timestep_fs": 4.0,
        "min_length_A": 5,
    }
    solid = judged(build("md", {**stage, "temperature_K": 300.0}), bulk("Cu", cubic=True))
    liquid = judged(build("md", {**stage, "temperature_K": 4000.0}), bulk("Cu", a=3.9, cubic=True))
    assert solid.verdict == liquid.verdict == "passed"
    assert liquid.values["D_cm2_s"] > 10 * abs(solid.values["D_cm2_s"])
    assert liquid.values["sigma_S_cm"] > 0
    slow = judged(build("md", {**stage, "temperature_K": 300.0, "min_D_cm2_s": 1.0}), bulk("Cu", cubic=True))
    assert "at least 1 is wanted" in slow.reason
    assert judged(build("md", stage), fcc111("Al", (1, 1, 2), vacuum=5)).reason == "it has no Cu."
