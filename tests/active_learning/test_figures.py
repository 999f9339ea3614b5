"""Figures of this room: drawn from results, units on the axes."""

import matplotlib
import numpy as np
import pytest

from labkit.active_learning import reliability

matplotlib.use("Agg")


def axes():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_the_reliability_diagram_shows_every_result_and_the_diagonal():
    from labkit.plots.reliability import reliability as draw

    sigma = np.geomspace(0.01, 1, 200)
    results = [reliability(sigma, sigma, label="power law"), reliability(sigma, 2 * sigma, label="linear")]
    ax = draw(results, axes())
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:2] == ["power law: ENCE 0.00, rms z 1.00", "linear: ENCE 1.00, rms z 2.00"]
    assert "eV/Å" in ax.get_xlabel()
    assert "eV/Å" in ax.get_ylabel()
    assert len(draw(results[0], axes()).lines) == 2
    with pytest.raises(ValueError, match="at least one"):
        draw([], axes())


def test_the_grade_histogram_counts_what_selection_counts():
    from labkit.active_learning import sort_out
    from labkit.plots.grades import grade_histogram

    values = [0.2, 0.5, 2.5, 3.0, 12.0, float("inf"), float("nan")]
    verdict = sort_out(values, 2, 10)
    labels = grade_histogram(values, 2, 10, axes()).get_legend_handles_labels()[1]
    for name in ("accurate", "candidate", "failed"):
        assert f"{name} ({len(getattr(verdict, name))})" in labels
    assert "break threshold 10" in labels
    grade_histogram([], 2.0, ax=axes())
    with pytest.raises(ValueError, match="not below"):
        grade_histogram(values, 3, 2, axes())
