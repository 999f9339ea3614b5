"""Asks a GPAW that lives in another process, and perhaps in another Python: JSON in, JSON out, one process a label.

The one idea: labkit never imports GPAW (GPLv3). A crash, a killed process or a missing package over there is a sentence
here, and when this process ends, that one ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError, NotConverged

WORKER = Path(__file__).with_name("gpaw_worker.py")
#: Names the Python that has GPAW; without it this one is asked.
PYTHON_VARIABLE = "LABKIT_GPAW_PYTHON"
INSTALL = f"make dft (compiles GPAW 26.7 into .venv/dft), or name a Python that has it in ${PYTHON_VARIABLE}"
LAST_WORDS = 800


class CalculationFailed(LabkitError):
    """A calculation in another process that ended without an answer."""


def python() -> str:
    """The interpreter that is asked for GPAW: $LABKIT_GPAW_PYTHON, else that of `make dft`, else this one."""
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        return named
    made = Path(sys.prefix) / "dft" / "bin" / "python"
    return str(made) if made.exists() else sys.executable


@cache
def version_in(interpreter: str) -> str | None:
    """The version of GPAW that `interpreter` has, None without it; GPAW is not imported, and the answer is kept."""
    program = "import importlib.metadata as m, sys; sys.stdout.write(m.version('gpaw'))"
    try:
        found = subprocess.run(
            [interpreter, "-c", program], capture_output=True, text=True, timeout=60, env=_environment(interpreter)
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def installed() -> bool:
    """Whether `python()` has GPAW."""
    return version_in(python()) is not None


def ask(question: Mapping[str, Any], *, what: str, timeout_s: float | None = None) -> dict[str, Any]:
    """Return the worker's answer to one question; `what` is how an error calls the structure.

    Raises ModuleNotFoundError without GPAW, NotConverged when its SCF is, CalculationFailed when the process ends
    without an answer, refuses, or takes longer than `timeout_s` seconds.
    """
    interpreter = python()
    with tempfile.TemporaryDirectory(prefix="labkit-gpaw-") as folder:
        out, log = Path(folder) / "answer.json", Path(folder) / "log.txt"
        question = {**question, "log": str(Path(folder) / "gpaw.txt")}
        with out.open("wb") as stdout, log.open("wb") as stderr:
            try:
                process = subprocess.Popen(
                    [interpreter, str(WORKER)],
                    stdin=subprocess.PIPE,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=folder,
                    env=_environment(interpreter),
                )
            except OSError as error:
                raise ModuleNotFoundError(
                    f"gpaw-pbe: the Python {interpreter} cannot be started ({error}). {INSTALL}."
                ) from error
            try:
                with contextlib.suppress(BrokenPipeError):  # it is dead, and its last words are read below
                    process.stdin.write(json.dumps(question).encode() + b"\n")
                    process.stdin.flush()
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                raise CalculationFailed(
                    f"GPAW had not finished {what} after {timeout_s:g} s and was ended. Raise timeout_s, or take a "
                    "smaller cell."
                ) from None
            finally:
                process.kill()
                process.wait()
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        return _read(out, log, code, what, interpreter)


def _read(out: Path, log: Path, code: int, what: str, interpreter: str) -> dict[str, Any]:
    try:
        found = json.loads(out.read_text())
    except ValueError:
        words = " ".join(log.read_text(errors="replace").split())[-LAST_WORDS:]
        how = f"was killed by signal {-code} (out of memory?)" if code < 0 else f"ended with exit code {code}"
        raise CalculationFailed(f"GPAW {how} while it computed {what}. Its last words: {words}") from None
    if "error" not in found:
        return found
    if found["error"] == "ModuleNotFoundError":
        raise ModuleNotFoundError(f"gpaw-pbe needs {found.get('missing')}, which {interpreter} has not: {INSTALL}.")
    if found["error"] == "NotConverged":
        raise NotConverged(
            f"the SCF of gpaw-pbe did not converge for {what} ({found['message']}). Raise max_iterations or "
            "smearing_eV; is it magnetic, or far from equilibrium?"
        )
    raise CalculationFailed(f"GPAW could not compute {what}: {found['error']}: {found['message']}")


def _environment(interpreter: str) -> dict[str, str]:
    """The child's environment: one thread, and no packages of this Python for another one."""
    environment = {**os.environ}
    environment.setdefault("OMP_NUM_THREADS", "1")
    if interpreter != sys.executable:
        environment.pop("PYTHONPATH", None)
    return environment
