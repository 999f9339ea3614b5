"""A training is watched in a real JupyterLab, on ipykernel 6 and 7: curves grow, Stop stops, the card is there."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

TASKS = Path(__file__).resolve().parents[1] / "widgets" / "training_tasks.py"
SETUP = """
import warnings; warnings.simplefilter("error")
import labkit_widgets as lw
from labkit.potentials import load
from training_tasks import PretendsToTrain
"""
VIEW = "run = PretendsToTrain(epochs=4000, pause_s=0.1).launch(); view = lw.TrainingView(run); view"
CARD = "card = lw.PotentialCard('chgnet'); card"
FINISHED = "done = PretendsToTrain(epochs=30, saves_best=True).run(); finished = lw.panel_for(done); finished"
LAUNCHER = "launcher = lw.Launcher(PretendsToTrain(epochs=4000, pause_s=0.1)); launcher"


@pytest.fixture(scope="module")
def page(lab):
    shutil.copy(TASKS, lab.server.root / TASKS.name)
    lab.open("training.ipynb", SETUP, VIEW, CARD, FINISHED, LAUNCHER)
    lab.run_cell(0)
    yield lab
    lab.ask("from labkit.runs import Store\nfor run in Store().runs():\n    run.cancel()")


def shown(page, cell: int):
    """The output area of a cell, scrolled into view."""
    area = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-Cell-outputWrapper")
    area.locator(".lk-root").first.wait_for()
    return area


def points(page, cell: int) -> int:
    """Points of the first curve of a cell, as plotly has drawn them: the vertices of its path."""
    path = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .scatterlayer .js-line").first
    return (path.get_attribute("d") or "").replace("M", "L").count("L")


def data_points(page, cell: int) -> int:
    """Points that plotly holds for the first curve of a cell."""
    return page.page.evaluate(
        """(cell) => { const plot = document.querySelector(
        `.jp-Cell[data-windowed-list-index='${cell}'] .js-plotly-plot`);
        return plot && plot.data && plot.data[0] && plot.data[0].x ? plot.data[0].x.length : 0; }""",
        cell,
    )


def wait_for_points(page, cell: int, count: int) -> None:
    deadline = time.monotonic() + 20
    while data_points(page, cell) < count:
        assert time.monotonic() < deadline, f"the curve has {data_points(page, cell)} points"
        time.sleep(0.1)


def test_curves_grow_while_the_training_goes_on_and_stop_stops_within_two_seconds(page):
    page.run_cell(1)
    area = shown(page, 1)
    wait_for_points(page, 1, 4)
    first = data_points(page, 1)
    time.sleep(2.5)
    assert data_points(page, 1) >= first + 8
    assert points(page, 1) > 4
    for words in ("Loss", "Energy MAE (meV/atom)", "Force MAE (meV/Å)", "Learning rate", "Reference force (eV/Å)"):
        area.get_by_text(words, exact=True).first.wait_for()
    area.get_by_text("an epoch").first.wait_for()
    assert area.locator(".legendtext").all_text_contents() == ["training", "validation"]
    page.screenshot(f"training_{page.kernel}", area)
    began = time.monotonic()
    area.locator(".lk-danger:enabled", has_text="Stop").click()
    area.locator(".lk-badge", has_text="cancelled").wait_for(timeout=30_000)
    stopped = time.monotonic() - began
    print(f"{page.kernel}: Stop of a training answered after {stopped:.2f} s")
    assert page.ask("print(view.run.state)").strip() == "cancelled"
    assert page.errors == []


def test_a_resumed_training_goes_on_where_it_stopped(page):
    area = shown(page, 1)
    before = data_points(page, 1)
    area.get_by_role("button", name="Resume").click()
    wait_for_points(page, 1, before + 4)
    page.ask("run.cancel()")
    assert page.errors == []


def test_the_card_shows_the_elements_the_licence_and_a_measured_speed(page):
    page.run_cell(2)
    area = shown(page, 2)
    for words in ("89 elements", "Modified BSD (BSD-3-Clause-LBNL)", "6 Å", "MPtrj, 5 % test split"):
        area.get_by_text(words).first.wait_for()
    table = area.get_by_role("img", name="89 elements")
    assert table.locator(".lk-on").count() == 89
    lithium = table.locator(".lk-el[title='Lithium: covered']")
    radon = table.locator(".lk-el[title='Radon: not covered']")
    boxes = [one.bounding_box() for one in (lithium, radon)]
    assert boxes[0]["x"] < boxes[1]["x"]
    assert boxes[0]["y"] < boxes[1]["y"]
    pixels = page.screenshot(f"card_{page.kernel}", area).astype(int)
    assert (np.abs(pixels - (0x00, 0x72, 0xB2)).sum(axis=-1) < 30).mean() > 0.01
    area.get_by_role("button", name="Measure here").click()
    area.get_by_role("button", name="Measuring…").wait_for(timeout=2_000)
    area.get_by_text("atoms·steps per second").wait_for(timeout=60_000)
    assert float(page.ask("print(card.card.speed_atoms_steps_per_s)")) > 1
    assert page.errors == []


def test_a_finished_training_shows_parity_groups_and_the_card_of_its_best_potential(page):
    page.run_cell(3)
    area = shown(page, 3)
    area.get_by_text("Liquid", exact=True).wait_for()
    assert area.locator(".scatterlayer .point").count() >= 200
    area.get_by_text("Card of the best potential").click()
    area.get_by_text("fine-tuned").wait_for()
    area.get_by_role("img", name="89 elements").wait_for()
    page.screenshot(f"training_finished_{page.kernel}", area)
    assert page.ask("print(type(finished.potential).__name__)").strip() == "CHGNetPotential"
    assert page.errors == []


def test_the_launcher_shows_a_training_with_its_own_view_as_soon_as_it_starts(page):
    page.run_cell(4)
    area = shown(page, 4)
    began = time.monotonic()
    area.get_by_role("button", name="Start", exact=True).click()
    area.locator(".lk-danger:enabled", has_text="Stop").wait_for(timeout=10_000)
    assert time.monotonic() - began < 1.5
    area.get_by_text("Energy MAE (meV/atom)", exact=True).wait_for()
    page.screenshot(f"training_launcher_{page.kernel}", area)
    page.ask("launcher.run.cancel()")
    assert page.errors == []


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
