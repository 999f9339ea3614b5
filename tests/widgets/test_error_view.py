"""Atoms coloured by a number of theirs, and controls that are handed to a run, without a browser."""

import time

import numpy as np
import pytest
from labkit_widgets import ErrorView
from labkit_widgets.error_view import BY_ELEMENT, round_up
from labkit_widgets.steering import Steering

from .active_learning_tasks import waters


@pytest.fixture
def atoms():
    atoms = waters(np.random.default_rng(0))
    atoms.arrays["predicted_error"] = np.linspace(0.0, 0.37, len(atoms))
    return atoms


@pytest.mark.parametrize(("value", "end"), [(0.3, 0.3), (0.31, 0.4), (1.2, 1.5), (8.1, 10.0), (0.0071, 0.008)])
def test_a_scale_ends_at_the_next_round_number(value, end):
    assert round_up(value) == pytest.approx(end)


def test_each_atom_has_its_share_of_the_scale(atoms):
    shown = ErrorView(atoms)
    assert shown.end == 0.4
    assert shown.canvas._scene["tints"] == pytest.approx(atoms.arrays["predicted_error"] / 0.4, abs=1e-3)
    assert "worst: atom 11 (H), 0.37 eV/Å" in shown.scale.value
    shown.scale_to(0.2, {"wanted": 0.1, "far": 3.0})
    assert max(shown.canvas._scene["tints"]) == 1.0
    assert "lines: wanted 0.1" in shown.scale.value
    assert "far" not in shown.scale.value
    shown.close()


def test_atoms_that_move_take_their_new_colours_along(atoms, soon):
    shown = ErrorView(atoms)
    scene = shown.canvas._scene["id"]
    later = atoms.copy()
    later.positions += 0.1
    later.arrays["predicted_error"] = atoms.arrays["predicted_error"][::-1]
    shown.show(later)
    soon(lambda: shown.canvas._scene["tints"][0] > 0.9)
    assert shown.canvas._scene["id"] == scene
    shown.close()


def test_atoms_without_errors_and_errors_that_are_no_numbers_are_shown_as_such(atoms):
    atoms.arrays["predicted_error"][3] = np.nan
    shown = ErrorView(atoms)
    assert shown.canvas._scene["tints"][3] == 1.0
    assert "worst: atom 3 (O), nan" in shown.scale.value
    del atoms.arrays["predicted_error"]
    shown.show(atoms)
    assert "these atoms have no predicted error" in shown.scale.value
    shown.close()


def test_the_colours_of_the_elements_are_there_on_request(atoms):
    shown = ErrorView(atoms)
    assert "<i style" not in shown._legend.value  # the chips of the elements would say what the atoms do not show
    shown.colour_choice.value = BY_ELEMENT
    assert "colorScheme" not in shown.canvas._scene["style"][0]["params"]
    assert "<i style" in shown._legend.value
    assert shown.scale.value == ""
    shown.close()


def test_of_many_values_the_last_one_is_written_last(soon):
    class Recorder:
        def __init__(self):
            self.written = []

        def set_controls(self, **values):
            time.sleep(0.005)
            self.written.append(values)

    reports, run = [], Recorder()
    steering = Steering(run, reports.append)
    for number in range(50):
        steering.set(x=number)
    soon(lambda: not steering.busy)
    assert run.written[-1] == {"x": 49}
    assert len(run.written) < 50
    assert set(reports) == {None}
