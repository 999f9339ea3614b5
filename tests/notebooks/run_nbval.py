"""Runs every notebook under nbval, two at a time, in run stores of their own, and leaves no run behind.

The cells marked NBVAL_CHECK_OUTPUT must print what is stored in the notebook; every other cell must run.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: A notebook computes with one process of its own beside the kernel, which waits for it.
AT_ONCE = max(1, min(2, os.cpu_count() or 1))


def run(notebook: Path) -> tuple[Path, int, float, str]:
    """One notebook: its path, pytest's exit status, the seconds it took, what pytest said."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="labkit-notebooks-") as folder:
        environment = {**os.environ, "LABKIT_RUNS": folder, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-cell-timeout=180", "-p", "no:cacheprovider"]
        # The notebooks' kernels warn of their own accord (ipykernel over TCP): warnings are errors in tests/, not here.
        command += ["-W", "default", "--durations=3", str(notebook)]
        try:
            ended = subprocess.run(
                command, env=environment, cwd=REPOSITORY, check=False, text=True, capture_output=True
            )
            return notebook, ended.returncode, time.monotonic() - began, ended.stdout + ended.stderr
        finally:
            from labkit.runs import Store

            for one in Store(folder).runs():
                if one.status().active:
                    one.cancel()


def main() -> int:
    """Return 0 when all notebooks passed."""
    notebooks, worst = sorted((REPOSITORY / "notebooks").glob("*.ipynb")), 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for notebook, code, seconds, said in pool.map(run, notebooks):
            print(said if code else f"{notebook.name}: {said.strip().splitlines()[-1].strip('= ')}", flush=True)
            print(f"{notebook.name}: {'failed' if code else 'passed'} in {seconds:.0f} s", flush=True)
            worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
