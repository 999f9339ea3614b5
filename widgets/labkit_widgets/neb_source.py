"""Where a view of minimum-energy paths reads: a run that may be at work, or paths that are at hand.

A run is read off its folder: the table of profiles says where a band is, and each finished band has a file with its
path. Only what is new is read, so a campaign of hundreds of bands costs no more than one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.runs import Run

from .changes import Changes
from .neb_geometry import straight_line
from .neb_model import RUNNING, STOPPED, WAITING, BandPicture, PathSource, picture_of, running

if TYPE_CHECKING:
    import pandas as pd

    from labkit.simulators.neb_path import MinimumEnergyPath


class TableTail:
    """The rows that were added to a growing CSV table since the last look."""

    def __init__(self, path: Path) -> None:
        self._path, self._place = path, 0
        self._columns: list[str] | None = None

    def rows(self) -> pd.DataFrame | None:
        """The new complete rows, None when there are none; a table that was replaced by a shorter one starts anew."""
        import pandas as pd

        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            if file.seek(0, io.SEEK_END) < self._place:
                self._place, self._columns = 0, None
            file.seek(self._place)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:
            return None
        names = {} if self._columns is None else {"names": self._columns, "header": None}
        table = pd.read_csv(io.BytesIO(whole), **names)
        self._place, self._columns = self._place + len(whole), [str(one) for one in table.columns]
        return table if len(table) else None


class RunSource:
    """The bands of a run that may still be at work; `poll` reads what is new."""

    def __init__(self, run: Run, label: str = "") -> None:
        self.run: Run | None = run
        parameters = run.task_dict.get("parameters", {})
        self.label = label or _short(str(parameters.get("potential") or run.name))
        self.paths: dict[int, MinimumEnergyPath] = {}
        self.active = True
        self._interrupted = False
        self._unread: set[Path] = set()
        self._images = int(parameters.get("images") or 5)
        self._changes = Changes(run.folder)
        self._profiles = TableTail(run.folder / "profiles.csv")
        self._partial: dict[int, pd.DataFrame] = {}
        self._ends: dict[int, tuple[Atoms, Atoms]] | None = None
        given = parameters.get("bands") or []
        self.bands = [BandPicture(index, _name(one, index)) for index, one in enumerate(given)]
        self.poll()

    def poll(self) -> bool:
        """Read what the run wrote since; True when a picture changed.

        What was read before an error counts as a change of the next call.
        """
        changed, self._interrupted = self._interrupted, True
        was_active, self.active = self.active, self.run.status().active
        changed |= self.active != was_active
        changed |= self._read_profiles() | self._read_paths()
        for index, band in enumerate(self.bands):
            if not band.over and self.active is (band.state == STOPPED):
                began = RUNNING if len(band.energies_eV) else WAITING
                self.bands[index] = replace(band, state=began if self.active else STOPPED)
                changed = True
        self._interrupted = False
        return changed

    def images(self, index: int) -> tuple[list[Atoms], bool]:
        """The images of a band, and whether they are relaxed ones; else the straight line between its end states."""
        if index in self.paths:
            return self.paths[index].images, True
        if self._ends is None:
            task = self.run.task
            bands = getattr(task, "bands", []) if task is not None else []
            self._ends = {number: (band.initial, band.final) for number, band in enumerate(bands)}
        if index not in self._ends:
            return [], False
        try:
            return straight_line(*self._ends[index], self._images), False
        except InvalidStructure:  # the run says what is wrong with these ends
            return [], False

    def _read_profiles(self) -> bool:
        """Take the newest complete profile of each band that is under way."""
        import pandas as pd

        table, changed = self._profiles.rows(), False
        if table is None:
            return False
        for index, rows in table.groupby("band"):
            rows = pd.concat([self._partial[index], rows]) if index in self._partial else rows
            self._partial[int(index)] = rows[rows["step_of_band"] == rows["step_of_band"].iloc[-1]]
            steps = rows.groupby("step_of_band", sort=False)
            whole = [step for step, count in steps.size().items() if count == self._images + 2]
            if not whole or not 0 <= index < len(self.bands) or self.bands[index].over:
                continue
            newest = steps.get_group(whole[-1]).sort_values("image")
            fields = {**running(newest), "state": RUNNING, "steps": int(whole[-1])}
            self.bands[index] = replace(self.bands[index], **fields)
            changed = True
        return changed

    def _read_paths(self) -> bool:
        """Read the paths that were finished since; one that cannot be read holds up no other and is tried again."""
        from labkit.simulators.neb_path import MinimumEnergyPath
        from labkit.simulators.neb_run import PATH_FILE

        files = self.run.folder.glob(PATH_FILE.format("*") + ".json")
        self._unread |= {file for file in files if self._changes.of(file.name)}
        found, wrong = False, None
        for file in sorted(self._unread):
            index = int(file.stem.rpartition("_")[2])
            try:
                path = MinimumEnergyPath.read(file)
                if index < len(self.bands):
                    self.bands[index] = picture_of(path, index, self.bands[index])
            except Exception as error:
                wrong = wrong or error
                continue
            self.paths[index] = path
            self._unread.discard(file)
            found = True
        if wrong is not None:
            raise wrong
        return found


def is_nudged_elastic_band(run: Run) -> bool:
    """Whether a run looks for minimum-energy paths."""
    return run.kind == "NudgedElasticBand"


def source(of: Any, label: str = "") -> PathSource | RunSource:
    """Return where to read bands from: a Run, its folder, one path, or a sequence or mapping of paths."""
    if isinstance(of, Run):
        return RunSource(of, label)
    if isinstance(of, str | Path):
        return RunSource(Run(of), label)
    if isinstance(of, Mapping):
        of = list(of.values())
    paths = list(of) if isinstance(of, Sequence) else [of]
    wrong = next((one for one in paths if not (hasattr(one, "images") and hasattr(one, "profile"))), None)
    if wrong is not None or not paths:
        what = "nothing" if not paths else f"a {type(wrong).__name__}"
        raise TypeError(
            f"minimum-energy paths come from a NudgedElasticBand run, its folder, or MinimumEnergyPath objects; "
            f"{what} was given. labkit.simulators.neb.find_paths makes paths."
        )
    return PathSource(paths, label)


def _name(band: Any, index: int) -> str:
    name = band.get("name") if isinstance(band, Mapping) else ""
    return str(name or f"band {index + 1}")


def _short(name: str) -> str:
    """A potential's name, or the end of its path."""
    parts = Path(name).parts
    return name if len(parts) < 3 else "/".join(("…", *parts[-2:]))
