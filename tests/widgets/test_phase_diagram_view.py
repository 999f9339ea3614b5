"""The phase diagram view without a browser: what it draws, switches, shifts and says; and the hull at 0 K."""

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from ase.units import kB
from labkit_widgets.hull_view import HullView
from labkit_widgets.phase_diagram_model import PhaseDiagramModel
from labkit_widgets.phase_diagram_view import PhaseDiagramView
from labkit_widgets.phase_diagram_words import invariant_table, lever

from labkit.errors import InvalidTask
from labkit.phase_diagrams.binary import binary_diagram
from labkit.phase_diagrams.binary_congruent import Congruent
from labkit.phase_diagrams.binary_invariants import Invariant
from labkit.phase_diagrams.equilibrium import equilibrium
from labkit.phase_diagrams.hull import convex_hull
from labkit.phase_diagrams.hull_entry import HullEntry
from labkit.phase_diagrams.phases import LinePhase, SolutionPhase

TEMPERATURES = np.linspace(300, 1500, 25)


def lens():
    """An ideal solid and an ideal liquid with the numbers of the quickstart of `landau` (methods A, section 10)."""
    ends = [lambda T, E=E, S=S: E - S * kB * T for E, S in ((-2.0, 1.0), (-3.0, 1.5), (-1.9, 2.5), (-2.9, 2.2))]
    return [SolutionPhase("solid", *ends[:2]), SolutionPhase("liquid", *ends[2:])]


def eutectic():
    liquid = SolutionPhase("liquid", lambda T: 0.10 - 1.2 * kB * T, lambda T: 0.12 - kB * T, (-0.02,))
    crystals = [SolutionPhase(name, 0.0, 0.0, (0.2,)) for name in ("α",)]
    return [liquid, *crystals, LinePhase("AB", 0.5, -0.012)]


@pytest.fixture
def view():
    structures = {"AB": bulk("NaCl", "rocksalt", a=5.6), "α": [bulk("Na", "bcc", a=4.2), bulk("Cl", "fcc", a=5.0)]}
    made = PhaseDiagramView(eutectic(), TEMPERATURES, elements=("Na", "Cl"), structures=structures)
    yield made
    made.close()


def xy(figure, name):
    trace = figure.trace(name)
    return np.array(trace.x, dtype=float), np.array(trace.y, dtype=float)


def test_the_lens_of_two_ideal_solutions_is_drawn_and_said():
    view = PhaseDiagramView(lens(), temperature_K=1000.0, composition=0.4)
    try:
        assert 1658 < view.model.temperatures_K[-1] < 2400  # by itself somewhat above the melting point of B
        shares = {one.phase: one.composition for one in view.shares}
        assert shares == pytest.approx({"liquid": 0.3299, "solid": 0.5228}, abs=1e-4)
        fraction = (0.5228 - 0.4) / (0.5228 - 0.3299)
        assert (
            f"{100 * fraction:.1f} % liquid (33.0 % B) and {100 * (1 - fraction):.1f} % solid (52.3 % B)" in view.words
        )
        assert "µ(B) − µ(A) = -1.035 eV" in view.words
        left, right = view.figure.layout.shapes[1:3]
        assert (left.x0, left.x1, right.x0) == pytest.approx((0.3299, 0.4, 0.5228), abs=1e-4)
        assert {left.y0, left.y1, right.y0, right.y1} == {1000.0}
        # The arm on the side of the liquid measures the solid, and has its colour.
        assert left.line.color == view.figure.trace("field 0").line.color
        assert [one.text for one in view.figure.layout.annotations] == ["33.0 %", "52.3 %"]
        edges_x, edges_y = xy(view.figure, "edges")
        near = np.abs(edges_y - 1000) < 20
        assert np.nanmin(np.abs(edges_x[near] - 0.3299)) < 0.02
        assert "no three phases meet" in view.facts.value
    finally:
        view.close()


def test_the_outline_of_a_field_is_the_exact_binodal():
    view = PhaseDiagramView([SolutionPhase("α", 0.0, 0.0, (0.1,))], np.linspace(200, 660, 24))
    try:
        x, T = xy(view.figure, "edges")
        inside = np.isfinite(x) & (T < 570)
        x, T = x[inside], T[inside]
        np.testing.assert_allclose(np.log(x / (1 - x)), 0.1 * (2 * x - 1) / (kB * T), atol=2e-3)
        assert len(x) > 30
        assert list(view.figure.trace("names").text) == ["α", "α + α"]
    finally:
        view.close()


def test_every_name_stands_inside_its_field(view):
    trace = view.figure.trace("names")
    found = dict(zip(trace.text, zip(trace.x, trace.y, strict=True), strict=True))
    assert {"liquid", "AB", "α + AB", "AB + α"} <= set(found)
    for text, (x, T) in found.items():
        if text != "AB":
            assert " + ".join(one.phase for one in view.diagram.at(x, T)) == text


def test_tangents_and_hull_points_lie_on_the_curves(view, soon):
    view.temperature.value = 700
    for tie in view.equilibrium.tie_lines:
        for name, x in ((tie.phase1, tie.x1), (tie.phase2, tie.x2)):
            curve_x, curve_y = xy(view.curves, f"phase {view.model.numbers[name]}")
            at = float(view.isotherm.above(x, tie.free_energy(x)))
            assert np.interp(x, curve_x, curve_y) == pytest.approx(at, abs=0.15)
            assert (
                min(np.hypot(*(one - value for one, value in zip(xy(view.curves, "hull"), (x, at), strict=True))))
                < 1e-4
            )
    y = xy(view.curves, "tangents")[1]
    assert np.isfinite(y).sum() == 2 * len(view.equilibrium.tie_lines)
    assert view.cursor.pin["T"] == 700
    soon(lambda: view.figure.layout.shapes[0].y0 == view.figure.layout.shapes[0].y1 == 700.0)


def test_a_shift_moves_phases_diagram_and_curve_but_not_the_line_that_is_taken_off(view):
    before = {name: xy(view.curves, name)[1] for name in ("phase 0", "phase 2")}
    hottest = max(one.temperature_K for one in view.diagram.invariants)
    view.controls.sliders[2].value = -10
    assert xy(view.curves, "phase 2")[1] == pytest.approx(before["phase 2"] - 10, abs=1e-3)
    assert xy(view.curves, "phase 0")[1] == pytest.approx(before["phase 0"], abs=1e-4)
    assert view.phases[2].shift_eV == pytest.approx(-0.010)
    assert max(one.temperature_K for one in view.diagram.invariants) > hottest + 50
    assert list(view.cursor.shifts) == [0.0, 0.0, -10.0]
    view.controls.reset.click()
    assert view.phases[2].shift_eV == 0
    assert max(one.temperature_K for one in view.diagram.invariants) == pytest.approx(hottest, abs=0.5)


def test_while_a_slider_moves_fewer_temperatures_are_solved_and_all_of_them_after(view, soon):
    view = PhaseDiagramView(eutectic(), np.linspace(300, 1500, 80))
    try:
        view.controls.sliders[1].value = 1.0
        assert view._quick
        assert len(view._diagram.asked_K) < 80
        assert len(view.diagram.asked_K) == 80
        view.controls.sliders[1].value = 2.0
        soon(lambda: not view._quick)
        assert len(view._diagram.asked_K) == 80
        whole = binary_diagram(view.phases, np.linspace(300, 1500, 80))
        pd.testing.assert_frame_equal(view.table, whole.table(), atol=1e-4)
    finally:
        view.close()


def test_a_phase_that_is_off_is_gone_and_all_off_is_said(view):
    view.controls.switches[2].value = False
    assert "AB" not in view.diagram.equilibrium(400).stable
    assert len(xy(view.figure, "line 2")[0]) == len(xy(view.curves, "phase 2")[0]) == 0
    for one in view.controls.switches:
        one.value = False
    assert "all phases are switched off" in view.error.value
    view.controls.reset.click()
    assert view.error.value == ""
    assert len(xy(view.figure, "line 2")[0]) > 0


def test_a_composition_that_no_phase_reaches_is_said(view):
    view.controls.switches[0].value = view.controls.switches[1].value = False
    view.composition.value = 0.3
    assert (view.shares, view.words) == ([], "No phase reaches 30.0 %.")
    assert view.error.value == ""


def test_what_the_page_does_moves_sliders_and_shows_structures(view):
    view.cursor._on_message(None, {"kind": "pin", "x": 0.48, "T": 500.0}, [])
    assert (view.composition.value, view.temperature.value) == (0.48, 500.0)
    assert "At 500 K and 48.0 % Cl: " in view.words
    assert view.pane.atoms.get_chemical_formula() == "ClNa"
    view.cursor._on_message(None, {"kind": "pick", "phase": 1, "x": 0.97}, [])
    assert view.pane.atoms.get_chemical_formula() == "Cl"
    assert "α: Cl, 100.0 % Cl; f = 0.0000 eV/atom at 500 K, 0.0 meV/atom above the hull" in view.pane.note.value
    view.cursor._on_message(None, {"kind": "pick", "phase": 0, "x": 0.5}, [])
    assert "liquid came without a structure" in view.pane.note.value
    view.pane.menu.value = 0
    assert view.pane.atoms.get_chemical_formula() == "Na"
    view.cursor.dragged = [2, 7.5]
    assert view.controls.shifts_meV == [0, 0, 7.5]
    view.cursor.dragged = [2, 500.0]
    assert view.controls.sliders[2].value == view.controls.sliders[2].max
    view.follow.value = True
    assert view.cursor.follow
    view.cursor.hovered = [640.0, 1]
    assert view.temperature.value == 640


def test_what_the_page_knows_of_tie_lines_is_what_was_solved(view):
    rows = dict(zip(view.cursor.rows["T"], view.cursor.rows["rows"], strict=True))
    number = view.model.numbers
    for found in view.diagram.equilibria:
        row = rows[round(found.temperature_K, 4)]
        ties = [[number[t.phase1], t.x1, number[t.phase2], t.x2, t.chemical_potential_eV] for t in found.tie_lines]
        np.testing.assert_allclose(row["t"], ties if ties else [], atol=1e-6)
        assert [one[0] for one in row["s"]] == [number[one.phase] for one in found.single_phase]
    assert view.cursor.isotherm["T"] == view.temperature.value


def test_over_chemical_potential_compounds_have_room_and_gaps_none(view):
    view.axis.value = "mu"
    assert view.figure.layout.xaxis.title.text == "µ(Cl) − µ(Na) (eV)"
    x, T = xy(view.figure, "field 2")
    low = np.isclose(T, 300)
    ties = view.diagram.equilibria[0].tie_lines
    assert np.ptp(x[low]) == pytest.approx(ties[1].chemical_potential_eV - ties[0].chemical_potential_eV, rel=1e-3)
    assert len(xy(view.figure, "hatch")[0]) == 0
    assert [one.visible for one in view.figure.layout.shapes[1:]] == [False] * 5
    view.cursor._on_message(None, {"kind": "pin", "x": -0.3, "T": 450.0}, [])
    assert (view.temperature.value, view.composition.value) == (450.0, 0.5)
    view.axis.value = "c"
    assert len(xy(view.figure, "hatch")[0]) > 10
    assert view.figure.layout.shapes[5].visible
    assert len(xy(view.figure, "field 2")[0]) == 0


def test_a_message_to_the_page_leaves_nothing_undefined(view, monkeypatch):
    sent = []
    for figure in (view.figure, view.curves):
        monkeypatch.setattr(figure, "_send_update_msg", lambda **parts: sent.append(parts))
    view.temperature.value += 40
    view.controls.sliders[2].value = -3
    assert len(sent) == 3  # the isotherm of the diagram is a shape
    for parts in sent:
        for key in ("x", "y"):
            assert all(hasattr(one, "__len__") for one in parts["restyle_data"][key])


def test_the_table_of_invariant_reactions_follows(view):
    found = view.diagram.invariants
    assert found
    for one in found:
        assert f"<td>{one.temperature_K:.1f}</td>" in view.facts.value
    eutectics = [one for one in found if one.kind == "eutectic"]
    left, middle, right = eutectics[0].phases
    assert f"{middle} → {left} + {right}" in view.facts.value


@pytest.mark.parametrize(
    ("x", "said"),
    [(0.0, "A alone; µ(Cl) − µ(Na) up to -0.200 eV."), (0.5, "AB alone; µ(Cl) − µ(Na) from -0.200 to 0.300 eV."),
     (1.0, "liquid alone; µ(Cl) − µ(Na) → ∞."), (0.2, "µ(Cl) − µ(Na) = -0.200 eV.")],
)  # fmt: skip
def test_a_compound_leaves_a_range_to_the_chemical_potential(x, said):
    phases = [LinePhase("A", 0), LinePhase("AB", 0.5, -0.1), SolutionPhase("liquid", 0.05, 0.05)]
    assert lever(equilibrium(phases, 600), x, ("Na", "Cl")).endswith(said)


def test_the_table_of_reactions_holds_congruent_points_at_their_temperatures():
    point = Congruent(831.2, "A3B", "liquid", 0.25, "congruent melting")
    three = Invariant(674.1, ("AB", "liquid", "beta"), (0.5, 0.7, 0.99), True, "eutectic")
    text = invariant_table([three], ("A", "B<"), [point])
    assert text.index("<td>liquid → A3B</td><td>831.2</td><td>25.0 %</td>") < text.index("liquid → AB + beta")
    assert "B&lt; in the phases" in text


def test_the_tie_lines_are_written_as_csv(view, tmp_path):
    view.saved.name.value = str(tmp_path / "mine")
    view.saved.csv.click()
    assert view.saved.last == tmp_path / "mine.csv"
    read = pd.read_csv(view.saved.last)
    pd.testing.assert_frame_equal(read, view.table, check_dtype=False)
    view.saved.name.value = str(tmp_path / "no" / "folder")
    view.saved.csv.click()
    assert "It could not be exported" in view.saved.note.value


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(TypeError, match="not int"):
        PhaseDiagramView([3])
    with pytest.raises(ValueError, match="no phases"):
        PhaseDiagramView([])
    with pytest.raises(ValueError, match="same name"):
        PhaseDiagramModel.of([LinePhase("a", 0.5), LinePhase("a", 0.2)], TEMPERATURES)
    with pytest.raises(ValueError, match="at least 3 temperatures"):
        PhaseDiagramModel.of(eutectic(), [300])
    with pytest.raises(ValueError, match="structures of gold, but no such phase"):
        PhaseDiagramView(eutectic(), TEMPERATURES, structures={"gold": bulk("Au")})
    with pytest.raises(ValueError, match="Temperature of the isotherm: 5000 lies outside"):
        PhaseDiagramView(eutectic(), TEMPERATURES, temperature_K=5000)


def test_structures_and_elements_must_agree_with_the_phases():
    with pytest.raises(ValueError, match=r"two elements, such as .*; 1 were given"):
        PhaseDiagramView(eutectic(), TEMPERATURES, elements=("Na",))
    gold = bulk("Au", cubic=True)
    gold.symbols[0] = "Cu"
    with pytest.raises(ValueError, match=r"Au3Cu has 25\.0 % of Cu, the phase 75\.0 %; x counts Cu"):
        PhaseDiagramView([LinePhase("Au3Cu", 0.75)], TEMPERATURES, elements=("Au", "Cu"), structures={"Au3Cu": gold})


def test_temperatures_by_default_lie_within_the_tables_inside_of_phases():
    table = {"temperature_K": [200.0, 900.0], "free_energy_eV": [0.0, -0.02]}
    found = PhaseDiagramModel.of([SolutionPhase("s", table, 0.0), LinePhase("AB", 0.5, -0.1)]).temperatures_K
    assert found[[0, -1]] == pytest.approx([200, 900], abs=0.01)
    with pytest.raises(InvalidTask, match="in the tables of all phases"):
        PhaseDiagramModel.of([SolutionPhase("s", table, {**table, "temperature_K": [1000.0, 1500.0]})])


def test_names_are_never_markup():
    view = PhaseDiagramView([LinePhase("<img src=x>", 0.0), *lens()], TEMPERATURES)
    try:
        assert "<img" not in "".join(view.figure.trace("names").text) + "".join(view.curves.trace("names").text)
    finally:
        view.close()


def test_nothing_lives_on_after_the_view_is_closed():
    view = PhaseDiagramView(eutectic(), TEMPERATURES)
    view.controls.sliders[0].value = 5.0
    parts = [view.figure, view.curves, view.cursor, view.controls, view.pane, view.pane.view, view.saved]
    view.close()
    assert all(part.comm is None for part in parts)


def entry(symbols, energy, name=""):
    return HullEntry(bulk(symbols, "rocksalt" if len(symbols) > 2 else "fcc", a=5.0), energy, "toy", name)


@pytest.fixture
def hull_view():
    crystals = [entry("Na", 0.0), entry("Cl", 0.0), entry("NaCl", -1.0), entry("NaCl", -0.8, "<b>high</b>")]
    view = HullView(crystals)
    yield view
    view.close()


def test_the_hull_at_0_K_shows_what_is_stable_and_how_far_the_rest_is_above(hull_view, tmp_path):
    stable, above = hull_view.figure.data[2], hull_view.figure.data[1]
    assert (len(stable.x), list(above.y)) == (3, [pytest.approx(-400)])
    assert list(hull_view.figure.data[0].y) == pytest.approx([0, -500, 0])
    assert hull_view.entry.name == "NaCl"  # the deepest one, before anything is clicked
    hull_view.figure._clicked(1, type("Points", (), {"point_inds": [0]}))
    assert hull_view.entry.name == "<b>high</b>"
    assert "-400.0 meV/atom from" in hull_view.note.value
    assert "100.0 meV/atom above NaCl" in hull_view.note.value
    assert "<b>" not in hull_view.note.value + "".join(above.text).replace("<br>", "")
    assert list(hull_view.figure.data[3].y) == pytest.approx([-400, -500])
    hull_view.menu.value = 0
    assert hull_view.entry is hull_view.hull.entries[0]
    assert "stable" in hull_view.note.value
    hull_view.saved.name.value = str(tmp_path / "hull")
    hull_view.saved.csv.click()
    assert len(pd.read_csv(tmp_path / "hull.csv")) == 4
    with pytest.raises(ValueError, match="row 9 does not exist"):
        hull_view.select(9)


def test_only_a_hull_of_two_corners_is_drawn():
    with pytest.raises(ValueError, match="hulls of two corners, this one has 3"):
        HullView(convex_hull([entry("Na", 0.0), entry("Cl", 0.0), entry("Cu", 0.0)]))
