"""How a child process ended, in a sentence, and the environment that keeps such a process to one thread.

Labels and screening hand their work to processes that a crash in a package may end; both must say what happened.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import IO

#: Characters of what the process printed last that are quoted.
LAST_WORDS = 300
#: One thread for each worker, whatever library brings them.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def obituary(process: subprocess.Popen[bytes], words: IO[bytes]) -> str:
    """Return how `process` ended; words: the open file that its standard error went to."""
    try:
        code = process.wait(2)
    except subprocess.TimeoutExpired:
        return "its process closed its answers and was ended."
    size = words.seek(0, os.SEEK_END)
    words.seek(max(0, size - LAST_WORDS))
    said = " ".join(words.read().decode(errors="replace").split())
    how = f"was killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"ended with code {code}"
    return f"its process {how}; out of memory, or a crash in the package?" + (f" It said: {said}" if said else "")
