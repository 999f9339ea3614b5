import os
import signal
import subprocess
import sys

import psutil
from ase.build import bulk

from labkit.runs import Store
from labkit.screening import Screening, export, run_screening, table
from tests.screening.made import calls, metals, pairs

LOGGED = "tests.screening.made:logged"
GONE = ("zombie", "dead")


def over(process):
    return not process.is_running() or process.status() in GONE


def test_a_candidate_that_kills_its_process_costs_one_row(tmp_path):
    log = tmp_path / "log"
    stage = {"name": LOGGED, "parameters": {"log": str(log), "dies": [2, 5]}}
    result = run_screening(pairs(8), [stage], tmp_path / "run", processes=2)
    assert (result["passed"], result["failed"]) == (6, 2)
    found = table(tmp_path / "run")
    assert found.loc[found["verdict"] == "failed", "candidate"].tolist() == [2, 5]
    assert "killed by signal 9 (SIGKILL)" in found.loc[2, "reason"]
    assert set(calls(log).values()) == {1}


def test_a_candidate_that_takes_too_long_is_given_up(tmp_path):
    stage = {"name": LOGGED, "parameters": {"sleeps": [1]}, "timeout_s": 0.5}
    result = run_screening(pairs(3), [stage], tmp_path, processes=1)
    assert (result["passed"], result["failed"]) == (2, 1)
    assert "no answer after 0.5 s" in table(tmp_path).loc[1, "reason"]


def test_two_hundred_candidates_survive_a_killed_worker_and_a_killed_run(store, until, tmp_path):
    log = tmp_path / "log"
    candidates = list(metals(200, rattle=0.02))
    stages = [
        {"name": LOGGED, "parameters": {"log": str(log), "nap_s": 0.02, "dies": [33], "fails": [150], "sleeps": [77]}},
        {"name": "relaxation", "parameters": {"potential": "ase.calculators.emt:EMT", "fmax_eV_A": 0.2}},
    ]
    task = Screening(candidates=candidates, stages=stages, processes=2, timeout_s=5.0)
    # The notebook: it launches, and is killed.
    (tmp_path / "task.json").write_text(task.to_json())
    script = (
        "import os, sys; from labkit.screening import Screening; "
        f"Screening.from_json(open({str(tmp_path / 'task.json')!r}).read()).launch(store={str(store.root)!r}); "
        "os.kill(os.getpid(), 9)"
    )
    kernel = subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=False)
    assert kernel.returncode == -signal.SIGKILL
    (run,) = Store(store.root).runs()
    until(lambda: len(run.table("rows")) >= 20 if "rows" in run.tables() else False)
    children = psutil.Process(run.status().pid).children()
    assert len(children) == 2
    children[0].kill()  # a worker dies of nothing that its candidate did
    until(lambda: len(run.table("rows")) >= 60)
    children = psutil.Process(run.status().pid).children()
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.state == "interrupted")
    until(lambda: all(over(child) for child in children))
    before = run.table("rows")
    before = set(before.loc[before["stage"] == 0, "candidate"])
    with (run.folder / "rows.csv").open("a") as file:
        file.write("999,1,met")  # a line that the kill cut in two
    run.resume().wait(120)
    assert run.state == "finished", run.log()
    begun, ended = calls(log), calls(log, "end")
    assert set(begun) == set(range(200))
    assert all(begun[number] == 1 for number in before)
    assert sum(begun.values()) <= 200 + 2  # two were at work when the run was killed
    rows = run.table("rows")
    assert rows["step"].tolist() == list(range(len(rows)))
    assert not rows.duplicated(["candidate", "stage"]).any()
    found = table(run)
    failed = found[found["verdict"] == "failed"].set_index("candidate")["reason"]
    assert "SIGKILL" in failed.pop(33)
    assert "no answer after 5 s" in failed.pop(77)
    assert "NotConverged: candidate 150 does not want to." in failed.pop(150)
    assert len(failed) <= 1  # whoever was in the worker that was killed, by name
    assert all("SIGKILL" in reason for reason in failed)
    assert (found["verdict"] == "passed").sum() == 197 - len(failed)
    assert ended[33] == ended[77] == ended[150] == 0
    assert run.result()["failed"] == 3 + len(failed)


def test_stop_ends_the_run_and_its_workers_and_pause_holds_it(store, until):
    stages = [{"name": LOGGED, "parameters": {"nap_s": 0.1}}]
    run = Screening(candidates=list(pairs(200)), stages=stages, processes=1).launch(store=store)
    until(lambda: "rows" in run.tables() and len(run.table("rows")) >= 2)
    run.pause()
    until(lambda: run.state == "paused")
    until(lambda: run.table("funnel").iloc[-1]["running"] == 0, every=0.3)
    held = len(run.table("rows"))
    run.unpause()
    until(lambda: len(run.table("rows")) > held)
    children = psutil.Process(run.status().pid).children()
    run.cancel()
    assert run.state == "cancelled"
    until(lambda: all(over(child) for child in children))


def test_two_thousand_candidates_do_not_fill_the_memory(tmp_path):
    process = psutil.Process()
    seen = {}

    def look(campaign):
        seen[campaign.done] = process.memory_info().rss

    run_screening(metals(2000), ["composition", "geometry"], tmp_path, processes=1, report=look)
    early = max(size for done, size in seen.items() if done <= 200)
    late = max(seen.values())
    assert late - early < 15e6, f"{(late - early) / 1e6:.1f} MB for 1,800 candidates"
    assert (table(tmp_path)["verdict"] == "passed").all()


def test_exports_hold_what_the_table_says(tmp_path):
    import json

    import pandas as pd
    from ase.db import connect
    from ase.io import read

    stages = [{"name": "relaxation", "parameters": {"potential": "ase.calculators.emt:EMT"}}]
    folder = tmp_path / "run"
    run_screening([*metals(3), bulk("Fe")], stages, folder)
    found = table(folder)
    assert found["verdict"].tolist() == ["passed"] * 3 + ["failed"]
    again = pd.read_csv(export(folder, tmp_path / "a.csv"))
    assert again["energy_eV"].tolist()[:3] == found["energy_eV"].tolist()[:3]
    records = json.loads(export(folder, tmp_path / "a.json", "json").read_text())
    assert records[3]["energy_eV"] is None
    assert "Fe" in records[3]["reason"]
    with connect(export(folder, tmp_path / "a.db", "db")) as database:
        assert len(database) == 3
        row = database.get(candidate=1)
        assert row.energy_eV == found.loc[1, "energy_eV"]
        assert row.toatoms().get_chemical_formula() == "Al4"
    cifs = export(folder, tmp_path / "cifs", "cif")
    assert sorted(path.name for path in cifs.iterdir())[:2] == ["000000_metal-0.cif", "000001_metal-1.cif"]
    assert len(read(cifs / "000002_metal-2.cif")) == 4
    assert len(pd.read_csv(cifs / "table.csv")) == 3
