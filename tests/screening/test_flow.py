import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms

from labkit.errors import InvalidTask, LabkitError, RunFailed
from labkit.runs.tables import read_table
from labkit.screening import Geometry, Screening, StageSettings, record, run_screening, structure, table
from labkit.structures.substitution import Substitution
from tests.screening.made import EMT, Half, Odd, metals, pairs

LOGGED = "tests.screening.made:logged"


def test_every_candidate_gets_a_verdict_with_its_reason(tmp_path):
    given = [*metals(6), Atoms(), Atoms("Cu2", [[0, 0, 0], [0, 0, 0.1]], cell=[4, 4, 4], pbc=True)]
    stages = ["composition", "geometry", {"name": "relaxation", "parameters": {"potential": EMT}}]
    result = run_screening(given, stages, tmp_path, processes=1)
    assert {key: result[key] for key in ("candidates", "passed", "rejected", "failed")} == {
        "candidates": 8,
        "passed": 6,
        "rejected": 1,
        "failed": 1,
    }
    found = table(tmp_path).set_index("candidate")
    assert found.loc[6, "verdict"] == "failed"
    assert found.loc[6, "reason"] == "it has no atoms"
    assert found.loc[7, "stage_name"] == "geometry"
    assert "0.10 Å apart" in found.loc[7, "reason"]
    assert found.loc[:5, "verdict"].eq("passed").all()
    assert found.loc[:5, "max_force_eV_A"].max() <= 0.05
    assert [one["candidate"] for one in result["best"]] == [0, 1, 2, 3, 4, 5]
    relaxed = structure(tmp_path, 0)
    assert relaxed.info["stage"] == "relaxation"
    assert not np.allclose(relaxed.positions, structure(tmp_path, 0, given=True).positions)
    rows = read_table(tmp_path / "rows.csv")
    assert list(rows["step"]) == list(range(len(rows)))
    assert len(rows) == 6 * 3 + 1 + 2


def test_each_row_says_where_it_comes_from(tmp_path):
    run_screening(metals(1), [{"name": "relaxation", "parameters": {"potential": EMT}}], tmp_path)
    found = record(tmp_path, 0)
    (stage,) = found["stages"]
    assert stage["provenance"]["stage"]["parameters"]["potential"] == EMT
    assert stage["provenance"]["stage"]["parameters"]["fmax_eV_A"] == 0.05  # a default, which may change one day
    assert stage["provenance"]["software"]["ase"]
    assert ":" in stage["worker"]
    assert stage["wall_s"] > 0
    assert found["name"] == "metal 0"
    with pytest.raises(LabkitError, match="no candidate 7"):
        record(tmp_path, 7)


def test_a_function_from_a_notebook_is_a_stage(tmp_path):
    limit = 3

    def early(candidate):
        return candidate.index < limit

    result = run_screening(pairs(5), [early, lambda candidate: {"atoms": len(candidate.atoms)}], tmp_path)
    assert (result["passed"], result["rejected"]) == (3, 2)
    assert table(tmp_path)["atoms"].tolist()[:3] == [2, 2, 2]


def test_stages_of_a_user_take_parameters_and_may_gather(tmp_path):
    result = run_screening(pairs(8), [Odd(keep=0), "tests.screening.made:moves", Half()], tmp_path)
    assert (result["passed"], result["rejected"]) == (2, 6)
    found = table(tmp_path)
    assert found.loc[found["verdict"] == "passed", "candidate"].tolist() == [0, 2]
    assert found.loc[found["verdict"] == "passed", "of"].tolist() == [4, 4]
    assert structure(tmp_path, 2).positions[0] == pytest.approx([1, 1, 1])
    assert (tmp_path / "candidates/000002/note.txt").read_text() == "moved by 1.0"
    assert record(tmp_path, 2)["files"] == [str(tmp_path / "candidates/000002/note.txt")]


def test_a_stage_that_returns_nonsense_fails_with_a_sentence(tmp_path):
    run_screening(pairs(1), ["tests.screening.made:says_nonsense"], tmp_path)
    assert "returns an Outcome, a dict of values, True or False, not str" in table(tmp_path).loc[0, "reason"]


def test_deepest_first_brings_results_before_the_first_stage_is_through(tmp_path):
    stages = [{"name": LOGGED, "parameters": {"nap_s": 0.02}, "label": name} for name in "ab"]
    first = {}
    for order in ("deepest first", "breadth first"):
        run_screening(pairs(30), stages, tmp_path / order, order=order, processes=1)
        rows = read_table(tmp_path / order / "rows.csv")
        first[order] = int(rows.loc[rows["stage"] == 1, "step"].min())
    assert first["deepest first"] < 20
    assert first["breadth first"] >= 29


def test_two_stages_of_a_kind_have_two_names(tmp_path):
    relax = {"name": "relaxation", "parameters": {"potential": EMT}}
    run_screening(metals(1), [relax, relax], tmp_path)
    assert read_table(tmp_path / "rows.csv")["stage_name"].tolist() == ["relaxation", "relaxation 2"]


def test_a_finished_campaign_is_not_done_again_and_other_stages_are_refused(tmp_path):
    log = tmp_path / "log"
    stage = {"name": LOGGED, "parameters": {"log": str(log)}}
    for _ in range(2):
        result = run_screening(pairs(3), [stage], tmp_path / "run")
        assert result["passed"] == 3
    assert log.read_text().count("begin") == 3
    with pytest.raises(InvalidTask, match="other stages"):
        run_screening(pairs(3), ["geometry"], tmp_path / "run")
    longer = run_screening(pairs(3), [stage, "geometry"], tmp_path / "run")
    assert (longer["passed"], log.read_text().count("begin")) == (3, 3)


CUT = [Odd(keep=0), {"name": LOGGED, "parameters": {"refuses": [2]}}, "tests.screening.made:moves", Half()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A campaign that nobody disturbed."""
    folder = tmp_path_factory.mktemp("screening") / "whole"
    run_screening(pairs(6), CUT, folder, processes=1)
    return folder


@pytest.mark.parametrize("keep_rows", [0, 4, 8, 12])
def test_a_campaign_cut_anywhere_ends_like_an_unbroken_one(tmp_path, whole, keep_rows):
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    lines = (cut / "rows.csv").read_text().splitlines(keepends=True)
    assert len(lines) == 1 + 6 + 3 + 2 + 2
    (cut / "rows.csv").write_text("".join(lines[: 1 + keep_rows]) + lines[1 + keep_rows][:9])
    run_screening(pairs(6), CUT, cut, processes=1)
    same = ["candidate", "stage_name", "verdict", "reason", "seen", "of", "moved_A"]
    assert table(cut)[same].equals(table(whole)[same])
    rows = read_table(cut / "rows.csv")
    assert not rows.duplicated(["candidate", "stage"]).any()
    assert structure(cut, 4).positions == pytest.approx(structure(whole, 4).positions)


def test_substitutions_make_candidates_that_know_their_parent(tmp_path):
    rules = [Substitution(replace={"Mg": "Al"}, count=1, vacancy="Li"), Substitution(replace={"Co": "Al"})]
    result = run_screening(["LiMgPO4", "nothing"], ["composition"], tmp_path, substitutions=rules)
    found = table(tmp_path)
    assert result["candidates"] == 4
    assert found["parent"].tolist() == [-1, 0, 0, -1]
    assert found.loc[1, "formula"] == "Li3AlMg3O16P4" or "Al" in found.loc[1, "formula"]
    assert found.loc[1, "oxidation"] == "Al+3 Li+1 Mg+2 O-2 P+5"
    assert "Mg→Al ×1, Li vacancies" in found.loc[1, "origin"]
    assert found.loc[3, "verdict"] == "failed"
    assert "no structure named 'nothing'" in found.loc[3, "reason"]


def test_a_folder_of_files_is_a_source_and_an_unreadable_file_a_row(tmp_path):
    from ase.io import write

    source = tmp_path / "files"
    source.mkdir()
    write(source / "a.extxyz", list(metals(3)))
    write(source / "b.cif", next(metals(1)))
    (source / "c.cif").write_text("data_nothing\n")
    task = Screening(frames=str(source), stages=["geometry"], processes=1)
    run = task.run(store=tmp_path / "store")
    found = table(run)
    assert found["verdict"].tolist() == ["passed"] * 4 + ["failed"]
    assert run.result()["failed"] == 1
    assert list(run.table("funnel"))[:9] == [
        "step",
        "stage",
        "stage_name",
        "waiting",
        "running",
        "passed",
        "rejected",
        "failed",
        "cpu_s",
    ]
    assert run.table("funnel").iloc[-1]["passed"] == 4


def test_a_task_says_what_is_wrong_with_it(tmp_path):
    with pytest.raises(InvalidTask, match="one of the two"):
        Screening(candidates=["LiCoO2"], frames="x")
    with pytest.raises(InvalidTask, match="there is no stage 'relax'"):
        Screening(candidates=["LiCoO2"], stages=["relax"])
    with pytest.raises(InvalidTask, match="Geometry has no parameter max_atom; did you mean max_atoms"):
        Screening(candidates=["LiCoO2"], stages=[{"name": "geometry", "parameters": {"max_atom": 3}}])
    with pytest.raises(InvalidTask, match="put a relaxation"):
        run_screening(["LiCoO2"], ["composition", "hull"], tmp_path)
    with pytest.raises(InvalidTask, match="does not take these parameters"):
        run_screening(["LiCoO2"], [{"name": LOGGED, "parameters": {"lag": 1}}], tmp_path)
    with pytest.raises(InvalidTask, match="neither a file, nor a folder"):
        Screening(frames="nowhere.extxyz", stages=["geometry"]).run(store=tmp_path)
    with pytest.raises(InvalidTask, match="not a single candidate"):
        run_screening([], ["geometry"], tmp_path / "none")


def test_a_task_travels_as_json():
    task = Screening(
        candidates=["LiF"],
        stages=[Geometry(max_atoms=9), StageSettings(name="ranking", parameters={"by": "density_g_cm3"})],
        substitutions=[{"replace": {"F": "Cl"}}],
    )
    again = Screening.from_json(task.to_json())
    assert json.loads(again.to_json()) == json.loads(task.to_json())
    assert again.stages[0].parameters == {"max_atoms": 9}


def test_any_executor_does_the_same(tmp_path):
    with ThreadPoolExecutor(2) as executor:
        result = run_screening(pairs(6), [Odd(keep=1), Half()], tmp_path, executor)
    assert (result["passed"], result["rejected"]) == (1, 5)


def test_an_executor_that_cannot_work_ends_the_attempt_and_keeps_what_is_known(tmp_path):
    from concurrent.futures import Future

    class Breaks:
        def submit(self, function, chunk):
            future = Future()
            if chunk["candidates"][0]["index"] == 2:
                future.set_exception(ModuleNotFoundError("no module named labkit"))
            else:
                future.set_result(function(chunk))
            return future

    with pytest.raises(RunFailed, match="is labkit installed on its workers"):
        run_screening(pairs(4), ["tests.screening.made:moves"], tmp_path, Breaks(), processes=1)
    assert read_table(tmp_path / "rows.csv")["candidate"].tolist() == [0, 1]
    assert run_screening(pairs(4), ["tests.screening.made:moves"], tmp_path)["passed"] == 4


def test_importing_the_room_loads_no_network_library():
    script = "import labkit.screening, sys; sys.exit('torch' in sys.modules or 'pymatgen' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
