import gzip
import json

import numpy as np
import pytest

from labkit.errors import InvalidStructure, UnreadableFile
from labkit.landscapes.network import KineticNetwork, TransitionState
from tests.landscapes.networks import network


@pytest.fixture
def water():
    """Two minima and three saddles of a made-up water, with all that a network can hold."""
    made = KineticNetwork(["O", "H", "H"], "made up", "water", info={"seed": 3})
    place = np.arange(9.0).reshape(3, 3) / 3
    made.add_minimum(-1.0, place, eigenvalues=[0.1, 0.2, 0.3], order=2, info={"found_by": "hand"})
    made.add_minimum(-0.5, place + 1)
    made.add_transition_state((0, 1), 0.25, place + 2, eigenvalues=[-0.1, 0.2, 0.3], info={"was_hard": True})
    path = np.stack([place + 1, place + 3, place])
    made.add_transition_state((1, 0), 1 / 3, place + 3, path=path, path_energies_eV=[-0.5, 1 / 3, -1.0])
    made.add_transition_state((1, 1), 0.0, place + 4)
    return made


def test_a_network_is_a_graph_of_minima_and_saddles(water):
    assert (water.n_minima, water.n_transition_states) == (2, 3)
    assert [point.index for point in water.self_loops] == [2]
    assert [point.index for point in water.between(1, 0)] == [0, 1]
    assert water.between(0, 0) == []
    assert [point.index for point in water.transition_states_of(1)] == [0, 1, 2]
    assert water.components() == [{0, 1}]
    assert water.global_minimum.index == 0
    assert water.graph.nodes[1]["energy_eV"] == -0.5
    assert water.graph.edges[0, 1, 1]["energy_eV"] == pytest.approx(1 / 3)
    atoms = water.atoms(water.transition_states[0])
    assert atoms.get_chemical_formula() == "H2O"
    assert atoms.info == {"energy": 0.25, "transition_state": 0}
    assert not atoms.cell.any()


def test_nobody_can_write_into_a_network(water):
    with pytest.raises(ValueError, match="read-only"):
        water.minima[0].positions[0, 0] = 7.0
    with pytest.raises(Exception, match=r"[Ff]rozen"):
        water.graph.add_edge(0, 1)


def test_the_positions_are_a_copy_of_what_was_given():
    place = np.zeros((1, 3))
    made = KineticNetwork(["Ar"])
    made.add_minimum(0.0, place)
    place += 1
    assert not made.minima[0].positions.any()


@pytest.mark.parametrize("name", ["network.json", "network.json.gz"])
def test_a_network_comes_back_from_its_file_with_every_digit(water, tmp_path, name):
    water.write(tmp_path / name)
    again = KineticNetwork.read(tmp_path / name)
    assert json.dumps(again.to_dict()) == json.dumps(water.to_dict())
    assert again.transition_states[1].energy_eV == 1 / 3
    assert again.minima[0].info == {"found_by": "hand"}
    assert (again.symbols, again.level_of_theory, again.name, again.info) == (
        water.symbols,
        water.level_of_theory,
        water.name,
        {"seed": 3},
    )
    np.testing.assert_array_equal(again.transition_states[1].path, water.transition_states[1].path)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_equal_networks_are_equal_files(water, tmp_path):
    water.write(tmp_path / "a.json.gz")
    KineticNetwork.from_dict(water.to_dict()).write(tmp_path / "b.json.gz")
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_network_that_cannot_be_written_leaves_the_old_file(water, tmp_path):
    water.write(tmp_path / "a.json")
    before = (tmp_path / "a.json").read_bytes()
    water.info["what"] = object()
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        water.write(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == before


def test_a_truncated_file_is_refused_with_its_name(water, tmp_path):
    for name, whole in (("a.json", b""), ("a.json.gz", b"")):
        water.write(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UnreadableFile, match=rf"{name} is not a readable network"):
            KineticNetwork.read(tmp_path / name)
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b"\x80\x81"))
    with pytest.raises(UnreadableFile, match="not a readable network"):
        KineticNetwork.read(tmp_path / "b.json.gz")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    (tmp_path / "c.json.gz").write_bytes(bytes(damaged))
    with pytest.raises(UnreadableFile, match="not a readable network"):
        KineticNetwork.read(tmp_path / "c.json.gz")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="has the exploration found its first minimum"):
        KineticNetwork.read(tmp_path / "none.json")


def _set(*where, value):
    def change(data):
        for key in where[:-1]:
            data = data[key]
        data[where[-1]] = value

    return change


def _drop(*where):
    def change(data):
        for key in where[:-1]:
            data = data[key]
        del data[where[-1]]

    return change


FAULTS = [
    (_drop("format"), "not a labkit kinetic network"),
    (_set("version", value=99), "version 99; labkit reads version 1"),
    (_drop("symbols"), "no list 'symbols'"),
    (_set("symbols", 0, value="Xx"), "'Xx' is not a chemical symbol"),
    (_set("symbols", value=[]), "has no atoms"),
    (_set("info", value=3), "'info' is a int"),
    (_set("minima", 0, value=3), "minimum 0 is a int"),
    (_drop("minima", 1, "positions"), "minimum 1 has no 'positions'"),
    (_set("minima", 0, "energy_eV", value=float("nan")), "the energy of minimum 0: nan was found"),
    (_set("minima", 0, "energy_eV", value=None), "the energy of minimum 0: nan was found"),
    (_set("minima", 0, "energy_eV", value="low"), "the energy of minimum 0 cannot be read as numbers"),
    (_set("minima", 0, "positions", value=[[0.0, 0.0, 0.0]]), r"shape is \(1, 3\); expected \(3, 3\)"),
    (_set("minima", 0, "positions", 0, value=[0.0]), "positions of minimum 0 cannot be read"),
    (_set("minima", 0, "order", value=0), "minimum 0 has a point group of order 0"),
    (_set("minima", 0, "order", value=1.5), "the order of minimum 0 is 1.5"),
    (_set("minima", 0, "info", value=[]), "the info of minimum 0 is a list"),
    (_set("minima", 0, "eigenvalues", 1, value=float("inf")), "the eigenvalues of minimum 0: inf was found"),
    (_set("transition_states", 0, "minima", value=[0, 2]), r"transition state 0 connects \(0, 2\).*2 minima"),
    (_set("transition_states", 0, "minima", value=[0]), r"connects \(0,\)"),
    (_set("transition_states", 0, "minima", value=[0, -1]), r"connects \(0, -1\)"),
    (_set("transition_states", 0, "minima", value=[0, 0.5]), "expected two whole numbers"),
    (_set("transition_states", 1, "path", 0, value=[]), "the path of transition state 1 cannot be read"),
    (_set("transition_states", 1, "path_energies_eV", value=[0.0]), r"expected \(3\)"),
]


@pytest.mark.parametrize(("change", "sentence"), FAULTS, ids=[sentence[:40] for _, sentence in FAULTS])
def test_a_nonsensical_file_is_refused_with_a_sentence(water, tmp_path, change, sentence):
    data = json.loads(json.dumps(water.to_dict()))
    change(data)
    (tmp_path / "edited.json").write_text(json.dumps(data))
    with pytest.raises(UnreadableFile, match=rf"(?s)edited\.json cannot be read as a network: .*{sentence}"):
        KineticNetwork.read(tmp_path / "edited.json")


def test_a_saddle_between_minima_that_are_not_there_is_refused(water):
    with pytest.raises(InvalidStructure, match=r"transition state 3 connects \(0, 5\)"):
        water.add_transition_state((0, 5), 0.0, np.zeros((3, 3)))
    assert water.n_transition_states == 3


@pytest.mark.parametrize("wrong", [-1, 99, 0.9])
def test_a_point_that_is_not_there_is_refused_and_never_another_one_taken(water, wrong):
    with pytest.raises(InvalidStructure, match=f"there is no minimum {wrong}"):
        water.subset([0, wrong])
    with pytest.raises(InvalidStructure, match=f"there is no transition state {wrong}"):
        water.subset([0, 1], transition_states=[wrong])
    with pytest.raises(InvalidStructure, match="must connect two"):
        water.add_transition_state((0, wrong), 0.0, water.minima[0].positions)


def test_a_compressed_file_with_any_byte_changed_is_refused_or_read_but_never_a_foreign_error(water, tmp_path):
    file = tmp_path / "water.json.gz"
    water.write(file)
    raw = file.read_bytes()
    for place in range(0, len(raw), 5):
        file.write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
        try:
            KineticNetwork.read(file)
        except UnreadableFile:
            continue


def test_an_empty_network_has_no_global_minimum():
    with pytest.raises(InvalidStructure, match="has no minima yet"):
        _ = KineticNetwork(["Ar"]).global_minimum


def test_a_subset_is_renumbered_and_remembers_what_it_was(water):
    part = water.subset([1])
    assert [point.energy_eV for point in part.minima] == [-0.5]
    assert [point.minima for point in part.transition_states] == [(0, 0)]
    assert part.info == {"seed": 3, "was": {"minima": [1], "transition_states": [2]}}
    assert part.transition_states[0].info == {"was": 2}
    turned = water.subset([1, 0], transition_states=[1])
    assert [point.energy_eV for point in turned.minima] == [-0.5, -1.0]
    assert turned.transition_states[0].minima == (0, 1)
    assert turned.transition_states[0].path_energies_eV[-1] == -1.0
    assert isinstance(turned.transition_states[0], TransitionState)


def test_copies_of_a_structure_become_one_and_their_saddles_move_over():
    made = network([0.0, -1.0, 0.0001, 5.0], [(0, 1, 1.0), (2, 1, 1.5), (1, 2, 1.0001), (0, 2, 2.0), (3, 0, 9.0)])

    def distance(a, b):
        # Minima 0 and 2 and saddles 0 and 2 are copies; their structures differ by 2 Å along x.
        return abs(abs(a[0, 0] - b[0, 0]) - 2.0)

    one = made.without_duplicates(distance, 0.1, 0.01)
    assert [point.energy_eV for point in one.minima] == [0.0, -1.0, 5.0]
    assert [(point.minima, point.energy_eV) for point in one.transition_states] == [
        ((0, 1), 1.0),
        ((0, 1), 1.5),
        ((0, 0), 2.0),
        ((2, 0), 9.0),
    ]
    assert one.info["was"] == {"minima": [0, 1, 3], "transition_states": [0, 1, 3, 4]}
    assert made.without_duplicates(distance, 0.1, 1e-5).n_minima == 4


def test_a_network_made_of_the_points_of_another_is_the_same(water):
    again = KineticNetwork(
        water.symbols, water.level_of_theory, water.name, water.minima, water.transition_states, water.info
    )
    assert again.to_dict() == water.to_dict()
    assert repr(again) == "KineticNetwork(water, H2O, 2 minima, 3 transition states, made up)"
