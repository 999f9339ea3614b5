"""A saved potential that is truncated, foreign or hostile is refused with a sentence, and nothing in it is executed."""

import json
import os
import pickle
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from labkit.errors import UnreadableFile
from labkit.potentials import load


@pytest.fixture(scope="module")
def chgnet():
    return load("chgnet", device="cpu")


@pytest.fixture
def folder(chgnet, tmp_path):
    return chgnet.save(tmp_path / "saved")


class Payload:
    """What a pickle can do: here it would only make a folder."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


def refused(folder, sentence):
    with pytest.raises(UnreadableFile, match=sentence):
        load(folder, device="cpu")


@pytest.mark.parametrize("write", [pickle.dumps, None], ids=["pickle", "torch.save"])
def test_a_pickle_under_a_safe_name_is_refused_and_does_not_run(folder, tmp_path, write):
    trace = tmp_path / "it-ran"
    if write is not None:
        (folder / "model.safetensors").write_bytes(write(Payload(trace)))
    else:
        torch.save({"model": Payload(trace)}, folder / "model.safetensors")
    refused(folder, "is a pickle under the name of safetensors.*nothing of it was executed")
    assert not trace.exists()
    # The payload is a real one: whoever unpickles it gets the folder.
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()


@pytest.mark.parametrize("keep", [0, 4, 100, 10_000, -1])
def test_a_truncated_file_is_refused(folder, keep):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    refused(folder, "damaged or no safetensors file")


@pytest.mark.parametrize(
    "header",
    [
        {"weights": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}},
        {"weights": {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 8]}},
        {"weights": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"weights": {"dtype": "F33", "shape": [2], "data_offsets": [0, 8]}},
    ],
    ids=["a-terabyte", "overflow", "backwards", "no-such-type"],
)
def test_a_header_that_lies_is_refused_without_taking_memory(folder, header):
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    refused(folder, "damaged or no safetensors file")


def test_a_header_longer_than_the_file_is_refused(folder):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    refused(folder, "damaged or no safetensors file")


def change(folder, **lies):
    file = folder / "potential.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **lies}))


@pytest.mark.parametrize(
    ("lies", "sentence"),
    [
        ({"architecture": {"atom_graph_cutoff": 1e9}}, "does not describe a CHGNet"),
        ({"architecture": {"n_conv": 10**9}}, "does not describe a CHGNet"),
        ({"architecture": {"n_conv": 3}}, "n_conv is 3"),
        ({"architecture": {"n_conv": 6}}, "n_conv is 6"),
        ({"architecture": {"num_radial": 9}}, "num_radial is 9"),
        ({"architecture": "large"}, "does not describe a CHGNet"),
        ({"elements": ["Xx"]}, "does not describe a CHGNet"),
        ({"elements": 7}, "does not describe a CHGNet"),
    ],
)
def test_a_description_that_lies_is_refused(folder, lies, sentence):
    if isinstance(lies.get("architecture"), dict):
        said = json.loads((folder / "potential.json").read_text())["architecture"]
        lies = {"architecture": {**said, **lies["architecture"]}}
    change(folder, **lies)
    refused(folder, sentence)


def test_parameters_of_another_shape_are_refused(folder):
    values = load_file(folder / "model.safetensors")
    values["mlp.layers.0.weight"] = torch.zeros(64, 63)
    save_file(values, folder / "model.safetensors")
    refused(folder, "do not fit the architecture")


def test_parameters_that_are_not_numbers_are_refused(folder):
    values = load_file(folder / "model.safetensors")
    values["mlp.layers.0.weight"][3, 3] = torch.nan
    save_file(values, folder / "model.safetensors")
    refused(folder, "not finite in mlp.layers.0.weight")


def test_a_missing_half_is_refused(folder):
    (folder / "model.safetensors").unlink()
    refused(folder, "model.safetensors")


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pkl", "model.model", "checkpoint.ckpt"])
def test_a_single_foreign_file_is_refused_and_does_not_run(tmp_path, name):
    trace = tmp_path / "it-ran"
    (tmp_path / name).write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(ValueError, match="never pickles"):
        load(tmp_path / name)
    assert not trace.exists()


def test_a_hostile_checkpoint_of_a_run_is_skipped_and_said(tmp_path):
    from labkit.runs import checkpoint

    trace = tmp_path / "it-ran"
    checkpoint.save(tmp_path, {"weights": np.arange(3.0)}, {"step": 1})
    checkpoint.save(tmp_path, {"weights": np.arange(4.0)}, {"step": 2})
    with (tmp_path / "checkpoint.npz").open("wb") as file:
        np.savez(file, state=np.array([Payload(trace)], dtype=object))
    said = []
    arrays, state = checkpoint.load(tmp_path, said.append)
    assert (state, len(arrays["weights"])) == ({"step": 1}, 3)
    assert "checkpoint.npz is damaged" in said[0]
    assert not trace.exists()
