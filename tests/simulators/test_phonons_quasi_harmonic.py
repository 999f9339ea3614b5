"""Expansion of Lennard-Jones argon against an evaluation of its own: shells, volumes, and the minimum of F."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from scipy.optimize import minimize_scalar

from labkit.errors import InvalidTask, NotConverged, RunCancelled, UnreadableFile
from labkit.runs import RunContext, Store
from labkit.runs.worker import work
from labkit.simulators import phonons_run
from labkit.simulators.phonons_member import Member
from labkit.simulators.phonons_quasi_harmonic import QuasiHarmonic
from labkit.simulators.phonons_quasi_harmonic_result import QuasiHarmonicResult, quasi_harmonic, read
from labkit.simulators.phonons_quasi_harmonic_scatter import bulk_modulus
from labkit.simulators.phonons_result import read as read_crystal
from tests.simulators.phonons_models import LennardJones, dispersion, energy, lattice_vectors

LJ = "tests.simulators.phonons_models:LennardJones"
MASS = Atoms("Ar").get_masses()[0]
H_EV_PS = 4.135667696e-3
MESH = 18.0


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    task = QuasiHarmonic(
        structure=bulk("Ar", "fcc", 5.3, cubic=True),
        potential=LJ,
        supercell=[3, 3, 3],
        volumes=6,
        smallest_volume=0.97,
        largest_volume=1.12,
        max_temperature_K=44,
        temperature_step_K=4,
        mesh_A=MESH,
    )
    return task.run(store=tmp_path_factory.mktemp("qha"))


def quanta(constant_A, mesh):
    """Energies of the modes (eV) on a Γ-centred mesh, without the translations, and how many there are for a cell."""
    axes = [np.arange(n) / n for n in mesh]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)[1:]
    return H_EV_PS * dispersion(bulk("Ar", "fcc", constant_A).cell, points, MASS), len(points) + 1


def helmholtz(volume_A3, temperature_K, mesh):
    constant = np.cbrt(4 * volume_A3)
    vectors = lattice_vectors(bulk("Ar", "fcc", constant).cell, LennardJones.range_A)
    modes, cells = quanta(constant, mesh)
    vibrations = (modes / 2 + units.kB * temperature_K * np.log1p(-np.exp(-modes / (units.kB * temperature_K)))).sum()
    return energy(np.linalg.norm(vectors, axis=1)).sum() / 2 + vibrations / cells


def test_volume_free_energy_and_expansion_are_those_of_the_shells(run):
    result = read(run)
    mesh = read_crystal(run, 0).phonopy.run_mesh(MESH, is_gamma_center=True).mesh_numbers
    T, volumes = 40.0, []
    for temperature in (T - 4, T, T + 4):
        found = minimize_scalar(lambda v, t=temperature: helmholtz(v, t, mesh), bounds=(34, 45), method="bounded")
        volumes.append(found.x)
        place = int(np.argmin(abs(result.temperatures_K - temperature)))
        assert result.temperatures_K[place] == temperature
        assert result.volume_A3[place] == pytest.approx(found.x, rel=1e-3)
        assert result.gibbs_eV[place] == pytest.approx(found.fun, abs=2e-5)
        assert result.free_energy(temperature) == pytest.approx(found.fun, abs=2e-5)
    place = int(np.argmin(abs(result.temperatures_K - T)))
    expansion = (volumes[2] - volumes[0]) / 8 / volumes[1]
    assert result.thermal_expansion_1_K[place] == pytest.approx(expansion, rel=0.03)
    # Mode Grüneisen parameters -d ln omega / d ln V, weighted with the heat capacity of each mode.
    v = volumes[1]
    lower, here, upper = (quanta(np.cbrt(4 * v * factor), mesh)[0] for factor in (0.998, 1.0, 1.002))
    each = -np.log(upper / lower) / np.log(1.002 / 0.998)
    x = here / (units.kB * T)
    weights = (x / np.sinh(x / 2)) ** 2
    assert result.grueneisen[place] == pytest.approx((each * weights).sum() / weights.sum(), rel=0.03)
    # B = V d2F/dV2.
    step = 0.2
    second = (helmholtz(v + step, T, mesh) - 2 * helmholtz(v, T, mesh) + helmholtz(v - step, T, mesh)) / step**2
    assert result.bulk_modulus_GPa[place] == pytest.approx(v * second / units.GPa, rel=0.03)


def test_entropy_and_heat_capacity_follow_from_the_free_energy(run):
    result = read(run)
    T = result.temperatures_K
    inner = slice(4, -1)
    assert -np.gradient(result.gibbs_eV, T)[inner] == pytest.approx(result.entropy_eV_K[inner], rel=0.02)
    slope = T * np.gradient(result.entropy_eV_K, T)
    assert slope[inner] == pytest.approx(result.heat_capacity_P_eV_K[inner], rel=0.05)
    assert (result.heat_capacity_P_eV_K[-3:] > 0.7 * 3 * units.kB).all()


def test_the_run_keeps_its_table_its_volumes_and_its_words(run):
    table, result = run.table("quasi_harmonic"), read(run.folder)
    assert table["gibbs_eV"].to_numpy() == pytest.approx(result.gibbs_eV)
    assert list(table.columns[1:]) == list(result.table().columns)
    assert len(run.table("structures")) == 6
    smallest, largest = (read_crystal(run, index).atoms.get_volume() for index in (0, 5))
    assert largest / smallest == pytest.approx(1.12 / 0.97)
    assert "Ar at 1.120 V0" in run.log(300)
    summary = run.result()
    assert summary["warnings"] == []
    assert (result.bulk_modulus_error_GPa < 0.03 * result.bulk_modulus_GPa).all()
    assert summary["thermal_expansion_1_K"] == pytest.approx(result.thermal_expansion_1_K[-1])
    assert result.free_energy_per_atom([10.0, 20.0]) == pytest.approx(result.free_energy([10.0, 20.0]))
    again = QuasiHarmonicResult.from_dict(result.to_dict())
    assert np.array_equal(again.helmholtz_eV, result.helmholtz_eV)
    with pytest.raises(ValueError, match="known from 0 to 44 K, not at 80 K"):
        result.free_energy(80)


def test_pressure_shrinks_the_crystal_and_adds_its_work(run):
    result = read(run)
    crystals = [read_crystal(run, index) for index in range(6)]
    pressed = quasi_harmonic(crystals, result.energies_eV, range(0, 45, 4), pressure_GPa=0.05, mesh=MESH)
    both = min(len(pressed.volume_A3), len(result.volume_A3))
    assert (pressed.volume_A3[:both] < result.volume_A3[:both]).all()
    work = 0.05 * units.GPa * (pressed.volume_A3[0] + result.volume_A3[0]) / 2  # dG = V dp
    assert pressed.gibbs_eV[0] - result.gibbs_eV[0] == pytest.approx(work, rel=1e-3)
    with pytest.raises(NotConverged, match=r"outside of the volumes from .* widen the range"):
        quasi_harmonic(crystals, result.energies_eV, range(0, 45, 4), pressure_GPa=2.0, mesh=MESH)
    with pytest.raises(NotConverged, match=r"at 100 K, outside of the volumes .* or take smaller steps"):
        quasi_harmonic(crystals, result.energies_eV, [0, 100, 200], mesh=MESH)


class Folder:
    """What `_stretch` sees of a run."""

    def save_json(self, _name, value):
        self.kept = value

    def log(self, *_):
        pass

    progress = raise_if_stopped = log


def test_volumes_lie_around_the_one_at_the_pressure_and_one_out_of_reach_is_refused_before_any_phonon():
    options = {"structure": bulk("Ar", "fcc", 5.25), "potential": LJ, "fmax_eV_A": 1e-3, "volumes": 5}
    folder = Folder()
    QuasiHarmonic(pressure_GPa=2.0, **options)._stretch(folder, LennardJones())
    volumes = [abs(np.linalg.det(np.reshape(one["cell"], (3, 3)))) for one in folder.kept["structures"]]
    enthalpies = np.array(folder.kept["energies_eV"]) + 2.0 * units.GPa * np.array(volumes)
    assert 0 < enthalpies.argmin() < 4
    with pytest.raises(NotConverged, match=r"crystal at 1000 GPa: the cell more than .* give a smaller pressure"):
        QuasiHarmonic(pressure_GPa=1000.0, **options)._stretch(folder, LennardJones())


def test_free_energies_that_scatter_and_modes_left_out_are_told(run):
    result = read(run)
    v, truth = np.linspace(9.6, 10.8, 7), 1.1
    draws = np.random.default_rng(0).normal(0, 1e-3, (4000, 7))
    curve = truth / 10 * (v - 10) ** 2 / 2
    modulus, error = bulk_modulus(v, curve + draws, np.full(4000, 10.0))
    assert modulus.mean() == pytest.approx(truth, rel=0.01)
    inside = np.abs(modulus - modulus.mean()) < 3.182 * error  # 95 % of Student's t with 7 - 4 degrees of freedom
    assert inside.mean() == pytest.approx(0.95, abs=0.02)
    rough = replace(result, helmholtz_eV=result.helmholtz_eV + 1e-3 * np.array([1, -1, 0, 2, -1, 0]))
    [said] = rough.warnings
    assert said.startswith("from 0 K on the free energies scatter")
    assert "not to be trusted" in said
    soft = replace(result, left_out=0.004 + 0 * result.left_out)
    assert ["up to 0.4 %" in one for one in soft.warnings] == [True]


def test_a_run_that_is_stopped_goes_on_at_the_volumes_it_had(tmp_path, monkeypatch):
    options = {
        "supercell": [2, 2, 2],
        "mesh_A": 10.0,
        "max_temperature_K": 20,
        "temperature_step_K": 5,
        "fmax_eV_A": 0.01,
    }
    task = QuasiHarmonic(structure=bulk("Ar", "fcc", 5.25), potential=LJ, volumes=6, batch_atoms=8, **options)
    take = Member.take
    monkeypatch.setattr(
        Member, "take", lambda self, *found: self.fail("it is broken") if self.index == 5 else take(self, *found)
    )
    monkeypatch.setattr(phonons_run, "CHECKPOINT_S", 0.0)
    row = RunContext.row

    def stops(context, table, step, **values):
        row(context, table, step, **values)
        if (table, step) == ("structures", 1):
            raise RunCancelled("stopped by the test")

    monkeypatch.setattr(RunContext, "row", stops)
    with pytest.raises(RunCancelled):
        task.run(store=tmp_path / "stopped")
    monkeypatch.setattr(RunContext, "row", row)
    [again] = Store(tmp_path / "stopped").runs()
    done = [again.folder / name for name in ("volumes.json", "phonons-0.npz")]
    before = [path.stat().st_mtime_ns for path in done]
    assert work(again.folder, own_process=False)[0] == "finished"
    assert [path.stat().st_mtime_ns for path in done] == before
    assert list(again.table("structures")["index"]) == [0, 1, 2, 3, 4]
    assert again.result()["warnings"][0] == "volume 5 is left out: it is broken"
    result = read(again)
    assert again.table("quasi_harmonic")["gibbs_eV"].to_numpy() == pytest.approx(result.gibbs_eV)
    assert (np.diff(result.volumes_A3) > 0).all()


def test_what_cannot_be_joined_is_refused(run, tmp_path):
    crystals = [read_crystal(run, index) for index in range(5)]
    with pytest.raises(InvalidTask, match="at least 5 volumes with one energy each"):
        quasi_harmonic(crystals[:4], [0.0] * 4)
    with pytest.raises(InvalidTask, match="no equation of state 'birch'"):
        quasi_harmonic(crystals, [0.0] * 5, equation="birch")
    with pytest.raises(InvalidTask, match="not a finite number"):
        quasi_harmonic(crystals, [0.0] * 4 + [np.nan])
    with pytest.raises(InvalidTask, match="steps of 1000 K up to 500 K are fewer than two"):
        QuasiHarmonic(max_temperature_K=500, temperature_step_K=1000)
    with pytest.raises(InvalidTask, match="is a molecule"):
        QuasiHarmonic(structure="water")
    with pytest.raises(UnreadableFile, match="holds no quasi-harmonic result yet"):
        read(tmp_path)
    (tmp_path / "quasi_harmonic.json").write_text("{")
    with pytest.raises(UnreadableFile, match="damaged"):
        read(tmp_path)
    (tmp_path / "quasi_harmonic.json").write_text('{"atoms": 1}')
    with pytest.raises(UnreadableFile, match="it lacks pressure_GPa"):
        read(tmp_path)
