"""`RunView`: how a run is doing, and the buttons that change that.

Buttons answer at once and work in a thread: the kernel never waits for a process. Several views of one run agree,
because each of them only reads the run's folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as w

from labkit.runs import Run

from . import theme
from .panel import Panel, button
from .run_model import RunPicture
from .ticker import IDLE_S, TICKER

POLL_S = 0.2
LOG_LINES = 60


class RunView(Panel):
    """Status, progress, Stop, Pause, Resume, the target temperature of a molecular dynamics run, and the log."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._busy = ""
        self._last: tuple | None = None
        self._head, self._line, self.error = w.HTML(), w.HTML(), w.HTML()
        self._bar = w.FloatProgress(min=0, max=1, layout=w.Layout(width="100%", height="10px", margin="4px 0"))
        self.stop = button("Stop", "Stop the run now; it can be resumed", "lk-danger")
        self.pause = button("Pause", "Let the run wait after its present step")
        self.resume = button("Resume", "Go on from where the run stopped", "lk-primary")
        self.stop.on_click(lambda _: self._do("stopping…", self._cancel))
        self.pause.on_click(lambda _: self._do("pausing…", self.run.pause))
        self.resume.on_click(lambda _: self._do("resuming…", self._resume))
        self.temperature = w.FloatText(step=None, layout=w.Layout(width="90px"), tooltip="Target temperature in K")
        self.apply = button("Set", "Change the target temperature of the running simulation")
        self.apply.layout.width = "56px"
        self.apply.on_click(lambda _: self._set_temperature())
        target = self.run.task_dict.get("parameters", {}).get("temperature_K")
        label = w.HTML('<span class="lk-muted">target temperature</span>')
        unit = w.HTML('<span class="lk-unit">K</span>')
        self._thermostat = w.HBox([label, self.temperature, unit, self.apply], layout=w.Layout(align_items="center"))
        has_target = (
            isinstance(target, int | float) and self.run.task_dict.get("parameters", {}).get("ensemble") != "NVE"
        )
        self._thermostat.layout.display = "flex" if has_target else "none"
        self.temperature.value = float(target) if has_target else 0.0
        self._log = w.HTML()
        self._fold = w.Accordion([self._log], titles=("Log",), selected_index=None)
        self._fold.observe(lambda _: self._write_log(), "selected_index")
        buttons = w.HBox([self.stop, self.pause, self.resume, self._thermostat])
        buttons.layout = w.Layout(flex_flow="row wrap", align_items="center")
        super().__init__([self._head, self._bar, self._line, buttons, self.error, self._fold])
        self._poll()
        TICKER.subscribe(self._poll, POLL_S)

    @property
    def state(self) -> str:
        """The state of the run."""
        return self.run.state

    def _poll(self) -> None:
        picture = RunPicture.of(self.run)
        self._show(picture)
        TICKER.pace(self._poll, POLL_S if picture.can_stop or self._busy else IDLE_S)
        if self._fold.selected_index is not None:
            self._write_log()

    def _show(self, picture: RunPicture) -> None:
        if (picture, self._busy) == self._last:
            return
        self._last = (picture, self._busy)
        state = self._busy or picture.state
        colour = theme.STATE_COLOURS.get(picture.state, theme.GREY)
        name = theme.escape(self.run.name)
        self._head.value = f'<div class="lk-title">{name}<span class="lk-note">{theme.escape(self.run.id)}</span></div>'
        self._bar.value = picture.fraction
        self._bar.style.bar_color = colour
        percent = f"{100 * picture.fraction:.0f} % · " if picture.state != "queued" else ""
        self._line.value = f'{theme.badge(state)} <span class="lk-muted">{percent}{theme.escape(picture.line)}</span>'
        self.stop.description = "Stopping…" if self._busy == "stopping…" else "Stop"
        self.stop.disabled = bool(self._busy) or not picture.can_stop
        self.pause.disabled = bool(self._busy) or not picture.can_pause
        self.resume.disabled = bool(self._busy) or not (picture.can_resume or picture.can_unpause)
        self.apply.disabled = not picture.can_stop
        if picture.error:
            self.error.value = theme.message(picture.error)
        elif picture.state in ("running", "finished") and not self._busy:
            self.error.value = ""

    def _do(self, busy: str, action: Callable[[], object]) -> None:
        """Say `busy` at once and run `action` in a thread; its error is shown under the buttons."""
        self._busy = busy
        self._poll()

        def work() -> None:
            try:
                action()
            except Exception as error:
                self.error.value = theme.message(error)
            finally:
                self._busy = ""
                self._poll()

        threading.Thread(target=work, name="labkit-run-button", daemon=True).start()

    def _cancel(self) -> None:
        self.run.cancel(wait_s=2.0)

    def _resume(self) -> None:
        if self.run.state == "paused":
            self.run.unpause()
            return
        self.run.resume()
        TICKER.pace(self._poll, POLL_S)

    def _set_temperature(self) -> None:
        target = self.temperature.value
        if not 0 < target <= 10_000:
            self.error.value = theme.message(
                f"The target temperature must lie between 0 and 10000 K; {target:g} K was given."
            )
            return
        self._do("setting…", lambda: self.run.set_controls(temperature_K=target))

    def _write_log(self) -> None:
        try:
            text = self.run.log(LOG_LINES) or "the log is empty"
        except Exception as error:
            text = f"the log cannot be read: {error}"
        html = f'<div class="lk-log">{theme.escape(text)}</div>'
        if self._log.value != html:
            self._log.value = html

    def on_tick_error(self, error: Exception) -> None:
        """Show an error of the reader thread."""
        self.error.value = theme.message(f"The run could not be read: {error}")

    def release(self) -> None:
        """Stop following and close."""
        TICKER.unsubscribe(self._poll)
