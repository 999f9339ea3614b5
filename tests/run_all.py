"""Runs all tests and notebooks in two lanes, one for each core.

The browser tests leave half of a machine idle, but want an answer at once when they ask: all other tests run beside
them politely (`nice`). Notebooks come last, two at a time: their kernels are sessions of their own, which `nice` cannot
hold back on Linux.
"""

import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "notebooks"))
import run_nbval  # noqa: E402 - a script beside this one, not a package

PYTEST = [sys.executable, "-m", "pytest", "--durations=15"]
#: A third of the share of the browser tests, and all that they leave.
POLITE = ["nice", "-n", "5"]
#: Tests that send signals to runs which have just begun: not while something else goes first.
PROMPT = ("tests/cli", "tests/runs")


def run_tests(*arguments: str, polite: bool = False) -> int:
    """Run pytest in a process of its own and return its exit status."""
    return subprocess.call([*(POLITE if polite else []), *PYTEST, *arguments], cwd=TESTS.parent)


def main() -> int:
    """Return 1 when anything failed, were it by a signal."""
    # Where it is set, each of some hundred workers and kernels would compile labkit anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    failed, stopped = threading.Event(), threading.Event()
    notebooks: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for one in run_nbval.NOTEBOOKS:
        notebooks.put(one)

    def judged(job: Callable[[], int]) -> None:
        try:
            if not stopped.is_set() and job():
                failed.set()
        except Exception:
            traceback.print_exc()
            failed.set()

    def rest() -> None:
        while True:
            try:
                notebook = notebooks.get_nowait()
            except queue.Empty:
                return
            judged(lambda one=notebook: run_nbval.check(one))

    def first() -> None:
        judged(lambda: run_tests("tests/browser"))
        judged(lambda: run_tests(*PROMPT))
        rest()

    def second() -> None:
        others = [f"--ignore={one}" for one in ("tests/browser", *PROMPT)]
        judged(lambda: run_tests("tests", *others, polite=True))
        rest()

    lanes = [threading.Thread(target=lane) for lane in (first, second)]
    for lane in lanes:
        lane.start()
    try:
        for lane in lanes:
            lane.join()
    except KeyboardInterrupt:  # the tests at work have had it too; nothing new begins
        stopped.set()
        return 130
    return int(failed.is_set())


if __name__ == "__main__":
    sys.exit(main())
