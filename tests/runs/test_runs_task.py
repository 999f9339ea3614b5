import json
import re

import pytest
from pydantic import ValidationError

from labkit.errors import InvalidTask
from labkit.runs import Task, load_task, problems, quantity
from labkit.runs.folder import run_id, safe_name, slug
from tests.runs.tasks_for_tests import Add, Walk


class Heat(Task):
    """Has bounds and units."""

    temperature_K: float = quantity(300.0, "K", "target temperature", gt=0, le=5000)
    steps: int = quantity(10, "1", "number of steps", ge=1)


def test_a_task_travels_through_json_unchanged(tmp_path):
    task = Walk(steps=7, seed=3, frames=True)
    (tmp_path / "task.json").write_text(task.to_json())
    assert load_task(tmp_path / "task.json") == load_task(tmp_path) == Walk.from_json(task.to_json()) == task
    assert json.loads(task.to_json())["task"] == "tests.runs.tasks_for_tests:Walk"


def test_a_wrong_parameter_is_named_with_its_value_its_limit_and_its_unit():
    with pytest.raises(InvalidTask, match=r"Heat: temperature_K: -5 was given, but it should be greater than 0 .*K\)"):
        Heat(temperature_K=-5)
    with pytest.raises(InvalidTask, match="no parameter temprature_K; did you mean temperature_K"):
        Heat(temprature_K=300)


def test_every_wrong_parameter_gets_its_own_sentence_for_the_form():
    with pytest.raises(InvalidTask) as caught:
        Heat(temperature_K=1e9, steps="many")
    assert set(problems(caught.value)) == {"temperature_K", "steps"}
    with pytest.raises(ValidationError) as wrapped:
        Heat.model_validate({"steps": 0})
    assert problems(wrapped.value) == {"steps": "0 was given, but it should be greater than or equal to 1"}
    assert problems(InvalidTask("a sentence")) == {"": "a sentence"}


def test_units_and_descriptions_are_in_the_schema_for_the_form():
    schema = Heat.model_json_schema()["properties"]["temperature_K"]
    assert (schema["unit"], schema["description"], schema["maximum"]) == ("K", "target temperature", 5000)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("os:system", "is not a labkit task"),
        ("tests.runs.tasks_for_tests:NotATask", "is not a labkit task"),
        ("tests.runs.tasks_for_tests:Nothing", "cannot be imported here"),
        ("no_such_module_anywhere:Task", "cannot be imported here"),
        ("../evil:Task", "is not the address of a task"),
        ("os;print(1):x", "is not the address of a task"),
    ],
)
def test_a_strangers_task_file_can_only_name_tasks(address, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        load_task({"task": address, "parameters": {}})


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"task": 3}', '{"task": "tests.runs.tasks_for_tests:Add", "parameters": []}']
)
def test_garbage_is_refused_as_a_task(tmp_path, text):
    (tmp_path / "task.json").write_text(text)
    with pytest.raises(InvalidTask):
        load_task(tmp_path)


def test_a_task_class_that_no_other_process_can_find_is_refused_at_launch_but_runs_here(store):
    class Local(Task):
        def execute(self, context):
            return {"answer": 42}

    with pytest.raises(InvalidTask, match=r"put the class into a module .* or use task\.run\(\)"):
        Local().launch(store=store)
    assert Local().run(store=store).result() == {"answer": 42}


def test_a_task_without_execute_says_so(store):
    with pytest.raises(NotImplementedError, match="has no execute"):
        Heat().run(store=store)


def test_a_run_id_is_readable_and_stays_inside_the_store():
    assert re.fullmatch(r"\d{8}-\d{6}-molecular-dynamics-licoo2-ab12", run_id("MolecularDynamics", "LiCoO2", "ab12"))
    assert run_id("Walk", "Walk", "ab12").count("walk") == 1
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("<img onerror=alert(1)>") == "img-onerror-alert-1"
    assert slug("Å") == "a"
    assert slug("日本") == ""


def test_hostile_names_make_harmless_folders(store):
    for name in ("../../../tmp/x", "a/b", "", ".", "日本", "x" * 500, "line\nbreak"):
        run = Add().run(store=store, name=name)
        assert run.folder.parent == store.root
        assert "\n" not in run.name


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".hidden", "a b", "status.json", "a/b", ""])
def test_a_task_cannot_write_outside_its_folder_or_over_the_runs_own_files(name):
    with pytest.raises(ValueError, match=r"choose another one|cannot name a file"):
        safe_name(name)
