"""`StructurePicker`: where the atoms come from, with a 3D preview and, for a refused structure, the list of reasons.

`picker.structure` is always a checked `ase.Atoms` or None, and can be observed like any trait. A structure that is
refused leaves the last good one in place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import ipywidgets as w
import traitlets
from ase import Atoms

from labkit import structures
from labkit.errors import InvalidStructure

from . import theme
from .build_model import BuildModel
from .panel import Panel
from .picker_build import BuildPanel
from .picker_files import PastePanel, UploadPanel
from .picker_library import LibraryPanel
from .picker_optimade import OptimadePanel
from .viewer import AtomsView

TABS = ("Library", "Build", "Upload", "Paste", "OPTIMADE")


class StructurePicker(Panel):
    """Chooses and builds one structure. `start` is a library name or `ase.Atoms`; `tabs` shows only some of `TABS`."""

    structure = traitlets.Instance(Atoms, allow_none=True, help="the chosen structure, checked")

    def __init__(
        self, start: str | Atoms | None = None, *, tabs: Sequence[str] = TABS, height: str = "300px", title: bool = True
    ) -> None:
        unknown = set(tabs) - set(TABS)
        if unknown:
            raise ValueError(f"there is no tab {', '.join(sorted(unknown))}; there are: {', '.join(TABS)}")
        self._lock = threading.RLock()
        self.model = BuildModel()
        self.reasons: list[str] = []
        self.preview = AtomsView(height=height)
        self._facts, self._message = w.HTML(), w.HTML()
        self.library = LibraryPanel(self.choose)
        self.build = BuildPanel(self.model, self.choose, self._build, self._undo)
        self.upload, self.paste = UploadPanel(self.choose, self.refuse), PastePanel(self.choose)
        self.optimade = OptimadePanel(self.choose, self.refuse)
        panels = dict(zip(TABS, (self.library, self.build, self.upload, self.paste, self.optimade), strict=True))
        self.tabs = w.Tab([panels[name] for name in tabs], titles=tuple(tabs), selected_index=0)
        self.tabs.layout = w.Layout(width="auto")
        left = w.VBox(
            [self.tabs, self._message], layout=w.Layout(flex="1 1 400px", min_width="340px", margin="0 12px 0 0")
        )
        right = w.VBox([self.preview, self._facts], layout=w.Layout(flex="1 1 360px", min_width="300px"))
        body = w.Box([left, right], layout=w.Layout(flex_flow="row wrap", width="100%", align_items="flex-start"))
        head = [theme.title("Structure", "choose one, build on it, or bring your own")] if title else []
        super().__init__([*head, body])
        if isinstance(start, str):
            self.library.pick(start)
        elif start is not None:
            self.choose(lambda: structures.check(start), "given in Python", "")

    def choose(self, make: Callable[[], Atoms], text: str, code: str = "") -> bool:
        """Take the structure that `make` returns and begin a new history; show the reasons when it raises.

        `text` says where it comes from, `code` is the Python for it. Returns whether it was taken.
        """
        return self._attempt(make, lambda atoms: self.model.start(atoms, text, code))

    def refuse(self, reasons: str | Sequence[str]) -> None:
        """Show why nothing was chosen."""
        self.reasons = [reasons] if isinstance(reasons, str) else [str(one) for one in reasons]
        self._message.value = theme.message("\n".join(self.reasons))

    def _build(self, name: str, values: dict) -> bool:
        return self._attempt(lambda: self.model.apply(name, values), lambda atoms: None)

    def _undo(self) -> None:
        with self._lock:
            atoms = self.model.undo()
            if atoms is not None:
                self._show(atoms)

    def _attempt(self, make: Callable[[], Atoms], keep: Callable[[Atoms], None]) -> bool:
        with self._lock:
            try:
                atoms = make()
            except InvalidStructure as error:
                self.refuse(error.reasons)
                frames = getattr(error, "frames", [])
                if frames:
                    self.upload.offer(frames)
                return False
            except Exception as error:  # a picker must say what it cannot do, never vanish into a log
                self.refuse(str(error) or type(error).__name__)
                return False
            keep(atoms)
            self._show(atoms)
            return True

    def _show(self, atoms: Atoms) -> None:
        self.reasons = []
        mended = atoms.info.get("mended") or []
        self._message.value = theme.message("\n".join(f"Mended: {one}" for one in mended), "info")
        self.preview.show(atoms)
        self._facts.value = theme.facts(facts_of(atoms))
        self.build.refresh()
        self.structure = atoms

    def release(self) -> None:
        """Close the picker and its preview."""
        self.preview.close()


def facts_of(atoms: Atoms) -> dict[str, str]:
    """Return what stands beside the preview: formula, cell, symmetry, density, source; molecules have no cell."""
    found = structures.describe(atoms)
    rows = {"Formula": f"{found.formula} · {found.n_atoms} atoms"}
    if found.a is not None:
        rows["a, b, c"] = f"{found.a:.4g}, {found.b:.4g}, {found.c:.4g} Å"
        rows["α, β, γ"] = f"{found.alpha:.5g}, {found.beta:.5g}, {found.gamma:.5g}°"
    if found.volume_A3 is not None:
        rows["Volume"] = f"{found.volume_A3:.5g} Å³"
    if found.density_g_cm3 is not None:
        rows["Density"] = f"{found.density_g_cm3:.3f} g/cm³"
    if found.space_group_symbol:
        rows["Space group"] = f"{found.space_group_symbol} (no. {found.space_group_number})"
    if atoms.info.get("source"):
        rows["Source"] = str(atoms.info["source"])
    return rows
