"""PBE with GPAW: settings that follow from the structure, a child process that may fail, and the real numbers.

The last part needs GPAW (`make dft`) and is skipped without it; the part before it speaks to a stand-in for GPAW.
"""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.stress import full_3x3_to_voigt_6_stress

from labkit import potentials, structures
from labkit.errors import BudgetExceeded, InvalidStructure, InvalidTask, NotConverged
from labkit.references import dft_solids, gpaw_child
from labkit.references.dft_solids import PlaneWavePBE

#: CPU seconds of energy and forces in `../shared/methods/C` section 4, settings as there: structure, spacing, cut-off.
MEASURED = [
    (bulk("Si"), None, 300, 2.2), (bulk("W"), 0.71, 300, 4.3), (structures.named("NaCl"), None, None, 12.8),
    (structures.named("Li6PS5Cl"), None, None, 77), (bulk("W", cubic=True) * (2, 2, 2), 0.65, 300, 142),
    (structures.named("MgO"), 0.75, None, 28),
]  # fmt: skip

#: A stand-in: a harmonic crystal, and whatever else the first atom's x coordinate asks for.
STAND_IN = """
import os, signal, sys, time
import numpy as np
__version__ = "0.0"
class ConvergenceError(Exception): pass
class KohnShamConvergenceError(ConvergenceError): pass
def PW(cutoff): return cutoff
def FermiDirac(width): return width
class GPAW:
    def __init__(self, **options): self.options = options
    def order(self, atoms):
        order = round(float(atoms.positions[0, 0]))
        print("noise on the standard output")
        if order == 1: raise KohnShamConvergenceError("333 iterations")
        if order == 2: os.kill(os.getpid(), signal.SIGKILL)
        if order == 3: time.sleep(60)
        if order == 4: raise MemoryError("no more")
        if order == 5: open(os.environ["MARKER"], "w").write(str(os.getpid())); time.sleep(60)
    def get_potential_energy(self, atoms=None, force_consistent=False):
        self.order(atoms)
        return float((atoms.positions**2).sum()) + self.options["mode"] + 1000 * force_consistent
    def get_forces(self, atoms=None): return -2 * atoms.positions
    def get_stress(self, atoms=None): return np.arange(6.0)
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "gpaw.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv(gpaw_child.PYTHON_VARIABLE, sys.executable)
    return tmp_path


def salt(order: int = 0) -> Atoms:
    atoms = structures.named("NaCl")
    atoms.positions[:, 0] += order
    return atoms


def test_cutoff_and_k_points_follow_from_the_structure():
    reference = PlaneWavePBE()
    assert [reference.cutoff(structures.named(name)) for name in ("Li6PS5Cl", "MgO", "NaCl")] == [350, 700, 350]
    assert reference.cutoff(bulk("Cu")) == 500
    assert reference.kpoints(structures.named("Li6PS5Cl")) == (1, 1, 1)
    assert reference.kpoints(structures.named("NaCl")) == (2, 2, 2)
    assert min(reference.kpoints(bulk("W"))) > 6
    twice = structures.named("NaCl") * (2, 1, 1)
    assert PlaneWavePBE(kspacing_per_A=0.3).kpoints(twice) == (2, 4, 4)


def test_oxygen_below_its_cutoff_is_refused():
    with pytest.raises(InvalidStructure, match=r"MgO holds O and the cut-off is 400 eV; below 600 eV"):
        PlaneWavePBE(cutoff_eV=400).label(structures.named("MgO"))
    assert PlaneWavePBE(cutoff_eV=400).check(structures.named("NaCl")) is None


def test_molecules_and_work_without_end_are_refused():
    with pytest.raises(InvalidStructure, match="not periodic in three directions"):
        PlaneWavePBE().label(molecule("H2O"))
    with pytest.raises(BudgetExceeded, match=r"350 eV with 1 x 1 x 1 k-points would take about .* s of CPU time"):
        PlaneWavePBE().label(structures.named("Li6PS5Cl") * (2, 2, 2))
    with pytest.raises(InvalidTask, match="between 100 and 3000 eV"):
        PlaneWavePBE(cutoff_eV=10)
    with pytest.raises(InvalidTask, match="positive"):
        PlaneWavePBE(smearing_eV=0)


@pytest.mark.parametrize(("atoms", "spacing", "cutoff", "seconds"), MEASURED)
def test_cost_estimates_are_right_within_a_factor(atoms, spacing, cutoff, seconds):
    reference = PlaneWavePBE(kspacing_per_A=spacing, cutoff_eV=cutoff)
    assert 1 / 2.2 < reference.cost_s(atoms) / seconds < 2.2


def test_the_child_answers_with_free_energy_forces_and_stress(stand_in):
    atoms = salt()
    found = PlaneWavePBE(cutoff_eV=400).label(atoms)
    assert found.energy == pytest.approx((atoms.positions**2).sum() + 1400)
    assert found.forces == pytest.approx(-2 * atoms.positions)
    assert found.stress[0] == pytest.approx([0, 5, 4])
    assert found.level_of_theory == "PBE, GPAW, 400 eV, k-points 0.67, metals 0.4, 1/Å, 0.1 eV"
    assert PlaneWavePBE().level_of_theory != found.level_of_theory  # and neither is that of another code's PBE
    assert "GPAW 0.0, PBE, plane waves 400 eV, 2 x 2 x 2 k-points" in found.provenance
    alone = PlaneWavePBE(cutoff_eV=400).label(atoms, forces=False)
    assert (alone.forces, alone.stress) == (None, None)


def test_labkit_itself_never_imports_gpaw(stand_in):
    PlaneWavePBE().label(salt(), forces=False)
    assert "gpaw" not in sys.modules


def test_every_failure_over_there_is_a_sentence_here(stand_in):
    reference = PlaneWavePBE(timeout_s=20)
    with pytest.raises(NotConverged, match=r"SCF of gpaw-pbe did not converge for NaCl .*333 iterations"):
        reference.label(salt(1))
    with pytest.raises(gpaw_child.CalculationFailed, match=r"killed by signal 9 \(out of memory\?\) while it computed"):
        reference.label(salt(2))
    with pytest.raises(gpaw_child.CalculationFailed, match="MemoryError: no more"):
        reference.label(salt(4))
    with pytest.raises(gpaw_child.CalculationFailed, match=r"had not finished NaCl after 2 s and was ended"):
        PlaneWavePBE(timeout_s=2).label(salt(3))


def test_a_python_without_gpaw_is_told_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "gpaw.py").write_text("raise ModuleNotFoundError(\"No module named 'gpaw'\", name='gpaw')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv(gpaw_child.PYTHON_VARIABLE, sys.executable)
    with pytest.raises(ModuleNotFoundError, match=r"needs gpaw, which .* has not: make dft"):
        PlaneWavePBE().label(salt())
    monkeypatch.setenv(gpaw_child.PYTHON_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(ModuleNotFoundError, match=r"cannot be started .*make dft"):
        PlaneWavePBE().label(salt())
    assert not gpaw_child.installed()


def test_the_child_ends_with_the_process_that_asked(stand_in, monkeypatch, until):
    marker = stand_in / "marker"
    program = (
        "from ase.build import bulk\nfrom labkit.references.dft_solids import PlaneWavePBE\n"
        "atoms = bulk('NaCl', 'rocksalt', a=5.64)\natoms.positions[:, 0] += 5\nPlaneWavePBE().label(atoms)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "MARKER": str(marker)})
    try:
        until(lambda: marker.exists() and marker.read_text())
        child = int(marker.read_text())
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not _alive(child), seconds=10)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


needs_gpaw = pytest.mark.skipif(not gpaw_child.installed(), reason=f"GPAW is not installed: {gpaw_child.INSTALL}")


@needs_gpaw
def test_forces_and_stress_are_the_derivatives_of_the_energy():
    reference = PlaneWavePBE(cutoff_eV=300, tight=True)
    atoms = bulk("Si")
    atoms.positions[1] += [0.05, 0.02, -0.03]
    found = reference.label(atoms)
    energies = []
    for step in (5e-3, -5e-3):
        moved = atoms.copy()
        moved.positions[1, 0] += step
        energies.append(reference.label(moved, forces=False).energy)
    # methods C 4: -0.22433 against -0.22412 eV/Å, tight convergence.
    assert found.forces[1, 0] == pytest.approx(-(energies[0] - energies[1]) / 1e-2, abs=2e-3)
    assert found.stress == pytest.approx(found.stress.T)
    assert np.abs(found.forces.sum(axis=0)).max() < 5e-3


@needs_gpaw
def test_the_stress_is_the_derivative_of_the_energy_and_compression_is_negative():
    reference = PlaneWavePBE(cutoff_eV=400, kspacing_per_A=0.6, tight=True)
    atoms = bulk("Si", a=5.35)  # 2 % too short
    atoms.positions[1] += [0.05, 0.02, -0.03]
    stress = reference.label(atoms).stress[0, 0]
    energies = []
    for strain in (5e-3, -5e-3):
        strained = atoms.copy()
        strained.set_cell(atoms.cell @ (np.eye(3) + strain * np.diag([1, 0, 0])), scale_atoms=True)
        energies.append(reference.label(strained, forces=False).energy)
    # 8e-5 eV/Å^3 apart at 400 eV, 2e-5 at 600 eV: plane waves that the cut-off lets in when the cell changes.
    assert stress == pytest.approx((energies[0] - energies[1]) / 1e-2 / atoms.get_volume(), abs=2e-4)
    assert stress < -0.04


@needs_gpaw
def test_silicon_has_the_lattice_constant_of_pbe():
    # 20.453 Å^3/atom, so a = 5.469 Å: PBE with WIEN2k in the Delta project (Lejaeghere et al., Science 351, aad3000
    # (2016)).
    reference = PlaneWavePBE(cutoff_eV=400, kspacing_per_A=0.42)  # one grid, 5 x 5 x 5, for all three
    lengths = np.array([5.40, 5.47, 5.54])
    energies = [reference.label(bulk("Si", a=a), forces=False).energy for a in lengths]
    curvature, slope, _ = np.polyfit(lengths, energies, 2)
    assert -slope / (2 * curvature) == pytest.approx(5.469, abs=0.015)


@needs_gpaw
def test_energy_and_stress_are_those_of_gpaws_own_tests(monkeypatch):
    monkeypatch.setattr(dft_solids, "_hexagonal", lambda _: False)  # they take Monkhorst-Pack grids off Gamma
    # gpaw 26.7, gpaw/test/generic/test_si_primitive.py: LDA, 200 eV, 4 x 4 x 4, tetrahedra (for us a narrow smearing).
    local = PlaneWavePBE(functional="LDA", cutoff_eV=200, smearing_eV=0.01, kspacing_per_A=0.5)
    assert local.kpoints(bulk("Si", a=5.475)) == (4, 4, 4)
    assert local.label(bulk("Si", a=5.475), forces=False).energy == pytest.approx(-11.8584, abs=1e-3)
    # gpaw 26.7, gpaw/test/pw/test_si_stress.py: PBE, 200 eV, 1 x 1 x 2, a sheared cell; eV/Å^3, Voigt.
    sheared = bulk("Si")
    sheared.set_cell(sheared.cell @ [[1.02, 0, 0.03], [0, 0.99, -0.02], [0.2, -0.01, 1.03]], scale_atoms=True)
    reference = PlaneWavePBE(cutoff_eV=200, tight=True)
    monkeypatch.setattr(reference, "kpoints", lambda _: (1, 1, 2))
    own = [-0.16569446, -0.07630128, -0.1266625, -0.06144752, -0.02055657, 0.04574812]
    assert full_3x3_to_voigt_6_stress(reference.label(sheared).stress) == pytest.approx(np.array(own), abs=1e-4)


@needs_gpaw
@pytest.mark.slow
def test_the_argyrodite_is_labelled():
    atoms = structures.rattle(structures.named("Li6PS5Cl"), 0.03, seed=0)
    reference = PlaneWavePBE()
    found = reference.label(atoms)
    assert len(found) == 52
    assert np.abs(found.forces).mean() == pytest.approx(0.33, abs=0.15)  # methods C 6: mean |F| 0.330 eV/Å, 0.03 Å
    assert np.abs(found.forces.sum(axis=0)).max() < 0.05
    # methods C 6: CHGNet beside GPAW on this cell, another rattle: 0.146 eV/Å mean absolute error, correlation 0.937.
    chgnet = potentials.load("chgnet", "cpu").predict([atoms], ("energy", "forces")).forces[0]
    assert np.corrcoef(chgnet.ravel(), found.forces.ravel())[0, 1] == pytest.approx(0.937, abs=0.05)
    assert np.abs(chgnet - found.forces).mean() == pytest.approx(0.146, abs=0.03)
