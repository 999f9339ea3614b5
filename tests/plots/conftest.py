"""Figures are drawn without a screen, and none stays behind."""

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _no_figure_stays():
    from matplotlib import pyplot

    yield
    pyplot.close("all")
