"""A campaign and an attack are watched and steered in a real JupyterLab, on ipykernel 6 and 7."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from .cells import evaluate, shown, wait_for
from .lab import HEIGHT, WIDTH, drawn_fraction

TASKS = Path(__file__).resolve().parents[1] / "widgets" / "active_learning_tasks.py"
SETUP = """
import warnings; warnings.simplefilter("error")
import labkit_widgets as lw
from active_learning_tasks import PretendsToAttack, PretendsToLearn
"""
VIEW = "run = PretendsToLearn(rounds=4000, pause_s=2.0).launch(); view = lw.ActiveLearningView(run); view"
FINISHED = "done = PretendsToLearn(rounds=8).run(); finished = lw.panel_for(done); finished"
ATTACK = (
    "slowly = dict(max_steps=5000, wanted_eV_A=8.0, tolerance=1e-3, approach=2e-3, pause_s=0.05)\n"
    "attack = PretendsToAttack(**slowly).launch(); dial = lw.AttackView(attack); dial"
)
ATTACKED = "over = PretendsToAttack(n_structures=4).run(); ended = lw.panel_for(over); ended"
BROWSER = "browser = lw.RunBrowser(); browser"
#: Colours of the scale of predicted errors: three quarters up, and the palest.
WRONG, RIGHT = (0xD5, 0x5E, 0x00), (0xDD, 0xE3, 0xEA)


@pytest.fixture(scope="module")
def page(lab):
    shutil.copy(TASKS, lab.server.root / TASKS.name)
    lab.open("active_learning.ipynb", SETUP, VIEW, FINISHED, ATTACK, ATTACKED, BROWSER)
    lab.page.set_viewport_size({"width": 1440, "height": 1400})  # a whole dashboard
    lab.run_cell(0)
    yield lab
    lab.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    lab.ask("from labkit.runs import Store\nfor run in Store().runs():\n    run.cancel()")


def controls(page, run: str) -> dict:
    return json.loads(page.ask(f"import json; print(json.dumps({run}.json('control')))"))


def near(pixels: np.ndarray, colour: tuple[int, int, int], within: int = 75) -> float:
    """Fraction of the pixels whose colour is near this one."""
    return float((np.abs(pixels.astype(int) - colour).sum(axis=-1) < within).mean())


def test_a_running_campaign_draws_its_plots_and_its_worst_structure(page):
    page.run_cell(1)
    area = shown(page, 1)
    wait_for(page, 1, "return plots.length === 5;", "five plots")
    wait_for(page, 1, "return plots[1].querySelectorAll('.barlayer .point').length >= 9;", "bars of three rounds")
    wait_for(page, 1, "return canvas && canvas.dataset.tinted === '12';", "the coloured structure")
    bars = evaluate(page, 1, "return plots[0].querySelectorAll('.barlayer .point').length;")
    assert bars > 10
    assert evaluate(page, 1, "return plots[4].querySelectorAll('.scatterlayer .point').length;") >= 8
    for words in ("Predicted error of the worst atom (eV/Å)", "Force RMSE (eV/Å)", "ENCE (1)", "Observed error (eV/Å)"):
        area.get_by_text(words, exact=True).first.wait_for()
    area.get_by_text("quick").first.wait_for()
    area.get_by_text("working on it").wait_for()
    area.get_by_text("labels").first.wait_for()
    page.screenshot(f"active_learning_{page.kernel}", area)
    assert page.errors == []


def test_a_threshold_moved_in_the_browser_arrives_in_the_run_folder(page):
    area = shown(page, 1)
    lower = area.locator("input[type=number]:visible").first
    assert float(lower.input_value()) == 0.1
    lower.fill("0.9")
    lower.press("Tab")
    area.get_by_role("alert").get_by_text("must be below the upper one").wait_for()
    area.get_by_role("button", name="Set", exact=True).click()
    page.screenshot(f"active_learning_refused_{page.kernel}", area)
    assert controls(page, "run") == {}
    lower.fill("0.03")
    lower.press("Tab")
    area.get_by_role("button", name="Set", exact=True).click()
    deadline = time.monotonic() + 10
    while controls(page, "run").get("lower_eV_A") != 0.03:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert controls(page, "run")["upper_eV_A"] == 0.6
    area.get_by_text("the level's own: 0.1 to 0.6 eV/Å").wait_for()
    wait_for(page, 1, "return plots[0].data[3].x && Number(plots[0].data[3].x[0]) === 0.03;", "the line in the plot")
    assert page.errors == []


def test_stop_ends_a_campaign_within_two_seconds(page):
    area = shown(page, 1)
    began = time.monotonic()
    area.locator(".lk-danger:enabled", has_text="Stop").click()
    area.locator(".lk-badge", has_text="cancelled").wait_for(timeout=20_000)
    stopped = time.monotonic() - began
    print(f"{page.kernel}: Stop of a campaign answered after {stopped:.2f} s")
    assert page.ask("print(view.run.state)").strip() == "cancelled"
    assert stopped < 2.5
    assert page.errors == []


def test_a_finished_campaign_says_why_and_shows_any_round(page):
    page.run_cell(2)
    area = shown(page, 2)
    area.get_by_text("the last sweep selected nothing.").wait_for()
    wait_for(page, 2, "return canvas && Number(canvas.dataset.frames) >= 1;", "the worst structure")
    canvas = area.locator(".labkit-ngl").first
    page.page.wait_for_timeout(500)
    pixels = page.screenshot(f"active_learning_worst_{page.kernel}", canvas)
    assert drawn_fraction(pixels) > 0.02
    assert near(pixels, RIGHT, 60) > 0.001
    assert near(pixels, WRONG, 120) > 0.0005
    scene = canvas.get_attribute("data-scene")
    chooser = area.locator("select", has_text="newest")
    assert chooser.evaluate("one => one.selectedOptions[0].label") == "newest"
    chooser.select_option(label="2")
    wait_for(page, 2, f"return canvas.dataset.scene !== '{scene}';", "another structure")
    area.get_by_text("round 2 · level quick").first.wait_for()
    assert page.ask("print(finished.structure.info['round'], len(finished.rounds), len(finished.grades))").split() == [
        "2", "8", "720",
    ]  # fmt: skip
    area.get_by_role("button", name="linear").click()
    wait_for(page, 2, "return plots[0].layout.xaxis.type === 'linear';", "the linear axis")
    area.locator("select", has_text="by predicted error").select_option(label="by element")
    page.page.wait_for_timeout(800)
    by_element = page.screenshot("active_learning_by_element", canvas)
    assert near(by_element, (0xFF, 0x0D, 0x0D), 160) > near(pixels, (0xFF, 0x0D, 0x0D), 160) + 0.002
    area.locator("select", has_text="by predicted error").select_option(label="by predicted error")
    area.get_by_role("button", name="log", exact=True).click()
    page.page.wait_for_timeout(500)
    page.screenshot(f"active_learning_finished_{page.kernel}", area)
    assert page.errors == []


def test_the_dial_and_the_atoms_move_and_the_wanted_error_is_turned_in_the_browser(page):
    page.run_cell(3)
    area = shown(page, 3)
    dial = "return plots.length === 2 && plots[0].querySelectorAll('.indicatorlayer path').length > 3;"
    wait_for(page, 3, dial, "the dial")
    wait_for(page, 3, "return Number(canvas.dataset.frames) >= 4;", "moving atoms")
    frames, steps = evaluate(page, 3, "return [Number(canvas.dataset.frames), plots[1].data[1].x.length];")
    wait_for(page, 3, f"return Number(canvas.dataset.frames) >= {frames + 4};", "more moves")
    wait_for(page, 3, f"return plots[1].data[1].x.length > {steps + 5};", "a longer curve")
    lines = "return [...plots[1].querySelectorAll('.js-line')].filter(one => one.getBBox().width > 50).length;"
    assert evaluate(page, 3, lines) == 2
    pixels = page.screenshot(f"attack_canvas_{page.kernel}", area.locator(".labkit-ngl").first)
    assert drawn_fraction(pixels) > 0.02
    page.screenshot(f"attack_{page.kernel}", area)
    handle = area.locator(".noUi-handle").last
    handle.focus()
    for _ in range(5):
        handle.press("ArrowLeft")
    deadline = time.monotonic() + 15
    while not 0 < controls(page, "attack").get("wanted_eV_A", 8.0) < 7.9:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    wait_for(page, 3, "return plots[0].data[0].gauge.threshold.value < 7.9;", "the mark of the dial")
    area.locator(".lk-danger:enabled", has_text="Stop").click()
    area.locator(".lk-badge", has_text="cancelled").first.wait_for(timeout=20_000)
    assert page.errors == []


def test_an_attack_that_is_over_says_how_each_structure_ended(page):
    page.run_cell(4)
    area = shown(page, 4)
    area.get_by_text("would be 0.31 Å apart").first.wait_for()
    assert area.locator("td .lk-badge").all_text_contents() == ["reached", "stopped", "reached", "stopped"]
    wait_for(page, 4, "return canvas && canvas.dataset.tinted === '12';", "the coloured structure")
    page.page.wait_for_timeout(500)
    pixels = page.screenshot(f"attack_ended_canvas_{page.kernel}", area.locator(".labkit-ngl").first)
    assert drawn_fraction(pixels) > 0.02
    page.screenshot(f"attack_ended_{page.kernel}", area)
    assert page.errors == []


def test_the_run_browser_opens_a_campaign_in_its_own_view(page):
    page.run_cell(5)
    page.ask("browser.select(done.id); browser.show()")
    area = shown(page, 5)
    area.get_by_text("Cost so far").wait_for()
    wait_for(page, 5, "return plots.length === 5 && canvas;", "the view of a campaign")
    assert page.errors == []


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
