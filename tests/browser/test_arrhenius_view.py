"""Arrhenius points arrive in a real JupyterLab while runs work, and an iso-surface is drawn; ipykernel 6 and 7."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from .cells import happens

TASKS = Path(__file__).resolve().parents[1] / "widgets" / "arrhenius_tasks.py"
SETUP = """
import warnings; warnings.simplefilter("error")
import numpy as np
from ase import Atoms
from labkit.analysis.probability_density import probability_density
from labkit.structures import named
from labkit_widgets.arrhenius_view import ArrheniusView
from labkit_widgets.iso_surface import IsoSurface
from arrhenius_tasks import PretendsToDiffuse
ordered, disordered = named("Li6PS5Cl-chgnet"), named("Li6PS5Cl-chgnet")
ordered.info["name"], disordered.info["name"] = "ordered", "disordered"
"""
VIEW = """
task = PretendsToDiffuse(structures=[ordered, disordered], temperatures_K=[700, 900, 1200], rounds=100, pause_s=0.3)
run = task.launch()
view = ArrheniusView(run, experiment=[{"label": "pellet", "temperature_K": 298, "sigma_S_cm": 1.3e-3}])
view
"""
SURFACE = """
generator = np.random.default_rng(0)
frames = []
for _ in range(60):
    one = ordered.copy()
    lithium = one.symbols == "Li"
    one.positions[lithium] += generator.normal(0, 0.45, size=(lithium.sum(), 3))
    frames.append(one)
density = probability_density(frames, "Li", spacing_A=0.4, wrapped=False).smoothed(0.35)
surface = IsoSurface(density)
surface
"""


@pytest.fixture(scope="module")
def page(lab):
    shutil.copy(TASKS, lab.server.root / TASKS.name)
    lab.open("arrhenius.ipynb", SETUP, VIEW, SURFACE)
    lab.run_cell(0)
    yield lab
    lab.ask("run.cancel()")


def shown(page, cell):
    area = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-Cell-outputWrapper")
    area.locator(".lk-root").first.wait_for()
    return area


def test_points_arrive_with_their_bars_while_the_run_works(page):
    page.run_cell(1)
    area = shown(page, 1)
    area.get_by_text("disordered: extrapolated", exact=True).wait_for(timeout=30_000)
    # a mark of each point and of the experiment, a bar for each point
    assert happens(lambda: area.locator(".scatterlayer .points path.point").count() == 7)
    assert area.locator(".scatterlayer .errorbar").count() == 6
    dashed = [one.get_attribute("style") or "" for one in area.locator(".scatterlayer .js-line").all()]
    assert sum("stroke-dasharray" in style and "stroke-dasharray: none" not in style for style in dashed) >= 2
    area.get_by_text("extrapolated from 700 to 1200 K").first.wait_for()
    first = area.locator(".scatterlayer .errorbar path.yerror").first.get_attribute("d")
    assert happens(lambda: area.locator(".scatterlayer .errorbar path.yerror").first.get_attribute("d") != first)
    page.screenshot(f"arrhenius_{page.kernel}", area)
    assert page.errors == []


def test_the_other_quantity_is_one_click_away(page):
    area = shown(page, 1)
    area.get_by_role("button", name="σT", exact=True).click()
    area.get_by_text("σT (S K/cm)", exact=True).wait_for()
    area.get_by_text("S/cm (95 %").first.wait_for()
    page.screenshot(f"arrhenius_sigma_{page.kernel}", area)
    area.get_by_role("button", name="D", exact=True).click()
    area.get_by_text("D (cm²/s)", exact=True).first.wait_for()
    assert page.errors == []


def test_stop_ends_the_run_and_the_points_stay(page):
    area = shown(page, 1)
    area.locator(".lk-danger:enabled", has_text="Stop").click()
    area.locator(".lk-badge", has_text="cancelled").wait_for(timeout=30_000)
    assert area.locator(".scatterlayer .errorbar").count() == 6
    rows = area.get_by_role("table", name="Transport").locator("tr")
    assert rows.count() == 7
    assert page.errors == []


def green(pixels):
    """The share of pixels of the surface's colour: clearly more green than red, and not the chlorine's bright one."""
    red, middle, blue = (pixels[..., k].astype(int) for k in range(3))
    return float(((middle - red > 25) & (middle - blue > 5) & (blue - red > 10)).mean())


def test_the_iso_surface_is_drawn_and_the_slider_lets_it_grow(page):
    page.run_cell(2)
    area = shown(page, 2)
    canvas = area.locator(".labkit-ngl[data-volume]")
    canvas.wait_for(timeout=40_000)
    time.sleep(1)
    first = canvas.get_attribute("data-level")
    small = page.screenshot(f"iso_surface_{page.kernel}", area)
    assert green(small) > 0.01
    page.ask("surface.slider.value = 0.9")
    assert happens(lambda: canvas.get_attribute("data-level") != first)
    assert float(canvas.get_attribute("data-level")) < float(first)
    time.sleep(1)
    large = page.screenshot(f"iso_surface_90_{page.kernel}", area)
    assert np.abs(large.astype(int) - small).sum() > 0
    assert green(large) > 1.1 * green(small)
    assert page.errors == []


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
