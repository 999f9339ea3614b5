"""Crystals of a run of `Phonons` or `QuasiHarmonic` as they are finished, read off its folder."""

from __future__ import annotations

from labkit.errors import LabkitError
from labkit.runs import Run
from labkit.simulators.phonons_file import FILE
from labkit.simulators.phonons_result import HarmonicCrystal, read

from .changes import Changes
from .phonon_model import formula

#: Tasks that write crystals: one for each structure, or one for each volume.
KINDS = ("Phonons", "QuasiHarmonic")


def is_phonons(run: Run) -> bool:
    """Whether a phonon view suits the run."""
    return run.kind in KINDS


class PhononSource:
    """The crystals of a run; `poll` returns those that are new, `problems` are files that could not be read."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.problems: dict[str, str] = {}
        self._changes = Changes(run.folder)
        self._names: dict[int, str] = {}
        parameters = run.task_dict.get("parameters", {})
        self.expected = len(parameters.get("structures", ())) or int(parameters.get("volumes", 1))

    @property
    def active(self) -> bool:
        """Whether more may come."""
        return self.run.status().active

    def poll(self) -> dict[str, HarmonicCrystal]:
        """Return crystals that were finished since the last call, by name."""
        found: dict[str, HarmonicCrystal] = {}
        for index in range(self.expected):
            name = FILE.format(index)
            if not self._changes.of(name):
                continue
            try:
                crystal = read(self.run, index)
            except LabkitError as error:
                self.problems[name] = str(error)
                continue
            self.problems.pop(name, None)
            found[self._name(index, crystal)] = crystal
        return found

    def _name(self, index: int, crystal: HarmonicCrystal) -> str:
        """The structure's own name or its formula, with a number where two are called the same."""
        if index not in self._names:
            name = str(crystal.atoms.info.get("name") or formula(crystal))
            self._names[index] = f"{name} ({index + 1})" if name in self._names.values() else name
        return self._names[index]
