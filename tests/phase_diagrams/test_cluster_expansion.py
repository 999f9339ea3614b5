from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list
from ase.units import kB

from labkit.errors import InvalidTask
from labkit.phase_diagrams.cluster_expansion import INSTALL, enumerate_alloy, fit_expansion, on_lattice
from labkit.phase_diagrams.cluster_expansion_sampling import sample_free_energy, semi_grand_compositions
from labkit.phase_diagrams.equilibrium import equilibrium
from labkit.phase_diagrams.phases_base import mixing

icet = pytest.importorskip("icet", reason=f"needs the package icet: {INSTALL}")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

J = 0.01
ELEMENTS = ("Cu", "Au")
PARENT = bulk("Cu", a=3.6)


def ising(atoms, strength: float = J) -> float:
    """Σ J σ_i σ_j over nearest neighbours, per site (eV)."""
    spin = np.where(atoms.numbers == 79, 1, -1)
    i, j = neighbor_list("ij", atoms, 2.8)
    return strength * float((spin[i] * spin[j]).sum()) / 2 / len(atoms)


@pytest.fixture(scope="module")
def structures():
    return enumerate_alloy(PARENT, ELEMENTS, 4)


@pytest.fixture(scope="module")
def ordering(structures):
    energies = [ising(one) for one in structures]
    return fit_expansion(PARENT, ELEMENTS, structures, energies, [3.0], method="least-squares")


def test_the_arrangements_of_small_cells_are_those_that_are_known(structures):
    # Hart and Forcade (2008), table IV: derivative fcc superstructures with 2, 3 and 4 atoms: 2, 3 and 12
    sizes = [len(one) for one in structures]
    assert [sizes.count(n) for n in (1, 2, 3, 4)] == [2, 2, 6, 19]


def test_an_expansion_finds_the_interactions_it_was_given(structures, ordering):
    assert ordering.rmse_eV < 1e-12
    assert ordering.ends_eV == pytest.approx((6 * J, 6 * J))
    for one in structures:
        assert ordering.energy(one) == pytest.approx(ising(one), abs=1e-12)
    big = PARENT.repeat((2, 3, 4))
    big.numbers[::5] = 79
    assert ordering.energy(big) == pytest.approx(ising(big), abs=1e-12)


def test_relaxed_structures_are_recognised_and_others_refused(structures):
    moved = structures[10].copy()
    moved.rattle(0.05, seed=1)
    moved.set_cell(moved.cell.array * 1.05, scale_atoms=True)
    found = on_lattice([moved, bulk("Cu", "bcc", a=2.9)], PARENT)
    assert found.index == [0]
    assert ising(found.ideal[0]) == pytest.approx(ising(structures[10]))
    assert found.refused[0][0] == 1


def test_without_interactions_the_sampled_alloy_is_ideal(ordering):
    space = ordering.expansion.get_cluster_space_copy()
    none = replace(ordering, expansion=icet.ClusterExpansion(space, np.zeros(len(space))))
    sampled = sample_free_energy(none, [500, 1000], repeat=3, steps=4, sweeps=5)
    np.testing.assert_allclose(sampled.mixing_eV, mixing(sampled.x[None], sampled.temperatures_K[:, None]), atol=1e-10)


def test_sampling_that_was_stopped_takes_up_where_it_was(ordering, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total, text):
        if done >= 9:
            raise Stopped

    options = {"compositions": [0.25, 0.5], "repeat": 3, "steps": 4, "sweeps": 5}
    keep = tmp_path / "rows.json"
    with pytest.raises(Stopped):
        sample_free_energy(ordering, [1000], **options, keep=keep, progress=stop)
    asked = []
    again = sample_free_energy(ordering, [1000], **options, keep=keep, progress=lambda done, *_: asked.append(done))
    assert min(asked) == 8  # pure Cu and a quarter of Au were kept
    np.testing.assert_array_equal(again.energies_eV, sample_free_energy(ordering, [1000], **options).energies_eV)


def test_sampled_free_energies_follow_the_high_temperature_expansion(ordering):
    T, sites = np.array([3000.0, 5000.0]), 125
    sampled = sample_free_energy(ordering, T, compositions=[0.25, 0.5], repeat=5, steps=5, sweeps=30)
    assert sampled.sites == sites
    x, beta = sampled.x, 1 / (kB * T[:, None])
    m2 = (2 * x - 1) ** 2
    # βf = β e_random - s - β² J² (1-m²)² z/4 + O(β³), z = 12; at fixed composition <σσ'> = m² - (1-m²)/(N-1)
    random = 6 * J * (m2 - 1) * (1 + 1 / (sites - 1))
    expected = random + mixing(x[None], T[:, None]) - beta * J**2 * (1 - m2) ** 2 * 3
    np.testing.assert_allclose(sampled.mixing_eV, expected, atol=4e-4)
    # The semi-grand ensemble at the slope of that free energy must come to the same composition.
    slope = float(sampled.phase("s").slope(0.25, 5000.0))
    (found,) = semi_grand_compositions(ordering, 5000.0, [slope], repeat=5, sweeps=40)
    assert found == pytest.approx(0.25, abs=0.02)


def test_an_alloy_that_demixes_does_so_below_its_critical_temperature(structures):
    energies = [ising(one, -J) for one in structures]
    attracting = fit_expansion(PARENT, ELEMENTS, structures, energies, [3.0], method="least-squares")
    sampled = sample_free_energy(attracting, [700, 2500], compositions=[0.1, 0.25, 0.5, 0.75, 0.9], repeat=4, steps=6,
                                 sweeps=15)  # fmt: skip
    # fcc Ising: k T_c = 9.79 J, 1136 K (12 J, 1393 K, in mean field)
    phase = sampled.phase("s")
    assert equilibrium([phase], 2500.0).tie_lines == []
    (gap,) = equilibrium([phase], 700.0).tie_lines
    assert (gap.x1 + gap.x2) / 2 == pytest.approx(0.5, abs=0.05)
    assert gap.x1 < 0.2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"elements": ("Cu", "Cu")}, "a binary alloy has two elements"),
        ({"count": 1}, "no structure is pure Au"),
        ({"energies": [0.0]}, "came with 1 energies"),
        ({"cutoffs": [9.0, 9.0]}, "cannot fix"),
        ({"elements": ("Cu", "Ag")}, "structures hold Au; this expansion is of Cu and Ag"),
    ],
)
def test_a_fit_that_cannot_be_is_refused_with_a_sentence(structures, change, sentence):
    some = structures[: change.get("count", len(structures))]
    energies = change.get("energies", [0.0] * len(some))
    with pytest.raises(InvalidTask, match=sentence):
        fit_expansion(PARENT, change.get("elements", ELEMENTS), some, energies, change.get("cutoffs", [3.0]))
