import re
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from scipy.spatial.transform import Rotation

from labkit.analysis.luminescence_modes import normal_modes
from labkit.analysis.vibrations import Velocities, vdos
from labkit.analysis.vibrations_coherence import coherence
from labkit.analysis.vibrations_lorentzian import fit_lines
from labkit.analysis.vibrations_modes import (
    MEV_PER_THZ,
    ModeVelocities,
    eckart_frame,
    equipartition,
    mode_spectra,
    project,
)
from labkit.errors import InvalidStructure

from .vibrations_toys import SpringMolecule

TEMPERATURE_K = 30.0  # above, this soft molecule turns inside out


@pytest.fixture(scope="module")
def methane():
    return SpringMolecule()


@pytest.fixture(scope="module")
def modes(methane):
    return methane.modes()


@pytest.fixture(scope="module")
def inner(methane):
    """48 copies for 1.2 ps each, in the frame that turns with the molecule."""
    moving = methane.dynamics(48, 1200, TEMPERATURE_K, friction_per_ps=40.0, equilibration=300)
    return [eckart_frame(one, methane.atoms) for one in moving]


def turned(moving, seed=0):
    """The same trajectory seen by someone who is turned and flies past."""
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    drift = np.array([0.1, -0.2, 0.05])
    time = np.arange(len(moving.values)) * moving.frame_interval_fs * units.fs
    places = moving.positions_A @ turn.T + 3 + time[:, None, None] * drift
    return replace(moving, values=moving.values @ turn.T + drift, positions_A=places)


def test_a_molecule_has_six_modes_that_never_move(modes, inner):
    assert np.abs(modes.energies_meV[:6]).max() < 0.1
    assert modes.energies_meV[6] > 10
    projected = [project(one, modes) for one in inner[:8]]
    assert max(np.abs(one.values[:, :6]).max() for one in projected) < 1e-12
    assert min(one.values[:, 6:].std() for one in projected) > 0.02
    assert inner[0].removed == 6
    assert vdos(inner).degrees_of_freedom == 9


def test_every_vibration_has_the_energy_kT(modes, inner):
    each = np.array([equipartition(project(one, modes, only=range(6, 15))).temperatures_K for one in inner])
    mean, error = each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each))
    assert error.max() < 0.06 * TEMPERATURE_K
    assert (np.abs(mean - TEMPERATURE_K) < 3.5 * error).all()
    assert mean.mean() == pytest.approx(TEMPERATURE_K, rel=0.03)
    assert vdos(inner).temperature_K == pytest.approx(mean.mean(), rel=1e-2)


def test_the_error_of_a_mode_temperature_is_the_scatter_between_trajectories(modes, inner):
    found = [equipartition(project(one, modes, only=range(6, 15)), blocks=5) for one in inner]
    scatter = np.std([one.temperatures_K for one in found], axis=0, ddof=1).mean()
    assert np.mean([one.errors_K.mean() for one in found]) == pytest.approx(scatter, rel=0.25)
    assert found[0].mean_K == pytest.approx(found[0].temperatures_K.mean())
    # translations and rotations, which are taken out, do not cool the mean
    assert equipartition(project(inner[0], modes), blocks=5).mean_K == pytest.approx(found[0].mean_K)


def test_the_modes_move_alike_however_the_molecule_is_turned(methane, modes):
    moving = methane.dynamics(1, 300, TEMPERATURE_K, friction_per_ps=20.0, seed=1, equilibration=50)[0]
    one, other = (project(eckart_frame(m, methane.atoms), modes) for m in (moving, turned(moving)))
    np.testing.assert_allclose(one.values, other.values, atol=1e-9)
    spectra = [mode_spectra(p, resolution_THz=10).power for p in (one, other)]
    np.testing.assert_allclose(spectra[0], spectra[1], atol=1e-9 * spectra[0].max())
    # Without the frame a turned molecule projects on patterns that are no longer its own.
    lost = project(turned(moving), modes).values - project(moving, modes).values
    assert np.abs(lost[:, 6:]).max() > 0.1 * one.values.std()


def test_a_molecule_that_spins_and_flies_keeps_the_velocities_of_its_vibrations(methane, modes):
    t = np.arange(400)[:, None] * units.fs
    omega = 2 * np.pi * np.array([12.0, 25.0]) / (1000 * units.fs)
    swing = np.array([0.15, 0.1])
    q, speed = swing * np.sin(omega * t), swing * omega * np.cos(omega * t)
    patterns = modes.vectors[[7, 14]] / np.sqrt(methane.masses)
    centre = np.average(methane.atoms.positions, axis=0, weights=methane.masses[:, 0])
    x = methane.atoms.positions - centre + np.einsum("tk,kia->tia", q, patterns)
    v = np.einsum("tk,kia->tia", speed, patterns)
    spin = np.array([0.3, -0.5, 0.8]) * 0.5
    turns = Rotation.from_rotvec(t * spin).as_matrix()
    seen = np.einsum("tab,tib->tia", turns, x)
    speeds = np.einsum("tab,tib->tia", turns, v) + np.cross(spin, seen) + [0.2, 0.1, 0.0]
    moving = Velocities(speeds, 1.0, methane.masses[:, 0], tuple(methane.atoms.symbols), seen + 0.2 * t[:, None])
    found = project(eckart_frame(moving, methane.atoms), modes, only=[7, 14]).values
    np.testing.assert_allclose(found, speed, atol=1e-10)


def test_the_bends_of_a_linear_molecule_keep_their_phase_while_it_tumbles():
    atoms = Atoms("OCO", positions=[[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]])
    masses = atoms.get_masses()
    bend = np.array([1, -2 * masses[0] / masses[1], 1]) * np.sqrt(masses)
    vectors = np.zeros((2, 3, 3))
    vectors[0, :, 0] = vectors[1, :, 1] = bend / np.linalg.norm(bend)
    t = np.arange(1000) * units.fs
    omega = 2 * np.pi * 0.02 / units.fs
    q = np.stack([0.1 * np.sin(omega * t), 0.06 * np.cos(omega * t)], axis=1)
    speed = omega * np.stack([0.1 * np.cos(omega * t), -0.06 * np.sin(omega * t)], axis=1)
    patterns = vectors / np.sqrt(masses)[:, None]
    spin = np.array([0.03, 0.06, 0.0])  # across the axis, which then turns along a great circle
    turns = Rotation.from_rotvec(t[:, None] * spin).as_matrix()
    x = np.einsum("tab,tib->tia", turns, atoms.positions + np.einsum("tk,kia->tia", q, patterns))
    v = np.einsum("tab,tib->tia", turns, np.einsum("tk,kia->tia", speed, patterns)) + np.cross(spin, x)
    noise = np.random.default_rng(0).normal(size=x.shape) * 1e-4
    for places, allowed in ((x, 1e-10), (x + noise, 1e-3)):
        found = eckart_frame(Velocities(v, 1.0, masses, tuple("OCO"), places), atoms)
        assert found.removed == 5
        np.testing.assert_allclose(project(found, vectors).values, speed, atol=allowed)
    # However it is turned at first, and with the axis the other way round, the line stays one line.
    flipped = Velocities(-v, 1.0, masses, tuple("OCO"), -x)
    spectra = mode_spectra(project(eckart_frame(flipped, atoms), vectors), resolution_THz=2)
    assert (spectra.power[:, np.abs(spectra.frequencies_THz - 20) < 5].sum(axis=1) > 0.999 * spectra.power.sum(1)).all()


def test_the_line_of_a_morse_oscillator_falls_with_its_energy_as_the_exact_solution_does():
    depth, slope, length = 4.0, 2.0, 1.2
    axis = np.array([1.0, 2.0, 2.0]) / 3
    atoms = Atoms("NO", positions=[0 * axis, length * axis])
    masses = atoms.get_masses()
    reduced = masses.prod() / masses.sum()
    stiffness = np.outer(axis, axis) * 2 * depth * slope**2
    modes = normal_modes(atoms, np.block([[stiffness, -stiffness], [-stiffness, stiffness]]))
    harmonic = modes.energies_meV[-1] / MEV_PER_THZ
    shares = np.array([0.01, 0.1, 0.25, 0.4])
    steps, dt = 16000, 0.25 * units.fs
    x = np.repeat(atoms.positions[None], len(shares), axis=0)
    v = np.zeros_like(x)
    v[:, 1] = np.sqrt(2 * shares * depth * reduced)[:, None] * axis / masses[1]
    v[:, 0] = -v[:, 1] * masses[1] / masses[0]
    v += [0.05, 0.0, 0.02]  # the molecule flies, too

    def forces(x):
        apart = x[:, 1] - x[:, 0]
        r = np.linalg.norm(apart, axis=1, keepdims=True)
        decay = np.exp(-slope * (r - length))
        pull = -2 * depth * slope * (1 - decay) * decay * apart / r
        return np.stack([-pull, pull], axis=1)

    force, places, speeds = forces(x), [], []
    for _ in range(steps):
        v = v + force / masses[:, None] * dt / 2
        x = x + v * dt
        force = forces(x)
        v = v + force / masses[:, None] * dt / 2
        places.append(x)
        speeds.append(v)
    places, speeds = np.array(places)[::4], np.array(speeds)[::4]  # a frame each fs
    bin_THz = 1e3 / len(places)
    for k, share in enumerate(shares):
        moving = Velocities(speeds[:, k], 1.0, masses, ("N", "O"), places[:, k])
        turning = eckart_frame(moving, atoms)
        assert turning.removed == 5
        projected = project(turning, modes, only=[5])
        assert projected.harmonic_THz[0] == pytest.approx(harmonic)
        peak = mode_spectra(projected, resolution_THz=bin_THz).peak_THz()[0]
        assert abs(peak - harmonic * np.sqrt(1 - share)) < bin_THz
    # the last shift is ten bins and more, so that the check means something
    assert harmonic * (1 - np.sqrt(1 - shares[-1])) > 10 * bin_THz


def test_projection_is_the_sum_over_mass_weighted_velocities(methane, modes):
    moving = methane.dynamics(1, 20, TEMPERATURE_K, friction_per_ps=20.0, equilibration=1)[0]
    found = project(moving, modes, only=[9, 4])
    by_hand = [
        [
            sum(np.sqrt(m) * e @ v for m, e, v in zip(moving.masses_amu, modes.vectors[k], frame, strict=True))
            for k in (9, 4)
        ]
        for frame in moving.values
    ]
    np.testing.assert_allclose(found.values, by_hand, atol=1e-12)
    assert found.place(4) == 1
    bare = project(moving, modes.vectors.astype(complex), frequencies_THz=modes.energies_meV / MEV_PER_THZ)
    np.testing.assert_allclose(bare.values[:, [9, 4]], found.values)
    assert np.isnan(project(moving, modes.vectors).harmonic_THz).all()


def test_modes_that_the_frames_are_too_coarse_for_are_named():
    t = np.arange(2000)[:, None] * 10e-3
    waves = np.cos(2 * np.pi * np.array([11.0, 93.0]) * t)  # 93 THz at 10 fs looks like 7 THz
    moving = ModeVelocities(waves, 10.0, np.array([4, 9]), np.array([11.0, 93.0]))
    assert re.match(r"modes 9 vibrate at up to 93 THz, above the 50 THz .* every 4\.3 fs", mode_spectra(moving).warning)
    first, second = fit_lines(moving)
    assert first.frequency_THz == pytest.approx(11, abs=0.1)
    assert np.isnan(second.frequency_THz)
    assert "above the 50 THz" in second.warning
    assert np.isfinite(equipartition(moving).temperatures_K).all()  # true velocities keep their energy
    coarse = equipartition(replace(moving, differences=True))
    assert np.isnan(coarse.temperatures_K).tolist() == [False, True]
    assert coarse.mean_K == coarse.temperatures_K[0]
    assert coarse.warning == mode_spectra(moving).warning
    assert coherence(moving, [4], [9]).warning == coarse.warning
    fine = replace(moving, frame_interval_fs=5.0)
    assert mode_spectra(fine).warning == equipartition(replace(fine, differences=True)).warning == ""
    edge = replace(moving, values=np.cos(2 * np.pi * 48 * t) * [1, 1], harmonic_THz=np.full(2, np.nan))
    assert "Write frames more often" in mode_spectra(edge).warning


def test_velocities_from_positions_give_the_same_temperatures(methane, modes):
    moving = methane.dynamics(1, 1500, TEMPERATURE_K, friction_per_ps=20.0, seed=5, equilibration=200)[0]
    steps = np.diff(moving.positions_A, axis=0) / units.fs
    middle = (moving.positions_A[1:] + moving.positions_A[:-1]) / 2
    differences = replace(moving, values=steps, positions_A=middle, differences=True)
    both = [
        equipartition(project(eckart_frame(m, methane.atoms), modes, only=range(6, 15))).temperatures_K
        for m in (moving, differences)
    ]
    # BAOAB's own velocities are short of the derivative of its positions by (ωΔ)²/4, at most 3 % here.
    np.testing.assert_allclose(both[1], both[0], rtol=0.04)


def test_what_does_not_fit_is_refused_with_the_reason(methane, modes):
    moving = methane.dynamics(1, 20, TEMPERATURE_K, friction_per_ps=20.0, equilibration=1)[0]
    with pytest.raises(InvalidStructure, match="belong to a wave vector"):
        project(moving, modes.vectors * np.exp(0.3j))
    with pytest.raises(InvalidStructure, match="do not fit 5 moving atoms"):
        project(moving, modes.vectors[:, :4])
    with pytest.raises(InvalidStructure, match=r"not orthonormal .* not displacements"):
        project(moving, modes.vectors / np.sqrt(methane.masses))
    with pytest.raises(ValueError, match=r"only=\[15\] must name modes from 0 to 14"):
        project(moving, modes, only=[15])
    with pytest.raises(ValueError, match="mode 3 was not projected on"):
        project(moving, modes, only=[6]).place(3)
    with pytest.raises(InvalidStructure, match="needs positions"):
        eckart_frame(replace(moving, positions_A=None), methane.atoms)
    with pytest.raises(InvalidStructure, match="sort atoms alike"):
        eckart_frame(moving, Atoms("H4C", positions=methane.atoms.positions))
    with pytest.raises(InvalidStructure, match="stand at one place"):
        eckart_frame(moving, Atoms("CH4", positions=np.zeros((5, 3))))
    swapped = replace(moving, positions_A=moving.positions_A * [1, 1, -1])
    with pytest.raises(InvalidStructure, match=r"frame 0 .* changed its shape"):
        eckart_frame(swapped, methane.atoms)
    with pytest.raises(ValueError, match="blocks=10 of 2 frames"):
        equipartition(project(moving, modes))
