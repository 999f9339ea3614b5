"""Is it a structure at all: nothing on top of each other, a sensible density, a size that can be paid for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from ase.data import covalent_radii
from pydantic import Field

from labkit.errors import InvalidStructure
from labkit.runs import quantity
from labkit.screening.candidate import Candidate, Outcome, passed, rejected
from labkit.screening.stage import Stage

#: Shortest distances are looked for up to here, Å.
REACH_A = 3.5


class Geometry(Stage):
    """Keep structures that pass labkit's check and have sensible distances, density and size."""

    cheap: ClassVar[bool] = True

    min_distance_A: float = quantity(0.6, "Å", "No two atoms closer than this", ge=0, le=10)
    min_relative_distance: float = quantity(
        0.5, "1", "No two atoms closer than this share of the sum of their covalent radii", ge=0, le=2
    )
    min_density_g_cm3: float = quantity(0.0, "g/cm³", "Least density (crystals)", ge=0)
    max_density_g_cm3: float = quantity(25.0, "g/cm³", "Largest density (crystals)", gt=0)
    max_atoms: int = quantity(400, "atoms", "Largest cell", ge=1)
    periodic: bool = Field(False, description="Crystals only")

    def judge(self, candidate: Candidate) -> Outcome:
        """Values: n_atoms, density_g_cm3, volume_A3_atom, shortest_A. What `check` mends goes on mended."""
        from labkit.structures import check
        from labkit.structures.contacts import nearest_contacts
        from labkit.structures.describe import AMU_PER_A3_IN_G_CM3

        atoms = candidate.atoms
        values: dict[str, float] = {"n_atoms": len(atoms)}
        if len(atoms) > self.max_atoms:
            return rejected(f"its cell has {len(atoms)} atoms; at most {self.max_atoms} are wanted.", **values)
        try:
            mended = check(atoms, min_distance_A=self.min_distance_A)
        except InvalidStructure as error:
            return rejected(" ".join(str(error).split()), **values)
        if atoms.pbc.all():
            volume = float(atoms.get_volume())
            density = float(atoms.get_masses().sum()) * AMU_PER_A3_IN_G_CM3 / volume
            values |= {"density_g_cm3": round(density, 4), "volume_A3_atom": round(volume / len(atoms), 4)}
            if not self.min_density_g_cm3 <= density <= self.max_density_g_cm3:
                return rejected(
                    f"its density is {density:.3g} g/cm³; {self.min_density_g_cm3:g} to {self.max_density_g_cm3:g} "
                    "g/cm³ are wanted.",
                    **values,
                )
        elif self.periodic:
            return rejected("it is not a crystal (periodic in all directions).", **values)
        contacts = nearest_contacts(mended, REACH_A)
        if contacts:
            values["shortest_A"] = round(contacts[0][2], 4)
            i, j, d = np.array(contacts).T
            pairs = covalent_radii[mended.numbers[i.astype(int)]] + covalent_radii[mended.numbers[j.astype(int)]]
            worst = int(np.argmin(d / pairs))
            values["shortest_relative"] = round(float(d[worst] / pairs[worst]), 4)
            if d[worst] < self.min_relative_distance * pairs[worst]:
                first, second = (mended.symbols[int(k[worst])] for k in (i, j))
                return rejected(
                    f"{first} and {second} are {d[worst]:.2f} Å apart, less than {self.min_relative_distance:g} of the "
                    f"sum of their covalent radii ({pairs[worst]:.2f} Å).",
                    **values,
                )
        return passed(mended if "mended" in mended.info else None, **values)
