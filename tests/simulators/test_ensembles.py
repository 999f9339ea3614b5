"""The thermostats sample the canonical ensemble, judged by statistics and not by eye."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from scipy import stats

from labkit.simulators.integrators import Integrator

TEMPERATURE_K = 300.0
STEPS, DISCARDED, STRIDE = 10_000, 400, 25


class Springs(Calculator):
    """V = sum over pairs of (k_ij/2 + c/4 d²) d², d the distance that i and j have moved apart: quick and chaotic."""

    implemented_properties = ("energy", "forces")

    def __init__(self, sites):
        super().__init__()
        k = np.random.default_rng(3).uniform(0.1, 0.8, (len(sites), len(sites)))
        self.sites, self.k, self.c = sites.copy(), ((k + k.T) / 2)[:, :, None], 20.0  # eV/Å^2, eV/Å^4

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        u = self.atoms.positions - self.sites
        apart = u[:, None] - u
        square = (apart**2).sum(axis=2, keepdims=True)
        self.results = {
            "energy": float(((self.k / 2 + self.c / 4 * square) * square).sum()) / 2,
            "forces": -((self.k + self.c * square) * apart).sum(axis=1),
        }


@pytest.fixture(scope="module", params=["NVT-Langevin", "NVT-Bussi", "NVT-Nose-Hoover"])
def kinetic_energies(request):
    """Nearly uncorrelated kinetic energies (eV) of eight atoms of copper's mass."""
    atoms = bulk("Cu").repeat(2)
    atoms.calc = Springs(atoms.positions)
    atoms.rattle(0.02, seed=1)
    momenta = np.random.default_rng(5).normal(size=(8, 3))
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    integrator = Integrator(
        atoms,
        request.param,
        timestep_fs=4,
        temperature_K=TEMPERATURE_K,
        friction_per_ps=40,
        thermostat_time_fs=25,
        seed=2,
    )
    energies = []
    for step in range(STEPS):
        integrator.step()
        if step >= DISCARDED and step % STRIDE == 0:
            energies.append(atoms.get_kinetic_energy())
    return np.array(energies), integrator.degrees_of_freedom


def test_mean_and_width_of_the_kinetic_energy_belong_to_the_temperature(kinetic_energies):
    # Merz and Shirts, PLoS ONE 13, e0202764 (2018): physical_validation's test, in standard errors from the target.
    validation = pytest.importorskip("physical_validation", exc_type=ImportError)
    energies, degrees = kinetic_energies
    to_kJ_mol = 1 / (units.kJ / units.mol)
    data = validation.data.SimulationData(
        units=validation.data.UnitData(
            kb=8.31446261815324e-3,
            energy_conversion=1,
            length_conversion=1,
            volume_conversion=1,
            temperature_conversion=1,
            pressure_conversion=1,
            time_conversion=1,
        ),
        system=validation.data.SystemData(
            natoms=8, nconstraints=0, ndof_reduction_tra=3, ndof_reduction_rot=0, mass=np.full(8, 63.546)
        ),
        ensemble=validation.data.EnsembleData("NVT", natoms=8, volume=94.5, temperature=TEMPERATURE_K),
        observables=validation.data.ObservableData(kinetic_energy=energies * to_kJ_mol),
    )
    assert degrees == 21
    distance = validation.kinetic_energy.distribution(data, verbosity=0, bootstrap_seed=1, data_is_uncorrelated=True)
    assert max(distance) < 3.5


def test_the_kinetic_energy_is_gamma_distributed(kinetic_energies):
    energies, degrees = kinetic_energies
    exact = stats.gamma(degrees / 2, scale=units.kB * TEMPERATURE_K)
    assert stats.kstest(energies, exact.cdf).pvalue > 1e-3


def test_the_test_itself_would_notice_a_bath_five_per_cent_too_hot(kinetic_energies):
    energies, degrees = kinetic_energies
    exact = stats.gamma(degrees / 2, scale=units.kB * TEMPERATURE_K)
    standard_error = exact.std() / np.sqrt(len(energies))
    assert 0.05 * exact.mean() > 3 * standard_error
