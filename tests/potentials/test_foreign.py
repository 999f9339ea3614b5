"""Somebody else's checkpoint: nothing of it runs unasked, and asked it runs in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.emt import EMT

from labkit.potentials import ForeignFailed, ForeignPotential, NotTrusted, distrust, load, trust
from labkit.potentials.checkpoints import FAMILIES, open_address
from labkit.simulators import Relaxation
from tests.potentials import structures
from tests.potentials.toy_calculators import (
    Crashes,
    Hangs,
    Hostile,
    Lies,
    NotFinite,
    Refuses,
    Springs,
    pickled,
)


@pytest.fixture(autouse=True)
def _consents_of_tests_stay_out_of_the_users_file(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_TRUSTED", str(tmp_path / "consents" / "trusted.json"))


@pytest.fixture(scope="module")
def emt(tmp_path_factory):
    with load(pickled(EMT(), tmp_path_factory.mktemp("pickles") / "emt.pkl"), trust=True) as potential:
        yield potential


def opened(calculator, tmp_path) -> ForeignPotential:
    return load(pickled(calculator, tmp_path / "toy.pkl"), trust=True)


def test_a_foreign_calculator_gives_the_numbers_that_it_gives_here(emt):
    atoms = structures.rattled_copper()
    here, there = load("emt").predict([atoms, atoms]), emt.predict([atoms, atoms])
    assert np.array_equal(there.energies, here.energies)
    assert np.array_equal(there.forces[1], here.forces[1])
    assert np.array_equal(there.stresses, here.stresses)
    assert emt.pid not in (None, os.getpid())


def test_the_calculator_of_a_foreign_potential_drives_ase(emt):
    atoms = structures.rattled_copper()
    atoms.calc = emt.calculator()
    assert atoms.get_potential_energy() == load("emt").predict([atoms]).energies[0]


def test_what_a_calculator_prints_does_not_garble_its_answers(tmp_path):
    atoms = structures.rattled_copper()
    with opened(Springs(), tmp_path) as potential:
        found = potential.predict([atoms])
    assert found.energies[0] == pytest.approx(0.5 * (atoms.positions**2).sum())
    assert np.isnan(found.stresses).all()


def test_a_hostile_pickle_runs_nothing_without_consent(tmp_path):
    marker = tmp_path / "marker"
    name = pickled(Hostile(marker), tmp_path / "model.pkl")
    with pytest.raises(NotTrusted, match=r"runs whatever program is in it.*trust=True") as refusal:
        load(name)
    assert str(tmp_path / "model.pkl") in str(refusal.value)
    with pytest.raises(ValueError, match="never pickles unasked"):
        load(tmp_path / "model.pkl")
    assert not marker.exists()


def test_with_consent_a_hostile_pickle_runs_in_the_child_only(tmp_path):
    marker = tmp_path / "marker"
    with pytest.raises(ForeignFailed, match="no ASE calculator"):
        load(pickled(Hostile(marker), tmp_path / "model.pkl"), trust=True)
    assert int(marker.read_text()) != os.getpid()


def test_consent_is_given_to_a_content_and_ends_when_the_content_changes(tmp_path):
    path = tmp_path / "toy.pkl"
    name = pickled(Springs(), path)
    trust(path)
    load(name).close()
    moved = tmp_path / "other-name.pkl"
    moved.write_bytes(path.read_bytes())
    load(f"pickle:{moved}").close()
    pickled(Hostile(tmp_path / "marker"), path)
    with pytest.raises(NotTrusted):
        load(name)
    assert distrust(moved)
    assert not distrust(moved)
    with pytest.raises(NotTrusted):
        load(f"pickle:{moved}")
    assert not (tmp_path / "marker").exists()


def test_a_run_uses_a_foreign_potential_once_its_file_is_trusted(tmp_path):
    name = pickled(EMT(), tmp_path / "emt.pkl")
    task = Relaxation(structures=[structures.rattled_copper()], potential=name, max_steps=3, fmax_eV_A=1e-6)
    with pytest.raises(NotTrusted):
        task.run(store=tmp_path / "runs")
    trust(tmp_path / "emt.pkl")
    run = task.launch(store=tmp_path / "runs").wait(60)
    assert len(run.table("relaxation")) >= 3, run.log()


def test_a_file_that_changed_is_not_opened_again_after_a_crash(tmp_path):
    potential = opened(Springs(), tmp_path)
    potential.close()
    pickled(Hostile(tmp_path / "marker"), tmp_path / "toy.pkl")
    with pytest.raises(NotTrusted, match="has changed since it was opened"):
        potential.predict([structures.rattled_copper()])
    assert not (tmp_path / "marker").exists()


def test_a_crash_becomes_a_sentence_and_the_next_question_starts_a_new_process(tmp_path):
    with opened(Crashes(), tmp_path) as potential:
        with pytest.raises(ForeignFailed, match=r"killed by signal 6 .*unharmed.*universe panicked"):
            potential.predict([structures.rattled_copper()])
        assert potential.pid is None
        with pytest.raises(ForeignFailed, match="SIGABRT"):
            potential.predict([structures.rattled_copper()])


def test_silence_ends_after_the_time_that_was_given(tmp_path):
    with opened(Hangs(), tmp_path) as potential:
        potential.timeout_s = 0.3
        began, child = time.monotonic(), potential.pid
        with pytest.raises(ForeignFailed, match=r"still silent 0.3 s after it was asked to compute structure 0 \(Cu"):
            potential.predict([structures.rattled_copper()])
        assert time.monotonic() - began < 2
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


@pytest.mark.parametrize(
    ("toy", "sentence"),
    [
        (Refuses(), "said: ValueError: no parameters for copper"),
        (Lies(), "no forces of the right shape"),
        (NotFinite(), "energy that is not a finite number"),
    ],
    ids=["refuses", "lies", "not finite"],
)
def test_answers_that_are_none_are_refused_in_a_sentence(toy, sentence, tmp_path):
    with opened(toy, tmp_path) as potential, pytest.raises(ForeignFailed, match=sentence):
        potential.predict([structures.rattled_copper()])


def test_an_answer_larger_than_the_question_allows_is_not_read(emt):
    child = emt._child
    atoms = structures.rattled_copper()
    arrays = {"numbers": atoms.numbers, "positions": atoms.positions, "cell": atoms.cell.array}
    header = {"ask": ["energy", "forces"], "pbc": [True] * 3, "info": {}}
    with pytest.raises(ForeignFailed, match="larger than what was asked for"):
        child.ask(header, arrays, timeout_s=20, largest=8, what="answer at length")
    assert not child.alive


def test_the_child_reaches_no_other_machine(monkeypatch):
    address = "tests.potentials.toy_calculators:downloads"
    with pytest.raises(ForeignFailed, match=r"wanted to download from weights\.example\.org.*nothing unasked"):
        open_address(address, "cpu", python=sys.executable)


def test_a_potential_that_nobody_holds_takes_its_process_along(tmp_path):
    potential = opened(Springs(), tmp_path)
    child = potential.pid
    del potential
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_child_ends_with_its_parent(tmp_path):
    name = pickled(Springs(), tmp_path / "toy.pkl")
    code = (
        "import os, sys; from labkit.potentials import load\n"
        f"potential = load({name!r}, trust=True); print(potential.pid, flush=True); os._exit(1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    child = int(ended.stdout)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


def test_a_python_that_is_not_there_is_named(tmp_path):
    name = pickled(Springs(), tmp_path / "toy.pkl")
    with pytest.raises(ForeignFailed, match="/nowhere/python cannot be started"):
        load(name, trust=True, python="/nowhere/python")


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "pickle"])
def test_a_missing_package_or_file_is_named_with_what_to_do(family, tmp_path, monkeypatch):
    monkeypatch.delenv(f"LABKIT_PYTHON_{family.upper()}", raising=False)
    with pytest.raises(ValueError, match=f"names no file, and labkit downloads nothing.*{family}:/path"):
        load(f"{family}:{tmp_path}/nothing.model", trust=True)
    (tmp_path / "some.model").write_bytes(b"weights")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"not installed here: pip install"):
        load(f"{family}:{tmp_path}/some.model", trust=True)
