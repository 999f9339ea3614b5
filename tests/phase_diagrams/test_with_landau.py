import numpy as np
import pytest
from ase.units import kB

from labkit.errors import InvalidTask
from labkit.phase_diagrams.binary import binary_diagram
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase
from labkit.phase_diagrams.with_landau import as_landau, landau_diagram

INSTALL = 'needs the package landau: pip install "landau>=1.16,<1.17"'
pytest.importorskip("landau", reason=INSTALL)


@pytest.fixture(scope="module")
def eutectic():
    phases = [
        SolutionPhase("alpha", (0.0, kB), (0.05, kB), 0.2),
        SolutionPhase("liquid", (0.1, 2.2 * kB), (0.09, 2.2 * kB)),
        LinePhase("AB", 0.5, -0.02, kB),
    ]
    temperatures = np.linspace(600, 860, 14)
    return landau_diagram(phases, temperatures, potentials=50), binary_diagram(phases, temperatures)


def test_landau_gives_the_exact_lens_and_binodal():
    lens = [
        SolutionPhase("solid", (-2.0, kB), (-3.0, 1.5 * kB)),
        SolutionPhase("liquid", (-1.9, 2.5 * kB), (-2.9, 2.2 * kB)),
    ]
    row = landau_diagram(lens, [980.0, 1000.0, 1020.0], potentials=30).table().set_index("temperature_K").loc[1000.0]
    assert (row["x1"], row["x2"]) == pytest.approx((0.3299, 0.5228), abs=1e-3)
    assert row["chemical_potential_eV"] == pytest.approx(-1.0352, abs=1e-3)


def test_a_phase_that_demixes_has_no_points_inside_of_its_gap():
    phase = as_landau(SolutionPhase("s", 0.0, 0.0, 0.2))
    x = phase.concentration(500.0, np.linspace(-0.05, 0.05, 2001))
    # methods A.10: ln[c/(1-c)] = Ω (2c-1)/kT at 500 K
    assert x[x < 0.5].max() == pytest.approx(0.010517, abs=1e-4)
    assert x[x > 0.5].min() == pytest.approx(1 - 0.010517, abs=1e-4)


def test_the_gap_through_landau_is_the_exact_binodal():
    row = landau_diagram([SolutionPhase("s", 0.0, 0.0, 0.2)], [790.0, 800.0, 810.0], potentials=30).table()
    row = row.set_index("temperature_K").loc[800.0]
    assert (row["x1"], row["x2"]) == pytest.approx((0.080698, 0.919302), abs=1e-3)


def test_the_semigrand_potential_is_the_lower_envelope():
    phase = SolutionPhase("s", -1.0, -1.2, 0.15)
    mu, x = np.linspace(-0.5, 0.2, 15), np.linspace(0, 1, 20001)
    brute = (phase.free_energy(x, 700.0) - mu[:, None] * x).min(axis=1)
    np.testing.assert_allclose(as_landau(phase).semigrand_potential(700.0, mu), brute, atol=1e-8)


def test_landau_and_our_own_diagram_agree(eutectic):
    theirs, ours = (one.table() for one in eutectic)
    assert theirs[["phase1", "phase2"]].equals(ours[["phase1", "phase2"]])
    np.testing.assert_allclose(theirs[["x1", "x2"]], ours[["x1", "x2"]], atol=1e-3)


def test_never_more_than_three_phases_at_one_temperature_and_potential(eutectic):
    assert eutectic[0].most_phases() <= 3


def test_every_phase_has_its_polygon(eutectic):
    polygons = eutectic[0].polygons()
    assert set(polygons) == {"alpha", "liquid", "AB"}
    assert all(outline.shape[1] == 2 for outlines in polygons.values() for outline in outlines)


def test_zero_kelvin_is_refused_with_what_to_do_instead():
    with pytest.raises(InvalidTask, match="use equilibrium for the hull at 0 K"):
        landau_diagram([LinePhase("A", 0.0), LinePhase("B", 1.0)], [0.0, 300.0])
