"""The published Cartesian atomic moment potential, slowly: loops over atoms, pairs and paths, full tensors of 3^v.

Written from the equations alone (methods A, section 8; M. Wen et al., npj Comput. Mater. 11, 128 (2025)), with nothing
of labkit but the parameters: a second opinion on the padded, factorised, symmetric-component code.
"""

from itertools import combinations_with_replacement, product

import numpy as np
from ase.data import atomic_numbers


def silu(x):
    return x / (1 + np.exp(-x))


def unpack(components, rank):
    """Distinct components (c, ...) of a symmetric tensor as the full tensor (3, 3, ..., ...)."""
    order = {c: n for n, c in enumerate(combinations_with_replacement(range(3), rank))}
    full = np.empty((3,) * rank + components.shape[1:])
    for index in product(range(3), repeat=rank):
        full[index] = components[order[tuple(sorted(index))]]
    return full


def neighbours_of(atoms, centre, cutoff_A, images=3):
    """Every (neighbour, vector) within the cut-off, by trying all images."""
    shifts = product(range(-images, images + 1), repeat=3) if atoms.pbc.all() else [(0, 0, 0)]
    for shift in shifts:
        for other in range(len(atoms)):
            vector = atoms.positions[other] + np.array(shift) @ atoms.cell.array - atoms.positions[centre]
            distance = np.linalg.norm(vector)
            if 1e-9 < distance < cutoff_A:
                yield other, vector, distance


def hyper_paths(max_v, output):
    """Multisets of ranks >= 1 whose largest is the sum of the rest plus the output rank; and the scalar itself."""
    found = [(0,)] if output == 0 else []
    for count in range(1, max_v + 2):
        candidates = combinations_with_replacement(range(1, max_v + 1), count)
        found += [ranks for ranks in candidates if ranks[-1] == sum(ranks[:-1]) + output]
    return sorted(found, key=lambda ranks: (len(ranks), ranks))


def outer(unit, rank):
    """unit ⊗ ... ⊗ unit."""
    result = np.ones(())
    for _ in range(rank):
        result = np.multiply.outer(result, unit)
    return result


class Reference:
    """The equations, for the parameters of a `CAMP` of architecture "CAMP"."""

    def __init__(self, potential):
        self.settings = potential.settings
        self.elements = sorted(potential.elements, key=lambda symbol: atomic_numbers[symbol])
        self.value = {name: one.detach().double().numpy() for name, one in potential.network.state_dict().items()}

    def basis(self, distance):
        """Chebyshev polynomials by their definition cos(b arccos x), times the envelope."""
        x = distance / self.settings.cutoff_A
        envelope = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
        return np.array([np.cos(b * np.arccos(x)) * envelope for b in range(self.settings.radial_degree + 1)])

    def radial(self, layer, path, distance, kind, other_kind):
        """R_u of one path at one distance: pair coefficients, then a network of one hidden layer."""
        name = f"layers.{layer}.moments.radial."
        n_basis, hidden = self.settings.radial_degree + 1, self.settings.radial_hidden
        coefficients = self.value[name + "coefficients"][kind, other_kind * n_basis : (other_kind + 1) * n_basis]
        f = self.basis(distance) @ coefficients
        first = self.value[name + "first"][:, path * hidden : (path + 1) * hidden]
        return silu(f @ first) @ self.value[name + "second"][path]

    def moments(self, layer, features, atoms, kinds):
        """M_{u,v}(i) as full tensors (3, ..., 3, u): list over v of lists over atoms."""
        max_v, u = self.settings.max_v, self.settings.channels
        name = f"layers.{layer}.moments."
        paths = [(v, v1) for v in range(max_v + 1) for v1 in range(max_v - v + 1) if v1 == 0 or layer > 0]
        found = []
        for v in range(max_v + 1):
            mix = self.value[f"{name}mix.{v}"] / self.value[name + "standardise.rms"][v]
            of_rank = []
            for i in range(len(atoms)):
                total = np.zeros((3,) * v + (u,))
                for j, vector, distance in neighbours_of(atoms, i, self.settings.cutoff_A):
                    for p, (rank, v1) in enumerate(paths):
                        if rank != v:
                            continue
                        tensor = outer(vector / distance, v + v1)
                        # all v1 indices of h_j with the first v1 of D
                        h = features[v1][j].reshape(3**v1, u)
                        contracted = np.einsum("ax,au->xu", tensor.reshape(3**v1, -1), h).reshape((3,) * v + (u,))
                        weight = self.radial(layer, p, distance, kinds[i], kinds[j]) * self.value[name + "combine"][p]
                        total = total + weight * contracted
                of_rank.append(total @ mix)
            found.append(of_rank)
        return found

    def hyper(self, moments, ranks, atom):
        """The largest moment contracted with all others."""
        result = moments[ranks[-1]][atom]
        for rank in ranks[:-1]:
            b = moments[rank][atom]
            left = result.ndim - 1 - rank
            shape = result.shape[:left]
            a = result.reshape(-1, 3**rank, b.shape[-1])
            result = np.einsum("xau,au->xu", a, b.reshape(3**rank, -1)).reshape(*shape, -1)
        return result

    def energy(self, atoms):
        """Total energy, eV."""
        s, value = self.settings, self.value
        kinds = [self.elements.index(symbol) for symbol in atoms.symbols]
        features = [[value["embedding"][kind] for kind in kinds]]
        atomic = np.zeros(len(atoms))
        for layer in range(s.n_layers):
            moments = self.moments(layer, features, atoms, kinds)
            last = layer == s.n_layers - 1
            updated = []
            for v in range(1 if last else s.max_v + 1):
                name = f"layers.{layer}.mixing.{v}."
                rms = value[name + "standardise.rms"]
                rank = []
                for i in range(len(atoms)):
                    combined = sum(
                        self.hyper(moments, ranks, i) * value[name + "combine"][p] / rms[p]
                        for p, ranks in enumerate(hyper_paths(s.max_v, v))
                    )
                    h = combined @ value[name + "mix"]
                    if layer > 0:
                        h = h + features[v][i] @ value[f"layers.{layer}.residual.{v}"]
                    rank.append(h)
                updated.append(rank)
            features = updated
            for i, h in enumerate(features[0]):
                atomic[i] += (h @ value[f"readouts.{layer}.linear"])[0]
                if last:
                    hidden = silu(h @ value[f"readouts.{layer}.hidden"])
                    atomic[i] += (hidden @ value[f"readouts.{layer}.output"])[0]
        # atomic energies of a fresh network are 0.3 of the scale
        return float(
            sum(0.3 * e * value["scale"][kind] + value["shift"][kind] for e, kind in zip(atomic, kinds, strict=True))
        )
