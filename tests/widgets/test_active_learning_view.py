"""The view of a campaign, without a browser: it reads a folder that somebody else writes."""

import numpy as np
import pandas as pd
import pytest
from labkit_widgets import ActiveLearningView, Launcher, RunBrowser, RunPanel, panel_for
from labkit_widgets.active_learning_figures import bin_edges
from labkit_widgets.active_learning_ladder import cost_html, ladder_html
from labkit_widgets.active_learning_model import ActiveLearningModel, Cost, Limits, Rung, is_active_learning
from labkit_widgets.active_learning_view import NEWEST

from .active_learning_tasks import EXPLORED, Level, PretendsToLearn
from .tasks import WritesFrames


@pytest.fixture
def finished(store):
    return PretendsToLearn(rounds=6).run(store=store)


@pytest.fixture
def view(finished):
    view = ActiveLearningView(finished)
    yield view
    view.close()


def heights(figure) -> np.ndarray:
    return np.array([np.sum(trace.y) for trace in figure.data[:3]])


def test_the_histogram_shows_every_grade_of_the_newest_round_stacked_by_verdict(view):
    grades = view.grades[view.grades["round"] == 5]
    drawn = heights(view.histogram)
    usable = grades[np.isfinite(grades["predicted_eV_A"])]
    assert drawn.tolist() == [(usable["verdict"] == one).sum() for one in ("accurate", "candidate", "failed")]
    assert drawn.sum() == EXPLORED - 1
    assert "1 that cannot be drawn" in view.note.value
    assert view.histogram.layout.barmode == "stack"
    assert view.histogram.layout.xaxis.title.text == "Predicted error of the worst atom (eV/Å)"
    assert [trace.name.split(" (")[0] for trace in view.histogram.data[:3]] == ["accurate", "candidate", "failed"]


def test_both_thresholds_stand_in_the_histogram_and_are_those_of_the_chosen_round(view):
    lines = view.histogram.data[3:]
    assert [(line.x[0], line.name) for line in lines] == [(0.05, "lower threshold 0.05"), (0.4, "upper threshold 0.4")]
    view.round.value = 1
    assert [line.x[0] for line in view.histogram.data[3:]] == [0.1, 0.6]
    assert heights(view.histogram).sum() == EXPLORED - 1
    view.round.value = 0  # the first round of a level trains before anything is explored
    assert heights(view.histogram).sum() == 0
    assert "nothing explored" in view.note.value


def test_the_axis_of_the_histogram_is_logarithmic_or_linear(view):
    assert view.histogram.layout.xaxis.type == "log"
    view.scale.value = False
    assert view.histogram.layout.xaxis.type == "linear"
    assert heights(view.histogram).sum() == EXPLORED - 1


def test_the_verdicts_of_all_rounds_are_stacked_and_the_first_round_of_a_level_is_named(view):
    assert list(view.verdicts.data[0].x) == list(range(6))
    totals = np.sum([trace.y for trace in view.verdicts.data], axis=0)
    assert totals.tolist() == [0, EXPLORED, EXPLORED, 0, EXPLORED, EXPLORED]
    assert list(view.verdicts.layout.xaxis.ticktext) == ["0<br>quick", "1", "2", "3<br>sure", "4", "5"]


def test_errors_and_calibration_are_drawn_where_they_are_numbers(view):
    members, committee = view.errors.data
    assert list(committee.x) == [1, 2, 4, 5]
    assert committee.y[0] == pytest.approx(0.18)
    assert committee.name == "committee, new labels"
    assert len(members.x) == 24
    assert list(view.calibration.data[0].x) == [1, 2, 4, 5]
    assert view.calibration.layout.yaxis.title.text == "ENCE (1)"


def test_the_reliability_diagram_shows_the_bins_of_the_chosen_round_and_of_the_one_before(view):
    ideal, before, now = view.reliability.data
    assert list(ideal.x) == list(ideal.y)
    assert now.name == "round 5"
    rows = view.model.of_round("reliability", 4)
    assert list(before.y) == rows["observed_eV_A"].to_list()
    view.round.value = 1
    assert view.reliability.data[2].name == "round 1"
    assert len(view.reliability.data[1].x) == 0


def test_the_worst_structure_is_coloured_by_its_predicted_errors_and_follows_the_chosen_round(view):
    atoms = view.structure
    assert atoms.info["round"] == 5
    assert view.worst.atoms is atoms
    assert int(np.argmax(view.worst.values)) == 7
    assert view.worst.canvas._scene["style"][0]["params"]["colorScheme"] == "bfactor"
    tints = np.array(view.worst.canvas._scene["tints"])
    assert tints == pytest.approx(np.clip(view.worst.values / view.worst.end, 0, 1), abs=1e-3)
    assert f"worst: atom 7 (H), {view.worst.values[7]:.3g} eV/Å" in view.worst.scale.value
    first = view.worst.canvas._scene["id"]
    view.round.value = 2
    assert view.structure.info["round"] == 2
    assert view.worst.canvas._scene["id"] != first  # another structure of the same elements has other bonds
    assert "round 2 · level quick · H8O4 · 12 atoms" in view.caption.value


def test_the_ladder_has_a_lamp_for_each_level(view, store):
    assert [(rung.name, rung.rounds, rung.lamp) for rung in view.model.ladder(active=False)] == [
        ("quick", 3, "reached"), ("sure", 3, "reached"),
    ]  # fmt: skip
    assert view.ladder.value.count('data-lamp="reached"') == 2
    run = PretendsToLearn(rounds=1, levels=[Level(select_eV_A=1e-4), Level(reference="ccsd(t)")]).run(store=store)
    model = ActiveLearningModel(run)
    model.poll()
    rungs = model.ladder(active=True)
    assert [(rung.name, rung.lamp) for rung in rungs] == [("gfn2-xtb", "now"), ("ccsd(t)", "not yet")]
    assert [rung.lamp for rung in model.ladder(active=False)] == ["reached", "not yet"]
    html = ladder_html(rungs)
    assert "working on it" in html
    assert "not reached" in html
    assert "ccsd(t)" in html


def test_a_sweep_that_selects_nothing_lights_the_next_lamp():
    model = ActiveLearningModel.__new__(ActiveLearningModel)
    model._levels = [{"name": "a"}, {"name": "b"}]
    model.tables = {"rounds": pd.DataFrame({"step": [1], "level": ["a"], "explored": [9], "selected": [0]})}
    assert [rung.lamp for rung in model.ladder(active=True)] == ["reached", "now"]
    model.tables["rounds"]["explored"] = 0  # the first round of a level trains before anything is explored
    assert [rung.lamp for rung in model.ladder(active=True)] == ["now", "not yet"]


def test_the_cost_counts_labels_failures_and_cpu_time(view):
    cost = view.model.cost()
    rounds = view.rounds
    assert (cost.labels, cost.failures) == (int(rounds["labels_total"].iloc[-1]), 1)
    assert (cost.explore_s, cost.label_s, cost.train_s) == (375.0, 600.0, 1440.0)
    assert f"{cost.labels} labels (1 failed) · CPU 40 min 15 s" in view.cost.value
    assert "explore 6 min 15 s" in view.cost.value
    assert cost_html(Cost()) == "<div><b>0 labels · CPU 0 s</b></div>"


def test_a_finished_campaign_says_why_it_stopped(view):
    assert "the last sweep selected nothing." in view.why.value
    assert view.thresholds.apply.disabled


def test_a_view_made_before_the_first_round_grows_says_the_stage_and_stops(store, soon):
    run = PretendsToLearn(rounds=400, pause_s=0.3).launch(store=store)
    view = ActiveLearningView(run)
    assert len(view.rounds) == 0
    assert "waiting for the first explored structures" in view.note.value
    soon(lambda: len(view.rounds) >= 3)
    soon(lambda: "round" in view.status._line.value)
    assert view.round.options[0] == ("newest", NEWEST)
    assert view.round.label == "newest"
    soon(lambda: len(view.round.options) >= 5)
    view.round.value = 1
    shown = len(view.rounds)
    soon(lambda: len(view.rounds) > shown + 1)
    assert view.round.value == 1  # new rounds do not take the chosen one away
    assert view.structure.info["round"] == 1
    view.status.stop.click()
    soon(lambda: run.state == "cancelled")
    soon(lambda: view.thresholds.apply.disabled)
    assert view.why.value == ""
    view.close()


def test_thresholds_moved_in_the_view_are_controls_that_the_next_round_uses(store, soon):
    run = PretendsToLearn(rounds=400, pause_s=0.3, levels=[Level()]).launch(store=store)
    view = ActiveLearningView(run)
    fields = view.thresholds
    assert (fields.lower.value, fields.upper.value) == (0.1, 0.6)
    soon(lambda: len(view.rounds) >= 1)
    fields.lower.value, fields.upper.value = 0.02, 0.3
    assert (fields.lower.value, fields.upper.value) == (0.02, 0.3)
    fields.apply.click()
    soon(lambda: run.json("control").get("lower_eV_A") == 0.02)
    assert run.json("control")["upper_eV_A"] == 0.3
    soon(lambda: view.rounds["lower_eV_A"].iloc[-1] == 0.02)
    soon(lambda: 0.3 in (view.histogram.data[4].x or ()))
    soon(lambda: "own: 0.1 to 0.6 eV/Å" in fields.note.value)
    other = ActiveLearningView(run)
    assert other.thresholds.lower.value == 0.02
    run.cancel()
    other.close()
    view.close()


def test_thresholds_the_wrong_way_round_are_explained_beside_the_fields_and_not_sent(store, soon):
    run = PretendsToLearn(rounds=400, pause_s=0.3).launch(store=store)
    view = ActiveLearningView(run)
    soon(lambda: run.state == "running")
    view.thresholds.lower.value = 0.9
    assert "lower threshold (0.9 eV/Å) must be below the upper one (0.6 eV/Å)" in view.thresholds.error.value
    view.thresholds.apply.click()
    assert not run.json("control")
    view.thresholds.lower.value = 0.0
    assert "positive numbers" in view.thresholds.error.value
    view.thresholds.lower.value = 0.2
    assert view.thresholds.error.value == ""
    run.cancel()
    view.close()


def test_a_control_that_cannot_be_written_is_said_beside_the_fields(finished, soon):
    view = ActiveLearningView(finished)

    def refuse(**_):
        raise OSError("the disk is full")

    finished.set_controls = refuse
    view.thresholds.send()
    soon(lambda: "the disk is full" in view.thresholds.error.value)
    view.close()


def test_a_campaign_gets_its_own_panel_wherever_runs_are_shown(store, finished, soon):
    assert is_active_learning(finished)
    frames = WritesFrames(frames=2).run(store=store)
    for run, kind in ((finished, ActiveLearningView), (frames, RunPanel)):
        panel = panel_for(run)
        assert type(panel) is kind
        panel.close()
    browser = RunBrowser(store)
    browser.select(finished.id)
    browser.open_button.click()
    assert type(browser._place.children[0]) is ActiveLearningView
    browser.close()
    launcher = Launcher(PretendsToLearn, store=store)
    launcher.form.set(rounds=1)
    launcher.start.click()
    assert type(launcher.panel) is ActiveLearningView
    soon(lambda: launcher.run.state == "finished")
    launcher.close()


def test_a_broken_table_is_said_and_the_rest_stays(finished, soon):
    view = ActiveLearningView(finished)
    path = finished.folder / "rounds.csv"
    path.write_text("step,level\n0,0,0,0\n1\n0,0,1,2,3\n", encoding="utf-8")
    soon(lambda: "The campaign could not be read" in view.error.value)
    assert view.structure is not None
    view.close()


def test_rounds_without_rows_or_frames_are_empty_pictures(store):
    run = PretendsToLearn(rounds=3).run(store=store)
    (run.folder / "frames.extxyz").unlink()
    (run.folder / "rounds.csv").unlink()
    view = ActiveLearningView(run)
    assert view.structure is None
    assert heights(view.histogram).sum() == EXPLORED - 1
    view.round.value = 1
    assert "no structure of this round" in view.caption.value
    view.close()


def test_bins_cover_all_values_and_both_thresholds_on_either_axis():
    values = np.array([0.01, 0.5])
    for log in (True, False):
        edges = bin_edges(values, [0.1, 2.0], log)
        assert edges[0] < 0.01
        assert edges[-1] > 2.0
        assert np.histogram(values, edges)[0].sum() == 2
        assert np.abs(edges - 0.1).min() < 1e-12
        assert np.diff(np.log(edges) if log else edges) == pytest.approx(np.diff(np.log(edges) if log else edges)[0])
    assert np.isfinite(bin_edges(np.zeros(0), [], True)).all()
    assert (np.diff(bin_edges(np.zeros(3), [], False)) > 0).all()


def test_a_threshold_without_an_upper_end_is_no_line():
    assert "must be below" in Limits(2.0, 1.0).problem()
    assert Limits(0.1, 0.2).problem() == ""
    rung = Rung("a", "xtb", Limits(0.1, np.inf), 1, "now")
    assert "from 0.1 eV/Å · 1 round<" in ladder_html([rung])


def test_names_that_look_like_markup_are_text(store):
    rung = Rung("<b onclick=x>", "<img>", Limits(0.1, 0.2), 0, "not yet")
    assert "<img>" not in ladder_html([rung])
    assert "<b onclick" not in ladder_html([rung])
