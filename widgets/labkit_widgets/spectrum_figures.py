"""The two figures of a spectrum view: the spectrum itself, and a stem for each mode that may be clicked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from labkit.analysis.luminescence import HuangRhys
from labkit.analysis.luminescence_lineshape import Lineshape
from labkit.analysis.luminescence_measurement import MeasuredSpectrum
from labkit.analysis.luminescence_overlap import spectral_density

from . import theme
from .curves import figure_layout
from .figure import Figure
from .spectrum_model import ONE_MODE, stems, thinned

_EMPTY = {"type": "scatter", "x": [], "y": []}


class SpectrumFigure(Figure):
    """A line for each set of phonons, one for the effective mode, dots for a measurement."""

    def __init__(self, names: Sequence[str], height: int) -> None:
        """`names` are those of the sets, in the order of their colours."""
        layout = figure_layout(height, "Photon energy (eV)", "Intensity (1/eV)")
        layout["yaxis"] |= {"rangemode": "tozero"}
        layout["margin"] = {**layout["margin"], "t": 30}
        colours, traces = theme.palette(), []
        for number, name in enumerate(names):
            line = {"color": colours[number % len(colours)], "width": 1.8}
            hover = f"%{{x:.4f}} eV<br>%{{y:.3g}} /eV<extra>{theme.escape(name)}</extra>"
            traces.append({**_EMPTY, "mode": "lines", "name": name, "line": line, "hovertemplate": hover})
        grey = {"color": theme.GREY, "width": 1.4, "dash": "dot"}
        traces.append({**_EMPTY, "mode": "lines", "name": ONE_MODE, "line": grey, "showlegend": False})
        dots = {"color": theme.ORANGE, "size": 4}
        traces.append({**_EMPTY, "mode": "markers", "name": "measured", "marker": dots, "showlegend": False})
        self._at = {name: number for number, name in enumerate([*names, ONE_MODE, "measured"])}
        self._range: tuple[float, float] | None = None
        super().__init__(layout, traces)

    def show_lines(self, lines: dict[str, Lineshape], active: str, *, fit: bool) -> None:
        """Draw these lines; `fit` puts the axis anew, else it only grows when the spectrum does not fit any more."""
        spans = np.array([one.span_eV() for one in lines.values()])
        low, high = float(spans[:, 0].min()) - 0.02, float(spans[:, 1].max()) + 0.02
        if fit or self._range is None:
            self._range, moved = (low, high), True
        else:
            grown = (min(low, self._range[0]), max(high, self._range[1]))
            moved = max(self._range[0] - grown[0], grown[1] - self._range[1]) > 0.01
            self._range = grown if moved else self._range
        with self.batch_update():
            if moved:
                self.layout.xaxis.range = self._range
            for name, at in self._at.items():
                if name == "measured":
                    continue
                trace = self.data[at]
                if name in lines:
                    trace.x, trace.y = thinned(lines[name], (self._range[0] - 0.05, self._range[1] + 0.05))
                elif trace.x is not None and len(trace.x):
                    trace.x, trace.y = [], []
                trace.showlegend = name in lines
                if name != ONE_MODE:
                    trace.line.dash = "solid" if name == active else "dash"

    def show_measured(self, measured: MeasuredSpectrum | None, line: Lineshape | None) -> None:
        """Draw a measurement, scaled onto the line, or none; raises UnreadableSpectrum when they have nothing in
        common.
        """
        x, y = (np.zeros(0), np.zeros(0))
        if measured is not None and line is not None:
            x, y = measured.energies_eV, measured.scaled_to(line.energies_eV, line.intensity)
        with self.batch_update():
            trace = self.data[self._at["measured"]]
            trace.x, trace.y, trace.showlegend = x, y, len(x) > 0


class StemFigure(Figure):
    """S_k of each mode as a stem, coloured by N/IPR, with S(E) behind; a click tells the place of the mode."""

    def __init__(self, height: int, on_pick: Callable[[int], None]) -> None:
        """`on_pick` is called with the place (from 0) of the mode that was clicked."""
        layout = figure_layout(height, "Mode energy (meV)", "S<sub>k</sub>")
        layout["yaxis"] |= {"rangemode": "tozero"}
        right = {**layout["yaxis"], "overlaying": "y", "side": "right", "showgrid": False}
        layout["yaxis2"] = {**right, "title": {"text": "S(E) (1/meV)"}}
        # What is drawn on the second axis lies above the first; stems must stay clickable, so they have the second.
        layout["yaxis"], layout["yaxis2"] = (
            {**layout["yaxis2"], "overlaying": None},
            {**layout["yaxis"], "overlaying": "y", "side": "left", "tickmode": "auto", "nticks": 6},
        )
        layout["showlegend"], layout["clickmode"] = False, "event"
        layout["margin"] = {**layout["margin"], "r": 60}
        behind = {"mode": "lines", "fill": "tozeroy", "line": {"width": 0}, "hoverinfo": "skip"}
        # Above the plot: beside it, the bar covers the right axis as soon as the window is narrow.
        bar = {"title": {"text": "N/IPR", "side": "top"}, "orientation": "h", "thickness": 8, "len": 0.6}
        bar |= {"x": 1.0, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "xpad": 0, "ypad": 0}
        # The rim keeps the darkest dots visible on a dark page.
        marker = {"size": 8, "colorscale": "Cividis", "reversescale": True, "colorbar": bar, "color": [], "cmin": 0}
        marker["line"] = {"width": 0.7, "color": theme.GREY}
        plain = {**_EMPTY, "yaxis": "y2", "hoverinfo": "skip"}
        ring = {"size": 15, "symbol": "circle-open", "color": theme.RED, "line": {"width": 2.5}}
        super().__init__(
            layout,
            [
                {**_EMPTY, **behind, "fillcolor": "rgba(86,180,233,0.3)", "name": "S(E)"},
                {**plain, "mode": "lines", "line": {"color": theme.GREY, "width": 1}},
                {**plain, "mode": "markers", "marker": ring},
                {**_EMPTY, "yaxis": "y2", "mode": "markers", "marker": marker, "name": "modes"},
            ],
        )
        self._places = np.zeros(0, dtype=int)
        self._on_pick = on_pick
        self.data[3].on_click(self._clicked)

    def show_phonons(self, phonons: HuangRhys) -> None:
        """Draw the stems of these phonons."""
        self._places = stems(phonons)
        x, y = phonons.energies_meV[self._places], phonons.factors[self._places]
        local = np.log10(phonons.localisation[self._places])
        top = max(float(local.max()), np.log10(2.0))
        ticks = [one for one in (1, 2, 5, 10, 20, 50, 100, 200) if np.log10(one) <= top]
        up = np.column_stack([np.zeros_like(y), y, np.full_like(y, np.nan)]).ravel()
        along = np.column_stack([x, x, np.full_like(x, np.nan)]).ravel()
        words = [f"{a:.1f} meV<br>S {b:.3g}<br>N/IPR {10**c:.1f}" for a, b, c in zip(x, y, local, strict=True)]
        with self.batch_update():
            self.data[1].x, self.data[1].y = along, up
            dots = self.data[3]
            dots.x, dots.y, dots.text, dots.hovertemplate = x, y, words, "%{text}<extra></extra>"
            dots.marker.color, dots.marker.cmax = local, top
            dots.marker.colorbar.tickvals, dots.marker.colorbar.ticktext = np.log10(ticks), [str(one) for one in ticks]
            self.layout.xaxis.range = (0.0, 1.04 * float(phonons.energies_meV.max()))

    def show_density(self, phonons: HuangRhys, sigma_meV: float) -> None:
        """Draw the spectral function behind the stems; nothing for a width of 0."""
        grid = np.linspace(0.0, 1.04 * float(phonons.energies_meV.max()), 400)
        y = spectral_density(phonons.energies_meV, phonons.factors, grid, sigma_meV) if sigma_meV > 0 else 0 * grid
        with self.batch_update():
            self.data[0].x, self.data[0].y = grid, y

    def mark(self, phonons: HuangRhys, place: int | None) -> None:
        """Put a ring around a mode."""
        x, y = ([phonons.energies_meV[place]], [phonons.factors[place]]) if place is not None else ([], [])
        with self.batch_update():
            self.data[2].x, self.data[2].y = x, y

    def _clicked(self, _trace: object, points: object, _state: object) -> None:
        if points.point_inds:
            self._on_pick(int(self._places[points.point_inds[0]]))
