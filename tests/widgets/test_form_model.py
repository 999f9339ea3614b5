"""Task forms without a browser: fields in, tasks or sentences out."""

import pytest
from ase.build import bulk
from labkit_widgets.form_fields import fields_of, label_of, read_list
from labkit_widgets.form_model import UNSET, FormModel

from labkit.errors import InvalidTask
from labkit.structures import named

from .tasks import AllFields, WritesFrames


@pytest.fixture
def model():
    model = FormModel(AllFields)
    model.set_structure(bulk("NaCl", "rocksalt", a=5.64))
    return model


def test_every_kind_of_field_is_recognised_with_unit_bounds_and_help():
    kinds = {one.name: one.kind for one in fields_of(AllFields)}
    assert kinds == {
        "structure": "structure", "temperature_K": "float", "steps": "int", "ensemble": "choice", "keep": "bool",
        "pressure_GPa": "float", "temperatures_K": "list", "note": "text", "thermostat": "model",
    }  # fmt: skip
    by_name = {one.name: one for one in fields_of(AllFields)}
    assert by_name["temperature_K"].limits == "at least 0 and at most 5000 K"
    assert by_name["temperature_K"].tooltip.startswith("Target temperature\n")
    assert by_name["pressure_GPa"].optional
    assert by_name["structure"].required


@pytest.mark.parametrize(
    ("name", "unit", "label"),
    [("temperature_K", "K", "Temperature"), ("fmax_eV_A", "eV/Å", "Fmax"), ("friction_per_ps", "1/ps", "Friction"),
     ("steps", "steps", "Steps"), ("relax_cell", "", "Relax cell")],
)  # fmt: skip
def test_a_label_leaves_the_unit_to_its_place_beside_the_control(name, unit, label):
    assert label_of(name, unit) == label


def test_a_complete_form_gives_the_task(model):
    model.set("temperature_K", 450.0)
    task = model.task()
    assert isinstance(task, AllFields)
    assert task.temperature_K == 450.0
    assert task.pressure_GPa is None
    assert task.thermostat.friction_per_ps == 10.0


def test_a_value_out_of_bounds_is_named_with_its_limit_and_unit_beside_its_own_control(model):
    model.set("temperature_K", -5.0)
    assert model.errors() == {("temperature_K",): "Temperature must be at least 0 K; -5.0 K was given."}


def test_an_error_in_a_nested_model_is_found_at_its_own_control(model):
    model.children["thermostat"].set("friction_per_ps", 0.0)
    assert list(model.errors()) == [("thermostat", "friction_per_ps")]


def test_a_list_is_read_from_text_and_a_word_in_it_is_refused(model):
    model.set("temperatures_K", "300, 400; 500.5")
    assert model.task().temperatures_K == [300, 400, 500.5]
    model.set("temperatures_K", "300, hot")
    assert "must be a number; 'hot' was given" in model.errors()["temperatures_K",]
    assert read_list("Li, 2 3.5") == ["Li", 2, 3.5]


def test_fields_that_do_not_fit_together_give_the_task_s_own_sentence(model):
    model.set("ensemble", "NVE")
    model.set("pressure_GPa", 1.0)
    assert any("NVE has no barostat" in text for text in model.errors().values())


def test_without_a_structure_the_form_says_that_it_is_needed():
    model = FormModel(AllFields)
    assert model.values["structure"] is UNSET
    assert model.errors()["structure",] == "Structure is needed."
    with pytest.raises(InvalidTask, match="Structure is needed"):
        model.task()


def test_reset_returns_to_the_start_and_keeps_the_structure(model):
    model.set("temperature_K", 900.0)
    model.children["thermostat"].set("friction_per_ps", 1.0)
    model.reset()
    assert model.values["temperature_K"] == 300.0
    assert model.task().thermostat.friction_per_ps == 10.0


def test_a_form_of_an_existing_task_gives_an_equal_task():
    task = WritesFrames(n_atoms=64, pause_s=0.5, grow=True)
    assert FormModel.of(task).task() == task


def test_the_python_text_makes_the_same_task():
    model = FormModel(AllFields)
    model.set_structure(named("NaCl"))
    model.set("temperature_K", 450.0)
    model.set("pressure_GPa", 2.0)
    model.children["thermostat"].set("kind", "Bussi")
    code = model.code().rsplit("\n", 1)[0]  # without the launch
    space: dict = {}
    exec(code, space)
    assert space["task"].model_dump(exclude={"structure"}) == model.task().model_dump(exclude={"structure"})
    assert space["task"].structure == model.task().structure
    assert "named('NaCl')" in code
    assert "steps" not in code
