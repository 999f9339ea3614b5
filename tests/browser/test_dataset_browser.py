"""The dataset browser in a real JupyterLab, on ipykernel 6 and 7: a click on a point opens its structure in 3D."""

import time

import pytest

from .lab import drawn_fraction

SETUP = """
import warnings; warnings.simplefilter("error")
from dataclasses import replace
import numpy as np
from ase.build import bulk
from labkit import datasets
from labkit_widgets.dataset_browser import DatasetBrowser
molybdenum = datasets.load("mo-mlearn")
noise = np.random.default_rng(0)
guess = datasets.Dataset([replace(one, energy=one.energy + 0.02 * len(one) * noise.normal(),
                                  forces=one.forces + 0.2 * noise.normal(size=one.forces.shape)) for one in molybdenum])
copper = []
for seed in range(40):
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.05, seed=seed)
    copper.append(datasets.Record(atoms, energy=0.0, forces=np.zeros((32, 3)), group="<img src=x onerror=alert(1)>"))
"""
CELLS = {
    "set": "browser = DatasetBrowser(molybdenum, guess); browser",
    "predicted": "live = DatasetBrowser(datasets.Dataset(copper, 'copper'), potential='emt'); live",
}


@pytest.fixture(scope="module")
def page(lab):
    lab.open("datasets.ipynb", SETUP, *CELLS.values())
    lab.run_all()
    return lab


def output(page, name):
    area = page.cell_that_shows(CELLS[name])
    area.locator(".lk-root").first.wait_for()
    area.locator(".scatterlayer .point").first.wait_for(state="attached")
    return area


def click_on_point(page, area, trace, number):
    """Put the mouse on a point of the first plot and click, as a user does."""
    path = area.locator(".js-plotly-plot").first.locator(".scatterlayer .trace").nth(trace).locator("path.point")
    path.nth(number).scroll_into_view_if_needed()
    box, before = path.nth(number).bounding_box(), None
    while box != before:  # pictures above it may still be growing
        time.sleep(0.3)
        box, before = path.nth(number).bounding_box(), box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.mouse.move(x - 3, y - 2)
    page.page.mouse.move(x, y, steps=3)
    time.sleep(0.3)
    page.page.mouse.down()
    page.page.mouse.up()


def wait_for(page, code, wanted, timeout=10):
    deadline = time.monotonic() + timeout
    while (said := page.ask(f"print({code})").strip()) != wanted:
        assert time.monotonic() < deadline, f"{code} is {said}, not {wanted}"
        time.sleep(0.2)


def test_points_bars_table_and_atoms_are_shown(page):
    area = output(page, "set")
    assert area.locator(".scatterlayer .point").count() >= 194
    assert area.locator(".barlayer .point").count() >= 4
    area.get_by_role("cell", name="AIMD-NVT").wait_for()
    canvas = area.locator(".labkit-ngl[data-frames]").first
    canvas.wait_for()
    time.sleep(1)
    assert drawn_fraction(page.screenshot(f"dataset_atoms_{page.kernel}", canvas)) > 0.01
    page.screenshot(f"dataset_browser_{page.kernel}", area)
    assert page.errors == []


def test_a_click_on_a_point_opens_its_structure(page):
    area = output(page, "set")
    # The smallest volume of a surface: nothing else lies above or beside this point.
    surface = page.ask("print(list(molybdenum.groups()).index('Surface'))").strip()
    series = "browser.model.picture('Energy and volume').series[int(" + surface + ")]"
    number = int(page.ask(f"print(int(np.argmin({series}.x)))"))
    record = page.ask(f"print({series}.records[{number}])").strip()
    click_on_point(page, area, int(surface), number)
    wait_for(page, "browser.index", record)
    formula = page.ask(f"print(molybdenum[{record}].composition)").strip()
    area.get_by_text(f"{record} of 194: {formula}").wait_for()
    count = page.ask(f"print(len(molybdenum[{record}]))").strip()
    page.page.wait_for_function(
        "count => [...document.querySelectorAll('.labkit-ngl')].some(e => e.dataset.atoms === count)", arg=count
    )
    assert page.errors == []


def test_a_point_of_the_parity_plot_opens_its_record_and_the_flag_takes_it_out(page):
    area = output(page, "set")
    area.locator("select").filter(has_text="Parity of forces").first.select_option("Parity of forces")
    area.get_by_text("Predicted force component (eV/Å)").wait_for()
    series = "browser.model.picture('Parity of forces').series[1]"
    number = int(page.ask(f"print(int(np.argmax({series}.x)))"))
    record = page.ask(f"print({series}.records[{number}])").strip()
    click_on_point(page, area, 1, number)
    wait_for(page, "browser.index", record)
    area.get_by_placeholder("why (optional)").fill("far out")
    area.get_by_role("button", name="Flag", exact=True).click()
    area.get_by_role("button", name="Unflag").wait_for()
    assert page.ask("print(browser.flagged, len(browser.kept))").strip() == f"[{record}] 193"
    area.get_by_text("1 flagged, 193 kept").wait_for()
    page.screenshot(f"dataset_parity_{page.kernel}", area)
    area.get_by_role("button", name="Save flags").click()
    area.get_by_text("1 flags written to").wait_for()
    assert "far out" in (page.server.root / "mo-mlearn.flags.json").read_text(encoding="utf-8")
    assert page.errors == []


def test_predictions_of_a_potential_arrive_with_their_columns(page):
    area = output(page, "predicted")
    wait_for(page, "live.comparison is not None", "True")
    area.get_by_text("Forces RMSE (meV/Å)").first.wait_for()
    area.get_by_role("cell", name="<img src=x onerror=alert(1)>").first.wait_for()
    page.screenshot(f"dataset_predicted_{page.kernel}", area)
    assert page.errors == []
    assert page.outside() == []
