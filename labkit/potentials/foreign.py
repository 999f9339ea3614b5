"""Any calculator from somebody else's checkpoint, in a process of its own: what it loads and does stays there.

A pickled model is a program; here it runs only after consent (`checkpoints`), cannot reach the network, and when it
crashes or hangs the notebook gets a sentence. The process may even be another Python with other packages.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from labkit.potentials.child import Child, ForeignFailed
from labkit.potentials.consent import NotTrusted, fingerprint
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

START_TIMEOUT_S = 300.0
TIMEOUT_S = 600.0


class ForeignPotential(Potential):
    """A potential whose calculator lives in a child process; `close()` ends it, and so does the end of this process.

    `question` is what `foreign_worker` opens: {"family": ..., "path": ...}. timeout_s: seconds for one structure.
    """

    def __init__(
        self,
        question: Mapping[str, str],
        *,
        name: str,
        level_of_theory: str,
        device: str = "auto",
        python: str | Path | None = None,
        checkpoint: Path | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.name, self.level_of_theory = name, level_of_theory
        self.timeout_s, self.start_timeout_s = timeout_s, start_timeout_s
        self._question = {**question, "device": device}
        self._python = str(python) if python else None
        self._checkpoint = checkpoint
        self._vouched = fingerprint(checkpoint) if checkpoint else ""
        self._child: Child | None = None
        said = self._start()
        offered = said.get("properties", [])
        self.implemented = tuple(one for one in DEFAULT_PROPERTIES if one in offered)
        self.elements = frozenset(map(str, said["elements"])) if said.get("elements") else None
        self.cutoff_A = said.get("cutoff_A")
        self.n_parameters = said.get("n_parameters")

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; a stress that the calculator cannot give is NaN.

        Raises ForeignFailed when the child process fails, crashes or is silent; the next call starts it again.
        """
        self.require(structures, [name for name in properties if name != "stress"])
        energies, forces, stresses = [], [], []
        for index, atoms in enumerate(structures):
            found = self._ask(atoms, properties, f"compute structure {index} ({atoms.get_chemical_formula()})")
            energies.append(float(found["energy"]))
            forces.append(found.get("forces"))
            stresses.append(found.get("stress", np.full((3, 3), np.nan)))
        return Prediction(
            energies=np.array(energies, dtype=float),
            forces=forces if "forces" in properties else None,
            stresses=np.array(stresses).reshape(-1, 3, 3) if "stress" in properties else None,
        )

    def close(self) -> None:
        """End the child process; the next `predict` starts it again."""
        if self._child is not None:
            self._child.close()
            self._child = None

    @property
    def pid(self) -> int | None:
        """The process id of the child, None when it is not running."""
        return self._child.process.pid if self._child is not None and self._child.alive else None

    def __enter__(self) -> ForeignPotential:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> dict[str, Any]:
        if self._checkpoint is not None and fingerprint(self._checkpoint) != self._vouched:
            raise NotTrusted(
                f"{self._checkpoint.name} has changed since it was opened; what is in it now was never vouched for. "
                f"Look where it comes from, then load('{self.name}', trust=True) again."
            )
        self._child = Child(self.name, self._python)
        # Modules beside the notebook are found by the child as well, unless it is another Python.
        search = [] if self._python else [one for one in sys.path if one]
        header = {**self._question, "sys_path": search}
        said, _ = self._child.ask(header, {}, timeout_s=self.start_timeout_s, what="open the checkpoint")
        if "error" in said:
            self.close()
            raise self._refusal(said)
        return said

    def _refusal(self, said: Mapping[str, Any]) -> Exception:
        where = f" (in {self._python})" if self._python else ""
        if said["error"] == "ModuleNotFoundError":
            return ModuleNotFoundError(
                f"{self.name} needs a package that is not installed{where}: {said.get('missing') or said['message']}. "
                "Install it there, or name another Python with python=..."
            )
        if said.get("refused"):
            return ForeignFailed(
                f"{self.name} wanted to download from {said['refused'][0]}, and labkit downloads nothing unasked. "
                "Fetch the file yourself and name it: load('mace:/path/to/file', trust=True), say."
            )
        return ForeignFailed(
            f"{self.name} could not be opened{where}: {said['error']}: {said['message']}. "
            "Is it a file of this family, and of a version that the installed package reads?"
        )

    def _ask(self, atoms: Atoms, properties: Sequence[str], what: str) -> dict[str, np.ndarray]:
        if self._child is None or not self._child.alive:
            self._start()
        arrays = {"numbers": atoms.numbers, "positions": atoms.positions, "cell": atoms.cell.array}
        for name in ("initial_magmoms", "initial_charges"):
            if name in atoms.arrays:
                arrays[name] = atoms.arrays[name]
        info = {name: int(atoms.info[name]) for name in ("charge", "spin") if name in atoms.info}
        header = {"ask": list(properties), "pbc": atoms.pbc.tolist(), "info": info}
        n = len(atoms)
        shapes = {"energy": (), "forces": (n, 3), "stress": (3, 3)}
        largest = 8 * (1 + 3 * n + 9)
        said, found = self._child.ask(header, arrays, timeout_s=self.timeout_s, largest=largest, what=what)
        if "error" in said:
            raise ForeignFailed(f"{self.name} was asked to {what} and said: {said['error']}: {said['message']}")
        needed = [name for name in properties if name != "stress"]
        for name in {"energy", *needed, *found}:
            if name not in found or name not in shapes or found[name].shape != shapes[name]:
                self.close()
                raise ForeignFailed(f"{self.name} was asked to {what} and sent no {name} of the right shape.")
            if not np.isfinite(found[name]).all():
                raise ForeignFailed(
                    f"{self.name} was asked to {what} and gave a {name} that is not a finite number. Are two atoms on "
                    "top of each other, or is the structure outside of what it was trained on?"
                )
        return found
