"""The laboratory's shelf in a real JupyterLab: data and a potential's errors on them, two clicks from the start."""

import pytest

from .lab import drawn_fraction

SETUP = "import warnings; warnings.simplefilter('error')\nfrom labkit_widgets import lab"
CELL = "whole = lab(); whole"


@pytest.fixture(scope="module")
def page(lab):
    lab.open("shelf.ipynb", SETUP, CELL)
    lab.run_all()
    return lab


def test_the_shelf_of_the_laboratory_opens_data_with_the_errors_of_a_potential(page):
    area = page.cell_that_shows(CELL)
    area.get_by_role("tab", name="Data and potentials").click()
    area.get_by_label("Data", exact=True).fill("mo-mlearn-test")
    area.get_by_label("Potential", exact=True).fill("camp-mo")
    area.get_by_role("button", name="Open", exact=True).click()
    area.get_by_text("23 records").wait_for()
    area.get_by_text("Forces RMSE (meV/Å)").first.wait_for(timeout=60_000)
    canvas = area.locator(".labkit-ngl[data-frames]").last
    canvas.wait_for()
    page.page.wait_for_timeout(1000)
    assert drawn_fraction(page.screenshot(f"shelf_atoms_{page.kernel}", canvas)) > 0.01
    page.screenshot(f"shelf_{page.kernel}", area)
    assert page.errors == []
    assert page.outside() == []
