"""The spectrum of the NV centre in a real JupyterLab: sliders that are followed press by press, a mode clicked, a
measurement pasted; ipykernel 6 and 7.
"""

import time

import numpy as np
import pytest

from .answering import press
from .cells import happens, shown

SETUP = """
import warnings; warnings.simplefilter("error")
import numpy as np
from labkit.analysis.luminescence import huang_rhys
from labkit.analysis.luminescence_data import nv_diamond
from labkit.analysis.luminescence_modes import normal_modes
from labkit_widgets.spectrum_view import SpectrumView
centre = nv_diamond()
modes = normal_modes(centre.ground, centre.hessian_eV_A2)
softer = normal_modes(centre.ground, 0.9 * centre.hessian_eV_A2)
sets = {name: huang_rhys(one, centre.ground, centre.excited) for name, one in (("PBE", modes), ("softer", softer))}
"""
VIEW = """
view = SpectrumView(sets, 1.945)
view
"""
MEASURED = """
for nm in np.linspace(620, 780, 120):
    print(nm, view.line.at(1239.84 / nm) * (1239.84 / nm) ** 2)
"""


@pytest.fixture(scope="module")
def page(lab):
    lab.open("spectrum.ipynb", SETUP, VIEW)
    lab.run_cell(0)
    lab.run_cell(1)
    return lab


@pytest.fixture
def area(page):
    return shown(page, 1)


def figure(area, number):
    return area.locator(".js-plotly-plot").nth(number)


def test_the_spectrum_its_modes_and_the_atoms_are_drawn(page, area):
    figure(area, 0).get_by_text("Photon energy (eV)", exact=True).wait_for()
    figure(area, 1).get_by_text("Mode energy (meV)", exact=True).wait_for()
    assert happens(lambda: figure(area, 0).locator(".scatterlayer .js-line").count() == 2)
    assert happens(lambda: figure(area, 1).locator(".scatterlayer .points path.point").count() > 100)
    row = area.get_by_role("table", name="Huang-Rhys").locator("tr", has_text="PBE")
    assert "2.9271" in row.inner_text()
    assert "0.05355" in row.inner_text()
    area.locator(".labkit-ngl[data-scene]").wait_for(timeout=40_000)
    time.sleep(1)
    page.screenshot(f"spectrum_{page.kernel}", area)
    assert page.errors == []


def test_every_press_of_a_slider_is_followed_by_the_spectrum(page, area):
    page.ask("view.temperature.value = 200")  # below some 50 K nothing changes
    time.sleep(0.5)
    for number in range(4):  # temperature, gamma, sigma, ZPL
        assert len(press(page, area.locator(".noUi-handle").nth(number), figure(area, 0), 3)) == 3
    assert float(page.ask("print(view.temperature.value)")) == 215
    page.ask("view.temperature.value, view.gamma.value, view.sigma.value, view.zpl.value = 300, 2, 6, 1.945")
    assert page.errors == []


def test_a_click_on_a_stem_lets_its_mode_move(page, area):
    area.locator(".noUi-handle").first.scroll_into_view_if_needed()
    points = figure(area, 1).locator(".scatterlayer .trace").last.locator("path.point")
    heights = [point.bounding_box() for point in points.all()]
    others = sorted(range(len(heights)), key=lambda at: heights[at]["y"])
    points.nth(others[1]).scroll_into_view_if_needed()
    box = points.nth(others[1]).bounding_box()
    before = page.ask("print(view.mode)")
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert happens(lambda: page.ask("print(view.mode)") != before)
    assert page.ask("print(view.mode == int(np.argsort(-sets['PBE'].factors)[1]))").strip() == "True"
    assert happens(lambda: int(page.ask("print(view.mode_view.view.sent)")) > 5)
    area.locator(".lk-muted", has_text="N/IPR").first.wait_for()
    canvas = area.locator(".labkit-ngl").first
    page.ask("view.mode_view.play.playing = False; view.mode_view.slider.value = 0")
    time.sleep(1)  # what was sent before is drawn
    first = page.screenshot(f"spectrum_mode_{page.kernel}", canvas).astype(int)
    page.ask("view.mode_view.slider.value = 4")  # of 16: a quarter of a period
    assert happens(lambda: np.abs(page.screenshot("spectrum_moving", canvas).astype(int) - first).sum() > 0)
    assert page.errors == []


def test_a_measurement_is_pasted_and_an_error_stands_beside_its_box(page, area):
    box = area.get_by_placeholder("paste a measurement")
    box.fill("1.9 1\nnonsense here\n2.0 x")
    area.get_by_role("button", name="Overlay").click()
    area.get_by_role("alert").filter(has_text="line 2 holds no two numbers").wait_for()
    text = page.ask(MEASURED)
    box.fill(text)
    area.get_by_role("button", name="Overlay").click()
    assert happens(lambda: figure(area, 0).locator(".scatterlayer path.point").count() > 100)
    assert area.get_by_role("alert").count() == 0
    assert page.ask("print(view.measured.unit)").strip() == "nm"
    area.get_by_text("one effective mode").first.click()
    area.get_by_role("button", name="softer", exact=True).click()
    assert happens(lambda: page.ask("print(view.phonons.name)").strip() == "softer")
    assert happens(lambda: figure(area, 0).locator(".scatterlayer .js-line").count() == 3)
    time.sleep(0.5)
    page.screenshot(f"spectrum_measured_{page.kernel}", area)
    assert page.errors == []


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
