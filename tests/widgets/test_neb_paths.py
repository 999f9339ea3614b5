"""The view of finished paths, without a run and without a browser."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from labkit_widgets.neb_geometry import BETWEEN, straight_line, track
from labkit_widgets.neb_model import partner
from labkit_widgets.neb_source import source
from labkit_widgets.neb_view import NebView
from labkit_widgets.neb_words import quantity, signed

from labkit.simulators.neb_path import MinimumEnergyPath

from .neb_tasks import arrays, ends, mover, path


@pytest.fixture
def view():
    view = NebView(
        [path("one"), path("two", height_eV=0.7, state="not converged", reason="300 steps were not enough.")]
    )
    yield view
    view.close()


def test_the_profile_shows_every_image_and_the_spline_between_them(view):
    curve, points = view.profile.data[:2]
    assert len(points.x) == 7
    assert points.y[0] == 0
    assert max(points.y) == pytest.approx(view.path.forward_eV)
    assert np.interp(points.x, curve.x, curve.y) == pytest.approx(points.y, abs=2e-3)
    assert view.profile.layout.xaxis.title.text == "Distance along the path (Å)"
    assert view.profile.layout.yaxis.title.text == "Energy relative to the start (eV)"


def test_the_numbers_of_the_path_are_read_off_beside_it(view):
    html = view.table.value
    for value in (view.path.forward_eV, view.path.backward_eV, view.path.reaction_eV):
        assert f"{value:.3f} eV<" in html
    assert "0.031 eV/Å" in html
    assert f"{view.path.saddle_force_eV_A:.3f} eV/Å" in html
    assert "converged" in html
    assert "<td>12</td>" in html


def test_another_path_is_chosen_by_index_or_by_name(view):
    assert [label for label, _ in view.chooser.options] == ["one · 0.430 eV", "two · 0.730 eV, not converged"]
    view.choose("two")
    assert view.path.name == "two"
    assert max(view.profile.data[1].y) == pytest.approx(0.73, abs=1e-6)
    assert "300 steps were not enough." in view.why.value
    view.choose(0)
    assert view.path.name == "one"
    assert view.why.value == ""
    with pytest.raises(ValueError, match="there is no band 'three'"):
        view.choose("three")


def test_a_single_path_needs_no_chooser():
    view = NebView(path())
    assert view._bar.layout.display == "none"
    assert len(view.paths) == 1
    assert view.run is None
    assert view.status is None
    view.close()


def test_two_potentials_stand_on_one_axes_with_the_difference_of_their_barriers():
    before, after = path("hop"), path("hop", height_eV=0.6)
    view = NebView(after, compare=before, labels=("fine-tuned", "CHGNet"))
    figure = view.profile
    assert [trace.name for trace in figure.data if trace.showlegend] == ["fine-tuned", "CHGNet"]
    assert figure.layout.showlegend
    assert figure.data[2].line.dash == "dash"
    assert max(figure.data[1].y) == pytest.approx(0.63, abs=1e-3)
    assert max(figure.data[3].y) == pytest.approx(0.43, abs=1e-3)
    assert f"+{after.forward_eV - before.forward_eV:.3f} eV" in view.table.value
    view.close()


def test_paths_are_compared_by_name_and_one_without_partner_says_so():
    view = NebView([path("a"), path("b")], compare=[path("b", height_eV=0.9), path("c")], labels=("", "other"))
    assert len(view.profile.data[3].x) == 0
    assert "other has no such path" in view.note.value
    view.choose("b")
    assert max(view.profile.data[3].y) == pytest.approx(0.93, abs=1e-3)
    assert "other has no such path" not in view.note.value
    view.close()


def test_two_sources_of_the_same_name_are_told_apart():
    view = NebView(path(), compare=path())
    assert view.source.label != view.other.label
    view.close()


def test_the_slider_moves_the_ion_and_the_ring_in_the_profile(view):
    show = view.path_view
    start = show.atoms.positions.copy()
    show.slider.value = 3 * BETWEEN
    moved = np.linalg.norm(show.atoms.positions - start, axis=1)
    assert moved.argmax() == mover()
    assert moved[mover()] > 1.4
    ring = view.profile.data[-1]
    assert ring.x[0] == pytest.approx(view.path.distances_A[3])
    assert ring.y[0] == pytest.approx(view.path.energies_eV[3] - view.path.energies_eV[0])
    assert "image 4 of 7" in show.note.value
    show.slider.value = 3 * BETWEEN + 5
    assert "between images 4 and 5" in show.note.value
    assert "(spline)" in show.note.value


def test_the_saddle_button_goes_to_the_highest_image(view):
    view.path_view.to_saddle.click()
    assert view.path_view.image == view.path.saddle
    assert f"{view.path.forward_eV:.3f} eV above the start" in view.path_view.note.value


def test_the_path_is_one_component_that_moves_and_a_tube_with_a_sphere_for_each_image(view):
    canvas = view.path_view.view.canvas
    scene = canvas._scene["id"]
    tube, ghosts = canvas._drawn[0]
    assert len(ghosts["spheres"]) == 7
    assert len(tube["cylinders"]) == 3 * BETWEEN
    view.path_view.slider.value = 20
    assert canvas._scene["id"] == scene
    view.choose(1)
    assert canvas._scene["id"] != scene


def test_the_moving_ion_is_drawn_larger_and_named_in_the_legend(view):
    look = view.path_view.view.canvas._scene["style"]
    assert look[-1]["params"]["sele"] == f"@{mover()}"
    assert "moving Li and its path" in view.path_view.legend.value


def test_a_path_that_crosses_a_face_of_the_cell_has_no_jump():
    images = path().images
    for number, image in enumerate(images):
        if number % 2:
            image.wrap()
    laid = track(images)
    steps = np.linalg.norm(np.diff(laid.places, axis=0), axis=2)
    assert steps.max() < 0.2
    assert laid.movers == [mover()]
    assert laid.images[-1, mover()] - laid.images[0, mover()] == pytest.approx([0.0, 2.015, 2.015], abs=1e-6)


def test_a_hop_in_a_rhombohedral_cell_takes_the_shortest_way():
    host = bulk("Cu", "fcc", a=3.6) * (3, 3, 3)
    final = host.copy()
    final.positions[5] += [1.8, 1.8, 0.0]
    final.wrap()
    laid = track(straight_line(host, final, 3))
    assert np.linalg.norm(laid.images[-1, 5] - laid.images[0, 5]) == pytest.approx(1.8 * np.sqrt(2), abs=1e-6)
    assert laid.movers == [5]


def test_images_of_molecules_without_a_cell_are_paths_too():
    first = Atoms("H3", positions=[[0, 0, 0], [0.8, 0, 0], [3, 0, 0]])
    last = first.copy()
    last.positions[1, 0] = 2.2
    laid = track(straight_line(first, last, 3))
    assert laid.movers == [1]
    assert laid.places[-1, 1, 0] == pytest.approx(2.2)


def test_a_path_with_an_image_without_energy_is_shown_without_a_spline():
    template, positions, energies, forces = arrays()
    energies[3] = np.nan
    said = {"state": "failed", "reason": "image 3 has no energy.", "steps": 2, "max_force_eV_A": np.nan, "name": "x"}
    view = NebView(MinimumEnergyPath.of(template, positions, energies, forces, **said))
    assert len(view.profile.data[0].x) == 0
    assert len(view.profile.data[1].x) == 7
    assert "image 3 has no energy." in view.why.value
    assert 'role="alert"' in view.why.value
    view.close()


def test_what_is_no_source_of_paths_is_refused_with_a_sentence():
    for wrong in (3, [], [ends()[0]]):
        with pytest.raises(TypeError, match=r"MinimumEnergyPath objects; (a \w+|nothing) was given"):
            source(wrong)


def test_names_that_look_like_markup_are_text():
    view = NebView([path("<img src=x>", reason="<b>no</b>"), path("b")])
    assert "<img" not in view.table.value + view.why.value + view.note.value
    assert "&lt;b&gt;no" in view.why.value
    view.close()


def test_bands_belong_together_by_name_and_by_order_only_where_no_name_is_shared():
    first = source([path("a"), path("b")]).bands
    second = source([path("b"), path("a")]).bands
    assert partner(first[0], first, second).index == 1
    assert partner(first[0], first, [second[0]]) is None
    others = source([path("x"), path("y")]).bands
    assert partner(first[1], first, others) is others[1]


def test_numbers_have_a_real_minus_and_zero_has_no_sign():
    assert quantity(-0.12345, "eV", 3) == "−0.123 eV"
    assert quantity(-1e-9, "eV", 3) == "0.000 eV"
    assert quantity(np.nan, "eV", 3) == "–"
    assert (signed(-1e-9), signed(0.05)) == ("0.000 eV", "+0.050 eV")
