"""A saved potential comes back to the last bit; one that is damaged, foreign or hostile is refused with a sentence."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from labkit.errors import UnreadableFile
from labkit.potentials import load
from labkit.potentials.camp import CAMP, CAMPSettings
from tests.potentials.made import cluster, crystal, small


class Payload:
    """What a pickle can do: here it would only make a folder."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def folder(tmp_path):
    return small("CAMP-L", long_range=True).save(tmp_path / "saved")


def refused(folder, sentence):
    with pytest.raises(UnreadableFile, match=sentence):
        load(folder, device="cpu")


def change(folder, **lies):
    file = folder / "potential.json"
    said = json.loads(file.read_text())
    if isinstance(lies.get("architecture"), dict):
        lies["architecture"] = {**said["architecture"], **lies["architecture"]}
    file.write_text(json.dumps({**said, **lies}))


@pytest.mark.parametrize("architecture", ["CAMP", "CAMP-L"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("long_range", [False, True])
def test_a_saved_potential_comes_back_exactly(architecture, dtype, long_range, tmp_path):
    potential = small(architecture, dtype=dtype, long_range=long_range, sigma_A=1.2, dl_A=1.5)
    potential.provenance = {"dataset": {"name": "made up"}, "metrics": {"forces_rmse_meV_A": 12.5}}
    again = load(potential.save(tmp_path / "saved"), device="cpu")
    assert isinstance(again, CAMP)
    assert (again.settings, again.elements, again.name) == (potential.settings, potential.elements, potential.name)
    assert (again.level_of_theory, again.provenance) == (potential.level_of_theory, potential.provenance)
    one, other = (made.predict([crystal(), cluster()]) for made in (potential, again))
    assert other.energies.tolist() == one.energies.tolist()
    assert all((a == b).all() for a, b in zip(one.forces, other.forces, strict=True))
    assert (other.stresses[0] == one.stresses[0]).all()


@pytest.mark.parametrize("architecture", ["CAMP", "CAMP-L"])
def test_to_open_one_draws_nothing_on_meta_which_would_import_torchs_compiler(architecture, tmp_path, monkeypatch):
    saved, drawn = small(architecture, long_range=True).save(tmp_path / "saved"), []

    def watched(draw):
        return lambda *sizes: drawn.append(torch.get_default_device().type) or draw(*sizes)

    for name in ("rand", "randn"):
        monkeypatch.setattr(torch, name, watched(getattr(torch, name)))
    load(saved, device="cpu")
    assert set(drawn) == {"cpu"}


def test_saving_over_a_saved_one_replaces_it_and_nothing_else_is_overwritten(tmp_path):
    small(seed=1).save(tmp_path / "saved")
    second = small(seed=2)
    second.save(tmp_path / "saved")
    assert load(tmp_path / "saved").predict([cluster()]).energies == second.predict([cluster()]).energies
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(FileExistsError, match="no saved potential"):
        second.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "saved"]


@pytest.mark.parametrize("write", ["pickle", "torch"])
def test_a_pickle_under_a_safe_name_is_refused_and_does_not_run(folder, tmp_path, write):
    trace = tmp_path / "it-ran"
    if write == "pickle":
        (folder / "model.safetensors").write_bytes(pickle.dumps(Payload(trace)))
    else:
        torch.save({"layers.0.embedding": Payload(trace)}, folder / "model.safetensors")
    refused(folder, "is a pickle under the name of safetensors.*nothing of it was executed")
    assert not trace.exists()
    # The payload is a real one: whoever unpickles it gets the folder.
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()


@pytest.mark.parametrize("keep", [0, 4, 300, -1])
def test_a_truncated_file_is_refused(folder, keep):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    refused(folder, "damaged or no safetensors file")


def test_the_folder_of_another_kind_is_refused(folder):
    change(folder, kind="chgnet")
    refused(folder, "does not describe a CHGNet")
    with pytest.raises(UnreadableFile, match="not describe a potential of kind 'camp'"):
        CAMP.from_folder(folder)
    change(folder, kind="oracle")
    with pytest.raises(ValueError, match="'oracle', which this version of labkit cannot open"):
        load(folder)


@pytest.mark.parametrize(
    "lies",
    [
        {"architecture": "large"},
        {"architecture": {"channels": 10**9}},
        {"architecture": {"channels": "6"}, "elements": []},
        {"architecture": {"max_v": 7}},
        {"architecture": {"architecture": "MACE"}},
        {"architecture": {"new_idea": 1}},
        {"architecture": {"cutoff_A": float("nan")}},
        {"elements": ["Xx"]},
        {"elements": ["Li", "Cl", "Xx"]},
        {"elements": ["Li", "Cl", 8]},
        {"elements": 7},
        {"elements": None},
        {"elements": []},
        {"elements": [["Li"], "Cl"]},
        {"name": 5, "elements": [0, 0]},
    ],
    ids=str,
)
def test_a_description_that_lies_is_refused(folder, lies):
    change(folder, **lies)
    refused(folder, "potential.json does not describe a CAMP potential|does not fit the architecture")


def test_a_provenance_that_is_no_object_is_left_out(folder):
    change(folder, provenance="trust me")
    assert load(folder, device="cpu").provenance == {}


@pytest.mark.parametrize("missing", ["architecture", "elements", "level_of_theory", "name"])
def test_a_description_with_a_gap_is_refused(folder, missing):
    said = json.loads((folder / "potential.json").read_text())
    del said[missing]
    (folder / "potential.json").write_text(json.dumps(said))
    refused(folder, f"potential.json does not describe a CAMP potential.*{missing}")


@pytest.mark.parametrize(
    "lies",
    [
        {"channels": 7},
        {"max_v": 1},
        {"n_layers": 1},
        {"n_layers": 3},
        {"architecture": "CAMP"},
        {"long_range": False},
        {"charge_channels": 2},
        {"radial_degree": 32, "channels": 1024, "message_channels": 1024, "n_layers": 6, "max_v": 3},
    ],
    ids=str,
)
def test_parameters_of_another_shape_are_refused(folder, lies):
    change(folder, architecture=lies)
    refused(folder, "does not fit the architecture in potential.json.*not of one potential")


def test_a_description_that_names_a_huge_network_is_refused_before_it_takes_the_memory(folder):
    import resource

    change(
        folder,
        architecture={"radial_degree": 32, "channels": 1024, "message_channels": 1024, "n_layers": 6, "max_v": 3},
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(folder, "does not fit")
    # 5 x 4 x 32 x 1024 x 1024 numbers of 8 bytes would be 5 GB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


@pytest.mark.parametrize("change_of", ["more", "fewer"])
def test_a_parameter_too_many_or_too_few_is_refused(folder, change_of):
    values = load_file(folder / "model.safetensors")
    if change_of == "more":
        values["backdoor"] = torch.zeros(3)
    else:
        del values["readouts.0.linear"]
    save_file(values, folder / "model.safetensors")
    refused(folder, "backdoor|readouts.0.linear")


@pytest.mark.parametrize("name", ["readouts.1.hidden", "shift", "layers.0.mixing.standardise.rms"])
def test_parameters_that_are_not_numbers_are_refused(folder, name):
    values = load_file(folder / "model.safetensors")
    values[name].view(-1)[0] = torch.nan
    save_file(values, folder / "model.safetensors")
    refused(folder, f"not finite in {name}")


@pytest.mark.parametrize("file", ["model.safetensors", "potential.json"])
def test_a_missing_half_is_refused(folder, file):
    (folder / file).unlink()
    with pytest.raises(ValueError, match=file.split(".")[0]):
        load(folder, device="cpu")


def test_a_potential_needs_elements_and_names_wrong_ones():
    with pytest.raises(ValueError, match="needs its elements"):
        CAMP.untrained(CAMPSettings())
    with pytest.raises(ValueError, match="Xx"):
        CAMP.untrained(CAMPSettings(), ["Li", "Xx"])


def test_a_file_whose_header_has_the_length_of_a_pickles_first_byte_is_no_pickle(tmp_path):
    settings = CAMPSettings(channels=16, message_channels=8, max_v=2, n_layers=2)
    made = CAMP.untrained(settings, ("C", "H", "O"), device="cpu").save(tmp_path / "unlucky")
    assert (made / "model.safetensors").read_bytes()[:1] == b"\x80"
    assert CAMP.from_folder(made, "cpu").elements == {"C", "H", "O"}
