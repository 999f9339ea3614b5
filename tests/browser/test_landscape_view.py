"""A landscape is opened leaf by leaf, cut, heated and compared in a real JupyterLab; on ipykernel 6 and 7."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from .lab import drawn_fraction

NETWORKS = Path(__file__).resolve().parents[1] / "widgets" / "landscape_networks.py"
SETUP = """
import warnings; warnings.simplefilter("error")
from labkit.landscapes.landscape17 import model_network, models, reference
from labkit_widgets.landscape_view import LandscapeView
from landscape_networks import random_network
model = next(name for name in models() if "mace" in name)
"""
ONE = "view = LandscapeView(reference('salicylic'))\nview"
TWO = "both = LandscapeView(reference('salicylic'), model_network(model, 'salicylic'), labels=('DFT', 'MACE'))\nboth"
LARGE = "large = LandscapeView(random_network(5000))\nlarge"


@pytest.fixture(scope="module")
def page(lab):
    shutil.copy(NETWORKS, lab.server.root / NETWORKS.name)
    lab.open("landscape.ipynb", SETUP, ONE, TWO, LARGE)
    lab.run_cell(0)
    return lab


def shown(page, cell):
    area = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-Cell-outputWrapper")
    area.locator(".lk-root").first.wait_for()
    return area


def wait_until(condition, what, timeout=40.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: it did not happen in time"
        time.sleep(0.2)


def evaluate(page, cell, script):
    """Run a script with the tree (`plot`) and the 3D canvas (`canvas`) of a cell at hand."""
    return page.page.evaluate(
        """([cell, script]) => { const area = document.querySelector(`.jp-Cell[data-windowed-list-index='${cell}']`);
        return new Function('plot', 'canvas', script)(area.querySelector('.js-plotly-plot'),
          area.querySelector('.labkit-ngl')); }""",
        [cell, script],
    )


def drawn(page, cell):
    script = "return !!plot && !!plot._fullLayout && plot.querySelectorAll('path.js-line').length > 0;"
    wait_until(lambda: evaluate(page, cell, script), "the tree")


def place_of(page, cell, trace, point):
    """Where a point of a trace (its name and which of that name) lies on the page, and which minimum it is."""
    script = """const [name, nth, point] = %s, one = plot._fullData.filter((t) => t.name.startsWith(name))[nth];
    const x = plot._fullLayout['xaxis' + one.xaxis.slice(1)], y = plot._fullLayout['yaxis' + one.yaxis.slice(1)];
    const r = plot.getBoundingClientRect(), at = one.customdata[point];
    return [r.x + x._offset + x.l2p(one.x[point]), r.y + y._offset + y.l2p(one.y[point]), at];"""
    return evaluate(page, cell, script % json.dumps([*trace, point]))


def cut_line(page, cell):
    """Where the line of the cut lies on the page, near its left end."""
    return evaluate(
        page,
        cell,
        """const r = plot.getBoundingClientRect(), l = plot._fullLayout;
        return [r.x + l.xaxis._offset + 0.03 * l.xaxis._length, r.y + l.yaxis._offset
          + l.yaxis.l2p(plot.layout.shapes[0].y0)];""",
    )


def drag(page, start, by):
    mouse = page.page.mouse
    mouse.move(*start)
    mouse.down()
    mouse.move(start[0], start[1] + by, steps=6)
    mouse.up()


def said(page, code):
    return page.ask(f"print({code})").strip()


def test_a_click_on_a_leaf_opens_its_minimum_and_a_saddle_of_the_list_its_film(page):
    page.run_cell(1)
    area = shown(page, 1)
    drawn(page, 1)
    wait_until(lambda: evaluate(page, 1, "return !!canvas && Number(canvas.dataset.frames) >= 1;"), "the structure")
    x, y, minimum = place_of(page, 1, ("minima", 0), 0)
    page.page.mouse.click(x, y)
    wait_until(lambda: said(page, "view.selected.index") == str(minimum), "the click")
    area.get_by_text(f"Minimum {minimum}", exact=True).wait_for()
    page.page.wait_for_timeout(800)
    still = page.screenshot(f"landscape_minimum_{page.kernel}", area.locator(".labkit-ngl"))
    assert drawn_fraction(still) > 0.02
    area.locator(".widget-select select").select_option(index=0)
    area.get_by_text("not a path of the potential").wait_for()
    frames = int(area.locator(".labkit-ngl").get_attribute("data-frames"))
    handle = area.locator(".noUi-handle:visible").last
    handle.focus()
    for _ in range(6):
        handle.press("ArrowRight")
    area.get_by_text("frame 17 of 21").wait_for()
    wait_until(lambda: evaluate(page, 1, f"return Number(canvas.dataset.frames) > {frames};"), "the film")
    assert said(page, "type(view.selected).__name__, view.point.view.frame") == "TransitionState 16"
    page.screenshot(f"landscape_film_{page.kernel}", area)
    assert page.errors == []


def test_the_cut_is_dragged_in_the_plot_and_superbasins_are_counted_and_coloured(page):
    area = shown(page, 1)
    before = float(said(page, "view.trees.cut_eV"))
    count = said(page, "len(view.superbasins)")
    drag(page, cut_line(page, 1), 90)
    wait_until(lambda: float(said(page, "view.trees.cut_eV")) < before - 0.05, "the drag")
    after = said(page, "len(view.superbasins)")
    assert after != count
    area.get_by_text(f"{after} superbasins").wait_for()
    at = "return plot.layout.shapes[0].y0 === plot.layout.shapes[0].y1 && plot.layout.shapes[0].y0;"
    wait_until(lambda: abs(evaluate(page, 1, at) - float(said(page, "view.trees.cut_eV"))) < 1e-6, "the line")
    # the branches of each superbasin in a colour of their own, the tree itself in one line
    colours = (
        "return new Set(plot._fullData.filter(t => t.x.length && t.mode === 'lines').map(t => t.line.color)).size;"
    )
    assert evaluate(page, 1, colours) >= 3
    page.screenshot(f"landscape_cut_{page.kernel}", area)
    assert page.errors == []


def test_the_temperature_slider_changes_rates_and_occupations(page):
    area = shown(page, 1)
    page.ask("view.select(view.network.global_minimum)")
    table = area.get_by_role("table", name="Kinetics")
    cold = table.inner_text()
    assert "Mean first passage time" in cold
    handle = area.locator(".noUi-handle:visible").last
    handle.focus()
    for _ in range(40):
        handle.press("PageUp")
    wait_until(lambda: table.inner_text() != cold, "the new rates")
    assert float(said(page, "view.passage.temperature_K")) > 310
    assert evaluate(page, 1, "return plot._fullData.some(t => t.line && t.line.width === 3 && t.x.length > 3);")
    assert page.errors == []


def test_two_trees_are_coloured_by_match_and_the_threshold_counts_live(page):
    page.run_cell(2)
    area = shown(page, 2)
    drawn(page, 2)
    found = int(page.ask("print(both.match.counts['minima_found'])", timeout=60))
    legend = "return [...plot.querySelectorAll('.legendtext')].map((one) => one.textContent);"
    wait_until(lambda: f"matched ({found})" in evaluate(page, 2, legend), "the legend")
    area.get_by_role("table", name="Comparison").get_by_role("cell", name=str(found)).first.wait_for()
    x, y, minimum = place_of(page, 2, ("matched", 1), 0)
    page.page.mouse.click(x, y)
    wait_until(lambda: said(page, "both.trees.chosen") == f"(1, {minimum})", "the click in the second tree")
    rings = "return plot._fullData.filter(t => t.marker && t.marker.size === 16 && t.x.length === 1).length;"
    wait_until(lambda: evaluate(page, 2, rings) == 2, "both rings")
    page.page.wait_for_timeout(800)
    page.screenshot(f"landscape_two_{page.kernel}", area)
    before = area.get_by_role("table", name="Comparison").inner_text()
    handle = area.locator(".noUi-handle:visible").first
    handle.focus()
    handle.press("Home")
    wait_until(lambda: area.get_by_role("table", name="Comparison").inner_text() != before, "the stricter counts")
    assert float(said(page, "both.match.threshold_A")) == pytest.approx(0.05)
    assert int(said(page, "both.match.counts['minima_found']")) <= found
    assert page.errors == []


def test_a_tree_of_5000_minima_draws_answers_the_cut_and_opens_leaves(page):
    page.run_cell(3)
    area = shown(page, 3)
    drawn(page, 3)
    assert evaluate(page, 3, "return plot.querySelectorAll('path.js-line').length;") < 20
    assert evaluate(page, 3, "return plot._fullData[0].x.length;") > 15_000
    pixels = page.screenshot(f"landscape_5000_{page.kernel}", area.locator(".js-plotly-plot"))
    assert drawn_fraction(pixels) > 0.02
    before = said(page, "len(large.superbasins)")
    drag(page, cut_line(page, 3), 50)
    wait_until(lambda: said(page, "len(large.superbasins)") != before, "the cut")
    count = f"{int(said(page, 'len(large.superbasins)')):,} superbasins"
    area.get_by_text(count).wait_for()
    page.page.wait_for_timeout(800)
    moved = page.screenshot(f"landscape_5000_cut_{page.kernel}", area.locator(".js-plotly-plot"))
    assert (np.abs(moved.astype(int) - pixels).sum(axis=-1) > 60).mean() > 0.002
    x, y, minimum = place_of(page, 3, ("minima", 0), 2500)
    page.page.mouse.click(x, y)
    wait_until(lambda: said(page, "large.selected.index") != said(page, "large.network.global_minimum.index"), "a leaf")
    chosen = int(said(page, "large.selected.index"))
    # leaves stand closer than a pixel: the one that answers is at the place of the click
    places = page.ask(f"d = large.trees.drawings[0]; print(d.place({chosen})[0] - d.place({minimum})[0])")
    assert abs(float(places)) < 25
    assert page.errors == []


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
