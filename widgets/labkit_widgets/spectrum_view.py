"""`SpectrumView`: a colour centre's spectrum that follows its sliders, with the modes that make it.

Temperature, broadenings and zero-phonon line answer while the slider moves; a click on a mode lets it move in 3D; a
measurement can be pasted over, and phonons of another potential toggled.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import ipywidgets as w

from labkit.analysis.luminescence import HuangRhys
from labkit.analysis.luminescence_lineshape import KINDS, Lineshape
from labkit.analysis.luminescence_measurement import UNITS, MeasuredSpectrum, read_spectrum

from . import theme
from .panel import Panel, button, muted
from .spectrum_figures import SpectrumFigure, StemFigure
from .spectrum_mode import ModeView
from .spectrum_model import ONE_MODE, Settings, SpectrumModel, mode_words

_UNIT_WORDS = {"auto": "unit: as it looks", "eV": "energy (eV)", "nm": "wavelength (nm)"}


_TITLES = ("phonons", "S", "Debye-Waller", "ZPL share at T", "ΔQ (amu½ Å)", "ΔR (Å)", "ħω eff. (meV)", "ΣSħω (meV)")


class SpectrumView(Panel):
    """Shows Huang-Rhys factors (one result, several, or a mapping of names to results) as a spectrum around `zpl_eV`.

    `line` is the `Lineshape` on the screen, `phonons` the set it is made of, `mode` the place of the chosen mode.
    """

    def __init__(
        self,
        phonons: HuangRhys | Sequence[HuangRhys] | Mapping[str, HuangRhys],
        zpl_eV: float,
        *,
        temperature_K: float = 0.0,
        gamma_meV: float = 2.0,
        sigma_meV: float = 6.0,
        kind: str = "emission",
        measured: MeasuredSpectrum | None = None,
        height: int = 320,
    ) -> None:
        self.model = SpectrumModel.of(phonons)
        if not 0 < zpl_eV < float("inf"):
            raise ValueError(f"zpl_eV={zpl_eV} must be positive: the energy of the zero-phonon line in eV.")
        self._lock = threading.RLock()
        self.mode: int | None = None
        self._silent, self._sigma_drawn = False, -1.0
        names = list(self.model.sets)
        self.temperature = _slider(temperature_K, 0, 1000, 5, "T (K)", "Temperature of the phonons", ".0f")
        self.gamma = _slider(gamma_meV, 0.2, 20, 0.1, "γ (meV)", "Half width of the zero-phonon line", ".1f")
        self.sigma = _slider(sigma_meV, 0, 30, 0.5, "σ (meV)", "Gaussian width of each phonon", ".1f")
        reach = min(0.5, 0.9 * zpl_eV)
        self.zpl = _slider(zpl_eV, zpl_eV - reach, zpl_eV + reach, 0.001, "ZPL (eV)", "Zero-phonon line", ".3f")
        self.kind = w.ToggleButtons(options=KINDS, value=kind, tooltips=("Light comes out", "Light goes in"))
        self.chosen = w.ToggleButtons(options=names, tooltips=["Phonons of " + name for name in names])
        for buttons, width in ((self.kind, "92px"), (self.chosen, "auto")):
            buttons.style.button_width, buttons.layout.margin = width, "2px 14px 2px 2px"
        self.compare = _check(len(names) > 1, "all sets", "Draw the other phonons too, dashed")
        self.one_mode = _check(False, ONE_MODE, "Draw the one-dimensional model: one mode of the effective energy")
        self.figure = SpectrumFigure(names, height)
        self.stems = StemFigure(height, self._on_pick)
        self.menu = w.Dropdown(options=[], layout=w.Layout(width="260px"), tooltip="The strongest modes")
        self.mode_view = ModeView(height=f"{height - 60}px")
        self.paste = w.Textarea(placeholder="paste a measurement: two columns, energy (eV) or wavelength (nm)", rows=3)
        self.paste.layout = w.Layout(width="min(420px, 100%)")
        self.unit = w.Dropdown(options=[(_UNIT_WORDS[one], one) for one in UNITS], layout=w.Layout(width="150px"))
        self.unit.tooltip = "Unit of the first column"
        self.overlay = button("Overlay", "Draw the measurement, scaled onto the spectrum", "lk-primary")
        self.remove = button("Remove", "Take the measurement away")
        self.facts, self.note, self.error, self.paste_error = w.HTML(), w.HTML(), w.HTML(), w.HTML()
        super().__init__(self._parts(len(names)))
        for control in (self.temperature, self.gamma, self.sigma, self.zpl, self.compare, self.one_mode):
            control.observe(lambda change: self._guarded(fit=change["owner"] is self.zpl), "value")
        self.kind.observe(lambda _: self._guarded(fit=True), "value")
        self.chosen.observe(lambda _: self._guarded(fit=True, phonons=True), "value")
        self.menu.observe(self._on_menu, "value")
        self.overlay.on_click(lambda _: self._on_overlay())
        self.remove.on_click(lambda _: self.show_measured(None))
        self._draw(fit=True, phonons=True)
        if measured is not None:
            self.show_measured(measured)

    @property
    def phonons(self) -> HuangRhys:
        """The set of phonons that is chosen."""
        return self.model.sets[self.chosen.value]

    @property
    def line(self) -> Lineshape:
        """The spectrum of the chosen phonons as it is drawn."""
        return self.model.lines[self.chosen.value]

    @property
    def measured(self) -> MeasuredSpectrum | None:
        """The measurement that is drawn, if any."""
        return self.model.measured

    @property
    def settings(self) -> Settings:
        """Where the sliders stand."""
        return Settings(
            self.temperature.value, self.gamma.value, self.sigma.value, self.zpl.value, str(self.kind.value)
        )

    def select(self, place: int, *, play: bool = True) -> None:
        """Choose a mode by its place in the set (from 0): it is ringed, and moves in 3D."""
        with self._lock:
            phonons = self.phonons
            if not 0 <= place < len(phonons):
                raise ValueError(f"mode {place} does not exist; there are {len(phonons)}, counted from 0.")
            self.mode = int(place)
            self._fill_menu()
            self.stems.mark(phonons, self.mode)
            self.mode_view.show(phonons.modes, int(phonons.mode[place]), mode_words(phonons, place), play=play)

    def show_measured(self, measured: MeasuredSpectrum | None) -> None:
        """Draw a measurement over the spectrum, scaled onto it once, or take it away.

        Raises UnreadableSpectrum when the two have no energy in common; the old one then stays.
        """
        with self._lock:
            self.figure.show_measured(measured, self.line)
            self.model.measured = measured
            self.paste_error.value = ""

    def _parts(self, sets: int) -> list[w.Widget]:
        wrap = {"align_items": "center", "flex_flow": "row wrap", "width": "100%"}
        sliders = w.HBox([self.temperature, self.gamma, self.sigma, self.zpl], layout=w.Layout(**wrap))
        which = [self.chosen, self.compare] if sets > 1 else []
        choices = w.HBox([self.kind, *which, self.one_mode], layout=w.Layout(**wrap))
        buttons = w.HBox([self.unit, self.overlay, self.remove], layout=w.Layout(**wrap))
        box = w.VBox([buttons, self.paste_error], layout=w.Layout(flex="1 1 300px", overflow="hidden"))
        paste = w.HBox([self.paste, box], layout=w.Layout(**{**wrap, "align_items": "flex-start"}))
        pick = w.HBox([w.HTML(muted("mode")), self.menu], layout=w.Layout(**wrap))
        left = [theme.title("Modes", "click on one"), pick, self.stems]
        row = w.Box([_cell(left), _cell([theme.title("The mode"), self.mode_view])])
        row.layout = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start")
        head = theme.title("Spectrum", "Huang-Rhys, generating function")
        return [head, choices, sliders, self.error, self.figure, self.facts, self.note, paste, row]

    def _guarded(self, *, fit: bool = False, phonons: bool = False) -> None:
        with self._lock:
            try:
                self._draw(fit=fit, phonons=phonons)
                self.error.value = ""
            except Exception as error:
                self.error.value = theme.message(f"The spectrum could not be drawn: {error}")

    def _draw(self, *, fit: bool, phonons: bool) -> None:
        with self._lock:
            settings, active = self.settings, str(self.chosen.value)
            others = [name for name in self.model.sets if name != active] if self.compare.value else []
            extra = [ONE_MODE] if self.one_mode.value else []
            lines = self.model.draw([active, *others, *extra], settings)
            self.figure.show_lines(lines, active, fit=fit)
            if phonons:
                self.stems.show_phonons(self.phonons)
            if phonons or settings.sigma_meV != self._sigma_drawn:
                self.stems.show_density(self.phonons, settings.sigma_meV)
                self._sigma_drawn = settings.sigma_meV
            if phonons:
                self.select(self.phonons.strongest, play=False)
            self._say(lines)

    def _say(self, lines: dict[str, Lineshape]) -> None:
        rows = "".join(_row(self.model.sets[name], lines.get(name)) for name in self.model.sets)
        head = "".join(f"<th>{title}</th>" for title in _TITLES)
        self.facts.value = f'<table class="lk-errors" aria-label="Huang-Rhys"><tr>{head}</tr>{rows}</table>'
        modes = sum(len(self.model.sets[name]) for name in lines if name != ONE_MODE)
        self.note.value = muted(f"{modes} modes, computed in {self.model.took_ms:.0f} ms")

    def _fill_menu(self) -> None:
        options = tuple(self.model.menu(str(self.chosen.value), self.mode))
        self._silent = True
        try:
            if tuple(self.menu.options) != options:
                self.menu.options = options
            self.menu.value = self.mode
        finally:
            self._silent = False

    def _on_menu(self, change: dict) -> None:
        with self._lock:
            if self._silent or change["new"] is None or change["new"] == self.mode:
                return
            self._on_pick(change["new"])

    def _on_pick(self, place: int) -> None:
        try:
            self.select(place)
        except Exception as error:
            self.mode_view.error.value = theme.message(f"This mode cannot be shown: {error}")

    def _on_overlay(self) -> None:
        try:
            self.show_measured(read_spectrum(self.paste.value, str(self.unit.value)))
        except ValueError as error:
            self.paste_error.value = theme.message(str(error))

    def release(self) -> None:
        """Close the parts."""
        for part in (self.figure, self.stems, self.mode_view):
            part.close()


def _slider(value: float, low: float, high: float, step: float, name: str, tooltip: str, form: str) -> w.FloatSlider:
    if not low <= value <= high:
        raise ValueError(f"{tooltip}: {value:g} lies outside of {low:g} to {high:g}.")
    made = w.FloatSlider(value=value, min=low, max=high, step=step, description=name, readout_format=form)
    made.style.description_width, made.layout.width, made.tooltip = "58px", "300px", tooltip
    return made


def _check(value: bool, words: str, tooltip: str) -> w.Checkbox:
    made = w.Checkbox(value, description=words, indent=False, layout=w.Layout(width="auto", margin="2px 14px 2px 2px"))
    made.tooltip = tooltip
    return made


def _cell(parts: list[w.Widget]) -> w.VBox:
    return w.VBox(parts, layout=w.Layout(flex="1 1 45%", min_width="320px", overflow="hidden"))


def _row(phonons: HuangRhys, line: Lineshape | None) -> str:
    share = "" if line is None else f"{line.zpl_weight:.4f}"
    moved = (f"{phonons.delta_Q:.4f}", f"{phonons.delta_R:.4f}")
    energies = (f"{phonons.effective_energy_meV:.1f}", f"{phonons.relaxation_energy_meV:.1f}")
    cells = (f"{phonons.total:.4f}", f"{phonons.debye_waller:.5f}", share, *moved, *energies)
    return f"<tr><th>{theme.escape(phonons.name)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
