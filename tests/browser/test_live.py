"""Live work in a real JupyterLab: frames arrive, Start and Stop answer, also while a cell is busy; on ipykernel 6 and
7.
"""

import time

import pytest

from .lab import drawn_fraction

SETUP = """
import labkit_widgets as lw
from labkit.structures import named, supercell
from labkit.simulators import MolecularDynamics
from frames_task import WritesFrames
copper = supercell(named("Cu"), 10.0)
"""
LAUNCHER = """
task = MolecularDynamics(structure=copper, potential="emt", temperature_K=600, steps=100_000, frame_interval=5)
launcher = lw.Launcher(task)
launcher
"""
BUSY = "import time; time.sleep(4)"
LIVE = "run = WritesFrames(n_atoms={}, frames=5000).launch(); view = lw.TrajectoryView(run); view"
SIZES = {200: 5.0, 1000: 2.0}
TRIES = 3


@pytest.fixture(scope="module")
def page(lab):
    lab.open("live.ipynb", SETUP, LAUNCHER, BUSY, *(LIVE.format(n) for n in SIZES))
    lab.run_cell(0)
    yield lab
    lab.ask("from labkit.runs import Store\nfor run in Store().runs():\n    run.cancel()")


def frames(page, cell: int) -> int:
    """How many frames the canvas of a cell has drawn."""
    canvas = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .labkit-ngl").first
    return int(canvas.get_attribute("data-frames") or 0)


def wait_for_frames(page, cell: int, count: int) -> None:
    page.page.wait_for_function(
        """([cell, count]) => { const canvas = document.querySelector(
        `.jp-Cell[data-windowed-list-index='${cell}'] .labkit-ngl`);
        return canvas && Number(canvas.dataset.frames || 0) >= count; }""",
        arg=[cell, count],
    )


@pytest.mark.parametrize(("n_atoms", "least"), SIZES.items())
def test_live_frames_are_drawn_fast_enough(page, n_atoms, least, record_property):
    cell = 3 + list(SIZES).index(n_atoms)
    page.run_cell(cell)
    wait_for_frames(page, cell, 4)
    first, began = frames(page, cell), time.monotonic()
    time.sleep(4)
    rate = (frames(page, cell) - first) / (time.monotonic() - began)
    canvas = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .labkit-ngl").first
    pixels = page.screenshot(f"live_{n_atoms}_{page.kernel}", canvas)
    later = page.screenshot("live_later", canvas)
    page.ask("run.cancel()")
    print(f"{n_atoms} atoms on {page.kernel}: {rate:.1f} frames/s drawn")
    record_property("frames_per_s", rate)
    assert rate >= least
    assert drawn_fraction(pixels) > 0.02
    assert (pixels != later).any()
    assert page.errors == []


def start(page) -> float:
    """Press Start; return the seconds until the run's Stop button is on the screen."""
    stop = page.page.locator(".lk-danger:enabled", has_text="Stop")
    began = time.monotonic()
    page.page.get_by_role("button", name="Start", exact=True).click()
    stop.wait_for(timeout=30_000)
    return time.monotonic() - began


def test_start_answers_within_one_second_and_stop_within_two_while_dynamics_run(page):
    page.run_cell(1)
    page.page.get_by_role("button", name="Start", exact=True).wait_for()
    seconds = stopped = float("inf")
    for _ in range(TRIES):  # whatever else the machine does makes a try slower, never quicker
        seconds = min(seconds, start(page))
        wait_for_frames(page, 1, 6)
        page.screenshot(f"running_{page.kernel}")
        began = time.monotonic()
        page.page.locator(".lk-danger:enabled", has_text="Stop").click()
        page.page.locator(".lk-badge", has_text="cancelled").wait_for(timeout=30_000)
        stopped = min(stopped, time.monotonic() - began)
        print(f"{page.kernel}: Start answered after {seconds:.2f} s, Stop after {stopped:.2f} s")
        if seconds < 1.0 and stopped < 2.0:
            break
    assert seconds < 1.0
    assert stopped < 2.0
    assert page.ask("print(launcher.run.state)").strip() == "cancelled"
    assert page.errors == []


def test_curves_and_atoms_go_on_while_a_cell_is_busy_and_stop_is_obeyed(page):
    start(page)
    wait_for_frames(page, 1, 4)
    page.run_cell(2, wait=False)
    page.page.evaluate("async () => await window.jupyterapp.shell.currentWidget.content.scrollToItem(1, 'start')")
    time.sleep(1.0)
    before = frames(page, 1)
    time.sleep(1.5)
    assert frames(page, 1) > before + 2
    page.page.locator(".lk-danger:enabled", has_text="Stop").click()
    # ipykernel 7 may answer while the cell is busy, ipykernel 6 answers when it is over: 4 s after it began.
    page.page.locator(".lk-badge", has_text="cancelled").wait_for(timeout=6_000)
    assert page.errors == []
