import numpy as np
import pytest
from ase.build import bulk

from labkit.screening import Hull, Member, Stage, passed, rejected, run_screening, table
from labkit.screening.plan import plan

ENERGIES = {"NaCl": -3.0, "Na": -1.0, "Cl": -1.0, "low": -5.0}


def crystal(name, *arguments):
    atoms = bulk(*arguments)
    atoms.info["name"] = name
    return atoms


SALT, SODIUM = crystal("NaCl", "NaCl", "rocksalt", 5.6), crystal("Na", "Na")
CHLORINE, LOW = crystal("Cl", "Cl", "fcc", 5.0), crystal("low", "NaCl", "cesiumchloride", 3.5)


def energy(candidate):
    if candidate.name == "low":
        atoms = candidate.atoms.copy()
        atoms.info["seen"] = 1
        return passed(atoms, energy_eV_atom=ENERGIES[candidate.name])
    return {"energy_eV_atom": ENERGIES[candidate.name]}


def only_the_salt(candidate):
    return True if candidate.name == "NaCl" else rejected("a filter says no.")


def trips_over_low(candidate):
    if candidate.name == "low":
        raise RuntimeError("it did not converge")
    return energy(candidate)


class Loose(Stage):
    """A cheap check that fails for everything but the salt."""

    cheap = True

    def judge(self, candidate):
        """Fails."""
        if candidate.name != "NaCl":
            raise RuntimeError("nothing is known")
        return passed()


def test_a_filter_before_the_hull_takes_no_energy_from_a_phase(tmp_path):
    for number, between in enumerate(([], [only_the_salt], [only_the_salt, "composition", Loose()])):
        folder = tmp_path / str(number)
        run_screening([SALT], [energy, *between, Hull(phases=[LOW, SODIUM])], folder, processes=1)
        found = table(folder).iloc[0]
        assert found["verdict"] == "rejected"
        assert found["hull_eV_atom"] == pytest.approx(2.0)
        assert found["decomposition"] == "1.000 low"
        assert (folder / "phases.csv").read_text().count("\n") == 3
        again = run_screening([SALT], [energy, *between, Hull(phases=[LOW, SODIUM])], folder, processes=1)
        assert again["rejected"] == 1


def test_a_phase_without_an_energy_fails_whoever_could_decompose_into_it(tmp_path):
    stages = [trips_over_low, Hull(phases=[SODIUM, CHLORINE, LOW])]
    run_screening([SALT, SODIUM], stages, tmp_path, processes=1)
    found = table(tmp_path)
    assert found["verdict"].tolist() == ["failed", "passed"]
    assert "competing phase low has no energy: RuntimeError: it did not converge. Mend" in found.loc[0, "reason"]


def test_an_energy_of_zero_is_an_energy():
    members = [Member(0, "a", {"Cu": 1}, {"energy_eV_atom": 0.5})]
    phases = [Member(-1, "zero", {"Cu": 1}, {"energy_eV_atom": 0.0})]
    found = Hull(max_eV_atom=0.1).judge_all(members, phases)[0]
    assert found.verdict == "rejected"
    assert np.isclose(found.values["hull_eV_atom"], 0.5)


def test_phases_take_no_dear_detours_and_stages_of_a_kind_have_names_of_their_own():
    stages = ["composition", "relaxation", "hops", energy, "ranking", "geometry", Hull()]
    stages = [{"name": one, "parameters": {"by": "x"}} if one == "ranking" else one for one in stages]
    planned = plan(stages, potential="p", device="cpu", timeout_s=1)
    assert planned[-1].phases_by == (0, 1, 3)
    same = plan([{"name": "composition", "label": "my filter"}] * 3, potential="p", device="cpu", timeout_s=1)
    assert [one.label for one in same] == ["my filter", "my filter 2", "my filter 3"]
