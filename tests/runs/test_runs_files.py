import json

import numpy as np
import pytest

from labkit.runs import checkpoint
from labkit.runs.atomic import read_json, write_json
from labkit.runs.tables import TableWriter, read_table


def test_json_is_replaced_whole_and_a_failed_write_leaves_the_old_version(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"n": np.int64(1), "x": np.arange(2), "p": tmp_path, "s": {2, 1}})
    assert read_json(path) == {"n": 1, "x": [0, 1], "p": str(tmp_path), "s": [1, 2]}
    with pytest.raises(TypeError, match="a object cannot be written as JSON"):
        write_json(path, {"bad": object()})
    assert read_json(path)["n"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00\x00"])
def test_broken_json_names_its_file(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(ValueError, match=r"status\.json"):
        read_json(tmp_path / "status.json")
    assert read_json(tmp_path / "missing.json") is None


def test_a_table_skips_recorded_steps_and_drops_a_torn_line(tmp_path):
    path = tmp_path / "thermo.csv"
    writer = TableWriter(path)
    for step in (0, 10, 20):
        writer.write(step, {"energy_eV": 0.1 + step, "note": "a, b\nc"})
    writer.close()
    with path.open("a") as file:
        file.write("30,1.2")
    assert read_table(path)["step"].tolist() == [0, 10, 20]
    writer = TableWriter(path)
    assert writer.last_step == 20
    assert [writer.write(step, {"note": "x", "energy_eV": np.float32(0.5)}) for step in (10, 20, 30)] == [
        False,
        False,
        True,
    ]
    writer.close()
    table = read_table(path)
    assert table["step"].tolist() == [0, 10, 20, 30]
    assert table["energy_eV"].tolist() == [0.1, 10.1, 20.1, 0.5]
    assert table["note"][0] == "a, b c"


@pytest.mark.parametrize("tail", ["", "st", "step,x\n", "step,x\n0,1"])
def test_a_table_torn_in_its_first_lines_starts_again(tmp_path, tail):
    path = tmp_path / "thermo.csv"
    path.write_text(tail)
    writer = TableWriter(path)
    assert writer.write(0, {"x": 1.5})
    writer.close()
    assert path.read_text() == "step,x\n0,1.5\n"


def test_rows_of_one_table_have_the_same_columns(tmp_path):
    writer = TableWriter(tmp_path / "thermo.csv")
    writer.write(0, {"a": 1})
    with pytest.raises(ValueError, match="table 'thermo' has the columns step, a, but step 1 brought step, b"):
        writer.write(1, {"b": 1})
    writer.close()


def test_the_last_line_of_a_long_table_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.runs.appending.BLOCK", 7)
    path = tmp_path / "t.csv"
    path.write_text("step,x\n" + "".join(f"{step},{'9' * 50}\n" for step in range(30)) + "30,")
    writer = TableWriter(path)
    writer.close()
    assert writer.last_step == 29
    assert path.read_text().endswith("9\n")


def test_a_checkpoint_brings_back_arrays_and_state_exactly(tmp_path):
    rng = np.random.default_rng(5)
    arrays = {"positions": rng.normal(size=(4, 3)), "n": np.arange(3), "empty": np.zeros((0, 3))}
    state = {"rng": rng.bit_generator.state, "name": "Å", "none": None}
    checkpoint.save(tmp_path, arrays, state)
    loaded, loaded_state = checkpoint.load(tmp_path, pytest.fail)
    assert loaded_state == state
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoint.load(tmp_path, pytest.fail) is None


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "pickle"])
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_is_used(tmp_path, damage):
    for step in (1, 2):
        checkpoint.save(tmp_path, {"x": np.full(1000, step)}, {"step": step})
    newest = tmp_path / "checkpoint.npz"
    data = bytearray(newest.read_bytes())
    if damage == "truncate":
        newest.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        data[2000] ^= 1
        newest.write_bytes(data)
    elif damage == "empty":
        newest.write_bytes(b"")
    else:  # a hostile file, whose loading would run code
        np.savez(newest, **{"arrays/x": np.array([{"code": "here"}], dtype=object)})
    said = []
    arrays, state = checkpoint.load(tmp_path, said.append)
    assert (state["step"], arrays["x"][0]) == (1, 1)
    assert len(said) == 1
    assert "checkpoint.npz is damaged" in said[0]


def test_a_failed_checkpoint_leaves_the_last_one(tmp_path):
    checkpoint.save(tmp_path, {"x": np.ones(2)}, {"step": 1})
    with pytest.raises(TypeError, match="checkpoint array 'o' holds Python objects"):
        checkpoint.save(tmp_path, {"o": np.array([object()])}, {})
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        checkpoint.save(tmp_path, {}, {"o": object()})
    assert checkpoint.load(tmp_path, pytest.fail)[1] == {"step": 1}
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == '["checkpoint.npz"]'
