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
    assert "It was tried twice." in found.loc[2, "reason"]
    assert "RuntimeWarning" not in found.loc[2, "reason"]
    assert calls(log) == {number: 2 if number in (2, 5) else 1 for number in range(8)}


def test_a_worker_that_somebody_else_ends_costs_no_candidate(tmp_path):
    log, killed = tmp_path / "log", []
    stage = {"name": LOGGED, "parameters": {"log": str(log), "nap_s": 0.3}}

    def once(campaign):
        if not killed and campaign.done:
            killed.extend(one for one in psutil.Process().children() if "labkit.screening.child" in str(one.cmdline()))
            for child in killed:
                child.kill()

    result = run_screening(pairs(4), [stage], tmp_path / "run", processes=1, report=once)
    assert (result["passed"], len(killed)) == (4, 1)
    assert sum(calls(log).values()) <= 5


def test_what_a_stage_cannot_hand_over_costs_one_row(tmp_path):
    result = run_screening(pairs(6), ["tests.screening.made:unkeepable"], tmp_path, processes=1)
    found = table(tmp_path)
    assert (result["passed"], result["failed"]) == (1, 5), found["reason"].tolist()
    assert "files are texts by file name; 'a.json' is a dict" in found.loc[0, "reason"]
    assert "'sub/a.json' cannot name a file" in found.loc[1, "reason"]
    assert found.loc[2, "reason"].startswith("UnicodeEncodeError")
    assert found.loc[3, "reason"].startswith("UnicodeEncodeError")
    assert found.loc[4, "reason"].startswith("AttributeError")
    assert found.loc[5, "verdict"] == "passed"
    assert run_screening(pairs(6), ["tests.screening.made:unkeepable"], tmp_path)["passed"] == 1


def test_a_candidate_that_takes_too_long_is_given_up(tmp_path):
    stage = {"name": LOGGED, "parameters": {"sleeps": [1]}, "timeout_s": 0.5}
    result = run_screening(pairs(3), [stage], tmp_path, processes=1)
    assert (result["passed"], result["failed"]) == (2, 1)
    assert "no answer after 0.5 s" in table(tmp_path).loc[1, "reason"]


def test_two_hundred_candidates_survive_a_killed_worker_and_a_killed_run(store, until, tmp_path):
    log = tmp_path / "log"
    candidates = list(metals(200, rattle=0.02))
    stages = [
        {
            "name": LOGGED,
            "parameters": {"log": str(log), "nap_s": 0.02, "dies": [33], "fails": [150], "sleeps": [77]},
            "timeout_s": 5.0,
        },
        {"name": "relaxation", "parameters": {"potential": "ase.calculators.emt:EMT", "fmax_eV_A": 0.2}},
    ]
    task = Screening(candidates=candidates, stages=stages, processes=2)
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
    # Only whoever was in the worker that was killed was begun twice.
    assert sum(begun[number] - 1 for number in before - {33}) <= 1
    # 33 is given a second chance, and all of that again if the run was killed just then.
    assert 2 <= begun.pop(33) <= 4
    # One was in the worker that was killed, two were at work when the run was.
    assert sum(begun.values()) <= 199 + 3
    assert begun[150] == 1
    rows = run.table("rows")
    assert rows["step"].tolist() == list(range(len(rows)))
    assert not rows.duplicated(["candidate", "stage"]).any()
    found = table(run)
    failed = found[found["verdict"] == "failed"].set_index("candidate")["reason"]
    assert "SIGKILL" in failed.pop(33)
    assert "no answer after 5 s" in failed.pop(77)
    assert "NotConverged: candidate 150 does not want to." in failed.pop(150)
    assert failed.empty  # nobody else, whoever was in the worker that was killed
    assert (found["verdict"] == "passed").sum() == 197
    assert ended[33] == ended[77] == ended[150] == 0
    assert run.result()["failed"] == 3


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


def test_names_that_read_as_numbers_are_exported_too(tmp_path):
    from ase.db import connect

    given = [bulk("InF", "rocksalt", 5.5), *metals(3)]
    for atoms, name in zip(given[1:], ("1e5", "True", "nan"), strict=True):
        atoms.info["name"] = name
    run_screening(given, ["geometry", lambda candidate: {"gap_Å": 1.5, "300 K": 2.5}], tmp_path / "run")
    with connect(export(tmp_path / "run", tmp_path / "a.db", "db", only=None)) as database:
        rows = {row.candidate: row for row in database.select()}
    assert len(rows) == 4
    assert rows[0].data["formula"] == "InF"
    assert rows[1].data["name"] == "1e5"
    assert (rows[1].gap_A, rows[1].value_300_K) == (1.5, 2.5)
