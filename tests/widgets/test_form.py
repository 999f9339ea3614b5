"""The form's controls."""

from ase.build import bulk
from labkit_widgets import StructurePicker, TaskForm
from labkit_widgets.form_controls import Row

from .tasks import AllFields, WritesFrames


def row(form, *path) -> Row:
    return form._rows[path]


def test_every_field_has_a_control_and_an_edit_changes_the_task():
    form = TaskForm(AllFields, structure=bulk("NaCl", "rocksalt", a=5.64))
    assert len(form._rows) == 8 + 2
    row(form, "temperature_K").control.value = 451.0
    row(form, "thermostat", "kind").control.value = "Bussi"
    assert form.task.temperature_K == 451.0
    assert form.task.thermostat.kind == "Bussi"
    form.close()


def test_a_wrong_value_shows_its_sentence_under_the_control_and_the_right_one_takes_it_away():
    form = TaskForm(WritesFrames)
    row(form, "timestep_fs").control.value = -1.0
    assert "Timestep must be more than 0 fs" in row(form, "timestep_fs").error.value
    assert not form.is_valid
    row(form, "timestep_fs").control.value = 2.0
    assert row(form, "timestep_fs").error.value == ""
    assert form.is_valid


def test_an_optional_value_is_none_until_its_box_is_ticked():
    form = TaskForm(AllFields, structure=bulk("Si"))
    pressure = row(form, "pressure_GPa")
    assert form.task.pressure_GPa is None
    assert pressure.control.disabled
    pressure.switch.value = True
    pressure.control.value = 3.0
    assert form.task.pressure_GPa == 3.0
    pressure.switch.value = False
    assert form.task.pressure_GPa is None


def test_the_form_follows_a_picker():
    picker = StructurePicker("NaCl")
    form = TaskForm(AllFields, structure=picker)
    assert form.task.structure.get_chemical_formula() == picker.structure.get_chemical_formula()
    picker.library.pick("Si")
    assert set(form.task.structure.get_chemical_symbols()) == {"Si"}
    assert "Si" in row(form, "structure").control.value


def test_copy_as_python_shows_the_call_and_follows_edits():
    form = TaskForm(WritesFrames)
    assert form._code.layout.display == "none"
    form.copy_button.click()
    assert form._code.layout.display == "flex"
    row(form, "n_atoms").control.value = 16
    assert "n_atoms=16," in form._code.value
    form.copy_button.click()
    assert form._code.layout.display == "none"


def test_reset_puts_every_control_back():
    form = TaskForm(WritesFrames(n_atoms=32))
    row(form, "n_atoms").control.value = 64
    form.reset_button.click()
    assert row(form, "n_atoms").control.value == 32
    assert form.task.n_atoms == 32


def test_a_structure_s_name_is_never_markup():
    atoms = bulk("Si")
    atoms.info["name"] = "<img src=x onerror=alert(1)>"
    form = TaskForm(AllFields, structure=atoms)
    assert "<img" not in row(form, "structure").control.value
    assert "&lt;img" in row(form, "structure").control.value
