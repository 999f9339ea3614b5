"""The welcome notebook and the Voila page, as a user opens them: run all, look, and listen to the console."""

import re
import shutil
import time
from pathlib import Path

import pytest

from .lab import HEIGHT, WIDTH, LabPage, Server, drawn_fraction

REPOSITORY = Path(__file__).resolve().parents[2]
WELCOME = REPOSITORY / "notebooks" / "00_welcome.ipynb"


def test_the_welcome_notebook_runs_all_and_its_atoms_move(lab):
    shutil.copy(WELCOME, lab.server.root / WELCOME.name)
    lab.open(WELCOME.name)
    lab.run_all(timeout=120)
    panel = lab.cell_that_shows("RunPanel")
    canvas = panel.locator(".labkit-ngl").first
    canvas.wait_for()
    lab.page.wait_for_function("(canvas) => Number(canvas.dataset.frames || 0) >= 4", arg=canvas.element_handle())
    pixels = lab.screenshot(f"welcome_atoms_{lab.kernel}", canvas)
    lab.screenshot(f"welcome_{lab.kernel}")
    assert drawn_fraction(pixels) > 0.01
    panel.get_by_text("Temperature (K)").first.wait_for()
    answer = lab.cell_that_shows("DiffusionView")
    answer.get_by_text("D(Li) =").wait_for(timeout=60_000)
    lab.screenshot(f"welcome_answer_{lab.kernel}")
    began = time.monotonic()
    panel.locator(".lk-danger:enabled", has_text="Stop").click()
    panel.locator(".lk-badge", has_text="cancelled").wait_for(timeout=30_000)
    stopped = time.monotonic() - began
    print(f"{lab.kernel}: Stop of CHGNet dynamics answered after {stopped:.2f} s")
    assert lab.errors == []
    assert lab.outside() == []


@pytest.fixture(scope="module")
def voila(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voila")
    root, runs = folder / "pages", folder / "runs"
    root.mkdir()
    runs.mkdir()
    shutil.copy(REPOSITORY / "notebooks" / "app.ipynb", root / "lab.ipynb")
    server = Server(root, runs, app="voila")
    yield server
    server.stop()


def test_the_same_lab_is_a_voila_page(voila, browser):
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    lab = LabPage(context.new_page(), voila, "python3")
    # Voila's own template asks a CDN for Font Awesome, which the lab does not use: it gets an empty answer here.
    fonts = re.compile(r"https://(cdn\.jsdelivr\.net|cdnjs\.cloudflare\.com)/.*awesome.*")
    lab.page.route(fonts, lambda route: route.fulfill(status=200, body="", content_type="text/css"))
    lab.page.goto(f"{voila.url}/voila/render/lab.ipynb", timeout=90_000)
    canvas = lab.page.locator(".labkit-ngl[data-frames]").first
    canvas.wait_for(timeout=60_000)
    time.sleep(1.5)
    lab.screenshot("voila")
    assert drawn_fraction(lab.screenshot("voila_canvas", canvas)) > 0.01
    lab.page.get_by_role("tab", name="2  Launch").click()
    lab.page.get_by_role("button", name="Start", exact=True).wait_for()
    lab.screenshot("voila_launch")
    assert lab.errors == []
    assert [url for url in lab.outside() if "awesome" not in url] == []
    context.close()
