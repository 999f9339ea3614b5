"""`PotentialCard`: what a potential covers, how well, how fast and whose it is, before it is used.

Every number comes from `labkit.potentials.card`; speed is measured on request, in a process of its own for a potential
that has a name or a folder, so that neither the kernel nor the page waits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import ipywidgets as w

from labkit import potentials
from labkit.potentials import Card, Potential
from labkit.potentials.speed import Speed, measure_speed, remember

from . import theme
from .panel import Panel, button, muted
from .periodic import periodic_table, words

SECONDS = 2.0
LIMIT_S = 300.0
_COLUMNS = {
    "n": ("structures", "{:,.0f}"),
    "energy_mae_meV_atom": ("energy MAE (meV/atom)", "{:.3g}"),
    "energy_rmse_meV_atom": ("energy RMSE (meV/atom)", "{:.3g}"),
    "forces_mae_meV_A": ("force MAE (meV/Å)", "{:.3g}"),
    "forces_rmse_meV_A": ("force RMSE (meV/Å)", "{:.3g}"),
    "stress_mae_GPa": ("stress MAE (GPa)", "{:.3g}"),
    "magmoms_mae_muB": ("moment MAE (µ_B)", "{:.3g}"),
}


class PotentialCard(Panel):
    """Shows the card of a potential: a name, the folder of a saved one, an opened `Potential`, or a `Card`.

    `card` is what is shown, `potential` opens it.
    """

    def __init__(self, potential: str | Path | Potential | Card, *, device: str = "auto") -> None:
        self._device = device
        self._given = potential
        self._opened = potential if isinstance(potential, Potential) else None
        self._process: subprocess.Popen | None = None
        self.card = potential if isinstance(potential, Card) else potentials.card(potential)
        self._head, self._table, self._facts = w.HTML(), w.HTML(), w.HTML()
        self._errors, self._notes, self.error = w.HTML(), w.HTML(), w.HTML()
        self._speed = w.HTML()
        self.measure = button("Measure here", "Measure the speed on this machine, in the background", width="120px")
        self.measure.on_click(lambda _: self.measure_here())
        speed = w.HBox([self._speed, self.measure], layout=w.Layout(align_items="center", margin="4px 0"))
        body = [self._head, self._table, self._facts, speed, self._errors, self._notes, self.error]
        super().__init__(body)
        self.add_class("lk-card")
        self._show()

    @property
    def potential(self) -> Potential:
        """The potential itself, opened when it is first asked for; raises what `labkit.potentials.load` raises."""
        if self._opened is None:
            given = self._given.name if isinstance(self._given, Card) else self._given
            self._opened = potentials.load(given, self._device)
        return self._opened

    def measure_here(self) -> None:
        """Measure the speed in the background; the card shows it when it is there, or why it is not."""
        if self.measure.disabled:
            return
        self.measure.disabled, self.error.value = True, ""
        self.measure.description = "Measuring…"
        threading.Thread(target=self._measure, name="labkit-speed", daemon=True).start()

    def _measure(self) -> None:
        try:
            found = self._in_a_process() if self._address() else measure_speed(self.potential, seconds=SECONDS)
            remember(self.card.name, found)
            self.card = _with_speed(self.card, found)
            self._show()
        except Exception as error:
            self.error.value = theme.message(f"The speed could not be measured: {error}")
        finally:
            self.measure.disabled = not self.card.installed
            self.measure.description = "Measure here"

    def _address(self) -> str:
        """What another process can open: a name or a folder; empty for what only this kernel has."""
        if isinstance(self._given, Potential):
            return self._given.name if self._given.name in potentials.names() else ""
        return str(self._given.name if isinstance(self._given, Card) else self._given)

    def _in_a_process(self) -> Speed:
        command = [sys.executable, "-m", "labkit.potentials.speed_worker", self._address(), self._device, str(SECONDS)]
        environment = {**os.environ}
        environment.setdefault("OMP_NUM_THREADS", "1")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
            self._process = process
            try:
                said, log = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise TimeoutError(f"nothing was measured within {LIMIT_S:g} s; the process was ended.") from None
            finally:
                self._process = None
        try:
            found = json.loads(said.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise RuntimeError(f"the measuring process ended with {process.returncode}: {log.strip()[-300:]}") from None
        if "error" in found:
            raise RuntimeError(found["error"])
        return Speed(**found)

    def _show(self) -> None:
        card = self.card
        name = theme.escape(card.name)
        self._head.value = (
            f'<div class="lk-title">{name}<span class="lk-note">{theme.escape(card.sentence)}</span></div>'
            + (theme.message(f"Not installed here: {card.install}", "info") if not card.installed else "")
        )
        self._table.value = periodic_table(card.elements) if card.elements else ""
        rows = {
            "Elements": words(card.elements),
            "Level of theory": card.level_of_theory,
            "Cut-off": f"{card.cutoff_A:g} Å" if card.cutoff_A else "",
            "Gives": ", ".join(card.properties),
            "Parameters": f"{card.n_parameters:,}" if card.n_parameters else "",
            "Trained on": " · ".join(filter(None, (card.trained_on, (card.dataset_hash or "")[:12]))),
            "Licence": card.licence,
            "Citation": card.citation,
            "Source": card.source,
        }
        self._facts.value = theme.facts({name: value or "not stated" for name, value in rows.items()})
        self._speed.value = muted(speed_in_words(card))
        self._errors.value = errors_table(card.errors_by_group, card.errors_on)
        self._notes.value = theme.message("\n".join(card.notes), "info")
        self.measure.disabled = not card.installed

    def release(self) -> None:
        """End a measurement that is under way."""
        process = self._process
        if process is not None:
            process.kill()


def speed_in_words(card: Card) -> str:
    """Return the speed of a card as a sentence, or that nobody has measured it here."""
    if card.speed_atoms_steps_per_s is None:
        return "Speed: not measured on this machine"
    how = f" ({card.speed_measured_with})" if card.speed_measured_with else ""
    return f"Speed here: {card.speed_atoms_steps_per_s:,.0f} atoms·steps per second{how}"


def errors_table(errors: Mapping[str, Mapping[str, float]] | None, on: str = "") -> str:
    """Return errors by group as an HTML table with units in its head; a sentence when there are none."""
    if not errors:
        return muted("Errors: none stated")
    shown = [name for name in _COLUMNS if any(name in row for row in errors.values())]
    head = "".join(f"<th>{theme.escape(_COLUMNS[name][0])}</th>" for name in shown)
    lines = []
    for group, row in errors.items():
        cells = "".join(f"<td>{_COLUMNS[name][1].format(row[name]) if name in row else '–'}</td>" for name in shown)
        lines.append(f"<tr><th>{theme.escape(group)}</th>{cells}</tr>")
    title = f"Errors by group ({theme.escape(on)})" if on else "Errors by group"
    return (
        f'<div class="lk-muted">{title}</div><table class="lk-errors"><tr><th></th>{head}</tr>{"".join(lines)}</table>'
    )


def _with_speed(card: Card, speed: Speed) -> Card:
    how = f"{speed.formula}, {speed.n_atoms} atoms, {speed.device}"
    return replace(card, speed_atoms_steps_per_s=speed.atoms_steps_per_s, speed_measured_with=how)
