"""What a given body order can tell apart: environments that share all 2-body, or all 3-body, invariants of the centre.

The pair of four neighbours on a circle has the same angles, 45, 45, 90, 135, 135 and 180°, and so the same 3-body
invariants, and is not congruent: S. N. Pozdnyakov et al., Phys. Rev. Lett. 125, 166001 (2020).
"""

import numpy as np
import pytest
import torch
from ase import Atoms

from labkit.potentials.camp.paths import hyper_moment_paths
from tests.potentials.made import small

ARCHITECTURES = pytest.mark.parametrize("architecture", ["CAMP", "CAMP-L"])
RADIUS = 2.2
#: Places on a circle of eight: the same six differences.
HOMOMETRIC = ([0, 1, 3, 4], [0, 1, 2, 5])
SAME, DIFFERENT = 1e-10, 1e-4


def on_a_circle(places: list[int]) -> Atoms:
    """A lithium atom with chlorine neighbours at multiples of 45°."""
    angles = np.pi / 4 * np.array(places)
    ring = RADIUS * np.stack([np.cos(angles), np.sin(angles), np.zeros(len(places))], axis=1)
    return Atoms(f"LiCl{len(places)}", positions=np.vstack([np.zeros((1, 3)), ring]))


def bent(degrees: float) -> Atoms:
    """A lithium atom with two neighbours at one distance: 2-body invariants do not know the angle."""
    angle = np.radians(degrees)
    return Atoms("LiCl2", positions=[[0, 0, 0], [RADIUS, 0, 0], [RADIUS * np.cos(angle), RADIUS * np.sin(angle), 0]])


def difference(potential, one: Atoms, other: Atoms) -> float:
    """How much the features of the central atom differ after the last layer."""
    features = [
        potential.network.features(potential.collate([potential.prepare(atoms)]))[-1][0] for atoms in (one, other)
    ]
    assert features[0].abs().max() > 1e-3
    return float((features[0] - features[1]).abs().max().detach())


def test_the_degenerate_pair_is_one():
    def angles(atoms):
        units = atoms.positions[1:] / RADIUS
        return np.sort((units @ units.T)[np.triu_indices(4, 1)])

    one, other = (on_a_circle(places) for places in HOMOMETRIC)
    assert angles(one) == pytest.approx(angles(other), abs=1e-12)
    around = [np.sort(np.sort(a.get_all_distances()[1:, 1:], axis=1), axis=0) for a in (one, other)]
    assert np.abs(around[0] - around[1]).max() > 0.1


@ARCHITECTURES
@pytest.mark.parametrize("max_v", [0, 1, 2, 3])
def test_angles_are_seen_from_rank_one_on(architecture, max_v):
    found = difference(small(architecture, max_v=max_v, n_layers=1), bent(80), bent(150))
    assert found < SAME if max_v == 0 else found > DIFFERENT


@ARCHITECTURES
@pytest.mark.parametrize("max_v", [0, 1, 2, 3])
def test_what_shares_all_angles_is_seen_from_rank_two_on(architecture, max_v):
    """Rank 1 ends at 3 bodies, (1, 1); rank 2 brings 4 bodies, (1, 1, 2)."""
    one, other = (on_a_circle(places) for places in HOMOMETRIC)
    found = difference(small(architecture, max_v=max_v, n_layers=1), one, other)
    assert found < SAME if max_v < 2 else found > DIFFERENT


@ARCHITECTURES
@pytest.mark.parametrize("max_v", [2, 3])
def test_it_is_the_path_of_four_bodies_that_sees_it(architecture, max_v):
    potential = small(architecture, max_v=max_v, n_layers=1)
    mixing = potential.network.layers[0].mixing
    mixing = mixing[0] if architecture == "CAMP" else mixing
    one, other = (on_a_circle(places) for places in HOMOMETRIC)
    paths = hyper_moment_paths(max_v)[0]
    with torch.no_grad():
        for index, path in enumerate(paths):
            if len(path) >= 3:
                if mixing.full:
                    mixing.dense.view(len(paths), -1, mixing.dense.shape[1])[index] = 0
                else:
                    mixing.combine[index] = 0
    assert difference(potential, one, other) < SAME
    assert difference(potential, bent(80), bent(150)) > DIFFERENT


def test_a_second_layer_raises_the_body_order():
    """With neighbours of neighbours even distances alone are enough, once their sum is passed through a SiLU."""
    one, other = (on_a_circle(places) for places in HOMOMETRIC)
    assert difference(small("CAMP-L", max_v=0, n_layers=2, cutoff_A=5.0), one, other) > DIFFERENT
    assert difference(small("CAMP", max_v=1, n_layers=2, cutoff_A=5.0), one, other) > DIFFERENT
    # max_v = 0 in the published layers is linear: Σ_j Σ_k R'(r_ij) R(r_jk), three bodies at equal r_ij
    assert difference(small("CAMP", max_v=0, n_layers=2, cutoff_A=5.0), one, other) < SAME
