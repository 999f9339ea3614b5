"""The view of a run of elastic bands, while it goes on and afterwards, without a browser."""

import numpy as np
import pytest
from labkit_widgets import RunView
from labkit_widgets.neb_source import RunSource, TableTail, is_nudged_elastic_band
from labkit_widgets.neb_view import NebView

from .neb_tasks import PretendsToFindPaths, path
from .tasks import WritesFrames


@pytest.fixture
def finished(store):
    return PretendsToFindPaths().run(store=store)


def test_a_run_of_bands_is_told_from_other_runs_and_its_view_takes_a_status_that_is_shown_already(finished, store):
    assert is_nudged_elastic_band(finished)
    assert not is_nudged_elastic_band(WritesFrames(frames=1).run(store=store))
    status = RunView(finished)
    view = NebView(finished, status=status)
    assert view.status is status
    view.close()


def test_a_finished_run_shows_how_each_band_ended(finished):
    view = NebView(finished)
    labels = [label for label, _ in view.chooser.options]
    assert labels[0].startswith("Li1-Li2 · 0.4")
    assert labels[1].endswith(", not converged")
    assert view.source.label == "pretended"
    assert [band.state for band in view.source.bands] == ["converged", "not converged", "failed"]
    view.choose("Li1-Li4")
    assert "came 0.31 Å close" in view.why.value
    assert len(view.profile.data[1].x) == 7
    view.close()


def test_the_paths_of_a_finished_run_are_objects(finished):
    view = NebView(finished.folder)
    assert view.run.id == finished.id
    assert [one.name for one in view.paths] == ["Li1-Li2", "Li1-Li3", "Li1-Li4"]
    assert view.path is view.paths[0]
    assert max(view.profile.data[1].y) == pytest.approx(view.path.forward_eV, abs=1e-6)
    assert view.forces.figures[0].layout.yaxis.title.text == "Largest force (eV/Å)"
    view.close()


def test_a_running_band_is_drawn_step_by_step_on_the_straight_path_until_it_is_done(store, soon):
    run = PretendsToFindPaths(steps=12, pause_s=0.12).launch(store=store)
    view = NebView(run)
    soon(lambda: len(view.profile.data[1].x) == 7)
    first, step = max(view.profile.data[1].y), view.band.steps
    assert view.path is None
    assert "straight line between the end states" in view.path_view.legend.value
    soon(lambda: view.band.steps > step + 1)
    soon(lambda: max(view.profile.data[1].y) < first)
    curve = view.profile.data[0]
    assert np.interp(view.profile.data[1].x, curve.x, curve.y) == pytest.approx(view.profile.data[1].y, abs=0.01)
    assert "running" in view.table.value
    soon(lambda: view.path is not None)
    soon(lambda: "highest image" in view.path_view.legend.value)
    soon(lambda: "converged" in view.table.value)
    run.cancel()
    view.close()


def test_stop_in_the_view_stops_the_run_and_the_bands_say_so(store, soon):
    run = PretendsToFindPaths(steps=500, pause_s=0.05).launch(store=store)
    view = NebView(run)
    soon(lambda: view.band.state == "running")
    view.status.pause.click()
    soon(lambda: run.state == "paused")
    view.status.stop.click()
    soon(lambda: run.state == "cancelled")
    soon(lambda: "stopped" in view.table.value)
    view.close()


def test_a_view_made_before_the_first_profile_shows_the_path_and_no_numbers(store):
    run = PretendsToFindPaths().run(store=store)
    for name in ("profiles.csv", "bands.csv", *(file.name for file in run.folder.glob("path_*.json"))):
        (run.folder / name).unlink()
    source = RunSource(run)
    images, relaxed = source.images(0)
    assert len(images) == 7
    assert not relaxed


def test_two_runs_are_compared_band_by_band(finished, store):
    other = PretendsToFindPaths(height_eV=0.3, potential="fine-tuned").run(store=store)
    view = NebView(finished, compare=other)
    assert [trace.name for trace in view.profile.data if trace.showlegend] == ["pretended", "fine-tuned"]
    view.choose("Li1-Li3")
    assert max(view.profile.data[1].y) - max(view.profile.data[3].y) == pytest.approx(0.1, abs=0.01)
    view.close()
    with_paths = NebView(finished, compare=[path("Li1-Li2", height_eV=1.0)], labels=("", "by hand"))
    assert max(with_paths.profile.data[3].y) == pytest.approx(1.03, abs=0.01)
    with_paths.close()


def test_a_broken_table_is_said_until_it_is_whole_again_and_the_rest_stays(finished, soon):
    view = NebView(finished)
    whole = (finished.folder / "profiles.csv").read_text(encoding="utf-8")
    (finished.folder / "profiles.csv").write_text("step,band\n0,0\n1\n0,0,1,2,3\n", encoding="utf-8")
    soon(lambda: "The paths could not be read" in view.error.value)
    assert len(view.profile.data[1].x) == 7
    (finished.folder / "profiles.csv").write_text(whole, encoding="utf-8")
    soon(lambda: view.error.value == "")
    view.close()


def test_a_path_that_cannot_be_read_is_tried_again_and_holds_up_no_other(store):
    run = PretendsToFindPaths().run(store=store)
    files = sorted(run.folder.glob("path_*.json"))
    whole = [file.read_text(encoding="utf-8") for file in files]
    for file in files:
        file.unlink()
    source = RunSource(run)
    files[0].write_text("{", encoding="utf-8")
    files[1].write_text(whole[1], encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ValueError, match="Expecting"):
            source.poll()
        assert set(source.paths) == {1}
    files[0].write_text(whole[0], encoding="utf-8")
    assert source.poll()
    assert set(source.paths) == {0, 1}
    assert not source.poll()


def test_a_closed_view_leaves_the_run_alone(store, soon):
    run = PretendsToFindPaths(steps=400, pause_s=0.05).launch(store=store)
    view = NebView(run)
    soon(lambda: run.state == "running")
    view.close()
    assert run.state == "running"
    run.cancel()


def test_a_growing_table_is_read_from_where_it_was_left_and_never_half_a_row(tmp_path):
    path = tmp_path / "profiles.csv"
    tail = TableTail(path)
    assert tail.rows() is None
    path.write_text("step,band\n0,1\n1,", encoding="utf-8")
    assert tail.rows().to_numpy().tolist() == [[0, 1]]
    assert tail.rows() is None
    path.write_text("step,band\n0,1\n1,7\n2,8\n", encoding="utf-8")
    assert tail.rows().to_numpy().tolist() == [[1, 7], [2, 8]]
    path.write_text("step,band\n5,5\n", encoding="utf-8")
    assert tail.rows().to_numpy().tolist() == [[5, 5]]


def test_a_profile_that_is_half_written_is_not_drawn_yet(store):
    run = PretendsToFindPaths(steps=3).run(store=store)
    for file in run.folder.glob("path_*.json"):
        file.unlink()
    lines = (run.folder / "profiles.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    table = run.table("profiles")
    second = int(table.index[(table["band"] == 0) & (table["step_of_band"] == 1)][0]) + 1
    (run.folder / "profiles.csv").write_text("".join(lines[: second + 4]), encoding="utf-8")
    source = RunSource(run)
    assert (source.bands[0].steps, len(source.bands[0].energies_eV)) == (0, 7)
    (run.folder / "profiles.csv").write_text("".join(lines[: second + 7]), encoding="utf-8")
    assert source.poll()
    assert (source.bands[0].steps, len(source.bands[0].energies_eV)) == (1, 7)
