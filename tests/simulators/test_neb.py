"""Nudged elastic bands: analytic saddles, ASE's own band, end states, symmetry, and what one band does to another."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.mep import NEB
from ase.optimize import BFGS

from labkit.errors import RunCancelled
from labkit.potentials import load
from labkit.simulators.neb import Band, NudgedElasticBand, find_paths
from tests.simulators.neb_helpers import MINIMA, SADDLES, SCALE, Moody, MuellerBrown, adatom, lopsided, point


@pytest.fixture(scope="module")
def emt():
    return load("emt")


@pytest.fixture(scope="module")
def hop(emt):
    """One converged hop with its saddle mode."""
    return find_paths([adatom()], emt, images=3, fmax_eV_A=0.01, fmax_ends_eV_A=0.005, saddle_mode=True)[0]


def vacancy(direction):
    crystal = bulk("Al", cubic=True).repeat((2, 2, 2))
    final = crystal.copy()
    partner = next(
        index
        for index in range(1, len(crystal))
        if np.allclose(crystal.positions[index], np.array(direction) * 4.05 / 2, atol=1e-6)
    )
    final.positions[0] = crystal.positions[partner]
    keep = [index for index in range(len(crystal)) if index != partner]
    return crystal[keep], final[keep]


@pytest.mark.parametrize(("band", "saddle"), [("AC", "AC"), ("CB", "CB")])
def test_mueller_brown_saddles_are_found_to_a_thousandth(band, saddle):
    path = find_paths(
        [(point(band[0]), point(band[1]))],
        MuellerBrown(),
        images=7,
        fmax_eV_A=1e-3,
        fmax_ends_eV_A=1e-4,
        spring_eV_A2=1.0,
        max_steps=500,
    )[0]
    (x, y), energy = SADDLES[saddle]
    assert path.state == "converged", path.reason
    assert path.energies_eV[path.saddle] / SCALE == pytest.approx(energy, abs=1e-3)
    assert path.images[path.saddle].positions[0, :2] == pytest.approx([x, y], abs=1e-3)
    assert path.images[0].positions[0, :2] == pytest.approx(MINIMA[band[0]], abs=1e-3)


def test_an_adatom_hops_over_the_barrier_that_ases_own_band_finds(hop):
    ends = adatom()
    for atoms in ends:
        atoms.calc = EMT()
        with BFGS(atoms, logfile=None) as optimiser:
            optimiser.run(fmax=0.005)
    images = [ends[0], *(ends[0].copy() for _ in range(3)), ends[1]]
    for image in images[1:-1]:
        image.calc = EMT()
    for climb, fmax in ((False, 0.1), (True, 0.01)):
        band = NEB(images, climb=climb, method="improvedtangent")
        if not climb:
            band.interpolate()
        with BFGS(band, logfile=None) as optimiser:
            assert optimiser.run(fmax=fmax, steps=200)
    energies = [image.get_potential_energy() for image in images]
    assert hop.state == "converged"
    assert hop.forward_eV == pytest.approx(max(energies) - energies[0], abs=2e-3)
    assert hop.energies_eV[0] == pytest.approx(energies[0], abs=2e-3)


def test_forward_minus_backward_is_the_difference_of_the_end_states(emt):
    initial, final = lopsided(guest="Cu")
    path = find_paths([(initial, final)], emt, images=3, fmax_ends_eV_A=0.005)[0]
    alone = []
    for atoms in (initial, final):
        atoms.calc = EMT()
        with BFGS(atoms, logfile=None) as optimiser:
            optimiser.run(fmax=0.005)
        alone.append(atoms.get_potential_energy())
    assert path.state == "converged"
    assert not path.mirrored
    assert path.forward_eV - path.backward_eV == pytest.approx(path.reaction_eV, abs=1e-9)
    assert path.reaction_eV == pytest.approx(alone[1] - alone[0], abs=1e-3)
    assert abs(path.reaction_eV) > 0.01


def test_equivalent_hops_have_equal_barriers_with_and_without_symmetry(emt):
    ends = [vacancy((1, 1, 0)), vacancy((0, 1, 1)), adatom(0), adatom(1)]
    found = {
        symmetric: [path.forward_eV for path in find_paths(ends, emt, images=3, use_symmetry=symmetric)]
        for symmetric in (True, False)
    }
    barriers = np.array([found[True], found[False]])
    assert np.ptp(barriers[:, :2]) < 5e-3
    assert np.ptp(barriers[:, 2:]) < 5e-3


def test_the_saddle_has_one_unstable_mode_and_no_force(hop):
    assert (hop.mode_kind, hop.negative_modes, hop.saddle) == ("full", 1, 2)
    assert 0.5 < hop.imaginary_THz < 10
    assert hop.saddle_force_eV_A <= 0.01


def test_the_profile_goes_through_the_images_and_is_flat_at_the_saddle(hop):
    s, energy = hop.profile(401)
    at_images = np.interp(hop.distances_A, s, energy)
    assert at_images == pytest.approx(hop.energies_eV - hop.energies_eV[0], abs=2e-3)
    assert energy.max() == pytest.approx(hop.forward_eV, abs=1e-3)
    assert abs(hop.slopes()[hop.saddle]) < 0.01


def test_symmetry_saves_half_of_the_work_and_changes_no_barrier():
    counted = {}
    for symmetric in (True, False):
        potential = Moody()
        path = find_paths([adatom()], potential, images=5, use_symmetry=symmetric)[0]
        assert path.mirrored is symmetric
        counted[symmetric] = (potential.structures, path)
    assert counted[True][0] < 0.7 * counted[False][0]
    assert counted[True][1].forward_eV == pytest.approx(counted[False][1].forward_eV, abs=2e-3)


def test_a_path_is_held_symmetric_only_on_request(emt):
    assert NudgedElasticBand.model_fields["use_symmetry"].default is False
    assert not find_paths([adatom()], emt, images=2, max_steps=1)[0].mirrored


@pytest.mark.parametrize(("images", "spring"), [(2, 0.1), (4, 0.1), (4, 1.0)])
def test_a_mirrored_path_with_an_even_number_of_images_reaches_the_saddle(emt, hop, images, spring):
    path = find_paths([adatom()], emt, images=images, spring_eV_A2=spring, use_symmetry=True)[0]
    assert (path.state, path.mirrored) == ("converged", True), path.reason
    assert path.forward_eV == pytest.approx(hop.forward_eV, abs=2e-3)


def test_a_start_path_that_puts_two_atoms_on_one_place_is_refused():
    initial = Atoms("Al2", positions=[[4, 4, 4], [7.8, 4, 4]], cell=[12, 12, 12], pbc=True)
    final = initial.copy()
    final.positions = [[7.8, 4.2, 4], [4, 4, 4]]
    potential = Moody()
    path = find_paths([(initial, final)], potential, images=3, interpolation="linear", relax_ends=False)[0]
    assert path.state == "failed"
    assert "image 2 of the start path has atoms 0 (Al) and 1 (Al) 0.10 Å apart" in path.reason
    assert potential.structures == 2  # the ends


def test_a_symmetry_that_the_potential_does_not_share_is_given_up():
    said = []
    path = find_paths([adatom()], Moody(field=0.05), images=3, use_symmetry=True, log=said.append)[0]
    assert any("all images are computed" in line for line in said)
    assert path.state == "converged"
    assert not path.mirrored
    assert abs(path.reaction_eV) == pytest.approx(0.05 * path.hop_A, abs=2e-3)


def test_one_band_that_fails_does_not_take_the_others_along():
    bands = [adatom(), adatom(guest="Cu"), adatom(guest="Ag"), adatom(guest="Au"), adatom(1)]
    bands.append((bands[0][0], bands[0][0].copy()))
    found = find_paths(bands, Moody(), images=3, max_steps=60, relax_ends=False, fmax_eV_A=0.3, use_symmetry=True)
    assert [path.state for path in found] == ["converged", "failed", "failed", "failed", "converged", "failed"]
    assert "never trained on copper" in found[1].reason
    assert "no longer finite" in found[2].reason
    assert "exploded after 0 steps: atom 8 (Al)" in found[3].reason  # the adatom, which has the force of 1e7 eV/Å
    assert "same state" in found[5].reason
    assert np.isnan(found[1].forward_eV)


def test_a_band_in_company_takes_the_steps_that_it_takes_alone(emt):
    bands = [adatom(), adatom(guest="Cu"), adatom(1, guest="Ni"), adatom(guest="Pd")]
    together = find_paths(bands, emt, images=3, use_symmetry=True)
    queued = find_paths(bands, emt, images=3, use_symmetry=True, batch_atoms=20)
    for index, band in enumerate(bands):
        alone = find_paths([band], emt, images=3, use_symmetry=True)[0]
        for path in (together[index], queued[index]):
            assert path.steps == alone.steps
            assert path.energies_eV == pytest.approx(alone.energies_eV, abs=1e-8)


def test_an_end_state_that_many_bands_share_is_relaxed_once():
    initial, right = adatom(guest="Pd")
    _, up = adatom(1, guest="Pd")
    shuffled = [3, 1, 0, 2, *range(4, len(initial))]
    single, shared = Moody(), Moody()
    find_paths([(initial, right)], single, images=1, max_steps=1)
    find_paths([(initial, right), (initial[shuffled], up[shuffled])], shared, images=1, max_steps=1)
    assert shared.structures < 1.7 * single.structures


def test_running_out_of_steps_keeps_the_path_and_says_so(emt):
    path = find_paths([adatom()], emt, images=3, max_steps=3, relax_ends=False, fmax_eV_A=1e-6)[0]
    assert (path.state, path.steps) == ("not converged", 3)
    assert "wanted 1e-06" in path.reason
    assert path.forward_eV > 0.1


def test_a_search_can_be_stopped_and_reports_how_far_it_is(emt):
    reports = []

    def stopped():
        return len(reports) >= 4

    with pytest.raises(RunCancelled):
        find_paths([adatom()], emt, report=lambda *said: reports.append(said), stopped=stopped)
    assert len(reports) == 4
    assert all(0 <= fraction <= 1 for fraction, _ in reports)


def test_end_states_that_do_not_belong_together_are_refused():
    initial, final = adatom()
    with pytest.raises(ValueError, match="9 atoms and the final state 8"):
        Band(initial=initial, final=final[:-1])
    final.symbols[2] = "Cu"
    with pytest.raises(ValueError, match="atom 2 is Al in the initial state and Cu"):
        Band(initial=initial, final=final)
