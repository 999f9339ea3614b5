"""Every widget appears in a real JupyterLab, on ipykernel 6 and 7, without one console error and without the
internet.
"""

import re
import time

import numpy as np
import pytest

from .lab import drawn_fraction, fits

SETUP = """
import warnings; warnings.simplefilter("error")
import numpy as np, pandas as pd
import labkit_widgets as lw
from labkit.structures import named, supercell
from labkit.simulators import MolecularDynamics, Relaxation
from frames_task import WritesFrames
run = WritesFrames(n_atoms=64, frames=60, pause_s=0.0).run(name="<img src=x onerror=alert(1)>")
"""
CELLS = {
    "atoms": "view = lw.AtomsView(supercell(named('LiCoO2'), 9.0)); view",
    "picker": "picker = lw.StructurePicker('LiFePO4'); picker",
    "form": "form = lw.TaskForm(MolecularDynamics, structure=picker); form",
    "trajectory": "trajectory = lw.TrajectoryView(run); trajectory",
    "curves": "curves = lw.LiveCurves(run); curves",
    "diffusion": "diffusion = lw.DiffusionView(run); diffusion",
    "run": "panel = lw.RunView(run); panel",
    "launcher": "launcher = lw.Launcher([Relaxation, MolecularDynamics], structure=picker); launcher",
    "runs": "runs = lw.RunBrowser(); runs",
    "lab": "lab = lw.lab(); lab",
}


@pytest.fixture(scope="module")
def page(lab):
    lab.open("widgets.ipynb", SETUP, *CELLS.values())
    lab.run_all()
    return lab


def output(page, name: str):
    """The output area of the cell that shows one widget, scrolled into view."""
    number = 1 + list(CELLS).index(name)
    page.page.evaluate(
        """async (n) => { const notebook = window.jupyterapp.shell.currentWidget.content;
        notebook.activeCellIndex = n; await notebook.scrollToItem(n, 'start'); }""",
        number,
    )
    area = page.page.locator(f".jp-Cell[data-windowed-list-index='{number}'] .jp-Cell-outputWrapper")
    area.locator(".lk-root").first.wait_for()
    return area


@pytest.mark.parametrize("name", CELLS)
def test_each_widget_is_shown(page, name):
    area = output(page, name)
    time.sleep(0.7)
    page.screenshot(f"widget_{name}_{page.kernel}", area)
    assert area.bounding_box()["height"] > 40
    assert page.errors == []


@pytest.mark.parametrize("name", ["atoms", "picker", "trajectory", "lab"])
def test_the_canvas_shows_atoms_and_the_whole_cell_not_only_a_background(page, name):
    canvas = output(page, name).locator(".labkit-ngl").first
    canvas.locator("xpath=self::*[@data-frames]").wait_for()
    time.sleep(0.5)
    pixels = page.screenshot(f"canvas_{name}_{page.kernel}", canvas)
    assert drawn_fraction(pixels) > 0.01
    assert fits(pixels)


def test_the_cell_is_drawn_in_its_three_axis_colours(page):
    pixels = page.screenshot("cell", output(page, "picker").locator(".labkit-ngl").first).astype(int)
    for colour in ((0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)):
        hue = np.array(colour) / np.linalg.norm(colour)
        norm = np.linalg.norm(pixels, axis=-1) + 1e-9
        assert ((pixels @ hue / norm > 0.985) & (norm > 60)).sum() > 20


def test_choosing_another_structure_by_mouse_changes_picture_and_facts(page):
    area = output(page, "picker")
    area.get_by_placeholder("search: name, formula, tag …").fill("naphthalene")
    area.get_by_text(re.compile(r"^[12] of \d+$")).wait_for()
    area.locator("select").filter(has_text="naphthalene").first.select_option(index=0)
    area.get_by_text("C10H8 · 18 atoms").wait_for()
    page.page.wait_for_function(
        "() => [...document.querySelectorAll('.labkit-ngl')].some(e => e.dataset.atoms === '18')"
    )
    assert page.ask("print(picker.structure.get_chemical_formula())").strip() == "C10H8"


def test_a_wrong_number_typed_into_the_form_is_explained_under_it(page):
    area = output(page, "form")
    box = area.locator(".lk-row", has_text="Temperature").locator("input").first
    box.fill("-40")
    box.press("Enter")
    area.get_by_text("Temperature must be at least 0 K; -40.0 K was given.").wait_for()
    box.fill("400")
    box.press("Enter")
    area.get_by_text("must be at least 0 K").wait_for(state="hidden")
    assert page.ask("print(form.task.temperature_K)").strip() == "400.0"


def test_copy_as_python_reaches_the_clipboard(page):
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    form = output(page, "form")
    form.get_by_role("button", name="Copy as Python").click()
    form.get_by_role("button", name="Hide Python").wait_for()
    deadline = time.monotonic() + 5
    while not (copied := page.page.evaluate("() => navigator.clipboard.readText()")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert copied.strip() == page.ask("print(form.code)").strip()
    form.get_by_role("button", name="Hide Python").click()


def test_a_file_is_uploaded_and_a_broken_one_is_refused_with_its_reason(page, tmp_path):
    area = output(page, "picker")
    area.get_by_role("tab", name="Upload").click()
    good = tmp_path / "<img src=x onerror=alert(1)>.xyz"
    good.write_text("3\nwater\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n")
    chooser = area.get_by_label("Choose a file")
    chooser.set_input_files(good)
    area.get_by_text("H2O · 3 atoms").wait_for()
    bad = tmp_path / "page.cif"
    bad.write_text("<html><script>alert(1)</script></html>")
    chooser.set_input_files(bad)
    area.get_by_text("page.cif is a web page").wait_for()
    page.screenshot(f"upload_refused_{page.kernel}", area)
    big = tmp_path / "big.xyz"
    big.write_bytes(b"0" * 25_000_000)
    chooser.set_input_files(big)
    area.get_by_text("big.xyz is 25.0 MB; files up to 20 MB are read.").wait_for()
    large = tmp_path / "large.xyz"  # above the 10 MB that one message may have, below the limit
    large.write_text(f"3\n{'comment ' * 1_500_000}\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n")
    chooser.set_input_files(large)
    area.get_by_text("large.xyz", exact=True).wait_for()
    area.get_by_text(f"{large.stat().st_size:,} bytes").wait_for()
    area.get_by_text("H2O · 3 atoms").wait_for()
    area.get_by_role("tab", name="Library").click()


def test_a_row_of_the_run_table_is_selected_by_mouse_and_opened(page):
    area = output(page, "runs")
    area.get_by_role("cell", name="<img src=x onerror=alert(1)>").first.click()
    area.get_by_role("button", name="Open").click()
    area.locator(".labkit-ngl[data-frames]").first.wait_for()
    page.screenshot(f"run_opened_{page.kernel}", area)


def test_plots_and_pictures_follow_the_dark_theme(page):
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    canvas = output(page, "trajectory").locator(".labkit-ngl").first
    time.sleep(2)
    pixels = page.screenshot(f"dark_{page.kernel}", canvas)
    page.screenshot(f"dark_page_{page.kernel}")
    page.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    assert np.median(pixels) < 60
    assert drawn_fraction(pixels) > 0.01


def test_atoms_are_there_again_after_the_page_is_reloaded(page):
    page.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    assert page.errors == []
    page.page.reload()
    page.wait_idle()
    # ipywidgets asks for all 1,500 models of this page at once, and one by one if no answer has come after 4 s.
    page.page.locator(".jp-Cell[data-windowed-list-index='1'] .lk-root").first.wait_for(timeout=90_000)
    canvas = output(page, "atoms").locator(".labkit-ngl[data-frames]").first
    canvas.wait_for()
    time.sleep(1)
    assert drawn_fraction(page.screenshot("reloaded", canvas)) > 0.01
    # ipywidgets draws every cell once before it has asked the kernel for its models, says so, and draws them again.
    page.errors = [error for error in page.errors if "widget model not found" not in error]


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
