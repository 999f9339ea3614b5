"""Hops are chosen, computed and read off in a real JupyterLab, and paths are watched; on ipykernel 6 and 7."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from .lab import HEIGHT, WIDTH, drawn_fraction

TASKS = Path(__file__).resolve().parents[1] / "widgets" / "neb_tasks.py"
SETUP = """
import warnings; warnings.simplefilter("error")
from ase.build import bulk
from labkit.structures import named
from labkit_widgets.hop_explorer import HopExplorer
from labkit_widgets.neb_view import NebView
from neb_tasks import PretendsToFindPaths, path
"""
RUNNING = "run = PretendsToFindPaths(steps=4000, pause_s=0.3).launch(); view = NebView(run); view"
COMPARED = (
    'before, after = path("Li1-Li2 2.85 Å", height_eV=0.31), path("Li1-Li2 2.85 Å")\n'
    'compared = NebView([after, path("Li1-Li3", height_eV=0.8)], compare=before, labels=("fine-tuned", "before"))\n'
    "compared"
)
GRAPH = (
    'olivine = HopExplorer(named("LiFePO4"), barriers={0: 0.24, 1: (0.9, 0.9)}, search={"max_distance_A": 6.1})\n'
    "olivine"
)
EXPLORER = (
    'copper = HopExplorer(bulk("Cu", cubic=True), "Cu", potential="emt", search={"max_distance_A": 3.7}, '
    "min_length_A=5.0, images=3)\ncopper"
)
#: Colours of the tube and the moving ion, of the highest image, and of a hop that is chosen.
ION, SADDLE, CHOSEN = (0xE6, 0x9F, 0x00), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)


@pytest.fixture(scope="module")
def page(lab):
    shutil.copy(TASKS, lab.server.root / TASKS.name)
    lab.open("barriers.ipynb", SETUP, RUNNING, COMPARED, GRAPH, EXPLORER)
    lab.page.set_viewport_size({"width": 1440, "height": 1500})  # a whole explorer with the path below
    lab.run_cell(0)
    yield lab
    lab.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    lab.ask("from labkit.runs import Store\nfor run in Store().runs():\n    run.cancel()")


def shown(page, cell: int):
    """The output area of a cell, scrolled into view."""
    area = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-Cell-outputWrapper")
    area.locator(".lk-root").first.wait_for()
    return area


def evaluate(page, cell: int, script: str):
    """Run a script with the plots (`plots`) and the 3D canvases (`canvases`) of a cell at hand."""
    return page.page.evaluate(
        """([cell, script]) => { const area = document.querySelector(`.jp-Cell[data-windowed-list-index='${cell}']`);
        const plots = [...area.querySelectorAll('.js-plotly-plot')];
        return new Function('plots', 'canvases', script)(plots, [...area.querySelectorAll('.labkit-ngl')]); }""",
        [cell, script],
    )


def wait_for(page, cell: int, script: str, what: str, timeout: float = 40.0) -> None:
    wait_until(lambda: evaluate(page, cell, script), what, timeout)


def near(pixels: np.ndarray, colour: tuple[int, int, int], within: int = 110) -> np.ndarray:
    """Which pixels have a colour near this one, shape (height, width)."""
    return np.abs(pixels.astype(int) - colour).sum(axis=-1) < within


def inside(mask: np.ndarray) -> tuple[int, int]:
    """A pixel (x, y) as far inside a region as can be."""
    from scipy.ndimage import distance_transform_edt

    y, x = np.unravel_index(distance_transform_edt(mask).argmax(), mask.shape)
    return int(x), int(y)


def wait_until(condition, what: str, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: it did not happen in time"
        time.sleep(0.2)


def test_the_profile_of_a_running_band_changes_by_step(page):
    page.run_cell(1)
    area = shown(page, 1)
    drawn = "return plots.length >= 1 && plots[0].querySelectorAll('.scatterlayer .point').length >= 7;"
    wait_for(page, 1, drawn, "the profile")
    wait_for(page, 1, "return canvases.length && Number(canvases[0].dataset.shapes) > 10;", "the tube")
    highest = "return Math.max(...plots[0].data[1].y);"
    before = evaluate(page, 1, highest)
    wait_for(page, 1, f"return Math.max(...plots[0].data[1].y) < {before} - 1e-4;", "a later step")
    for words in ("Distance along the path (Å)", "Energy relative to the start (eV)", "Largest force (eV/Å)"):
        area.get_by_text(words, exact=True).first.wait_for()
    area.get_by_text("straight line between the end states").wait_for()
    page.screenshot(f"neb_running_{page.kernel}", area)
    assert page.errors == []


def test_stop_ends_a_run_of_bands_within_two_seconds(page):
    area = shown(page, 1)
    began = time.monotonic()
    area.locator(".lk-danger:enabled", has_text="Stop").click()
    area.locator(".lk-badge", has_text="cancelled").first.wait_for(timeout=20_000)
    stopped = time.monotonic() - began
    print(f"{page.kernel}: Stop of a run of bands answered after {stopped:.2f} s")
    assert stopped < 2.5
    area.locator(".lk-badge", has_text="stopped").wait_for()
    assert page.errors == []


def test_the_slider_moves_the_ion_along_the_tube_and_the_ring_along_the_profile(page):
    page.run_cell(2)
    area = shown(page, 2)
    wait_for(page, 2, "return canvases.length && Number(canvases[0].dataset.frames) >= 1;", "the picture")
    wait_for(page, 2, "return Number(canvases[0].dataset.shapes) > 10;", "the tube")
    canvas = area.locator(".labkit-ngl").first
    page.page.wait_for_timeout(800)
    start = page.screenshot(f"neb_canvas_start_{page.kernel}", canvas)
    assert drawn_fraction(start) > 0.02
    assert near(start, ION).sum() > 200
    assert near(start, SADDLE).sum() > 20
    frames = int(canvas.get_attribute("data-frames"))
    handle = area.locator(".noUi-handle").last
    handle.focus()
    for _ in range(24):
        handle.press("ArrowRight")
    area.get_by_text("between images 3 and 4").wait_for()
    wait_for(page, 2, f"return Number(canvases[0].dataset.frames) > {frames};", "a move")
    page.page.wait_for_timeout(800)
    moved = page.screenshot(f"neb_canvas_moved_{page.kernel}", canvas)
    assert (np.abs(moved.astype(int) - start).sum(axis=-1) > 60).mean() > 0.002
    assert evaluate(page, 2, "return plots[0].data[4].x[0];") == pytest.approx(1.27, abs=0.15)
    area.get_by_role("button", name="Saddle").click()
    area.get_by_text("image 4 of 7").wait_for()
    assert page.errors == []


def test_two_potentials_are_on_one_axes_with_one_legend_entry_each(page):
    area = shown(page, 2)
    legend = evaluate(page, 2, "return [...plots[0].querySelectorAll('.legendtext')].map((one) => one.textContent);")
    assert legend == ["fine-tuned", "before"]
    area.get_by_text("+0.090 eV").first.wait_for()
    page.screenshot(f"neb_compared_{page.kernel}", area)
    area.locator("select", has_text="Li1-Li3").select_option(index=1)
    area.get_by_text("before has no such path").wait_for()
    assert page.ask("print(compared.path.name)").strip() == "Li1-Li3"
    assert page.errors == []


def test_a_click_on_a_hop_in_the_picture_chooses_it(page):
    page.run_cell(3)
    area = shown(page, 3)
    wait_for(page, 3, "return canvases.length && Number(canvases[0].dataset.shapes) > 20;", "the hop graph")
    wait_for(page, 3, "return Number(canvases[0].dataset.frames) >= 1;", "the atoms")
    canvas = area.locator(".labkit-ngl").first
    page.page.wait_for_timeout(1000)
    before = page.screenshot(f"hops_{page.kernel}", area)
    assert drawn_fraction(before) > 0.02
    page.ask("olivine.choose(0)")  # says where in the picture this hop is
    page.page.wait_for_timeout(1000)
    x, y = inside(near(page.screenshot(f"hops_chosen_{page.kernel}", canvas), CHOSEN))
    page.ask("olivine.choose([])")
    page.page.wait_for_timeout(1000)
    pixels = page.screenshot(f"hops_canvas_{page.kernel}", canvas)
    assert page.ask("print(olivine.chosen)").strip() == "[]"
    canvas.click(position={"x": x, "y": y})
    wait_until(lambda: page.ask("print(olivine.chosen)").strip() == "[0]", "the choice")
    area.get_by_text("Li1-Li4 3.00 Å [010]", exact=True).first.wait_for()
    page.page.wait_for_timeout(500)
    chosen = page.screenshot(f"hops_chosen_{page.kernel}", canvas)
    assert near(chosen, CHOSEN).sum() > 100 + near(pixels, CHOSEN).sum()
    assert page.errors == []


def test_a_row_is_chosen_and_percolation_says_what_is_known(page):
    area = shown(page, 3)
    area.locator(".dataTable tbody tr", has_text="4.69").click()
    wait_until(lambda: page.ask("print(olivine.chosen)").strip() == "[1]", "the choice")
    area.get_by_text("≤ 0.240 eV").first.wait_for()
    area.get_by_text("not known yet").first.wait_for()
    area.get_by_text("2 of 4 barriers known").wait_for()
    page.screenshot(f"hops_row_{page.kernel}", area)
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.page.wait_for_timeout(2500)
    page.screenshot(f"hops_dark_{page.kernel}", area)
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    page.page.wait_for_timeout(2500)
    assert page.errors == []


def test_compute_barrier_launches_a_run_at_once_and_the_barrier_arrives_in_graph_and_list(page):
    page.run_cell(4)
    area = shown(page, 4)
    row = area.locator(".dataTable tbody tr").first
    row.click()
    compute = area.get_by_role("button", name="Compute barrier")
    compute.click()
    area.locator(".lk-danger").first.wait_for(timeout=15_000)
    area.get_by_role("cell", name="converged", exact=True).first.wait_for(timeout=120_000)
    barrier = page.ask("print(round(copper.barriers[0][0], 3))").strip()
    assert 0.4 < float(barrier) < 1.2
    area.get_by_role("cell", name=barrier, exact=True).first.wait_for()
    area.get_by_text(f"≤ {barrier} eV").first.wait_for()
    wait_for(page, 4, "return plots.length >= 1 && plots[0].data[0].x.length > 50;", "the profile below")
    wait_for(page, 4, "return canvases.length === 2 && Number(canvases[1].dataset.frames) >= 1;", "the path below")
    page.page.wait_for_timeout(800)
    page.screenshot(f"hops_computed_{page.kernel}", area)
    assert page.ask("print(copper.view.path.state, copper.run.state)").split() == ["converged", "finished"]
    assert page.errors == []


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
