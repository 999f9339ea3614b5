import json
import re

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLengths, FixCartesian, FixCom, MirrorForce

from labkit.analysis.vibrations import CM_PER_THZ, Velocities, vdos, velocities, velocity_autocorrelation
from labkit.errors import InvalidStructure

INTERVAL_FS = 2.0
M_H, M_O = 1.008, 15.999


def waves(frames=5000, slow_THz=10.0, fast_THz=60.0):
    """Positions and velocities of OH that rattles: O at one frequency, H at another, of equal kinetic energy."""
    t = np.arange(frames) * INTERVAL_FS * 1e-3
    fs = 1e-3 * 2 * np.pi / units.fs
    x, v = np.zeros((frames, 2, 3)), np.zeros((frames, 2, 3))
    for atom, (mass, nu) in enumerate(((M_O, slow_THz), (M_H, fast_THz))):
        size = 0.05 / np.sqrt(mass)
        v[:, atom, atom] = size * np.cos(2 * np.pi * nu * t)
        x[:, atom, atom] = size * np.sin(2 * np.pi * nu * t) / (nu * fs)
    return x, v


def frames_of(x, v=None, **options):
    frames = [Atoms("OH", positions=one, **options) for one in x]
    for frame, speed in zip(frames, v if v is not None else [], strict=False):
        frame.set_velocities(speed)
    return frames


def noise(seed, frames=4000, atoms=4):
    values = np.random.default_rng(seed).normal(size=(frames, atoms, 3))
    return Velocities(values, INTERVAL_FS, np.ones(atoms), ("O", "O", "H", "H"))


def test_the_density_of_states_counts_the_degrees_of_freedom_and_its_parts_sum_up():
    found = vdos(noise(0))
    step = found.frequencies_THz[1]
    assert found.degrees_of_freedom == 9
    assert found.total.sum() * step == pytest.approx(9, rel=1e-12)
    np.testing.assert_allclose(sum(found.groups.values()), found.total, rtol=1e-12)
    assert list(found.groups) == ["O", "H"]
    # 12 squares of variance 1 lose the centre of mass's 3: 9/12 remain in 9 degrees of freedom.
    assert found.temperature_K * units.kB == pytest.approx(1, rel=0.02)
    assert found.wavenumbers_cm[-1] == pytest.approx(found.frequencies_THz[-1] * 33.35641, rel=1e-6)
    json.dumps(found.to_dict())


def test_each_element_vibrates_at_its_own_frequency_with_its_share_of_the_energy():
    v = waves()[1]
    found = vdos(Velocities(v, INTERVAL_FS, [M_O, M_H], ("O", "H"), removed=3), resolution_THz=0.5)
    assert found.frequencies_THz[np.argmax(found.groups["O"])] == pytest.approx(10)
    assert found.frequencies_THz[np.argmax(found.groups["H"])] == pytest.approx(60)
    assert found.groups["O"].sum() == pytest.approx(found.groups["H"].sum(), rel=1e-3)
    assert found.resolution_THz == pytest.approx(0.75)


def test_velocities_from_positions_have_the_spectrum_of_the_true_ones():
    x, v = waves()
    from_positions = velocities(frames_of(x), frame_interval_fs=INTERVAL_FS)
    given = velocities(frames_of(x, v), frame_interval_fs=INTERVAL_FS)
    assert from_positions.differences
    assert not given.differences
    np.testing.assert_allclose(given.values, v, atol=1e-12)
    assert from_positions.values[:, 1].std() < 0.985 * v[1:, 1].std()  # 60 THz is damped at 2 fs
    both = [vdos(one, resolution_THz=0.5) for one in (from_positions, given)]
    np.testing.assert_allclose(both[0].total, both[1].total, atol=0.003 * both[1].total.max())
    assert both[0].temperature_K == pytest.approx(both[1].temperature_K, rel=1e-3)
    with pytest.raises(InvalidStructure, match=r"move 3\.9\d times as far .* Is 0\.5 fs the time between two stored"):
        velocities(frames_of(x[:99], v), frame_interval_fs=INTERVAL_FS / 4)


def test_frames_that_know_their_times_need_no_interval_and_must_be_equally_spaced():
    x, v = waves(frames=60)
    frames = frames_of(x, v)
    for number, frame in enumerate(frames):
        frame.info["time_fs"] = 100.0 + INTERVAL_FS * number
    frames[-1].info["time_fs"] -= 1.0  # where the run ended
    found = velocities(frames)
    assert found.frame_interval_fs == INTERVAL_FS
    assert len(found.values) == 59
    with pytest.raises(ValueError, match=r"frame_interval_fs=0\.5 was given, but the frames are 2 fs apart"):
        velocities(frames, frame_interval_fs=0.5)
    frames[30].info["time_fs"] += 0.5
    with pytest.raises(InvalidStructure, match=r"frames 29 and 30 are 2\.5 fs apart, the first two 2 fs"):
        velocities(frames)
    del frames[7].info["time_fs"]
    with pytest.raises(ValueError, match="give frame_interval_fs"):
        velocities(frames)


def test_frames_wrapped_into_the_cell_are_unwrapped_or_refused():
    x, _ = waves(frames=200)
    x[:, :, 2] += np.linspace(0, 9, 200)[:, None]
    wrapped = frames_of(x, cell=[5, 5, 5], pbc=True)
    for frame in wrapped:
        frame.wrap()
    with pytest.raises(InvalidStructure, match="wrapped=True"):
        velocities(wrapped, frame_interval_fs=INTERVAL_FS)
    found = velocities(wrapped, frame_interval_fs=INTERVAL_FS, wrapped=True)
    np.testing.assert_allclose(found.values, np.diff(x, axis=0) / (INTERVAL_FS * units.fs), atol=1e-9)


def test_frames_whose_atoms_change_their_order_are_refused():
    rng = np.random.default_rng(0)
    places = 2.5 * np.indices((2, 2, 2)).reshape(3, -1).T
    frames = [Atoms("C8", positions=rng.permutation(places) + rng.normal(0, 0.05, (8, 3))) for _ in range(20)]
    with pytest.raises(InvalidStructure, match=r"move as at .* K from frame to frame. Are they in the same order"):
        velocities(frames, frame_interval_fs=5.0)


def test_the_error_is_the_scatter_that_other_seeds_show():
    many = [vdos(noise(seed)) for seed in range(60)]
    inner = slice(2, -2)
    scatter = np.std([one.total[inner] for one in many], axis=0).mean()
    assert np.mean([one.error[inner].mean() for one in many]) == pytest.approx(scatter, rel=0.1)
    pooled = vdos([noise(seed) for seed in range(16)])
    assert pooled.error[inner].mean() == pytest.approx(scatter / 4, rel=0.15)
    assert pooled.n_segments == 16 * many[0].n_segments


def test_the_autocorrelation_is_the_transform_of_the_spectrum():
    v = waves()[1]
    moving = Velocities(v, INTERVAL_FS, [M_O, M_H], ("O", "H"), removed=3)
    found = velocity_autocorrelation(moving, max_lag_fs=100)
    t = found.lag_fs * 1e-3
    np.testing.assert_allclose(found.groups["O"], np.cos(2 * np.pi * 10 * t), atol=2e-3)
    np.testing.assert_allclose(found.groups["H"], np.cos(2 * np.pi * 60 * t), atol=2e-3)
    np.testing.assert_allclose(found.total, (found.groups["O"] + found.groups["H"]) / 2, atol=2e-3)
    assert found.C0_eV == pytest.approx(0.05**2, rel=1e-2)
    rough = noise(1, frames=64)
    whole = velocity_autocorrelation(rough, max_lag_fs=1e9)
    direct = np.array([(rough.without_drift().values[5:] * rough.without_drift().values[:-5]).sum() / 59])
    np.testing.assert_allclose(whole.total[5] * whole.C0_eV, direct)


def test_a_turned_or_drifting_crystal_has_the_same_spectrum():
    one = noise(3)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    other = Velocities(one.values @ turn + [0.3, -2.0, 1.0], INTERVAL_FS, one.masses_amu, one.symbols)
    np.testing.assert_allclose(vdos(other).total, vdos(one).total, rtol=1e-9)


def test_too_coarse_a_sampling_is_said():
    _, v = waves(slow_THz=10, fast_THz=240)
    assert "Write frames more often" in vdos(Velocities(v, INTERVAL_FS, [M_O, M_H], ("O", "H"))).warning
    assert vdos(Velocities(waves()[1], INTERVAL_FS, [M_O, M_H], ("O", "H"))).warning == ""


def test_atoms_held_by_a_constraint_are_no_degrees_of_freedom():
    speeds = np.random.default_rng(0).normal(size=(400, 4, 3)) * [[[0], [0], [1], [1]]]
    held = [FixAtoms([0, 1]), FixCartesian([1], mask=(True, False, False))]  # the second holds nothing more
    frames = [Atoms("H4", positions=3 * np.eye(4, 3), constraint=held) for _ in speeds]
    for frame, speed in zip(frames, speeds, strict=True):
        frame.set_velocities(speed)
    found = vdos(velocities(frames, frame_interval_fs=1.0))
    assert found.degrees_of_freedom == 6
    assert found.temperature_K * units.kB == pytest.approx(M_H, rel=0.05)


@pytest.mark.parametrize("with_momenta", [True, False])
def test_forces_in_the_frames_give_a_folded_vibration_away(with_momenta):
    t, nu = np.arange(600) * 10e-3, np.array([93.0, 11.0])  # frames 10 fs apart: 93 THz folds to 7 THz, in mid-band
    omega = 2 * np.pi * nu * 1e-3 / units.fs
    phase = 2 * np.pi * nu * t[:, None]
    sizes = 0.05 / np.sqrt([M_H, M_O])
    x, v, a = (np.zeros((len(t), 2, 3)) for _ in range(3))
    for atom in range(2):
        v[:, atom, atom] = sizes[atom] * np.cos(phase[:, atom])
        x[:, atom, atom] = sizes[atom] * np.sin(phase[:, atom]) / omega[atom]
        a[:, atom, atom] = -sizes[atom] * omega[atom] * np.sin(phase[:, atom])
    frames = [Atoms("HO", positions=one, constraint=FixCom()) for one in x]
    for frame, speed, pull in zip(frames, v, a, strict=True):
        if with_momenta:
            frame.set_velocities(speed)
        frame.calc = SinglePointCalculator(frame, forces=pull * [[M_H], [M_O]])
    coarse = vdos(velocities(frames, frame_interval_fs=10))
    assert re.search(r"the forces on H change its velocity .* above 50 THz, the most that frames 10 fs", coarse.warning)
    for frame in frames:
        frame.calc = None
    assert vdos(velocities(frames, frame_interval_fs=10)).warning == ""  # without forces there is no way to know


def test_rigid_bonds_take_a_degree_of_freedom_each_and_unknown_constraints_are_refused():
    rng, frames = np.random.default_rng(0), []
    for _ in range(400):
        frame = Atoms("H4", positions=3 * np.eye(4, 3), constraint=FixBondLengths([(0, 1), (2, 3)]))
        frame.set_momenta(np.sqrt(M_H) * rng.normal(size=(4, 3)))  # the constraint projects them
        frames.append(frame)
    found = vdos(velocities(frames, frame_interval_fs=1.0))
    assert found.degrees_of_freedom == 12 - 3 - 2
    assert found.temperature_K * units.kB == pytest.approx(1, rel=0.03)
    for frame in frames:
        frame.set_constraint(MirrorForce(0, 1))
    with pytest.raises(InvalidStructure, match="constraint MirrorForce, whose degrees of freedom are not known"):
        velocities(frames, frame_interval_fs=1.0)
    with pytest.raises(ValueError, match=r"with 3 degrees of freedom taken out and 3 constrained have none"):
        vdos(Velocities(rng.normal(size=(50, 2, 3)), 1.0, np.ones(2), constrained=3))


def test_what_cannot_be_read_is_refused_with_the_reason():
    good = noise(0, frames=100)
    with pytest.raises(ValueError, match=r"needs segments of 50000 frames; the trajectory has 100. Take 5 THz"):
        vdos(good, resolution_THz=0.01)
    with pytest.raises(ValueError, match="share out all 4 atoms; atom 3 stands in 0"):
        vdos(good, groups={"guest": [0], "host": [1, 2]})
    with pytest.raises(ValueError, match="the groups name atoms -1 to 2; there are those from 0 to 3"):
        vdos(good, groups={"guest": [-1], "host": [0, 1, 2]})
    with pytest.raises(ValueError, match="max_lag_fs=-5 must be positive"):
        velocity_autocorrelation(good, max_lag_fs=-5)
    with pytest.raises(ValueError, match="all velocities are zero"):
        vdos(Velocities(np.zeros((50, 2, 3)), 1.0, np.ones(2)))
    with pytest.raises(ValueError, match="trajectory 1 differs from the first"):
        vdos([good, Velocities(good.values, 1.0, good.masses_amu, good.symbols)])
    with pytest.raises(InvalidStructure, match="frame 7 are not finite"):
        Velocities(np.where(np.arange(50)[:, None, None] == 7, np.nan, np.ones((50, 2, 3))), 1.0, np.ones(2))
    with pytest.raises(InvalidStructure, match="at least 4 frames"):
        Velocities(np.ones((3, 2, 3)), 1.0, np.ones(2))
    with pytest.raises(ValueError, match="frame_interval_fs=0"):
        velocities(frames_of(waves(frames=20)[0]), frame_interval_fs=0)
    masked = vdos(good, groups={"guest": np.array([True, False, False, False]), "host": [1, 2, 3]})
    np.testing.assert_allclose(masked.groups["guest"] + masked.groups["host"], masked.total)
    assert pytest.approx(33.35641) == CM_PER_THZ
