"""A screening campaign in a real JupyterLab, on ipykernel 6 and 7: 10,000 rows that sort and filter at once, rows that
arrive while somebody reads, clicks and ticks that reach Python.
"""

import shutil
import time
from pathlib import Path

import pytest

from .lab import HEIGHT, WIDTH, drawn_fraction

TASKS = Path(__file__).resolve().parents[1] / "widgets" / "screening_tasks.py"
SETUP = """
import warnings; warnings.simplefilter("error")
import tempfile
from pathlib import Path
from labkit import screening
from labkit.runs import Store
from labkit_widgets.screening_table import ScreeningTable
from screening_tasks import PretendsToScreen, crystals, repeated
place = Path(tempfile.mkdtemp())
small = PretendsToScreen(count=200).run(store=place)
"""
LARGE = "large = ScreeningTable(repeated(small.folder, place / 'large', 50)); large"
LIVE = "run = PretendsToScreen(count=2000, pause_s=0.01).launch(); live = ScreeningTable(run); live"
REAL = """screening.run_screening(list(crystals(12)), ["geometry", "screening_tasks:path_and_spectrum"], place / "real",
                        processes=1)
real = ScreeningTable(place / "real"); real"""
LIMIT_MS = 500

#: Do something to the table and return the ms until the browser has drawn the answer.
TIMED = """async ([cell, act, argument]) => {
  const area = document.querySelector(`.jp-Cell[data-windowed-list-index='${cell}']`);
  const grid = area.querySelector('.lk-grid'), painted = () => Number(grid.dataset.painted);
  const before = painted(), began = performance.now();
  new Function('area', 'argument', act)(area, argument);
  while (painted() === before) { await new Promise((go) => setTimeout(go, 1)); }
  await new Promise((go) => requestAnimationFrame(() => setTimeout(go, 0)));
  return performance.now() - began; }"""
SORT = "[...area.querySelectorAll('.lk-grid-title')].find((one) => one.textContent.startsWith(argument)).click();"
SLIDE = """const slider = area.querySelector(`input[type=range][aria-label="${argument[0]}"]`);
  slider.value = argument[1]; slider.dispatchEvent(new Event('input', { bubbles: true }));"""
TYPE = """const field = area.querySelector(`input[aria-label="${argument[0]}"]`);
  field.value = argument[1]; field.dispatchEvent(new Event('input', { bubbles: true }));"""
PRESS = "[...area.querySelectorAll('.lk-grid-toggle')].find((one) => one.textContent === argument).click();"
CLEAR = "area.querySelector('.lk-grid-clear').click();"
TOP = """(() => { const scroll = area.querySelector('.lk-grid-scroll'), head = area.querySelector('.lk-grid-head');
  const edge = head.getBoundingClientRect().bottom;
  return Math.min(...[...area.querySelectorAll('.lk-grid-row')].filter((row) => row.style.display !== 'none'
    && row.getBoundingClientRect().top > edge - 20).map((row) => Number(row.dataset.candidate))); })()"""
FIRST = """[...area.querySelectorAll('.lk-grid-row')].filter((row) => row.style.display !== 'none')
  .sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
  .map((row) => Number(row.dataset.candidate))"""
THEME = "(name) => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab ' + name })"


@pytest.fixture(scope="module")
def page(lab):
    shutil.copy(TASKS, lab.server.root / TASKS.name)
    lab.open("screening.ipynb", SETUP, LARGE, LIVE, REAL)
    lab.page.set_viewport_size({"width": 1440, "height": 1400})
    lab.run_cell(0)
    yield lab
    lab.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    lab.ask("for one in Store().runs():\n    one.cancel()")


def shown(page, cell: int):
    area = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-Cell-outputWrapper")
    area.locator(".lk-grid-row").first.wait_for()
    return area


def timed(page, cell: int, act: str, argument=None) -> float:
    return page.page.evaluate(TIMED, [cell, act, argument])


def evaluate(page, cell: int, script: str):
    return page.page.evaluate(
        """([cell, script]) => { const area = document.querySelector(`.jp-Cell[data-windowed-list-index='${cell}']`);
        return new Function('area', 'return ' + script)(area); }""",
        [cell, script],
    )


def wait_for(page, code: str, wanted: str, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while (said := page.ask(f"print({code})").strip()) != wanted:
        assert time.monotonic() < deadline, f"{code} is {said}, not {wanted}"
        time.sleep(0.15)


def test_ten_thousand_candidates_are_shown_by_drawing_only_those_in_sight(page):
    page.run_cell(1)
    area = shown(page, 1)
    area.get_by_text("10,000 of 10,000 candidates").wait_for()
    assert area.locator(".lk-grid-row").count() < 60
    assert int(area.locator(".lk-grid-scroll").get_attribute("aria-rowcount")) == 10_001
    page.page.wait_for_timeout(1500)
    page.screenshot(f"screening_large_{page.kernel}", area)
    assert page.errors == []


def test_sorting_ten_thousand_rows_takes_less_than_half_a_second(page):
    took = {}
    for title in ("Hull distance", "Hull distance", "Formula", "Reason", "Energy", "Verdict", "No."):
        took[f"{title} {len(took)}"] = timed(page, 1, SORT, title)
    print(f"{page.kernel}: sorting 10,000 rows, ms:", {name: round(ms) for name, ms in took.items()})
    assert max(took.values()) < LIMIT_MS
    timed(page, 1, SORT, "Hull distance")
    wait_for(page, "large.grid.query['sort']", "hull_distance_eV_atom")
    distances = "large.shown['hull_distance_eV_atom'].dropna()"
    assert page.ask(f"print({distances}.is_monotonic_increasing, len({distances}) > 1000)").strip() == "True True"
    first = evaluate(page, 1, FIRST)
    assert first[:5] == [int(one) for one in page.ask("print(*large.grid.shown[:5])").split()]
    assert page.errors == []


def test_filtering_ten_thousand_rows_takes_less_than_half_a_second_and_agrees_with_pandas(page):
    area = shown(page, 1)
    took = {}
    hull, density = "Hull distance (eV/atom) at most", "Density (g/cm³) at least"
    for number, place in enumerate((900, 700, 500, 300, 150)):
        took[f"slider {number}"] = timed(page, 1, SLIDE, [hull, place])
    took["second slider"] = timed(page, 1, SLIDE, [density, 400])
    took["formula"] = timed(page, 1, TYPE, ["Filter Formula", "Li -Mg"])
    took["verdict"] = timed(page, 1, PRESS, "passed")
    print(f"{page.kernel}: filtering 10,000 rows, ms:", {name: round(ms) for name, ms in took.items()})
    assert max(took.values()) < LIMIT_MS
    wait_for(page, "sorted(large.grid.query['ranges'])", "['density_g_cm3', 'hull_distance_eV_atom']")
    wait_for(page, "large.grid.query['choices'].get('verdict')", "['passed']")
    said = page.ask(
        "t, q = large.table, large.grid.query\n"
        "low, high = q['ranges']['density_g_cm3'][0], q['ranges']['hull_distance_eV_atom'][1]\n"
        "keep = t[(t.density_g_cm3 >= low) & (t.hull_distance_eV_atom <= high) & (t.verdict == 'passed')\n"
        "         & t.formula.str.contains('Li') & ~t.formula.str.contains('Mg')]\n"
        "print(len(keep), sorted(keep.candidate) == sorted(large.shown.candidate))"
    ).split()
    assert said[1] == "True"
    assert 0 < int(said[0]) < 10_000
    area.get_by_text(f"{int(said[0]):,} of 10,000 candidates").wait_for()
    page.screenshot(f"screening_filtered_{page.kernel}", area)
    number = area.get_by_label("Hull distance (eV/atom) at most, as a number")
    number.fill("0.02")
    number.press("Enter")
    wait_for(page, "large.grid.query['ranges']['hull_distance_eV_atom'][1]", "0.02")
    number.fill("much")
    number.press("Enter")
    assert "lk-grid-bad" in number.get_attribute("class")
    timed(page, 1, CLEAR)
    area.get_by_text("10,000 of 10,000 candidates").wait_for()
    assert page.errors == []


def test_scrolling_to_the_end_draws_the_last_rows(page):
    timed(page, 1, SORT, "No.")
    ms = timed(page, 1, "const one = area.querySelector('.lk-grid-scroll'); one.scrollTop = one.scrollHeight;")
    print(f"{page.kernel}: jump to the last row {ms:.0f} ms")
    assert ms < LIMIT_MS
    assert 9999 in evaluate(page, 1, FIRST)
    timed(page, 1, "area.querySelector('.lk-grid-scroll').scrollTop = 0;")
    assert 0 in evaluate(page, 1, FIRST)
    assert page.errors == []


def test_a_click_opens_a_candidate_and_ticks_become_structures_and_a_campaign(page):
    area = shown(page, 1)
    area.locator(".lk-grid-row[data-candidate='4']").click(position={"x": 200, "y": 12})
    wait_for(page, "large.grid.active, large.detail.candidate", "4 4")
    area.locator(".labkit-ngl[data-frames]").first.wait_for()
    area.locator(".lk-record").wait_for()
    for number in (2, 5):
        area.locator(f".lk-grid-row[data-candidate='{number}'] input").click()
    wait_for(page, "[one.info['name'] for one in large.selected]", "['crystal 2', 'crystal 5']")
    assert page.ask("print(large.grid.active)").strip() == "4"  # a tick is no click on the row
    area.locator(".lk-grid-scroll").focus()
    page.page.keyboard.press("ArrowDown")
    wait_for(page, "large.grid.active", "5")
    page.page.keyboard.press("Space")
    wait_for(page, "sorted(large.grid.selected)", "[2]")
    area.get_by_text("10,000 of 10,000 candidates, 1 selected").wait_for()
    area.get_by_role("button", name="New campaign from the selected").click()
    area.get_by_role("button", name="Start", exact=True).wait_for()
    assert page.ask("print(type(large.task).__name__, len(large.task.candidates))").strip() == "Screening 1"
    page.page.wait_for_timeout(1000)
    page.screenshot(f"screening_clicked_{page.kernel}", area)
    assert page.errors == []


def test_new_rows_arrive_without_moving_what_the_user_reads(page):
    page.run_cell(2)
    area = shown(page, 2)
    wait_for(page, "len(live.model.rows)", "2000", 40)
    area.get_by_text("2,000 of 2,000 candidates").wait_for()
    timed(page, 2, SORT, "No.")
    timed(page, 2, "area.querySelector('.lk-grid-scroll').scrollTop = 26 * 300;")
    timed(page, 2, PRESS, "waiting")
    timed(page, 2, "area.querySelector('.lk-grid-scroll').scrollTop = 26 * 300;")
    area.locator(".lk-grid-scroll").focus()
    top = evaluate(page, 2, TOP)
    area.locator(f".lk-grid-row[data-candidate='{top + 3}'] input").click()
    began, before = time.monotonic(), int(area.locator(".lk-grid").get_attribute("data-version"))
    judged = int(page.ask("print(sum(r['stage'] >= 0 for r in live.model.rows))"))
    sent = int(page.ask("print(live.grid.sent_rows)"))
    page.page.wait_for_timeout(4000)
    messages = int(area.locator(".lk-grid").get_attribute("data-version")) - before
    took = time.monotonic() - began
    more = int(page.ask("print(sum(r['stage'] >= 0 for r in live.model.rows))")) - judged
    rows = int(page.ask("print(live.grid.sent_rows)")) - sent
    print(f"{page.kernel}: in {took:.1f} s {messages} messages with {rows} rows for {more} new verdicts")
    assert messages >= 2
    assert messages <= 2 * took + 2
    assert rows < 3 * more + 30
    assert evaluate(page, 2, TOP) == top  # judged candidates left the filter above, and the view stayed
    wait_for(page, "live.grid.selected", f"[{top + 3}]")
    assert evaluate(page, 2, "area.querySelector('.lk-grid-toggle[aria-pressed=true]').textContent") == "waiting"
    page.page.wait_for_timeout(300)
    page.screenshot(f"screening_live_{page.kernel}", area)
    area.locator(".lk-danger:enabled", has_text="Stop").click()
    area.locator(".lk-badge", has_text="cancelled").first.wait_for(timeout=20_000)
    assert page.errors == []


def test_a_candidate_of_a_real_campaign_shows_its_path_and_its_spectrum(page):
    page.run_cell(3)
    area = shown(page, 3)
    area.locator(".lk-grid-row[data-candidate='2']").click(position={"x": 200, "y": 12})
    plot = area.locator(".js-plotly-plot").nth(1)
    plot.locator(".scatterlayer .point").first.wait_for(state="attached")
    assert plot.locator(".scatterlayer .point").count() == 7
    area.get_by_text("forward barrier 0.400 eV").wait_for()
    area.locator(".lk-grid-row", has_text="1.00e\u22126").first.wait_for()  # decades are written as powers of ten
    area.get_by_text("Distance along the path (Å)").wait_for()
    area.locator(".labkit-ngl[data-frames]").first.wait_for()
    page.page.wait_for_timeout(1200)
    page.screenshot(f"screening_detail_{page.kernel}", area)
    assert drawn_fraction(page.screenshot(f"screening_atoms_{page.kernel}", area.locator(".labkit-ngl").first)) > 0.01
    area.locator("select", has_text="spectrum").select_option(label="spectrum")
    area.get_by_text("Frequency (THz)").wait_for()
    area.locator(".lk-grid-row[data-candidate='1']").click(position={"x": 200, "y": 12})
    area.locator(".lk-record").get_by_text("iron is not understood here").wait_for()
    area.get_by_role("button", name="CSV").click()
    area.get_by_text("written to").wait_for()
    assert page.errors == []


def test_the_table_is_readable_on_a_dark_page(page):
    area = shown(page, 3)
    page.page.evaluate(THEME, "Dark")
    page.page.locator("body[data-jp-theme-light='false']").wait_for(state="attached")
    page.page.wait_for_timeout(1500)
    page.screenshot(f"screening_dark_whole_{page.kernel}", area)
    pixels = page.screenshot(f"screening_dark_{page.kernel}", area.locator(".lk-grid").first)
    page.page.evaluate(THEME, "Light")
    page.page.locator("body[data-jp-theme-light='true']").wait_for(state="attached")
    assert pixels.mean() < 90
    assert drawn_fraction(pixels) > 0.02
    assert page.errors == []


def test_a_page_that_is_loaded_again_has_every_row_and_the_same_filters(page):
    area = shown(page, 2)
    area.get_by_text(" of 2,000 candidates, 1 selected").wait_for()
    wanted = area.locator(".lk-grid-said").text_content()
    page.page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.context.save(); }")
    page.page.reload()
    page.wait_idle()
    area = page.cell_that_shows("PretendsToScreen(count=2000")
    area.locator(".lk-grid-row").first.wait_for()
    area.get_by_text(wanted, exact=True).wait_for()
    assert area.locator(".lk-grid-toggle[aria-pressed=true]").text_content() == "waiting"
    assert page.errors == []


def test_nothing_was_said_on_the_console_and_nothing_asked_of_the_internet(page):
    assert page.errors == []
    assert page.outside() == []
