"""Runs every notebook under nbval, in a run store of its own, and leaves no run behind.

The cells marked NBVAL_CHECK_OUTPUT must print what is stored in the notebook; every other cell must run.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    """Return pytest's exit status."""
    with tempfile.TemporaryDirectory(prefix="labkit-notebooks-") as folder:
        environment = {**os.environ, "LABKIT_RUNS": folder, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-cell-timeout=120", "-p", "no:cacheprovider"]
        # The notebooks' kernels warn of their own accord (ipykernel over TCP): warnings are errors in tests/, not here.
        command += ["-W", "default", "--durations=5", str(REPOSITORY / "notebooks")]
        try:
            return subprocess.run(command, env=environment, cwd=REPOSITORY, check=False).returncode
        finally:
            from labkit.runs import Store

            for run in Store(folder).runs():
                if run.status().active:
                    run.cancel()


if __name__ == "__main__":
    sys.exit(main())
