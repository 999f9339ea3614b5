"""The batched periodic graph and CHGNet's line graph against brute force."""

import itertools

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from labkit.potentials.camp import CAMP
from labkit.potentials.chgnet.line_graph import build_line_graph
from labkit.potentials.device import resolve_device
from labkit.potentials.graph import build_graph, neighbour_pairs


def _directed(i, j, vectors):
    both = np.concatenate([np.c_[i, j, vectors], np.c_[j, i, -vectors]])
    return sorted(map(tuple, np.round(both, 6).tolist()))


@pytest.mark.parametrize("pbc", [True, False, (True, True, False)])
def test_pairs_equal_those_of_ase(pbc):
    atoms = bulk("Cu", cubic=True).repeat((1, 2, 1))
    atoms.set_cell(atoms.cell.array @ [[1, 0.2, 0], [0, 1, 0.1], [0, 0, 1]], scale_atoms=True)
    atoms.rattle(0.1, seed=1)
    atoms.pbc = pbc
    i, j, vectors, distances = neighbour_pairs(atoms, 5.0)
    theirs = neighbor_list("ijD", atoms, 5.0)
    expected = sorted(map(tuple, np.round(np.c_[theirs[0], theirs[1], theirs[2]], 6).tolist()))
    assert np.array(_directed(i, j, vectors)) == pytest.approx(np.array(expected), abs=2e-6)
    assert distances == pytest.approx(np.linalg.norm(vectors, axis=1))


def test_a_cell_smaller_than_the_cut_off_pairs_an_atom_with_its_own_images():
    atoms = bulk("Li", "bcc", a=3.5)
    i, j, _, _ = neighbour_pairs(atoms, 6.0)
    assert set(i) == set(j) == {0}
    assert len(i) == len(neighbor_list("i", atoms, 6.0)) // 2


def test_every_angle_between_short_bonds_stands_in_both_orders():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(0.05, seed=2)
    graph = build_graph([atoms, bulk("Li")], 6.0)
    lines = build_line_graph(graph, 3.2)
    center = lines.center.tolist()
    expected = {(p, q) for p, q in itertools.permutations(range(len(center)), 2) if center[p] == center[q]}
    found = list(zip(lines.first.tolist(), lines.second.tolist(), strict=True))
    assert len(found) == len(expected)
    assert set(found) == expected
    half = len(found) // 2
    assert torch.equal(lines.first[:half], lines.second[half:])


def test_a_structure_without_short_bonds_has_no_angles():
    graph = build_graph([Atoms("He2", positions=[[0, 0, 0], [0, 0, 4.0]])], 6.0)
    assert build_line_graph(graph, 3.0).first.shape == (0,)


def test_volumes_are_positive_or_nan():
    left = bulk("Cu")
    left.set_cell(left.cell.array[[1, 0, 2]])
    graph = build_graph([bulk("Cu"), left, Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.8]])], 4.0)
    assert graph.volumes[0] == pytest.approx(float(graph.volumes[1]))
    assert torch.isnan(graph.volumes[2])


def test_devices_are_checked_by_name():
    assert resolve_device("auto") in ("cpu", "cuda")
    with pytest.raises(ValueError, match="unknown"):
        resolve_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="not available"):
            resolve_device("cuda")


def test_apple_s_mps_is_used_only_where_it_is_named_and_never_by_camp(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    assert resolve_device("mps") == "mps"
    with pytest.raises(ValueError, match="which Apple's MPS does not have: use device='cpu'"):
        CAMP.untrained(elements=["Cu"], device="mps")
