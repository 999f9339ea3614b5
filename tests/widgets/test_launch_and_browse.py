"""Launcher, run browser and the whole lab, without a browser."""

import time

import pytest
from labkit_widgets import Launcher, RunBrowser, lab, theme
from labkit_widgets.browser_model import BrowserModel

from .tasks import AllFields, Fails, WritesFrames


def test_start_answers_at_once_with_a_run_and_its_views(store, soon):
    launcher = Launcher(WritesFrames, store=store)
    launcher.form.set(frames=5, pause_s=0.1)
    launcher.name.value = "first <b>try</b>"
    began = time.monotonic()
    launcher.start.click()
    assert time.monotonic() - began < 1.0
    assert launcher.run.name == "first <b>try</b>"
    soon(lambda: launcher.run.state == "finished")
    soon(lambda: launcher.panel.trajectory.slider.max == 4)
    assert "<b>try" not in launcher.panel.status._head.value
    launcher.close()


def test_start_is_off_until_the_form_is_complete_and_says_why(store):
    launcher = Launcher(AllFields, store=store)
    assert launcher.start.disabled
    assert "choose a structure first" in launcher._hint.value
    assert launcher.launch() is None
    assert "Structure is needed" in launcher.error.value
    launcher.close()


def test_a_store_that_cannot_be_written_is_explained_beside_start(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    from labkit.runs import Store

    launcher = Launcher(WritesFrames, store=Store(blocked))
    launcher.start.click()
    assert launcher.run is None
    assert "lk-error" in launcher.error.value
    launcher.close()


def test_another_kind_of_task_has_its_own_form(store):
    launcher = Launcher([WritesFrames, Fails], store=store)
    assert launcher.kind.layout.display == "flex"
    launcher.kind.value = 1
    assert launcher.form.model.model_class is Fails
    launcher.close()


@pytest.fixture
def three_runs(store):
    runs = [
        WritesFrames(frames=3).run(store=store, name="sodium <i>one</i>"),
        WritesFrames(frames=3).run(store=store, name="two"),
    ]
    runs.append(Fails().launch(store=store).wait(20))
    broken = store.root / "broken-folder"
    broken.mkdir()
    (broken / "task.json").write_text("{")
    return runs


def test_the_browser_lists_runs_filters_them_and_names_broken_folders(store, three_runs):
    model = BrowserModel(store)
    assert model.refresh()
    assert not model.refresh()
    assert len(model.rows) == 3
    assert model.kinds == ("Fails", "WritesFrames")
    model.state = "failed"
    model.refresh()
    assert [row.kind for row in model.rows] == ["Fails"]
    model.state, model.text = None, "sodium"
    model.refresh()
    assert [row.id for row in model.rows] == [three_runs[0].id]
    assert [folder.name for folder, _ in model.broken] == ["broken-folder"]


def test_a_run_is_opened_duplicated_and_deleted_after_a_question(store, three_runs):
    browser = RunBrowser(store)
    assert browser.open_button.disabled
    assert "broken-folder" in browser._broken.value
    browser.select(three_runs[1].id)
    assert browser.run.id == three_runs[1].id
    browser.open_button.click()
    assert browser._place.children[0].run.id == three_runs[1].id
    browser.duplicate_button.click()
    assert browser._place.children[0].form.task == three_runs[1].task
    browser.delete_button.click()
    assert browser._confirm.layout.display == "flex"
    assert three_runs[1].folder.exists()
    browser.keep.click()
    assert browser._confirm.layout.display == "none"
    browser.delete_button.click()
    browser.really.click()
    assert not three_runs[1].folder.exists()
    assert browser.run is None
    assert len(browser.model.rows) == 2
    browser.close()


def test_a_run_that_is_selected_stays_selected_when_another_appears(store, three_runs, soon):
    browser = RunBrowser(store)
    browser.select(three_runs[0].id)
    WritesFrames(frames=1).run(store=store, name="four")
    soon(lambda: len(browser.model.rows) == 4)
    soon(lambda: browser.table.selected_rows == [[row.id for row in browser.model.rows].index(three_runs[0].id)])
    assert browser.run.id == three_runs[0].id
    browser.close()


def test_names_of_runs_are_never_markup_in_the_table(store, three_runs):
    browser = RunBrowser(store)
    assert "<i>" not in str(browser.table._dt_args)
    assert "&lt;i&gt;" in str(browser.table._dt_args)
    browser.select(three_runs[0].id)
    browser.delete_button.click()
    assert "<i>" not in browser._question.value
    browser.close()


def test_a_run_that_is_active_is_not_deleted_and_the_reason_is_shown(store):
    run = WritesFrames(frames=1000, pause_s=0.05).launch(store=store)
    browser = RunBrowser(store)
    browser.select(run.id)
    browser.delete_button.click()
    browser.really.click()
    assert run.folder.exists()
    assert "cancel" in browser.error.value
    run.cancel()
    browser.close()


def test_the_lab_feeds_the_picked_structure_to_the_form_and_lists_its_runs(store):
    whole = lab(tasks=[AllFields, WritesFrames], start="NaCl", store=store)
    assert whole.launcher.form.is_valid
    assert whole.launcher.form.task.structure == whole.structure
    whole.picker.library.pick("Si")
    assert set(whole.launcher.form.task.structure.get_chemical_symbols()) == {"Si"}
    whole.launcher.start.click()
    assert whole.run is not None
    whole.run.wait(20)
    whole.close()


def test_sentences_are_escaped_and_lists_have_one_item_for_each():
    html = theme.message("<script>one</script>\ntwo")
    assert "<script>" not in html
    assert html.count("<li>") == 2
    assert theme.message("") == ""


def test_colours_come_from_the_colour_blind_safe_palette():
    from labkit.plots import CYCLE

    assert theme.palette() == list(CYCLE)
    assert theme.STATE_COLOURS["running"] in CYCLE
