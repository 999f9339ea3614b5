"""What the tests of Huang-Rhys factors share: a crystal of random springs."""

import numpy as np
from ase.build import bulk


def crystal(seed=0, n=3):
    """A periodic crystal with springs of random strength between all atoms and to the ground, and its Hessian."""
    rng = np.random.default_rng(seed)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)[: 2 * n]
    root = rng.normal(size=(6 * n, 6 * n))
    return atoms, root @ root.T / n + 2 * np.eye(6 * n)
