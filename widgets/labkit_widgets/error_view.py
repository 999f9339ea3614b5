"""`ErrorView`: atoms coloured by a number of theirs, such as the force error that a committee expects, with a scale.

It is an `AtomsView` whose colours say how wrong a potential expects to be at each atom: pale is right, dark is wrong.
"""

from __future__ import annotations

import math

import ipywidgets as w
import numpy as np
from ase import Atoms

from . import scene, theme
from .viewer import AtomsView

BY_ERROR, BY_ELEMENT = "by predicted error", "by element"
#: What tells one structure from the next among frames with the same elements.
_NAMES = ("structure_index", "round")


class ErrorView(AtomsView):
    """Shows `ase.Atoms` coloured by `atoms.arrays[array]` (n,), in `unit`, from 0 to the end of a scale below them.

    The scale ends at a round number above the largest value, or where `scale_to` puts it.
    """

    def __init__(
        self,
        atoms: Atoms | None = None,
        *,
        array: str = "predicted_error",
        words: str = "predicted error",
        unit: str = "eV/Å",
        height: str = "360px",
        style: str = "ball and stick",
    ) -> None:
        self._array, self._words, self._unit = array, words, unit
        self._fixed: float | None = None
        self._marks: dict[str, float] = {}
        self.scale = w.HTML()
        super().__init__(height=height, style=style)
        self.colour_choice = w.Dropdown(options=(BY_ERROR, BY_ELEMENT), layout=w.Layout(width="150px"))
        self.colour_choice.tooltip = "What the colours of the atoms say"
        self.colour_choice.observe(self._on_colour, "value")
        legend, buttons = self._bar.children
        buttons.children = [self.colour_choice, *buttons.children]
        self._bar.children = [legend, buttons]
        sheet, canvas, *rest = self.children
        self.children = [sheet, canvas, self.scale, *rest]
        if atoms is not None:
            self.show(atoms)

    @property
    def values(self) -> np.ndarray | None:
        """The numbers of the atoms on the screen, shape (n,); None when they have none."""
        return None if self._atoms is None else _numbers(self._atoms, self._array)

    @property
    def end(self) -> float:
        """The number at the end of the scale."""
        if self._fixed is not None:
            return self._fixed
        values = self.values
        good = values[np.isfinite(values)] if values is not None else np.zeros(0)
        return round_up(float(good.max())) if len(good) and good.max() > 0 else 1.0

    def scale_to(self, end: float | None, marks: dict[str, float] | None = None) -> None:
        """Let the scale end at `end` (None: above the largest value) and mark numbers on it by name."""
        marks = {name: at for name, at in (marks or {}).items() if np.isfinite(at)}
        with self._lock:
            if (end, marks) == (self._fixed, self._marks):
                return
            self._fixed, self._marks = end, marks
            if self._atoms is not None:
                self.canvas.tint(self._tints(self._atoms))
            self._write_scale()

    def show(self, atoms: Atoms) -> None:
        """Show these atoms; those of another structure or round are drawn anew even when their elements agree."""
        with self._lock:
            old = self._atoms
            if old is not None and any(old.info.get(name) != atoms.info.get(name) for name in _NAMES):
                self._atoms = None
            super().show(atoms)
            self._write_scale()

    def _scene(self, atoms: Atoms, positions: np.ndarray, pairs: np.ndarray) -> dict:
        return {**super()._scene(atoms, positions, pairs), "tints": self._tints(atoms).round(3).tolist()}

    def _move(self, atoms: Atoms) -> None:
        super()._move(atoms)
        self.canvas.tint(self._tints(atoms))

    def _look(self) -> list[dict]:
        return scene.representation(self._style, self._bonded, tinted=self._tinted)

    def _chips(self, atoms: Atoms) -> str:
        if not self._tinted:
            return super()._chips(atoms)
        return "".join(f"<span>{theme.escape(symbol)} {count}</span>" for symbol, _, count in scene.legend(atoms))

    @property
    def _tinted(self) -> bool:
        return not hasattr(self, "colour_choice") or self.colour_choice.value == BY_ERROR

    def _tints(self, atoms: Atoms) -> np.ndarray:
        """Numbers from 0 to 1; what is no number is as wrong as can be."""
        values = _numbers(atoms, self._array)
        return np.zeros(len(atoms)) if values is None else np.nan_to_num(np.clip(values / self.end, 0, 1), nan=1.0)

    def _on_colour(self, _: dict) -> None:
        with self._lock:
            self.canvas.restyle(self._look())
            if self._atoms is not None:
                self._write_legend(self._atoms)
            self._write_scale()

    def _write_scale(self) -> None:
        atoms, values = self._atoms, self.values
        if atoms is None or not self._tinted:
            html = ""
        elif values is None:
            html = f'<span class="lk-muted">these atoms have no {theme.escape(self._words)}</span>'
        else:
            html = scale_html(self._words, self._unit, self.end, self._marks)
            worst = int(np.argmax(np.nan_to_num(values, nan=np.inf)))
            lines = [f"{name} {at:.3g}" for name, at in self._marks.items() if 0 < at <= self.end]
            text = f"worst: atom {worst} ({atoms.symbols[worst]}), {values[worst]:.3g} {self._unit}"
            text += f" · lines: {', '.join(lines)}" if lines else ""
            html = f'<div style="{_ROW}">{html}<span class="lk-muted">{theme.escape(text)}</span></div>'
        if self.scale.value != html:
            self.scale.value = html


_ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:4px 18px;line-height:18px"


def scale_html(words: str, unit: str, end: float, marks: dict[str, float]) -> str:
    """Return the colours from 0 to `end` as a bar with its numbers; `marks` are ticks with a tooltip."""
    ticks = "".join(
        f'<span title="{theme.escape(name)}: {at:.3g} {theme.escape(unit)}" style="position:absolute;top:-3px;'
        f'height:17px;width:0;border-left:2px solid var(--lk-text);left:{100 * at / end:.1f}%"></span>'
        for name, at in marks.items()
        if 0 < at <= end
    )
    bar = (
        f'<span style="position:relative;display:inline-block;width:170px;height:11px;border-radius:3px;'
        f'background:linear-gradient(to right,{",".join(scene.TINTS)})">{ticks}</span>'
    )
    title = f"Colours: {words} from 0 to {end:g} {unit}"
    return (
        f'<span role="img" aria-label="{theme.escape(title)}" class="lk-muted" '
        f'style="display:inline-flex;align-items:center;gap:6px">{theme.escape(words)} 0 {bar} {end:g} '
        f"{theme.escape(unit)}</span>"
    )


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten that is not below `value` (> 0)."""
    power = 10.0 ** math.floor(math.log10(value))
    step = next(one for one in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if one * power >= value * (1 - 1e-9))
    return float(f"{step * power:.6g}")


def _numbers(atoms: Atoms, array: str) -> np.ndarray | None:
    values = atoms.arrays.get(array)
    return None if values is None or np.ndim(values) != 1 else np.asarray(values, dtype=float)
