"""A phase diagram of six phases in a real JupyterLab: the tie-line under the cursor, sliders that are followed press by
press, a dragged curve, a clicked compound, the hull at 0 K; ipykernel 6 and 7.
"""

import time

import numpy as np
import pytest

from .answering import press
from .cells import happens

SETUP = """
import warnings; warnings.simplefilter("error")
from ase.build import bulk
from ase.units import kB
from labkit.phase_diagrams.hull_entry import HullEntry
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase
from labkit_widgets.hull_view import HullView
from labkit_widgets.phase_diagram_view import PhaseDiagramView
phases = [
    SolutionPhase("liquid", lambda T: 0.10 - 1.2 * kB * T, lambda T: 0.12 - kB * T, (-0.02,)),
    SolutionPhase("α", 0.0, 0.02, (0.06,)), SolutionPhase("β", 0.03, 0.0, (0.05,)),
    LinePhase("A3B", 0.25, -0.010), LinePhase("AB", 0.5, -0.022), LinePhase("AB2", 2 / 3, -0.012, 0.1 * kB),
]
salt = bulk("NaCl", "rocksalt", a=5.6)
def entry(atoms, energy, name=""):
    return HullEntry(atoms, energy, "toy", name)
crystals = [entry(bulk("Na"), 0.0), entry(bulk("Cl", "fcc", a=5.0), 0.0), entry(salt, -1.0), entry(salt, -0.8, "high")]
"""
VIEW = """
view = PhaseDiagramView(phases, elements=("Na", "Cl"), structures={"AB": salt, "α": bulk("Na")}, temperature_K=600)
view
"""
HULL = """
hull = HullView(crystals)
hull
"""
#: Where a point of a plot is in the window.
PLACE = """
([css, x, y]) => { const plot = document.querySelector(`.js-plotly-plot.${css}`);
  const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)]; }
"""


@pytest.fixture(scope="module")
def page(lab):
    lab.page.set_viewport_size({"width": 1440, "height": 1300})
    lab.open("phase_diagram.ipynb", SETUP, VIEW, HULL)
    for number in range(3):
        lab.run_cell(number)
    return lab


@pytest.fixture
def area(page):
    page.page.evaluate("async () => await jupyterapp.shell.currentWidget.content.scrollToItem(1, 'start')")
    area = page.page.locator(".jp-Cell[data-windowed-list-index='1'] .jp-Cell-outputWrapper")
    area.locator("[data-cursor=ready]").wait_for()
    for css in ("lk-pd-map", "lk-pd-curves"):
        area.locator(f".{css} .scatterlayer .js-line").first.wait_for(state="attached")
    yield area
    page.page.mouse.up()  # whatever became of the test
    page.ask("view.controls.restore(); view.temperature.value = 600")


def point_at(page, css, x, y):
    """Move the pointer to a point of a plot; the last of several small moves, as a hand does it."""
    left, top = page.page.evaluate(PLACE, [css, x, y])
    page.page.mouse.move(left - 4, top - 4)
    page.page.mouse.move(left, top, steps=2)
    return left, top


def test_the_tie_line_under_the_cursor_is_drawn_and_said_without_a_word_to_the_kernel(page, area):
    words, tag = area.locator(".lk-pd-words"), area.locator(".lk-pd-map .lk-pd-tag")
    assert happens(lambda: words.inner_text() == page.ask("print(view.words)").strip())
    page.ask("heard = []; view.cursor.observe(heard.append); view.temperature.observe(heard.append)")
    point_at(page, "lk-pd-map", 0.3, 450.0)
    assert happens(lambda: words.inner_text().startswith("At 450 K and 30.0 % Cl: "))
    tag.get_by_text("450 K, 30.0 % Cl").wait_for()
    time.sleep(0.2)
    page.screenshot(f"phase_diagram_{page.kernel}", area)
    said = page.ask("found = view.diagram.equilibrium(450).at(0.3); print(*(100 * one.fraction for one in found))")
    for share in said.split():  # the page has interpolated between two temperatures
        shown = [float(one) for one in words.inner_text().replace(",", " ").split() if one.replace(".", "").isdigit()]
        assert min(abs(one - float(share)) for one in shown) < 0.15
    ends = area.locator(".lk-pd-map .lk-pd-layer:not(.lk-pd-base) circle.lk-pd-end")
    assert ends.count() == 2
    spread = ends.nth(1).bounding_box()["x"] - ends.nth(0).bounding_box()["x"]
    left, right = (page.page.evaluate(PLACE, ["lk-pd-map", x, 450.0])[0] for x in (0.0, 1.0))
    assert spread / (right - left) == pytest.approx(float(page.ask("print(0.5 - found[0].composition)")), abs=5e-3)
    point_at(page, "lk-pd-map", 0.3, 1300.0)
    assert happens(lambda: words.inner_text() == "At 1300 K and 30.0 % Cl: liquid alone.")
    point_at(page, "lk-pd-curves", 0.3, 0.0)
    assert happens(lambda: words.inner_text().startswith("At 600 K and 30.0 % Cl: "))
    assert (
        area.locator(".lk-pd-layer:not(.lk-pd-base) circle.lk-pd-end").count() == 4
    )  # the tangent and the same tie-line
    page.page.mouse.move(5, 5)
    assert happens(lambda: words.inner_text() == page.ask("print(view.words)").strip())
    assert page.ask("print(len(heard))").strip() == "0"
    assert page.errors == []


def test_every_press_of_a_slider_is_followed_by_plot_and_diagram(page, area):
    for handle, css in ((0, "lk-pd-curves"), (0, "lk-pd-map"), (3, "lk-pd-map"), (6, "lk-pd-map")):
        times = press(page, area.locator(".noUi-handle").nth(handle), area.locator(f".js-plotly-plot.{css}"), 3)
        assert len(times) == 3
    assert page.ask("print(view.controls.shifts_meV)").strip() == "[0.0, 1.5, 0.0, 0.0, 1.5, 0.0]"
    assert happens(lambda: page.ask("print(view._quick)").strip() == "False")
    assert page.errors == []


def test_a_curve_is_dragged_and_the_diagram_follows(page, area):
    energy = float(page.ask("import numpy as np; print(np.interp(0.3, *view.isotherm.curves[1]))"))
    left, top = point_at(page, "lk-pd-curves", 0.3, energy)
    assert happens(lambda: area.locator(".lk-pd-curves.lk-pd-grab").count() == 1)
    above = page.page.evaluate(PLACE, ["lk-pd-curves", 0.3, energy + 8.0])[1]
    before = area.get_by_role("table", name="Invariant reactions").inner_text()
    page.page.mouse.down()
    for part in np.linspace(0, 1, 15):
        page.page.mouse.move(left + 3 * part, top + part * (above - top))
        time.sleep(0.02)
    area.locator(".lk-pd-curves .lk-pd-tag").get_by_text("+8.0 meV/atom").wait_for()
    page.screenshot(f"phase_diagram_drag_{page.kernel}", area)
    page.page.mouse.up()
    assert happens(lambda: page.ask("print(view.controls.shifts_meV)").strip() == "[0.0, 8.0, 0.0, 0.0, 0.0, 0.0]")
    assert happens(lambda: area.get_by_role("table", name="Invariant reactions").inner_text() != before)
    page.page.mouse.move(5, 5)
    assert area.locator(".lk-pd-ghost").count() == 0
    area.get_by_role("button", name="Reset", exact=True).click()
    assert happens(lambda: page.ask("print(set(view.controls.shifts_meV), view._quick)").strip() == "{0.0} False")
    assert page.errors == []


def test_a_compound_is_clicked_and_its_structure_shown_and_so_it_is_at_0_K(page, area):
    left, top = point_at(page, "lk-pd-map", 0.5, 300.0)
    page.page.mouse.click(left, top)
    assert happens(lambda: abs(float(page.ask("print(view.temperature.value)")) - 300) < 3)
    area.get_by_text("AB: ClNa, 50.0 % Cl", exact=False).first.wait_for()
    area.locator(".labkit-ngl[data-scene]").wait_for(timeout=40_000)
    left, top = point_at(page, "lk-pd-curves", 0.0, 0.0)
    page.page.mouse.click(left, top)
    area.get_by_text("α: Na, 0.0 % Cl", exact=False).first.wait_for()
    area.get_by_role("button", name="T – µ").click()
    area.locator(".lk-pd-map").get_by_text("µ(Cl) − µ(Na) (eV)").wait_for()
    point_at(page, "lk-pd-map", 0.0, 500.0)
    assert happens(
        lambda: area.locator(".lk-pd-words").inner_text() == "At 500 K and µ(Cl) − µ(Na) = 0.000 eV: AB alone."
    )
    page.screenshot(f"phase_diagram_mu_{page.kernel}", area)
    page.page.evaluate("async () => await jupyterapp.shell.currentWidget.content.scrollToItem(2, 'start')")
    hull = page.page.locator(".jp-Cell[data-windowed-list-index='2'] .jp-Cell-outputWrapper")
    box = hull.locator(".scatterlayer .trace").nth(1).locator("path.point").bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    hull.get_by_text("100.0 meV/atom above NaCl", exact=False).wait_for()
    hull.locator(".labkit-ngl[data-scene]").wait_for(timeout=40_000)
    time.sleep(0.5)
    page.screenshot(f"hull_{page.kernel}", hull)
    assert page.errors == []
    assert page.outside() == []
