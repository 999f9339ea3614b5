"""A landscape exploration is watched, clicked on and stopped in a real JupyterLab, on ipykernel 6 and 7."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from .cells import evaluate, shown, wait_for
from .lab import HEIGHT, WIDTH, drawn_fraction

TASKS = Path(__file__).resolve().parents[1] / "widgets" / "exploration_tasks.py"
SETUP = """
import warnings; warnings.simplefilter("error")
from labkit_widgets.exploration_view import ExplorationView
from exploration_tasks import PretendsToExplore
"""
LIVE = "run = PretendsToExplore(minima=400, pause_s=0.25).launch(); view = ExplorationView(run); view"
THEME = "(name) => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab ' + name })"
FINISHED = "done = PretendsToExplore(minima=14).run(); finished = ExplorationView(done); finished"
SADDLES, MINIMA = 5, 6  # traces of the graph: five classes of lines, then the marks
#: Where a point of a trace stands in the page, and where the browser says that it drew the disc.
PLACE = """const plot = plots[{plot}], trace = plot.data[{trace}];
  const box = plot.getBoundingClientRect(), x = plot._fullLayout.xaxis, y = plot._fullLayout.yaxis;
  return [box.left + x._offset + x.d2p(trace.x[{point}]), box.top + y._offset + y.d2p(trace.y[{point}])];"""


@pytest.fixture(scope="module")
def page(lab):
    shutil.copy(TASKS, lab.server.root / TASKS.name)
    lab.open("exploration.ipynb", SETUP, LIVE, FINISHED)
    lab.page.set_viewport_size({"width": 1440, "height": 1400})
    lab.run_cell(0)
    yield lab
    lab.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    lab.ask("from labkit.runs import Store\nfor run in Store().runs():\n    run.cancel()")


def click(page, cell: int, plot: int, trace: int, point: int) -> None:
    """Press the mouse where a point of a plot stands."""
    x, y = evaluate(page, cell, PLACE.format(plot=plot, trace=trace, point=point))
    page.page.mouse.move(x - 1, y)
    page.page.mouse.move(x, y)
    page.page.wait_for_timeout(150)
    page.page.mouse.click(x, y)


def asked(page, code: str, wanted: str, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while (said := page.ask(f"print(({code}))").strip()) != wanted:
        assert time.monotonic() < deadline, f"{code} is {said}, not {wanted}"
        time.sleep(0.2)


def places(page, cell: int) -> dict[str, tuple[float, float]]:
    """Where the discs stand in the plot's own coordinates, by their words."""
    script = f"""const t = plots[0].data[{MINIMA}];
      return JSON.stringify(t.text.map((text, i) => [text.split('<')[0], t.x[i], t.y[i]]));"""
    return {name: (x, y) for name, x, y in json.loads(evaluate(page, cell, script))}


def test_a_running_exploration_grows_without_moving_what_is_drawn(page):
    page.run_cell(1)
    area = shown(page, 1)
    wait_for(page, 1, "return plots.length === 3;", "three plots")
    wait_for(page, 1, f"return plots[0].data[{MINIMA}].x.length >= 8;", "eight minima")
    wait_for(page, 1, "return canvas && Number(canvas.dataset.frames) >= 1;", "a structure in 3D")
    before = places(page, 1)
    wait_for(page, 1, f"return plots[0].data[{MINIMA}].x.length >= {len(before) + 3};", "a larger graph")
    drawn = f"return plots[0].querySelectorAll('.scatterlayer .point').length >= {2 * len(before)};"
    wait_for(page, 1, drawn, "discs and diamonds")
    after = places(page, 1)
    assert len(after) > len(before)
    assert all(np.allclose(after[name], place) for name, place in before.items())
    area.get_by_text("transition states", exact=True).first.wait_for()
    area.get_by_text("did not converge in 100 steps").first.wait_for()
    wait_for(page, 1, "return plots[2].data[0].x.length > 20;", "the growth curve")
    shapes = f"return plots[0]._fullData[{SADDLES}].marker.symbol + plots[0]._fullData[{MINIMA}].marker.symbol[2];"
    assert evaluate(page, 1, shapes) == "diamondstar"
    assert area.get_by_role("button", name="Open the landscape").count() == 0
    page.screenshot(f"exploration_live_{page.kernel}", area)
    messages = int(page.ask("print(len(view.growth))"))
    sent = page.ask(
        "import time; n = []; old = view._draw\n"
        "view._draw = lambda *a: (n.append(1), old(*a)); time.sleep(4); view._draw = old; print(len(n))"
    )
    assert int(sent) <= 5
    assert int(page.ask("print(len(view.growth))")) > messages
    assert page.errors == []


def test_pause_and_stop_are_answered_and_what_was_found_is_kept(page):
    area = shown(page, 1)
    area.get_by_role("button", name="Pause", exact=True).click()
    area.locator(".lk-badge", has_text="paused").wait_for(timeout=20_000)
    began = time.monotonic()
    area.locator(".lk-danger:enabled", has_text="Stop").click()
    area.locator(".lk-badge", has_text="cancelled").wait_for(timeout=20_000)
    stopped = time.monotonic() - began
    print(f"{page.kernel}: Stop of an exploration answered after {stopped:.2f} s")
    assert stopped < 2.5
    area.get_by_text("they are kept, and Resume goes on from them").wait_for()
    area.get_by_role("button", name="Open the landscape").wait_for()
    assert page.errors == []


def test_clicks_on_minima_and_lines_show_their_structures(page):
    page.run_cell(2)
    area = shown(page, 2)
    wait_for(page, 2, f"return plots.length === 3 && plots[0].data[{MINIMA}].x.length === 14;", "the whole graph")
    wait_for(page, 2, "return canvas && Number(canvas.dataset.frames) >= 1;", "a structure in 3D")
    asked(
        page, "finished.point", f"transition state {int(page.ask('print(finished.network.n_transition_states)')) - 1}"
    )
    click(page, 2, 0, MINIMA, 4)
    asked(page, "finished.point", "minimum 4")
    area.get_by_text("minimum 4 · ").first.wait_for()
    click(page, 2, 0, SADDLES, 2)
    asked(page, "finished.point", "transition state 2")
    asked(page, "finished.structure.info['transition_state']", "2")
    page.page.wait_for_timeout(800)
    page.screenshot(f"exploration_finished_{page.kernel}", area)
    assert drawn_fraction(page.screenshot(f"exploration_atoms_{page.kernel}", area.locator(".labkit-ngl").first)) > 0.02
    area.get_by_role("button", name="Newest").click()
    asked(page, "finished.shown.newest.value", "True")
    assert page.errors == []


def test_the_tree_takes_the_place_of_the_graph_and_the_graph_comes_back(page):
    area = shown(page, 2)
    area.get_by_role("button", name="tree", exact=True).click()
    area.get_by_text("Energy above the lowest (eV)").wait_for()
    wait_for(page, 2, "return plots[1].data[1].x.length === 14;", "the tree")
    wait_for(
        page,
        2,
        "return Math.abs(plots[1].getBoundingClientRect().width - plots[1]._fullLayout.width) < 2;",
        "its width",
    )
    page.page.wait_for_timeout(500)
    click(page, 2, 1, 1, 6)
    asked(page, "finished.point", f"minimum {page.ask('print(finished.tree._minima[6])').strip()}")
    page.page.wait_for_timeout(500)
    page.screenshot(f"exploration_tree_{page.kernel}", area)
    area.get_by_role("button", name="network", exact=True).click()
    wait_for(
        page, 2, f"return plots[0].querySelectorAll('.scatterlayer .point').length >= 14 + {SADDLES};", "the graph"
    )
    before = places(page, 2)
    area.get_by_role("button", name="Rearrange").click()
    assert set(places(page, 2)) == set(before)
    page.page.evaluate(THEME, "Dark")
    page.page.locator("body[data-jp-theme-light='false']").wait_for(state="attached")
    page.page.wait_for_timeout(1000)
    pixels = page.screenshot(f"exploration_dark_{page.kernel}", area.locator(".js-plotly-plot").first)
    page.page.evaluate(THEME, "Light")
    page.page.locator("body[data-jp-theme-light='true']").wait_for(state="attached")
    assert pixels.mean() < 90
    assert drawn_fraction(pixels) > 0.01
    assert page.errors == []


def test_the_whole_landscape_opens_below_a_finished_exploration(page):
    area = shown(page, 2)
    area.get_by_role("button", name="Open the landscape").click()
    asked(page, "type(finished.landscape).__name__, finished.end.error.value", "('LandscapeView', '')", 30)
    wait_for(page, 2, "return plots.length >= 4;", "the landscape's tree")
    page.page.wait_for_timeout(1500)
    page.screenshot(f"exploration_landscape_{page.kernel}", area)
    assert page.errors == []
    assert page.outside() == []
