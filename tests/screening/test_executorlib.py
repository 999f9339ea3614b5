"""The way to SLURM, tried in its single-node mode; needs labkit-mlip[cluster]."""

import pytest

from labkit.screening import run_screening, table
from tests.screening.made import calls, pairs

executorlib = pytest.importorskip("executorlib", reason="needs the extra labkit-mlip[cluster]")
LOGGED = "tests.screening.made:logged"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_executorlib_with_block_allocation_does_the_same(tmp_path):
    log = tmp_path / "log"
    stages = [{"name": LOGGED, "parameters": {"log": str(log), "dies": [3], "refuses": [5]}}, "composition"]
    with executorlib.SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
        result = run_screening(pairs(12), stages, tmp_path / "run", executor, processes=2)
    assert (result["passed"], result["failed"]) == (0, 1)
    found = table(tmp_path / "run")
    assert "SIGKILL" in found.loc[3, "reason"]
    assert found.loc[5, "reason"] == "candidate 5 is not wanted."
    assert calls(log) == {number: 2 if number == 3 else 1 for number in range(12)}  # 3 is given a second chance
