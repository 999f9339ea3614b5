"""Which structures of a migration path are worth a label: the path from its ends to its saddle, and its surroundings.

A potential that learned from relaxed crystals is wrong where the energy is high, so the images are taken over the whole
range of energies; rattled copies show the forces that pull back onto the path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from labkit.active_learning.levels import rattled

if TYPE_CHECKING:
    from labkit.simulators.neb_path import MinimumEnergyPath

ON_PATH, RATTLED = "path", "rattled"


def images_of(path: MinimumEnergyPath, limit: int | None = None) -> list[int]:
    """Return the indices of the images to label, in the order of the path.

    Images whose energy is not a finite number are left out, and so is the second half of a path that symmetry made
    from its first. `limit`: at most so many, at even quantiles of |E - E_first|, the lowest and the saddle among them.
    """
    images = len(path.energies_eV)
    count = (images + 1) // 2 if path.mirrored else images
    known = [index for index in range(count) if np.isfinite(path.energies_eV[index])]
    if limit is None or len(known) <= limit:
        return known
    heights = np.abs(path.energies_eV[known] - path.energies_eV[0])
    order = np.argsort(heights, kind="stable")
    places = np.unique(np.round(np.linspace(0, len(known) - 1, limit)).astype(int))
    return sorted(known[order[place]] for place in places)


def choose(
    paths: Sequence[MinimumEnergyPath], *, limit: int | None, copies: int, rattle_A: float, seed: Sequence[int]
) -> list[Atoms]:
    """Return the structures to label: images of each path (see `images_of`), then `copies` rattled copies of each.

    rattle_A: standard deviation (Å) of the displacements, of which copies take 0.5 to 1.5 times. info says `band` and
    `image`, and in `kind` "path" or "rattled". A path that failed before it had energies gives nothing.
    """
    from labkit.structures import bare

    found = []
    for band, path in enumerate(paths):
        for image in images_of(path, limit):
            atoms = bare(path.images[image])
            atoms.info |= {"band": band, "image": image, "kind": ON_PATH}
            found.append(atoms)
    near = rattled(found, copies * len(found), rattle_A, 0.0, [*seed, 17])
    for atoms in near:
        source = found[atoms.info.pop("structure")].info
        atoms.info |= {"band": source["band"], "image": source["image"], "kind": RATTLED}
    return found + near
