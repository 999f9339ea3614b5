"""The child process of `dft_solids`: one GPAW calculation, asked for and answered in JSON on the standard streams.

It is run as a file by any Python that has GPAW and ASE, and imports nothing of labkit: GPAW is under the GPLv3 and
stays a program of its own. It ends itself when the process that asked is gone.
"""

import json
import os
import sys
import threading
from typing import Any


def ends_with_the_parent() -> None:
    """Wait for the end of the standard input, which the parent holds open as long as it lives."""
    sys.stdin.buffer.read()
    os._exit(1)


def compute(question: "dict[str, Any]") -> "dict[str, Any]":
    """Energy (eV, the free energy that the forces are the gradient of), forces (eV/Å), stress (eV/Å^3)."""
    import numpy as np
    from ase import Atoms
    from gpaw import GPAW, PW, ConvergenceError, FermiDirac, __version__

    atoms = Atoms(
        numbers=question["numbers"],
        positions=question["positions"],
        cell=question["cell"],
        pbc=True,
        magmoms=question["magmoms"],
    )
    calculator = GPAW(
        mode=PW(question["cutoff_eV"]),
        xc=question["functional"],
        kpts={"size": question["kpoints"], **({"gamma": True} if question["gamma"] else {})},  # False would avoid Gamma
        occupations=FermiDirac(question["smearing_eV"]),
        convergence=question["convergence"],
        maxiter=question["max_iterations"],
        spinpol=question["magmoms"] is not None,
        txt=question["log"],
    )
    atoms.calc = calculator
    try:
        energy = atoms.get_potential_energy(force_consistent=True)
        found: dict[str, Any] = {"energy": energy}
        if question["forces"]:
            found["forces"] = np.asarray(atoms.get_forces()).tolist()
            found["stress"] = np.asarray(atoms.get_stress(voigt=False)).tolist()
    except ConvergenceError as error:
        return {"error": "NotConverged", "message": str(error)}
    found["version"] = __version__
    return found


def main() -> None:
    """Read one question, answer it, end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what GPAW prints goes to the log: the answer has its channel to itself
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [one for one in sys.path if os.path.abspath(one or ".") != here]  # noqa: PTH100
    sys.argv[1:] = []  # GPAW reads the command line
    question = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=ends_with_the_parent, daemon=True).start()
    try:
        found = compute(question)
    except ModuleNotFoundError as error:
        found = {"error": "ModuleNotFoundError", "message": str(error), "missing": error.name}
    except Exception as error:
        found = {"error": type(error).__name__, "message": str(error)[:2000]}
    answers.write(json.dumps(found))
    answers.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
