import functools
import importlib
import sys

import pytest
from ase.build import bulk

from labkit.errors import InvalidTask
from labkit.screening import Screening, run_screening, table
from labkit.screening.fingerprint import of_function
from labkit.screening.intake import write_candidates
from labkit.structures.substitution import Substitution
from tests.screening.made import metals, pairs


def test_other_candidates_in_the_same_folder_are_refused(tmp_path):
    run_screening(pairs(3), ["geometry"], tmp_path)
    moved = list(pairs(3))
    moved[1].positions[0, 0] += 0.01
    for others in (metals(3), pairs(2), pairs(4), moved):
        with pytest.raises(InvalidTask, match="holds a campaign of other candidates"):
            run_screening(others, ["geometry"], tmp_path)
    with pytest.raises(InvalidTask, match="other candidates"):
        run_screening(pairs(3), ["geometry"], tmp_path, substitutions=[Substitution(replace={"O": "S"})])
    assert run_screening(pairs(3), ["geometry"], tmp_path)["candidates"] == 3
    assert run_screening(None, ["geometry"], tmp_path)["candidates"] == 3


def test_a_run_goes_on_with_what_it_read_when_its_file_is_gone(tmp_path):
    from ase.io import write

    write(tmp_path / "a.extxyz", list(metals(2)))
    run = Screening(frames=str(tmp_path / "a.extxyz"), stages=["geometry"], processes=1).run(store=tmp_path / "store")
    (tmp_path / "a.extxyz").unlink()
    (run.folder / "rows.csv").unlink()
    again = run_screening(None, ["geometry"], run.folder, processes=1)
    assert again["passed"] == 2


def cell(limit, text="candidate.index < limit", name="<cell 1>"):
    """A function as a cell of a notebook defines it."""
    space = {"__name__": "__main__", "limit": limit}
    source = f"def early(candidate):\n    return {text}\n"
    exec(compile(source, name, "exec"), space)
    return space["early"]


def test_a_function_is_known_by_what_it_does_and_not_by_where_it_stands():
    assert of_function(cell(3)) == of_function(cell(3, name="<cell 7>"))
    different = [cell(3), cell(4), cell(3, "candidate.index > limit"), cell(3, "candidate.index < 3"), "x".upper]
    different += [functools.partial(cell(3), 1), functools.partial(cell(3), 2)]
    assert len({of_function(one) for one in different}) == len(different)


def test_a_function_that_has_changed_is_another_stage(tmp_path):
    for _ in range(2):
        assert run_screening(pairs(5), [cell(3)], tmp_path)["passed"] == 3
    with pytest.raises(InvalidTask, match="whose code or values have changed"):
        run_screening(pairs(5), [cell(4)], tmp_path)


def test_a_function_of_a_module_that_has_changed_is_another_stage(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file, stages = tmp_path / "judges_of_mine.py", [{"name": "judges_of_mine:early", "parameters": {"limit": 3}}]
    file.write_text("def early(candidate, limit):\n    return candidate.index < limit\n", encoding="utf-8")
    try:
        for _ in range(2):
            assert run_screening(pairs(5), stages, tmp_path / "campaign", processes=1)["passed"] == 3
        file.write_text("def early(candidate, limit):\n    return candidate.index <= limit + 0\n", encoding="utf-8")
        importlib.reload(sys.modules["judges_of_mine"])
        with pytest.raises(InvalidTask, match="whose code or values have changed"):
            run_screening(pairs(5), stages, tmp_path / "campaign", processes=1)
    finally:
        sys.modules.pop("judges_of_mine", None)


def test_stop_is_heard_while_candidates_are_made(tmp_path):
    class Stopped(Exception):
        """Somebody has asked for it."""

    made = []

    def endless():
        while True:
            made.append(1)
            yield bulk("Cu")

    def stopped():
        if len(made) > 5:
            raise Stopped
        return False

    with pytest.raises(Stopped):
        write_candidates(tmp_path, endless(), stopped=stopped)
    assert not (tmp_path / "candidates.extxyz").exists()


def test_a_rule_that_a_package_trips_over_costs_one_row(tmp_path, monkeypatch):
    def trips(self, atoms):
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(Substitution, "apply", trips)
    run_screening([bulk("Cu"), bulk("Al")], ["geometry"], tmp_path, substitutions=[Substitution(replace={"Cu": "Au"})])
    found = table(tmp_path)
    assert found["verdict"].tolist() == ["passed", "failed", "passed"]
    assert found.loc[1, "reason"] == "ZeroDivisionError: deep inside"
