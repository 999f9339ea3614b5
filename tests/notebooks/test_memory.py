"""A Binder visitor has 2 GB: the welcome notebook, kernel and child together, stays below 1.5 GB of resident memory."""

import os
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from labkit.runs import Store

WELCOME = Path(__file__).parents[2] / "notebooks" / "00_welcome.ipynb"
LIMIT_MB = 1500


@pytest.mark.slow
# ipykernel 7 announces at every start that it talks TCP without encryption; on one machine that is how Jupyter works.
@pytest.mark.filterwarnings("default")
def test_kernel_and_child_of_the_welcome_notebook_fit_into_one_and_a_half_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_RUNS", str(tmp_path))
    client = NotebookClient(nbformat.read(WELCOME, 4), timeout=120, kernel_name="python3")
    with client.setup_kernel():
        for index, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, index)
        (run,) = Store(tmp_path).runs()
        deadline = time.monotonic() + 120
        while run.n_frames < 12 and time.monotonic() < deadline:
            time.sleep(0.5)
        worker = psutil.Process(run.status().pid)
        kernel = next(child for child in psutil.Process(os.getpid()).children(recursive=True) if _is_kernel(child))
        used = {"kernel": kernel.memory_info().rss >> 20, "child": worker.memory_info().rss >> 20}
        run.cancel()
    assert run.n_frames >= 12
    print(f"resident memory, MB: {used}")
    assert sum(used.values()) < LIMIT_MB, used


def _is_kernel(process: psutil.Process) -> bool:
    try:
        return "ipykernel_launcher" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # another child ended just now
        return False
