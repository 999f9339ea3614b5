"""The gallery: names, what opens them, and that nothing is imported, downloaded or guessed before it is asked for."""

import importlib.util
import json
import subprocess
import sys
import types

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from labkit.errors import UnsupportedElement
from labkit.potentials import NotTrusted, Potential, card, describe, load, names
from labkit.potentials import shipped as shipped_module
from labkit.potentials.cards import Card
from labkit.potentials.gallery import GALLERY, Entry, sevennet_file
from labkit.potentials.shipped import shipped

HAS_SEVENN = importlib.util.find_spec("sevenn") is not None
needs_sevenn = pytest.mark.skipif(not HAS_SEVENN, reason="sevenn is an optional extra")


@pytest.fixture
def one_shipped(tmp_path, monkeypatch):
    folder = tmp_path / "pretrained" / "camp-test"
    folder.mkdir(parents=True)
    (folder / "potential.json").write_text(
        json.dumps({"kind": "camp", "name": "camp-test", "sentence": "CAMP for molybdenum", "elements": ["Mo"]})
    )
    (folder / "model.safetensors").write_bytes(b"")
    (tmp_path / "pretrained" / "half-written").mkdir()
    monkeypatch.setattr(shipped_module, "FOLDER", tmp_path / "pretrained")
    return folder


def test_names_and_cards_come_without_torch():
    code = (
        "import sys; from labkit import potentials as p\n"
        "assert 'chgnet' in p.names(); [p.card(name) for name in p.names(everything=True)]\n"
        "assert 'torch' not in sys.modules and 'sevenn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_has_a_sentence_and_those_listed_can_be_opened_here():
    assert {"chgnet", "emt", "lennard-jones"} <= set(names())
    assert {"7net-0", "7net-l3i5"} <= set(names(everything=True))
    assert all(describe(name) for name in names(everything=True))
    assert ("7net-0" in names()) == HAS_SEVENN


def test_a_package_that_is_missing_is_named_with_the_command_that_brings_it():
    entry = Entry(Card("ghost-0"), lambda device: None, package="no_such_package", install="pip install ghost")
    with pytest.raises(ModuleNotFoundError, match=r"ghost-0 needs the package no_such_package.*: pip install ghost"):
        entry.load("cpu")
    assert entry.present().install == "pip install ghost"
    assert not entry.present().installed


def test_an_unknown_name_lists_those_that_can_be_opened():
    with pytest.raises(ValueError, match=r"no potential is called 'mace-mp'.*chgnet"):
        load("mace-mp")
    with pytest.raises(ValueError, match="no potential is called 'mace-mp'"):
        card("mace-mp")


def test_what_would_fetch_weights_is_refused_before_it_is_called():
    with pytest.raises(NotTrusted, match=r"mace\.calculators:mace_mp opens a pickled checkpoint.*mace:/path/to/file"):
        load("mace.calculators:mace_mp")


def test_a_download_of_a_calculator_by_address_is_refused_with_the_host():
    with pytest.raises(ValueError, match=r"wanted to download from weights\.example\.org.*downloads nothing unasked"):
        load("tests.potentials.toy_calculators:downloads")


def test_other_threads_may_connect_while_a_loader_is_kept_offline():
    import socket
    import threading

    from labkit.potentials.offline import DownloadRefused, no_downloads

    before, answers = socket.getaddrinfo, []
    with socket.create_server(("127.0.0.1", 0)) as server, no_downloads() as hosts:
        with pytest.raises(DownloadRefused, match=r"example\.org was not contacted"):
            socket.create_connection(("example.org", 80), timeout=1)
        thread = threading.Thread(
            target=lambda: answers.append(socket.create_connection(server.getsockname(), timeout=5).close())
        )
        thread.start()
        thread.join(5)
    assert answers == [None]
    assert hosts == ["example.org"]
    assert socket.getaddrinfo is before


def test_a_shipped_folder_is_a_name_with_its_own_sentence(one_shipped):
    assert "camp-test" in names()
    assert describe("camp-test") == "CAMP for molybdenum"
    assert list(shipped()) == ["camp-test"]
    assert card("camp-test").elements == {"Mo"}


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [
        ("camp", "labkit.potentials.camp", "CAMP"),
        ("corrected", "labkit.potentials.corrected", "CorrectedPotential"),
        ("committee", "labkit.potentials.committee", "Committee"),
    ],
)
def test_a_saved_folder_is_opened_by_the_class_of_its_kind(kind, module, name, tmp_path, monkeypatch):
    class Opened:
        @classmethod
        def from_folder(cls, folder, device):
            return folder, device

    fake = types.ModuleType(module)
    setattr(fake, name, Opened)
    monkeypatch.setitem(sys.modules, module, fake)
    (tmp_path / "potential.json").write_text(json.dumps({"kind": kind}))
    assert load(tmp_path, "cpu") == (tmp_path, "cpu")


@pytest.mark.parametrize("text", ['{"kind": "quantum"}', '{"kind": ["chgnet"]}', "{}"])
def test_a_folder_of_an_unknown_kind_is_refused(text, tmp_path):
    (tmp_path / "potential.json").write_text(text)
    with pytest.raises(ValueError, match="which this version of labkit cannot open"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_broken_description_is_named(text, tmp_path):
    (tmp_path / "potential.json").write_text(text)
    with pytest.raises(ValueError, match=r"potential\.json"):
        load(tmp_path)


def salt() -> Atoms:
    atoms = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


@needs_sevenn
@pytest.mark.parametrize(("name", "energy_eV"), [("7net-0", -26.98954), ("7net-l3i5", -27.01425)])
def test_sevennet_opens_from_its_wheel_and_keeps_the_contract(name, energy_eV):
    potential: Potential = load(name, "cpu")
    atoms = salt()
    found = potential.predict([atoms, atoms])
    assert found.energies == pytest.approx([energy_eV] * 2, abs=1e-3)
    assert np.abs(found.forces[0].sum(axis=0)).max() < 1e-4
    assert card(potential).n_parameters == GALLERY[name].card.n_parameters
    assert potential.cutoff_A == GALLERY[name].card.cutoff_A
    atoms.numbers[0] = 87
    with pytest.raises(UnsupportedElement, match="Fr"):
        potential.predict([atoms])


@needs_sevenn
def test_a_sevenn_without_the_checkpoint_is_not_asked_to_fetch_it(monkeypatch):
    monkeypatch.setitem(sevennet_file.__globals__["_SEVENNET_FILES"], "7net-0", "gone/checkpoint.pth")
    with pytest.raises(ValueError, match=r"does not ship 7net-0.*downloads nothing"):
        load("7net-0", "cpu")
