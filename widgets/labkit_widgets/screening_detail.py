"""One candidate of a campaign: its structure in 3D, its path or curve, and where each of its numbers comes from.

A large campaign takes a moment to be searched, so a thread does it, and only the candidate that was asked for last is
shown.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as w
from ase import Atoms

from . import theme
from .curves import figure_layout
from .figure import Figure
from .panel import Panel, muted
from .screening_candidate import Picture, pictures
from .screening_model import VERDICTS, words
from .viewer import AtomsView

_HINT = "Click on a candidate to see its structure, its path or spectrum, and why it got its verdict."


class CandidateView(Panel):
    """Shows the candidate whose number is given to `show`; `structure(number)` and `record(number)` bring it."""

    def __init__(
        self, structure: Callable[[int], Atoms], record: Callable[[int], Mapping[str, Any]], *, height: int = 330
    ) -> None:
        self._structure, self._record, self._height = structure, record, height
        self._lock = threading.RLock()
        self._turn = 0
        self.candidate: int | None = None
        self.pictures: list[Picture] = []
        self.figure: Figure | None = None
        self.view = AtomsView(height=f"{height}px")
        self.head, self.facts, self.error = w.HTML(muted(_HINT)), w.HTML(), w.HTML()
        self.choice = w.Dropdown(
            layout=w.Layout(width="auto", max_width="100%", display="none"), tooltip="What is drawn"
        )
        self.choice.observe(lambda _: self._draw(), "index")
        self.note = w.HTML()
        self._plot = w.VBox([self.choice])
        left = w.VBox([self.view], layout=w.Layout(flex="1 1 400px", min_width="300px", margin="0 14px 0 0"))
        right = w.VBox([self._plot, self.facts], layout=w.Layout(flex="1 1 480px", min_width="320px"))
        self._body = w.Box([left, right])
        self._body.layout = w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start", display="none")
        super().__init__([self.head, self._body, self.error])

    @property
    def structure(self) -> Atoms | None:
        """The structure on the screen."""
        return self.view.atoms

    def show(self, candidate: int) -> None:
        """Show a candidate; returns at once, the pictures follow."""
        with self._lock:
            self._turn += 1
            self.candidate = candidate
            turn = self._turn
        threading.Thread(target=self._load, args=(candidate, turn), name="labkit-candidate", daemon=True).start()

    def _load(self, candidate: int, turn: int) -> None:
        try:
            atoms = self._structure(candidate)
            with self._lock:
                if turn != self._turn:
                    return
                self._body.layout.display = "flex"
                self.error.value = ""
                if len(atoms):
                    self.view.show(atoms)
                else:
                    self.view.clear()
            record = self._record(candidate)
            found = pictures(record["files"])
            with self._lock:
                if turn == self._turn:
                    self._say(record, atoms, found)
        except Exception as error:
            with self._lock:
                if turn == self._turn:
                    self.error.value = theme.message(f"Candidate {candidate} cannot be shown: {error}")

    def _say(self, record: Mapping[str, Any], atoms: Atoms, found: list[Picture]) -> None:
        parts = [f"candidate {record['candidate']}", atoms.get_chemical_formula("metal"), f"{len(atoms)} atoms"]
        parts += [f"made from candidate {record['parent']}"] if record["parent"] >= 0 else []
        parts += [record["origin"]] if record["origin"] else []
        note = f'<span class="lk-note">{theme.escape(" · ".join(parts))}</span>'
        self.head.value = f'<div class="lk-title">{theme.escape(record["name"])}{note}</div>'
        self.facts.value = record_html(record)
        self.pictures = found
        self.choice.layout.display = "flex" if len(found) > 1 else "none"
        self.choice.options = [(one.name, place) for place, one in enumerate(found)]
        self.choice.index = 0 if found else None  # which the control does not do by itself once it was empty
        self._draw()

    def _draw(self) -> None:
        with self._lock:
            place = self.choice.index
            picture = self.pictures[place] if place is not None and place < len(self.pictures) else None
            if picture is None:
                self._plot.layout.display = "none"
                return
            self._plot.layout.display = "flex"
            if self.figure is None:
                self.figure = _figure(self._height - 90)
                self._plot.children = [self.choice, self.figure, self.note]
            self.note.value = muted(picture.note)
            line, points = self.figure.data
            with self.figure.batch_update():
                smooth = picture.line if picture.points else (picture.x, picture.y)
                line.x, line.y = smooth or ([], [])
                points.x, points.y = (picture.x, picture.y) if picture.points else ([], [])
                self.figure.layout.xaxis.title.text = picture.x_title
                self.figure.layout.yaxis.title.text = picture.y_title

    def release(self) -> None:
        """Close the viewer and the figure."""
        self._turn += 1
        self.view.close()
        if self.figure is not None:
            self.figure.close()


def _figure(height: int) -> Figure:
    line = {"color": theme.BLUE, "width": 1.8}
    marker = {"color": theme.BLUE, "size": 8, "line": {"color": "white", "width": 1}}
    hover = "%{x:.4g}, %{y:.4g}<extra></extra>"
    quiet = {"type": "scatter", "x": [], "y": [], "showlegend": False, "hovertemplate": hover}
    traces = [{**quiet, "mode": "lines", "line": line}, {**quiet, "mode": "markers", "marker": marker}]
    return Figure(figure_layout(height, "", ""), traces)


def record_html(record: Mapping[str, Any]) -> str:
    """Return the stages of a candidate, one row each: verdict, reason or numbers, cost, and where they come from."""
    if not record["stages"]:
        return muted("no stage has looked at it yet")
    rows = "".join(
        f"<tr><th>{theme.escape(one['stage_name'])}</th><td>{theme.badge(one['verdict'], VERDICTS.get(one['verdict']))}"
        f"</td><td>{_found(one)}</td><td>{theme.escape(_source(one))}{_more(one)}</td></tr>"
        for one in record["stages"]
    )
    files = "".join(f"<br>{theme.escape(one)}" for one in record["files"])
    files = f'<div class="lk-muted">files{files}</div>' if files else ""
    return f'<table class="lk-facts lk-record">{rows}</table>{files}'


def _found(stage: Mapping[str, Any]) -> str:
    lines = [theme.escape(stage["reason"])] if stage["reason"] else []
    for name, value in stage["values"].items():
        title, unit = words(name)
        lines.append(f"{theme.escape(title)} {theme.escape(_text(value))} {theme.escape(unit)}".rstrip())
    return "<br>".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    return "not known" if value is None else str(value)[:60]


def _source(stage: Mapping[str, Any]) -> str:
    known = stage["provenance"] if isinstance(stage["provenance"], Mapping) else {}
    software = known.get("software", {})
    potential = known.get("stage", {}).get("parameters", {}).get("potential", "")
    parts = [f"{stage['cpu_s']:.3g} s", *([potential] if potential else [])]
    return " · ".join([*parts, *([f"labkit {software['labkit']}"] if "labkit" in software else [])])


def _more(stage: Mapping[str, Any]) -> str:
    text = json.dumps(stage["provenance"], indent=1, ensure_ascii=False, default=str)
    body = f"{theme.escape(text)}\nworker {theme.escape(stage.get('worker', ''))}"
    return f'<details><summary class="lk-muted">provenance</summary><div class="lk-log">{body}</div></details>'
