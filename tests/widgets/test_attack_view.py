"""The view of an adversarial attack, without a browser: it reads a folder that somebody else writes."""

import numpy as np
import pytest
from labkit_widgets import AttackView, Launcher, RunBrowser, panel_for
from labkit_widgets.attack_model import AttackModel, is_attack
from labkit_widgets.attack_view import states_html
from labkit_widgets.viewer import SHORTEST_INTERVAL_S

from labkit.active_learning import Attack
from labkit.runs import Run

from .active_learning_tasks import PretendsToAttack


@pytest.fixture
def finished(store):
    return PretendsToAttack(n_structures=3).run(store=store)


@pytest.fixture
def view(finished):
    view = AttackView(finished)
    yield view
    view.close()


def test_the_dial_shows_the_predicted_error_the_wanted_one_and_what_counts_as_reached(view):
    trace = view.dial.data[0]
    assert trace.value == view.model.predicted == pytest.approx(0.3, rel=0.05)
    assert trace.gauge.threshold.value == 0.3
    assert trace.gauge.steps[0].range == pytest.approx((0.285, 0.315))
    assert trace.gauge.axis.range == (0, 0.5)
    assert view.dial.layout.annotations[0].text == f"{view.model.predicted:.3f} eV/Å"


def test_the_curve_has_every_step_and_a_gap_between_structures(view):
    wanted, predicted = view.curve.data
    gaps = np.flatnonzero(np.isnan(predicted.y))
    assert len(gaps) == 2
    assert len(predicted.y) == len(view.steps) + 2
    assert set(np.array(wanted.y)) == {0.3}
    assert list(np.unique(predicted.customdata)) == [0, 1, 2]


def test_each_structure_says_how_it_ended_and_why(view):
    states = view.model.structures()
    assert [one.state for one in states] == ["reached", "stopped", "reached"]
    assert states[1].reason.startswith("atoms 1 (H) and 4 (H) would be 0.31 Å apart")
    assert states[1].reason in view.states.value
    assert states[0].steps == 11
    assert ">reached<" in view.states.value.replace("</span>reached", "</span>>reached<")


def test_while_it_runs_structures_wait_move_and_have_reasons_from_the_log(store, soon):
    run = PretendsToAttack(n_structures=4, pause_s=0.04).launch(store=store)
    model = AttackModel(run)

    def states():
        model.poll()
        return [one.state for one in model.structures()]

    soon(lambda: states()[-1:] == ["moving"] and len(states()) == 3)
    assert states()[:2] == ["reached", "stopped"]
    assert "0.31 Å apart" in model.structures()[1].reason
    run.cancel()
    soon(lambda: run.state == "cancelled")
    assert states()[-1] == "left"


def test_structures_of_the_real_task_have_their_formulas_before_anything_has_moved(store, tmp_path):
    task = Attack(committee=str(tmp_path), structures=["LiCoO2", "Cu"])
    run = Run(store.new_folder(task))
    assert [one.formula for one in AttackModel(run).structures()] == ["LiCoO2", "Cu"]


def test_the_atoms_move_live_coloured_by_predicted_error_on_a_scale_that_ends_at_the_wanted_one(store, soon):
    run = PretendsToAttack(n_structures=1, max_steps=4000, wanted_eV_A=50.0, tolerance=1e-9, pause_s=0.02).launch(
        store=store
    )
    view = AttackView(run)
    soon(lambda: view.structure is not None)
    shown = view.trajectory.view
    first = shown.atoms.positions.copy()
    soon(lambda: shown.sent >= 5, 20)
    assert not np.allclose(first, view.structure.positions)
    assert shown.end == 50.0
    tints = np.array(shown.canvas._scene["tints"])
    assert tints.argmax() == len(tints) - 1
    assert SHORTEST_INTERVAL_S >= 0.1
    run.cancel()
    view.close()


def test_another_structure_of_the_same_elements_is_drawn_anew(view):
    view.trajectory.go(0)
    first = view.trajectory.view.canvas._scene["id"]
    view.trajectory.go(1)
    assert view.trajectory.view.canvas._scene["id"] == first
    last = len(view.steps) - 1
    view.trajectory.go(last)
    assert view.structure.info["structure_index"] == 2
    assert view.trajectory.view.canvas._scene["id"] != first


def test_the_slider_writes_the_wanted_error_and_the_dial_turns_towards_it(store, soon):
    run = PretendsToAttack(n_structures=1, max_steps=4000, wanted_eV_A=5.0, pause_s=0.2).launch(store=store)
    view, other = AttackView(run), AttackView(run)
    assert view.wanted.value == 5.0
    soon(lambda: len(view.steps) > 0, 20)
    view.wanted.value = 2.0
    soon(lambda: run.json("control").get("wanted_eV_A") == 2.0)
    soon(lambda: view.dial.data[0].gauge.threshold.value == 2.0)
    soon(lambda: other.wanted.value == 2.0)
    soon(lambda: view.steps["wanted_eV_A"].iloc[-1] == 2.0)
    view.status.stop.click()
    soon(lambda: run.state == "cancelled")
    soon(lambda: view.wanted.disabled)
    view.close()
    other.close()


def test_a_wanted_error_beyond_the_slider_widens_it(store, soon):
    run = PretendsToAttack(n_structures=1, max_steps=4000, wanted_eV_A=5.0, pause_s=0.05).launch(store=store)
    view = AttackView(run)
    run.set_controls(wanted_eV_A=60.0)
    soon(lambda: view.wanted.value == pytest.approx(60.0))
    assert view.wanted.max == 2
    run.cancel()
    view.close()


def test_a_stopped_attack_resumes_where_it_was(store, soon):
    run = PretendsToAttack(n_structures=3, pause_s=0.05).launch(store=store)
    view = AttackView(run)
    soon(lambda: len(view.steps) >= 4, 20)
    view.status.stop.click()
    soon(lambda: run.state == "cancelled")
    soon(lambda: not view.status.resume.disabled)
    view.status.resume.click()
    soon(lambda: run.state == "finished", 20)
    soon(lambda: [one.state for one in view.model.structures()] == ["reached", "stopped", "reached"])
    view.close()


def test_an_attack_gets_its_own_panel_wherever_runs_are_shown(store, finished, soon):
    assert is_attack(finished)
    panel = panel_for(finished)
    assert type(panel) is AttackView
    panel.close()
    browser = RunBrowser(store)
    browser.select(finished.id)
    browser.open_button.click()
    assert type(browser._place.children[0]) is AttackView
    browser.close()
    launcher = Launcher(PretendsToAttack, store=store)
    launcher.form.set(n_structures=1)
    launcher.start.click()
    assert type(launcher.panel) is AttackView
    soon(lambda: launcher.run.state == "finished")
    launcher.close()


def test_a_broken_table_is_said_beside_the_dial(finished, soon):
    view = AttackView(finished)
    (finished.folder / "attack.csv").write_text("step,structure\n0,0,0,0\n1\n0,0,1,2,3\n", encoding="utf-8")
    soon(lambda: "The attack could not be read" in view.error.value)
    view.close()


def test_nothing_attacked_yet_is_a_sentence():
    assert "waiting for the first structure" in states_html([])
