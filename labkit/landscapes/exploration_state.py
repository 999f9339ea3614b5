"""Where an exploration stands between two steps, as one checkpoint: the network and what the next step depends on.

The one idea: a step is a function of this state and of seeds made from its numbers, so an exploration that was killed
repeats its last step and ends with the same network to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labkit.landscapes.network import KineticNetwork

#: One line of a table: its name and its values; or a frame to come.
Row = tuple[str, dict[str, Any]]


@dataclass
class State:
    """step: steps done. walkers (w, n, 3) Å with energies (w,) eV, None before the start. hops: steps of the walkers,
    quiet_hops: those since one found a minimum. lengths: positions (n, 3) that say how long bonds are here.
    tried: pairs of minima that a band was run between. attempts: searches from each single minimum, singles: all of
    them, quiet: those since one found something. written: minima and transition states already in tables and frames.
    """

    network: KineticNetwork
    step: int = 0
    walkers: np.ndarray | None = None
    walkers_eV: np.ndarray | None = None
    lengths: list[list[float]] = field(default_factory=list)
    hops: int = 0
    quiet_hops: int = 0
    tried: set[tuple[int, int]] = field(default_factory=set)
    attempts: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    quiet: int = 0
    singles: int = 0
    evaluations: int = 0
    elapsed_s: float = 0.0
    failures: int = 0
    done: int = 0
    written: tuple[int, int] = (0, 0)

    def store(self, rows: list[Row]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON state of a checkpoint; `rows` are those that are written after it."""
        arrays = {} if self.walkers is None else {"walkers": self.walkers, "walkers_eV": self.walkers_eV}
        plain = {name: getattr(self, name) for name in _PLAIN}
        return arrays, {
            **plain,
            "tried": sorted(self.tried),
            "written": list(self.written),
            "network": self.network.to_dict(),
            "rows": rows,
        }

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> tuple[State, list[Row]]:
        """The state of a checkpoint, and the rows that may not have been written."""
        return cls(
            KineticNetwork.from_dict(state["network"]),
            walkers=arrays.get("walkers"),
            walkers_eV=arrays.get("walkers_eV"),
            tried={(int(a), int(b)) for a, b in state["tried"]},
            written=(int(state["written"][0]), int(state["written"][1])),
            **{name: state[name] for name in _PLAIN},
        ), [(str(table), dict(values)) for table, values in state["rows"]]


_PLAIN = (
    "step",
    "lengths",
    "hops",
    "quiet_hops",
    "attempts",
    "seen",
    "quiet",
    "singles",
    "evaluations",
    "elapsed_s",
    "failures",
    "done",
)
