"""The structures of the phases: the one that was clicked, in 3D, with its composition and its free energy."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as w
from ase import Atoms

from labkit.phase_diagrams.phases import Phase

from . import theme
from .panel import Panel, muted
from .phase_diagram_words import percent
from .viewer import AtomsView

Shown = tuple[int, float | None, Atoms]


def book(phases: Sequence[Phase], structures: Mapping[str, Any] | None, elements: Sequence[str]) -> list[Shown]:
    """Return (number of the phase, composition, atoms) of all structures; those given go before the phases' own.

    Raises ValueError for structures of a phase that does not exist, or of a compound with another composition.
    """
    given = dict(structures or {})
    strangers = set(given) - {one.name for one in phases}
    if strangers:
        raise ValueError(f"there are structures of {', '.join(sorted(strangers))}, but no such phase.")
    found: list[Shown] = []
    for number, phase in enumerate(phases):
        mine = given.get(phase.name, getattr(phase, "structures", ()) or ())
        own = [mine] if isinstance(mine, Atoms) else list(mine)
        for atoms in own:
            _agreed(atoms, phase, elements)
        found += [(number, _fraction(atoms, phase, elements), atoms) for atoms in own]
    return found


def _agreed(atoms: Atoms, phase: Phase, elements: Sequence[str]) -> None:
    first, second = (atoms.get_chemical_symbols().count(one) for one in elements)
    if not phase.line or not first + second:
        return
    shown, x = second / (first + second), phase.compositions[0]
    if abs(shown - x) > 0.01:
        raise ValueError(
            f"the structure of {phase.name} has {percent(shown)} of {elements[1]}, the phase {percent(x)}; x counts "
            f"{elements[1]}, the second element."
        )


def _fraction(atoms: Atoms, phase: Phase, elements: Sequence[str]) -> float | None:
    symbols = atoms.get_chemical_symbols()
    first, second = (symbols.count(one) for one in elements)
    if phase.line or first + second == 0:
        return phase.compositions[0] if phase.line else None
    return second / (first + second)


class StructurePane(Panel):
    """Shows one of `entries`; `shown` is the number of that one in them."""

    def __init__(self, entries: Sequence[Shown], names: Sequence[str], second: str, *, height: str = "260px") -> None:
        self._lock = threading.RLock()
        self.entries, self._names, self._second, self._silent = list(entries), names, second, False
        self.shown: int | None = None
        self.view = AtomsView(height=height)
        options = [(self.title_of(at), at) for at in range(len(self.entries))]
        self.menu = w.Dropdown(options=options, value=None, layout=w.Layout(width="240px"), tooltip="Structures")
        self.note, self.error = w.HTML(muted("click a point of the hull to see its structure")), w.HTML()
        self.menu.observe(self._on_menu, "value")
        super().__init__([self.menu, self.view, self.note, self.error])

    @property
    def atoms(self) -> Atoms | None:
        """The structure that is shown."""
        return None if self.shown is None else self.entries[self.shown][2]

    def title_of(self, at: int) -> str:
        """Return phase and formula of an entry."""
        number, _, atoms = self.entries[at]
        return f"{self._names[number]}: {atoms.get_chemical_formula(empirical=True)}"

    def nearest(self, number: int, x: float) -> int | None:
        """Return the entry of a phase whose composition is nearest to x, or None if it has no structure."""
        mine = [at for at, one in enumerate(self.entries) if one[0] == number]
        return min(mine, key=lambda at: abs((self.entries[at][1] or 0.0) - x), default=None)

    def show(self, at: int, words: str = "") -> None:
        """Show an entry, with `words` below."""
        with self._lock:
            self.shown, self.error.value = at, ""
            self.note.value = muted(f"{self.title_of(at)}{self._where(at)}{'; ' + words if words else ''}")
            self.view.show(self.entries[at][2])
            self._silent = True
            try:
                self.menu.value = at
            finally:
                self._silent = False

    def _where(self, at: int) -> str:
        x = self.entries[at][1]
        return "" if x is None else f", {percent(x)} {self._second}"

    def say(self, words: str) -> None:
        """Write a line below the structure."""
        self.note.value = muted(words)

    def on_choice(self, call: Any) -> None:
        """Call `call(at)` when the menu is used."""
        self._call = call

    def _on_menu(self, change: dict) -> None:
        if self._silent or change["new"] is None:
            return
        try:
            getattr(self, "_call", self.show)(change["new"])
        except Exception as error:
            self.error.value = theme.message(f"This structure cannot be shown: {error}")

    def release(self) -> None:
        """Close the picture."""
        self.view.close()
