"""Runs notebooks under nbval, each in a run store of its own, and leaves no run behind.

The cells marked NBVAL_CHECK_OUTPUT must print what is stored in the notebook; every other cell must run. Two at a time,
all of them or those that are named.
"""

import os
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: A notebook computes with one process of its own beside the kernel, which waits for it.
AT_ONCE = max(1, min(2, os.cpu_count() or 1))
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
PYTEST = [sys.executable, "-m", "pytest"]


def check(notebook: Path) -> int:
    """Run one notebook, print one line or what went wrong, return pytest's exit status."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="labkit-notebooks-") as folder:
        environment = {**os.environ, "LABKIT_RUNS": folder, "OMP_NUM_THREADS": "1"}
        command = [*PYTEST, "--nbval-lax", "--nbval-cell-timeout=180", "-p", "no:cacheprovider"]
        # The notebooks' kernels warn of their own accord (ipykernel over TCP): warnings are errors in tests/, not here.
        command += ["-W", "default", "--durations=3", str(notebook)]
        try:
            kept = {"text": True, "capture_output": True}
            ended = subprocess.run(command, env=environment, cwd=REPOSITORY, check=False, **kept)
        finally:
            from labkit.runs import Store

            for run in Store(folder).runs():
                if run.status().active:
                    run.cancel()
    last = ended.stdout.strip().splitlines()[-1:] or [ended.stderr]
    text = last[0].strip("= ") if ended.returncode == 0 else ended.stdout + ended.stderr
    print(f"\n{notebook.name} after {time.monotonic() - began:.0f} s: {text}", flush=True)
    return ended.returncode


def main(arguments: list[str]) -> int:
    """Return 1 when any failed, were it by a signal."""
    named = [Path(one).resolve() for one in arguments]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = [pool.submit(check, one) for one in named or NOTEBOOKS]
    # All are asked, lest the failure of one hides what was raised for another.
    for error in filter(None, [code.exception() for code in codes]):
        traceback.print_exception(error)
    return int(any(code.exception() or code.result() for code in codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
