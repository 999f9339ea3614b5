"""Phonons in a real JupyterLab: two potentials over each other, a band clicked, its mode moving, a structure taken,
units changed; ipykernel 6 and 7.
"""

import time
from pathlib import Path

import numpy as np
import pytest

from .cells import happens, shown

SPRINGS = (Path(__file__).resolve().parents[1] / "widgets" / "phonon_tasks.py").read_text(encoding="utf-8")
SETUP = f"""
import warnings; warnings.simplefilter("error")
{SPRINGS.split("class PretendsToVibrate")[0]}
from labkit_widgets.phonon_view import PhononView
crystals = {{"CHGNet": perovskite(), "softer": perovskite(-0.7, 3.2), "salt": salt()}}
"""
VIEW = """
view = PhononView(crystals)
view
"""
#: Clicks a button and tells how long (ms) the axis of the plot took to follow.
LATENCY = """
async ([buttons, plot]) => {
  const title = () => plot.querySelector(".ytitle").textContent;
  const times = [];
  for (const button of buttons) {
    const before = title();
    const seen = new Promise((done, late) => {
      const timer = setTimeout(() => late("the plot did not follow"), 5000);
      const look = () => {
        if (title() !== before) { clearTimeout(timer); done(performance.now()); return; }
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    const start = performance.now();
    button.click();
    times.push((await seen) - start);
    await new Promise((go) => setTimeout(go, 400));
  }
  return times;
}
"""


@pytest.fixture(scope="module")
def page(lab):
    lab.open("phonons.ipynb", SETUP, VIEW)
    lab.run_cell(0)
    lab.run_cell(1)
    return lab


@pytest.fixture
def area(page):
    return shown(page, 1)


def test_bands_states_and_the_softest_mode_are_drawn(page, area):
    plot = area.locator(".js-plotly-plot").first
    plot.get_by_text("Frequency (THz)", exact=True).wait_for()
    assert happens(lambda: plot.locator(".subplot.xy .trace:has(.js-line)").count() == 2)
    assert happens(lambda: plot.locator(".subplot.x2y .trace:has(.js-line)").count() == 5)
    assert "Γ" in plot.locator(".xtick").first.text_content()
    assert plot.locator(".shapelayer path").count() == 1
    assert "4.28i THz" in area.get_by_role("table", name="Imaginary modes").inner_text()
    area.get_by_text("the structure gains energy along this mode").wait_for()
    area.locator(".labkit-ngl[data-scene]").wait_for(timeout=40_000)
    for name in ("Phase of the mode", "How far the atom that moves most goes"):
        assert area.get_by_role("slider", name=name).count() == 1
    assert area.get_by_role("button", name="Play", exact=True).count() == 1
    assert area.get_by_role("button", name="Share").count() == 0
    time.sleep(1)
    page.screenshot(f"phonons_{page.kernel}", area)
    assert page.errors == []


def test_a_click_on_a_band_moves_its_mode_and_its_structure_can_be_taken(page, area):
    plot, canvas = area.locator(".js-plotly-plot").first, area.locator(".labkit-ngl").first
    place = plot.evaluate(
        """(plot) => { const y = plot.data[0].y, x = plot.data[0].x; let best = -1;
        for (let n = 0; n < y.length; n++) { if (best < 0 || y[n] > y[best]) { best = n; } }
        const box = plot.getBoundingClientRect(), layout = plot._fullLayout;
        return [box.left + layout.xaxis._offset + layout.xaxis.c2p(x[best]),
                box.top + layout.yaxis._offset + layout.yaxis.c2p(y[best])]; }"""
    )
    before = page.ask("print(view.mode)")
    page.page.mouse.move(place[0], place[1] + 2)
    time.sleep(0.3)
    page.page.mouse.click(place[0], place[1] + 2)
    assert happens(lambda: page.ask("print(view.mode)") != before)
    highest = "view.mode.frequency_THz > view.crystal.bands().frequencies_THz.max() - 0.05"
    assert page.ask(f"print({highest})").strip() == "True"
    assert happens(lambda: int(page.ask("print(view.mode_view.view.sent)")) > 4)
    menu = area.get_by_role("combobox").filter(has_text="imaginary").first
    menu.select_option(index=1)
    area.get_by_text("the structure gains energy along this mode").wait_for()
    assert page.ask("print(view.mode.label, len(view.frames[0]))").strip() == "R 40"
    area.get_by_role("button", name="Take this structure").click()
    area.get_by_role("status").filter(has_text="view.structure holds 40 atoms").wait_for()
    assert page.ask("print(view.structure.get_chemical_formula())").strip() == "Ba8Fe8O24"
    page.ask("view.mode_view.play.playing = False; view.mode_view.slider.value = 0")
    time.sleep(0.5)
    small = page.screenshot("phonons_small", canvas).astype(int)
    page.ask("view.mode_view.amplitude.value = 1.2")
    assert happens(lambda: np.abs(page.screenshot(f"phonons_mode_{page.kernel}", canvas).astype(int) - small).sum() > 0)
    assert page.errors == []


def test_units_and_tabs_follow_at_once(page, area):
    plot = area.locator(".js-plotly-plot").first
    plot.scroll_into_view_if_needed()
    buttons = [area.get_by_role("button", name=name, exact=True).element_handle() for name in ("meV", "cm⁻¹", "THz")]
    times = page.page.evaluate(LATENCY, [buttons * 2, plot.element_handle()])
    print(f"{page.kernel}: {', '.join(f'{one:.0f}' for one in times)} ms")
    assert len(times) == 6  # each was followed; how fast depends on who shares the machine, and is printed
    area.get_by_role("tab", name="Thermal functions").click()
    area.get_by_role("table", name="Thermal functions").wait_for()
    warm = area.locator(".js-plotly-plot").filter(has_text="F (kJ/mol)")
    assert happens(lambda: warm.locator(".trace:has(.js-line)").count() == 7)
    time.sleep(0.5)
    page.screenshot(f"phonons_heat_{page.kernel}", area)
    area.get_by_role("tab", name="Bands and states").click()
    page.ask("view.chosen.value = 'salt'")
    assert happens(lambda: plot.locator(".subplot.xy .trace:has(.js-line)").count() == 1)
    time.sleep(0.5)
    page.screenshot(f"phonons_salt_{page.kernel}", area)
    assert page.errors == []
    assert page.outside() == []
