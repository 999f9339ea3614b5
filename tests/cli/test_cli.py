import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from labkit.cli import doctor, lab, main
from labkit.runs import Store
from tests.runs.tasks_for_tests import Add, Fails, Sleepy, Walk

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, known to the command line by the environment."""
    monkeypatch.setenv("LABKIT_RUNS", str(tmp_path / "store"))
    store = Store()
    yield store
    for run in store.runs():
        run.cancel()


def write(path, task):
    path.write_text(task.to_json())
    return str(path)


def test_a_task_file_is_run_with_a_progress_line_and_its_result_is_printed(store, tmp_path, capsys):
    assert main(["run", write(tmp_path / "t.json", Add(a=4, b=5)), "--name", "nine"]) == 0
    out, err = capsys.readouterr()
    folder, _, result = out.partition("\n")
    assert json.loads(result)["sum"] == 9
    assert "-add-nine-" in folder
    assert "finished" in err


def test_a_failing_task_gives_a_sentence_and_exit_status_one(store, tmp_path, capsys):
    assert main(["run", write(tmp_path / "t.json", Fails())]) == 1
    err = capsys.readouterr().err
    assert "the cell of atom 3 exploded" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("text", ["{", '{"task": "os:system", "parameters": {}}'])
def test_a_bad_task_file_is_refused_with_a_sentence(store, tmp_path, capsys, text):
    (tmp_path / "t.json").write_text(text)
    assert main(["run", str(tmp_path / "t.json")]) == 1
    assert capsys.readouterr().err.startswith("labkit: ")
    assert store.runs() == []


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_termination_cancel_the_run(store, tmp_path, signal_number):
    task = write(tmp_path / "t.json", Walk(steps=100_000, nap_s=0.01))
    process = subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "run", task],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background has switched SIGINT off for all its children.
        preexec_fn=lambda: signal.signal(signal_number, signal.SIG_DFL),
    )
    folder = process.stdout.readline().strip()
    process.send_signal(signal_number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert Store().get(Path(folder).name).state == "cancelled"
    assert "labkit runs resume" in err
    assert out == ""


def test_a_worker_that_hangs_is_ended_before_the_command_leaves(store, monkeypatch):
    run = Sleepy(seconds=60).launch(store=store)
    while run.state != "running":
        time.sleep(0.05)
    os.kill(run.json("status")["pid"], signal.SIGSTOP)
    monkeypatch.setattr("labkit.runs.run.KILL_AFTER_S", 3.0)  # a busy machine
    assert main(["runs", "cancel", run.id]) == 0
    assert run.state == "cancelled"


def test_runs_are_listed_shown_cancelled_resumed_and_deleted(store, capsys):
    done, failed = Add().run(store=store), None
    with pytest.raises(ArithmeticError):
        Fails().run(store=store)
    (failed,) = store.runs(state="failed")
    asleep = Sleepy(seconds=60).launch(store=store)
    assert main(["runs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][1:] == ["failed", "finished"]
    assert main(["runs", "list", "--json", "--state", "finished"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == done.id
    assert main(["runs", "list", "--kind", "Nothing"]) == 0
    assert "no such runs" in capsys.readouterr().out
    assert main(["runs", "show", failed.id]) == 0
    out = capsys.readouterr().out
    assert "ArithmeticError: the cell of atom 3 exploded" in out
    assert "tables  thermo" in out
    assert main(["runs", "show", done.id[-4:], "--log", "0"]) == 0
    assert '"sum": 3' in capsys.readouterr().out
    assert main(["runs", "cancel", asleep.id]) == 0
    assert asleep.id + " cancelled" in capsys.readouterr().out
    assert main(["runs", "resume", asleep.id]) == 0
    assert asleep.status().active
    assert main(["runs", "delete", asleep.id]) == 1
    assert "cancel it first" in capsys.readouterr().err
    assert main(["runs", "delete", "--force", asleep.id, done.id]) == 0
    assert [run.id for run in store.runs()] == [failed.id]
    assert main(["runs", "resume", "--wait", failed.id]) == 1
    assert main(["runs", "show", "nothing"]) == 1
    assert "there is no run 'nothing'" in capsys.readouterr().err


def test_broken_folders_are_reported_on_the_error_stream(store, capsys):
    (store.root / "holiday").mkdir(parents=True)
    assert main(["runs", "list"]) == 0
    assert "broken: holiday" in capsys.readouterr().err


def test_the_doctor_finds_what_is_here(store, capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("python", "torch", "chgnet", "device", "CHGNet weights", "0.3.0", "gfn2-xtb", "disk", str(store.root)):
        assert word in out
    assert "everything essential is here" in out


def test_the_doctor_says_what_is_missing_and_how_to_get_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    assert main(["doctor", "--store", str(tmp_path / "file" / "store")]) == 1
    out = capsys.readouterr().out
    assert "FAIL  store" in out
    assert "LABKIT_RUNS" in out
    (missing,) = [doctor.package(Requirement("no-such-package-at-all>=2"))]
    assert (missing.ok, missing.essential) == (False, True)
    assert missing.remedy == 'pip install "no-such-package-at-all>=2"'
    assert not doctor.package(Requirement("pytest>=9999")).ok
    drifted = doctor.package(Requirement("pytest"), pinned="0.1")
    assert (drifted.ok, drifted.essential) == (False, False)
    (old,) = doctor.python((3, 14))
    assert not old.ok
    assert "3.11 or 3.12" in old.remedy
    monkeypatch.setattr(doctor, "BROWSERS", ())
    monkeypatch.setattr(doctor, "MAC_BROWSERS", ())
    (none,) = doctor.browser()
    assert (none.ok, none.essential) == (False, False)
    assert "apt-get install chromium" in none.remedy


def test_the_pins_are_those_of_the_checkout():
    assert doctor.pins()["torch"] == "2.13.0"


def test_the_lab_opens_on_the_welcome_notebook_or_on_what_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    command = lab.server_command("jupyterlab", tmp_path, no_browser=True, port=8899)
    assert command[1:] == ["-m", "jupyterlab", str(tmp_path), "--no-browser", "--port=8899"]
    monkeypatch.setattr(lab, "shipped_notebook", lambda server: None)
    monkeypatch.chdir(tmp_path)
    assert lab.server_command("voila")[2:4] == ["voila", str(tmp_path)]
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert "--allow-root" in lab.server_command("jupyterlab")
    assert main(["lab", "--notebook", "nowhere.ipynb"]) == 1
    assert "there is no nowhere.ipynb to open" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(["lab"]) == 1
    assert "make lab" in capsys.readouterr().err


def test_the_command_line_starts_without_torch_and_without_the_notebook(tmp_path):
    code = "import sys, labkit.cli; print(*{'torch', 'pandas', 'ase', 'IPython', 'ipywidgets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    environment = {**os.environ, "LABKIT_RUNS": str(tmp_path)}
    command = [sys.executable, "-m", "labkit.cli", "runs", "list"]
    assert "no such runs" in subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    with pytest.raises(SystemExit):
        main([])
