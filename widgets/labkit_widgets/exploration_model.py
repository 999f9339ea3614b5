"""What a landscape exploration says of itself, without widgets: its network so far, how it grew, and what failed.

Files are read again only when they changed. A file that cannot be read costs only its own part of the picture: what was
read last stays, and `problems` says why nothing newer is shown.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms

from labkit.runs import Run

from .changes import Changes

if TYPE_CHECKING:
    from labkit.landscapes.network import KineticNetwork, Minimum

KIND, NETWORK_FILE = "LandscapeExploration", "network.json"
TABLES = ("growth", "minima", "transition_states", "failures")
MINIMUM, TRANSITION_STATE = "minimum", "transition state"
#: A minimum may be converged further when it is found again.
_SAME_EV = 0.01
#: Stages of a failure that look for minima; all others look for saddles.
_QUENCHES = ("start", "hop", "basin", "quench", "md")


def is_landscape_exploration(run: Run) -> bool:
    """Whether a run explores a landscape: its kind says so, or it writes the tables of one."""
    return run.kind == KIND or {"growth", "transition_states"} <= set(run.tables())


@dataclass(frozen=True)
class Point:
    """A stationary point by its kind (`MINIMUM` or `TRANSITION_STATE`) and its number in the network."""

    kind: str
    number: int

    @classmethod
    def of(cls, name: str) -> Point:
        """Read "minimum 3" or "transition state 5"; raises ValueError for anything else."""
        kind, _, number = name.strip().rpartition(" ")
        if kind not in (MINIMUM, TRANSITION_STATE) or not number.isdigit():
            raise ValueError(f"{name!r} is no stationary point; they are called 'minimum 3' or 'transition state 5'")
        return cls(kind, int(number))

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


@dataclass(frozen=True)
class Counts:
    """How far the exploration is; None is what the run does not say."""

    minima: int = 0
    transition_states: int = 0
    components: int = 0
    lowest_eV: float | None = None
    evaluations: int | None = None
    time_s: float | None = None
    searches: int | None = None
    failed_searches: int = 0
    failed_others: int = 0


class ExplorationModel:
    """Reads an exploration's files; every method may be called from any thread."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.tables: dict[str, pd.DataFrame] = {name: pd.DataFrame() for name in TABLES}
        self.network: KineticNetwork | None = None
        self.problems: dict[str, str] = {}
        #: Grows when the network is no longer the old one plus something new, so that old places mean nothing.
        self.generation = 0
        self._lock = threading.RLock()
        self._changes = Changes(run.folder)

    def poll(self) -> set[str]:
        """Read what changed; returns the names of it: the tables and "network"."""
        with self._lock:
            found = {name for name in TABLES if self._changes.of(f"{name}.csv")}
            for name in found:
                self._read(name, lambda name=name: self.tables.__setitem__(name, self.run.table(name)))
            if self._changes.of(NETWORK_FILE):
                self._read("network", self._read_network)
                found.add("network")
            return found

    def counts(self) -> Counts:
        """The newest counters: those of the table "growth", else those of the network."""
        with self._lock:
            network, growth, failures = self.network, self.tables["growth"], self.tables["failures"]
            last = growth.iloc[-1].to_dict() if len(growth) else {}
            searched = failures["stage"].map(is_saddle_search) if "stage" in failures else pd.Series(dtype=bool)
            failed = int(searched.sum())
            own = {} if network is None else _counts_of(network)
            found = int(_number(last, "transition_states", own.get("transition_states", 0)))
            return Counts(
                minima=int(_number(last, "minima", own.get("minima", 0))),
                transition_states=found,
                components=int(_number(last, "components", own.get("components", 0))),
                lowest_eV=_number(last, "energy_eV", own.get("lowest_eV")),
                evaluations=_whole(_number(last, "evaluations", None)),
                time_s=_number(last, "time_s", None),
                searches=_whole(_number(last, "searches", None)),
                failed_searches=failed,
                failed_others=len(failures) - failed,
            )

    def newest(self) -> Point | None:
        """The stationary point that was found last: the higher `info["number"]`, which counts both kinds together."""
        with self._lock:
            lasts = [points[-1] for points in (self._points(MINIMUM), self._points(TRANSITION_STATE)) if points]
            if not lasts:
                return None
            last = max(lasts, key=lambda one: int(one.info.get("number", -1)))
            kind = MINIMUM if last is self._points(MINIMUM)[-1] else TRANSITION_STATE
            return Point(kind, last.index)

    def stationary_point(self, point: Point | None) -> Minimum | None:
        """The minimum or transition state of the network, None while it has none of that number."""
        with self._lock:
            known = self._points(point.kind) if point is not None else []
            return known[point.number] if point is not None and point.number < len(known) else None

    def structure(self, point: Point | None) -> Atoms | None:
        """The atoms of a stationary point, energy (eV) in `info`."""
        with self._lock:
            found = self.stationary_point(point)
            return None if found is None or self.network is None else self.network.atoms(found)

    def _points(self, kind: str) -> list[Any]:
        if self.network is None:
            return []
        return self.network.minima if kind == MINIMUM else self.network.transition_states

    def _read(self, name: str, read: Any) -> None:
        try:
            read()
            self.problems.pop(name, None)
        except FileNotFoundError:  # moved away between the look and the reading
            pass
        except Exception as error:
            what = "The network" if name == "network" else f"The table {name}"
            self.problems[name] = f"{what} cannot be read: {error}"

    def _read_network(self) -> None:
        from labkit.landscapes.network import KineticNetwork

        network = KineticNetwork.read(self.run.folder / NETWORK_FILE)
        if self.network is not None and not _goes_on(self.network, network):
            self.generation += 1
        self.network = network


def is_saddle_search(stage: object) -> bool:
    """Whether a stage of the exploration looks for saddles, by its name."""
    return not str(stage).strip().lower().startswith(_QUENCHES)


def _goes_on(old: KineticNetwork, new: KineticNetwork) -> bool:
    if new.n_minima < old.n_minima or new.symbols != old.symbols:
        return False
    before = np.array([one.energy_eV for one in old.minima])
    now = np.array([one.energy_eV for one in new.minima[: len(before)]])
    return bool(np.allclose(before, now, rtol=0, atol=_SAME_EV))


def _counts_of(network: KineticNetwork) -> dict[str, Any]:
    lowest = network.global_minimum.energy_eV if network.minima else None
    sizes = {"minima": network.n_minima, "transition_states": network.n_transition_states}
    return {**sizes, "components": len(network.components()), "lowest_eV": lowest}


def _number(row: dict[Any, Any], name: str, otherwise: Any) -> Any:
    value = row.get(name)
    usable = isinstance(value, int | float | np.number) and np.isfinite(value)
    return float(value) if usable else otherwise


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
