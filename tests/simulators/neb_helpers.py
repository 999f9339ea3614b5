"""What the tests of nudged elastic bands share: an analytic surface, adatoms, and a potential that misbehaves."""

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc100

from labkit.errors import InvalidStructure
from labkit.potentials import load
from labkit.potentials.interface import Potential, Prediction

# Müller & Brown, Theor. Chim. Acta 53, 75 (1979); stationary points: methods A.1.
MINIMA = {"A": (-0.55822, 1.44173), "B": (0.62350, 0.02804), "C": (-0.05001, 0.46669)}
SADDLES = {"AC": ((-0.82200, 0.62431), -40.6648), "CB": ((0.21249, 0.29299), -72.2489)}
SCALE = 0.01


class MuellerBrown(Potential):
    """The surface of Müller and Brown for the x and y of one atom, a hundredth of it in eV, and a spring along z."""

    name, level_of_theory = "mueller-brown", "analytic"
    implemented = ("energy", "forces")

    def predict(self, structures, properties=("energy", "forces")):
        amplitude, a = np.array([-200.0, -100, -170, 15]), np.array([-1.0, -1, -6.5, 0.7])
        b, c = np.array([0.0, 0, 11, 0.6]), np.array([-10.0, -10, -6.5, 0.7])
        x0, y0 = np.array([1.0, 0, -0.5, -1]), np.array([0.0, 0.5, 1.5, 1])
        energies, forces = [], []
        for atoms in structures:
            x, y, z = atoms.positions[0]
            dx, dy = x - x0, y - y0
            terms = amplitude * np.exp(a * dx**2 + b * dx * dy + c * dy**2)
            gradient = [(terms * (2 * a * dx + b * dy)).sum(), (terms * (b * dx + 2 * c * dy)).sum(), 100 * z]
            energies.append(SCALE * (terms.sum() + 50 * z**2))
            forces.append(-SCALE * np.array([gradient]))
        return Prediction(energies=np.array(energies), forces=forces)


def point(name):
    return Atoms("H", positions=[[*MINIMA[name], 0.0]])


def adatom(along=0, surface="Al", guest=None, size=(2, 2, 2)):
    """The hop of an aluminium atom over the bridge of Al(100), along x or y; `guest` replaces one surface atom."""
    initial = fcc100(surface, size=size)
    add_adsorbate(initial, "Al", 1.7, "hollow")
    initial.center(axis=2, vacuum=4.0)
    initial.pbc = (True, True, False)
    if guest is not None:
        initial.symbols[4] = guest
    final = initial.copy()
    final.positions[-1, along] += initial.cell[along, along] / size[along]
    return initial, final


def lopsided(along=0, guest="Pd"):
    """The same hop on three atoms by two, beside a foreign atom that only one of the two hollows touches."""
    initial, final = adatom(along, size=(3, 3, 2))
    for atoms in (initial, final):
        atoms.symbols[9] = guest
    return initial, final


def staggered():
    """Two hops whose symmetry a field breaks; the first begins high above the surface and gives it up last."""
    slow, quick = adatom(), adatom()
    for atoms in slow:
        atoms.positions[-1, 2] += 0.9
    for atoms in quick:
        atoms.cell[2, 2] += 1.0
    return [slow, quick]


class Moody(Potential):
    """EMT that refuses copper, is not a number for silver, explodes for gold, has a field for palladium on request,
    and runs out of memory beyond `room` atoms; it counts what it was asked.
    """

    name, level_of_theory = "moody", "emt"
    implemented = ("energy", "forces")

    def __init__(self, room=10**9, field=0.0):
        self.emt, self.room, self.field = load("emt"), room, field
        self.calls, self.structures = [], 0

    def predict(self, structures, properties=("energy", "forces")):
        total = sum(len(atoms) for atoms in structures)
        if total > self.room:
            raise MemoryError(f"no room for {total} atoms")
        for atoms in structures:
            if "Cu" in atoms.symbols:
                raise InvalidStructure("this potential was never trained on copper")
        self.calls.append(total)
        self.structures += len(structures)
        said = self.emt.predict(structures, ("energy", "forces"))
        for index, atoms in enumerate(structures):
            if "Ag" in atoms.symbols:
                said.energies[index] = np.nan
            if "Au" in atoms.symbols:
                said.forces[index][-1] = 1e7
            said.energies[index] -= self.field * atoms.positions[-1, 0]
            said.forces[index][-1, 0] += self.field
        return said


class Slanted(Moody):
    """EMT in a field along x."""

    def __init__(self):
        super().__init__(field=0.05)
