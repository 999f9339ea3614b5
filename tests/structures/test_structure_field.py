"""Structures as fields of tasks: three ways in, one way out, and a sentence for what does not fit."""

import json

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel, ValidationError

from labkit import structures
from labkit.errors import InvalidStructure
from labkit.structures import StructureField, bare, from_dict, to_dict


class Model(BaseModel, frozen=True, extra="forbid"):
    structure: StructureField
    more: list[StructureField] = []


def test_a_field_takes_atoms_a_name_or_json():
    by_name = Model(structure="LiCoO2").structure
    by_atoms = Model(structure=structures.named("LiCoO2")).structure
    by_json = Model.model_validate_json(Model(structure="LiCoO2").model_dump_json()).structure
    assert by_name == by_atoms == by_json
    assert by_json.info["name"] == "LiCoO2"
    assert by_json.info["source"] == by_name.info["source"]


def test_a_field_holds_a_copy():
    atoms = structures.named("Cu")
    model = Model(structure=atoms)
    atoms.positions += 1
    assert model.structure.positions[0].tolist() == [0, 0, 0]


def test_lists_of_structures_work():
    model = Model(structure="Cu", more=["Al", structures.named("W")])
    again = Model.model_validate_json(model.model_dump_json())
    assert [atoms.info["name"] for atoms in again.more] == ["Al", "W"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("licoo2", "Did you mean LiCoO2"),
        (7, "must be an ase.Atoms object, not int"),
        ({"symbols": ["H"]}, "lacks 'positions'"),
        ({"symbols": ["H"], "positions": [[0, 0]]}, "has the shape (1, 2); it must be (1, 3)"),
        ({"symbols": ["H"], "positions": [["a", 0, 0]]}, "must hold numbers only"),
        ({"symbols": ["Qq"], "positions": [[0, 0, 0]]}, "unknown element"),
        ({"symbols": "H", "positions": [[0, 0, 0]]}, "must be a list"),
        ({"symbols": [["H"]], "positions": [[0, 0, 0]]}, "unknown element"),
        ({"symbols": ["H"], "positions": [[0, 0, 0]], "forces": 1}, "unknown key 'forces'"),
        ({"symbols": ["H"], "positions": [[0, 0, 0]], "pbc": "yes"}, "'pbc' must be true"),
        ({"symbols": ["H"], "positions": [[0, 0, 0]], "tags": [1, 2]}, "'tags' has the shape (2,)"),
        ({"symbols": ["H", "H"], "positions": [[0, 0, 0], [0, 0, 0.1]]}, "0.10 Å apart"),
        ({"symbols": ["H"], "positions": [[0, 0, 0]], "cell": [[1, 0, 0]] * 3, "pbc": True}, "flat"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(value, sentence):
    with pytest.raises(ValidationError) as caught:
        Model(structure=value)
    assert sentence in str(caught.value)


def test_the_field_mends_a_left_handed_cell_and_says_so():
    atoms = structures.named("Cu")
    atoms.set_cell(-np.asarray(atoms.cell), scale_atoms=True)
    mended = Model(structure=atoms).structure
    assert np.linalg.det(np.asarray(mended.cell)) > 0
    assert "left-handed" in mended.info["mended"][0]


def test_the_schema_can_be_made():
    assert Model.model_json_schema()["properties"]["structure"]["type"] == "object"


numbers = st.floats(-50, 50, allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(["H", "Li", "O", "Co"]), min_size=1, max_size=5),
    hnp.arrays(float, (3, 3), elements=numbers),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.sets(st.sampled_from(["momenta", "initial_magmoms", "initial_charges", "tags"])),
    st.data(),
)
def test_the_json_form_gives_back_the_same_atoms(symbols, cell, pbc, extras, data):
    n = len(symbols)
    atoms = Atoms(symbols, positions=data.draw(hnp.arrays(float, (n, 3), elements=numbers)), cell=cell, pbc=pbc)
    shapes = {"momenta": (n, 3)}
    for key in extras:
        kind = int if key == "tags" else float
        elements = st.integers(-9, 9) if key == "tags" else numbers
        atoms.set_array(key, data.draw(hnp.arrays(kind, shapes.get(key, (n,)), elements=elements)))
    back = from_dict(json.loads(json.dumps(to_dict(atoms))))
    assert back == atoms
    assert set(back.arrays) == set(atoms.arrays)
    for key, values in atoms.arrays.items():
        assert np.array_equal(back.arrays[key], values)
        assert back.arrays[key].dtype == values.dtype


def test_from_dict_wants_an_object():
    with pytest.raises(InvalidStructure, match="not list"):
        from_dict([1, 2])


def test_charge_and_multiplicity_survive_the_json_form_and_are_whole_numbers():
    oxygen = Atoms("O2", [[0, 0, 0], [0, 0, 1.21]], info={"charge": 0, "multiplicity": 3, "remark": "no physics"})
    again = from_dict(json.loads(json.dumps(to_dict(oxygen))))
    assert again.info == {"charge": 0, "multiplicity": 3}
    assert bare(oxygen).info == {"charge": 0, "multiplicity": 3}
    for key, value in (("charge", 0.5), ("multiplicity", 0), ("charge", "1")):
        with pytest.raises(InvalidStructure, match=f"{key}.*a whole number"):
            to_dict(Atoms("H", info={key: value}))
