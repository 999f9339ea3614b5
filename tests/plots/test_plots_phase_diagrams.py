import matplotlib
import numpy as np
import pytest
from ase.units import kB

from labkit.errors import InvalidTask
from labkit.phase_diagrams.binary import binary_diagram
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase
from labkit.plots.palette import style
from labkit.plots.phase_diagrams import free_energies, landau_fields, phase_colours, phase_diagram


@pytest.fixture(scope="module")
def diagram():
    phases = [
        SolutionPhase("alpha", (0.0, kB), (0.05, kB), 0.2),
        SolutionPhase("liquid", (0.1, 2.2 * kB), (0.09, 2.2 * kB)),
        LinePhase("AB", 0.5, -0.02, kB),
    ]
    return binary_diagram(phases, np.linspace(300, 1200, 19))


@pytest.mark.parametrize("dark", [False, True])
def test_a_diagram_names_its_fields_and_its_invariants(diagram, dark):
    with style(dark):
        ax = phase_diagram(diagram, components=("Cu", "Pt"))
        ax.figure.canvas.draw()
    words = [one.get_text() for one in ax.texts]
    assert {"liquid", "AB", "alpha + AB", "AB + liquid"} <= set(words)
    named = [f"{one.kind}, {one.temperature_K:.0f} K" for one in diagram.invariants]
    assert [word for word in words if word.endswith(" K")] == [
        *named,
        *(f"{one.temperature_K:.0f} K" for one in diagram.congruent),
    ]
    assert ax.get_xlabel() == "atomic fraction of Pt in Cu-Pt"
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (300, 1200))


def test_one_temperature_makes_no_diagram(diagram):
    with pytest.raises(InvalidTask, match="at least two temperatures"):
        phase_diagram(binary_diagram(diagram.phases, [500.0]))


def test_fields_are_filled_in_the_colour_of_their_phase(diagram):
    ax = phase_diagram(diagram, labels=False)
    colours = {matplotlib.colors.to_hex(one.get_facecolor()).upper() for one in ax.patches}
    assert colours == {phase_colours(diagram.phases)[name].upper() for name in ("alpha", "liquid")}
    assert not ax.texts


def test_free_energies_touch_their_common_tangents(diagram):
    ax = free_energies(diagram.phases, 600.0)
    tie = next(one for one in ax.lines if one.get_label() == "common tangent")
    liquid = next(one for one in ax.lines if one.get_label() == "liquid")
    marker = next(one for one in ax.lines if one.get_label() == "AB")
    assert tie.get_xdata()[1] == pytest.approx(0.5)
    assert tie.get_ydata()[1] == pytest.approx(marker.get_ydata()[0])
    assert np.min(liquid.get_ydata() - np.interp(liquid.get_xdata(), tie.get_xdata(), tie.get_ydata())) > -1e-6
    assert "600 K (meV/atom)" in ax.get_ylabel()
    ax.figure.canvas.draw()
    written = ax.yaxis.label.get_window_extent()
    assert 0 < written.y0 < written.y1 < ax.figure.bbox.height  # nothing of it is cut off


def test_phases_of_one_composition_are_drawn_without_a_line_between_ends():
    ax = free_energies([LinePhase("cold", 0.5, 0.0), LinePhase("hot", 0.5, 0.01, kB)], 100.0)
    heights = [float(one.get_ydata()[0]) for one in ax.lines]
    assert heights == pytest.approx([0.0, 10 - 1000 * kB * 100])


def test_polygons_of_landau_are_drawn_in_the_same_colours(diagram):
    class Polygons:
        phases = diagram.phases

        def polygons(self, method):
            return {"liquid": [np.array([[0, 900], [1, 900], [1, 1200], [0, 1200]])]}

    ax = landau_fields(Polygons())
    assert matplotlib.colors.to_hex(ax.patches[0].get_facecolor()).upper() == phase_colours(diagram.phases)["liquid"]
