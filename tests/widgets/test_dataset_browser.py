"""The dataset browser without a page: what is drawn, opened and flagged, and how predictions come in."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from labkit_widgets.dataset_browser import DatasetBrowser
from labkit_widgets.dataset_browser_model import ENERGY, MAX_POINTS, PARITY_ENERGY, PARITY_FORCES, DatasetBrowserModel

from labkit import datasets
from labkit.datasets import Dataset, Record
from tests.datasets.samples import rattled


@pytest.fixture
def found():
    return rattled(6, group="a") + rattled(4, "Al", group="b<i>", seed=1)


@pytest.fixture
def prediction(found):
    forces = [record.forces.copy() for record in found]
    forces[7][2, 1] += 3.0
    return SimpleNamespace(energies=np.array([record.energy for record in found]), forces=forces)


def click(browser, trace, point):
    """What plotly's page sends when a point is clicked."""
    browser.scatter._js2py_pointsCallback = {
        "event_type": "plotly_click",
        "points": {"trace_indexes": [trace], "point_indexes": [point], "xs": [0.0], "ys": [0.0]},
        "device_state": None,
        "selector": None,
    }


def test_a_set_is_shown_with_its_groups_level_and_first_structure(found):
    browser = DatasetBrowser(found)
    assert browser.picture.options == (ENERGY,)
    assert [trace.name for trace in browser.scatter.data[:2]] == ["a", "b&lt;i&gt;"]
    assert len(browser.scatter.data[0].x) == 6
    assert browser.scatter.layout.xaxis.title.text == "Volume per atom (Å³)"
    assert browser.view.atoms == found[0].atoms
    assert list(browser.table.df["Group"]) == ["a", "b<i>", "all"]
    assert "Forces RMSE (meV/Å)" not in browser.table.df
    assert sum(len(trace.x) for trace in browser.bars.data) == 2
    assert sum(browser.histogram.data[0].y) == 10 * 12
    browser.close()


def test_a_shipped_set_opens_by_name_and_a_missing_level_is_said():
    browser = DatasetBrowser("acac-test-h-transfer")
    assert len(browser.dataset) == 15
    assert "PBE-D3" in browser.children[1].value
    silent = DatasetBrowser(rattled(2, level=""))
    assert "level of theory not stated" in silent.children[1].value
    assert set(silent.table.df["Level of theory"]) == {"not stated"}
    browser.close()
    silent.close()


def test_a_click_on_a_point_opens_its_structure(found):
    browser = DatasetBrowser(found)
    click(browser, 1, 2)
    assert browser.index == 8
    assert browser.view.atoms == found[8].atoms
    assert browser.record_number.value == 8
    assert "8 of 10: Al4" in browser._facts.value
    assert list(browser.scatter.data[-1].x) == [pytest.approx(found[8].volume_A3 / 4)]
    browser.close()


def test_the_structure_that_is_handed_out_is_a_copy(found):
    browser = DatasetBrowser(found)
    browser.structure.positions += 1
    assert browser.dataset.hash == found.hash
    browser.close()


def test_parity_of_forces_opens_the_worst_record_and_every_component_knows_its_record(found, prediction):
    browser = DatasetBrowser(found, prediction)
    assert browser.picture.options == (ENERGY, PARITY_ENERGY, PARITY_FORCES)
    assert browser.index == 7
    browser.picture.value = PARITY_FORCES
    series = browser.model.picture(PARITY_FORCES).series[1]
    worst = int(np.argmax(np.abs(series.y - series.x)))
    browser.show(0)
    click(browser, 1, worst)
    assert browser.index == 7
    assert "Force RMSE" in browser._facts.value
    row = browser.table.df.set_index("Group").loc["b<i>"]
    assert float(row["Forces RMSE (meV/Å)"]) == pytest.approx(1000 * 3 / np.sqrt(48), rel=0.01)
    browser.close()


def test_the_number_of_a_record_opens_it_too(found):
    browser = DatasetBrowser(found)
    browser.record_number.value = 4
    assert browser.index == 4
    with pytest.raises(IndexError, match="no record 10; the records are 0 to 9"):
        browser.show(10)
    browser.close()


def test_flags_take_records_out_of_what_is_kept_and_back(found):
    browser = DatasetBrowser(found)
    browser.show(3)
    browser.reason.value = "too  hot"
    browser.flag_button.click()
    browser.flag(8)
    assert browser.flagged == [3, 8]
    assert len(browser.kept) == 8
    assert browser.kept.hash == found.without([3, 8]).hash
    assert "without 2 flagged records" in browser.kept.provenance
    assert len(browser.dataset) == 10
    assert list(browser.table.df["Flagged"]) == ["1", "1", "2"]
    assert len(browser.scatter.data[-2].x) == 2
    assert browser.flag_button.description == "Unflag"
    assert "too hot" in browser._facts.value
    browser.flag_button.click()
    assert browser.flagged == [8]
    browser.close()


def test_flags_are_saved_on_request_and_read_back_for_the_same_numbers_only(found, tmp_path):
    browser = DatasetBrowser(found)
    browser.flag(3, "too hot")
    browser.file.value = str(tmp_path / "flags.json")
    browser.save_button.click()
    saved = json.loads((tmp_path / "flags.json").read_text())
    assert saved["flags"] == [{"record": 3, "composition": "Cu4", "group": "a", "reason": "too hot"}]
    again = DatasetBrowser(found.described(name="renamed"))
    again.load_flags(tmp_path / "flags.json")
    assert again.model.flags == {3: "too hot"}
    other = DatasetBrowser(found[:9])
    with pytest.raises(ValueError, match="holds flags of another set"):
        other.load_flags(tmp_path / "flags.json")
    (tmp_path / "torn.json").write_text('{"flags": [')
    with pytest.raises(ValueError, match=r"torn.json holds no flags that can be read"):
        other.load_flags(tmp_path / "torn.json")
    browser.file.value = str(tmp_path / "nowhere" / "flags.json")
    browser.save_button.click()
    assert "nowhere" in browser.error.value
    for one in (browser, again, other):
        one.close()


def test_a_potential_is_asked_in_batches_and_the_parity_appears(soon):
    records = []
    for seed in range(20):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.05, seed=seed)
        records.append(Record(atoms, energy=0.0, forces=np.zeros((4, 3))))
    broken = bulk("Cu", cubic=True)
    broken.positions[0] = np.nan
    found = Dataset([*records, Record(broken, energy=0.0, forces=np.zeros((4, 3)))])
    browser = DatasetBrowser(found, potential="emt")
    soon(lambda: browser.comparison is not None or browser.error.value)
    assert browser.error.value == ""
    assert len(browser.comparison.energy_index) == 20
    assert len(browser.comparison.force_index) == 240
    soon(lambda: browser.picture.value == PARITY_FORCES)
    assert "1 of 21 records are faulty and are not predicted" in browser.children[2].value
    browser.close()


def test_a_potential_that_does_not_know_an_element_says_so_beside_the_plot(soon):
    browser = DatasetBrowser(rattled(2, "Fe"), potential="emt")
    soon(lambda: browser.error.value)
    assert "Fe, which emt was never trained on" in browser.error.value
    assert browser._progress_row.layout.display == "none"
    browser.close()


def test_stop_ends_the_predictions_and_closing_does_too(soon, monkeypatch):
    monkeypatch.setattr("labkit_widgets.dataset_predictions.BATCH_ATOMS", 4)

    class Slow:
        name = "slow"
        asked = 0

        def predict(self, structures, properties):
            self.asked += 1
            time.sleep(0.05)
            return SimpleNamespace(
                energies=np.zeros(len(structures)), forces=[np.zeros((len(one), 3)) for one in structures]
            )

    found = rattled(60)
    potential = Slow()
    browser = DatasetBrowser(found, potential=potential)
    soon(lambda: potential.asked > 1)
    browser.stop_button.click()
    soon(lambda: not browser._worker._thread.is_alive())
    assert browser.comparison is None
    assert potential.asked < 30
    assert "left" not in browser._progress_text.value
    other = DatasetBrowser(found, potential=Slow())
    other.close()
    browser.close()
    soon(lambda: not other._worker._thread.is_alive())


def test_predictions_of_another_set_are_refused_with_a_sentence(found):
    with pytest.raises(datasets.InvalidDataset, match="of 9 structures"):
        DatasetBrowser(found, found[:9])
    with pytest.raises(ValueError, match="not both"):
        DatasetBrowser(found, found, "emt")


def test_five_thousand_points_are_drawn_of_a_larger_set_and_it_says_so():
    record = rattled(1)[0]
    many = Dataset([replace(record, energy=float(number)) for number in range(MAX_POINTS + 500)])
    picture = DatasetBrowserModel(many).picture(ENERGY)
    assert len(picture.series[0].x) == MAX_POINTS
    assert picture.note == "5,000 of 5,500 points are drawn, chosen at random."
    guess = SimpleNamespace(energies=np.array([record.energy for record in many]), forces=None)
    guess.energies[[3, 5000]] += 9
    model = DatasetBrowserModel(many, datasets.compare(many, guess))
    assert {3, 5000} <= set(model.picture(PARITY_ENERGY).series[0].records)


def test_records_without_numbers_and_an_empty_set_are_shown_all_the_same():
    record = rattled(1)[0]
    browser = DatasetBrowser(Dataset([replace(record, energy=np.nan, forces=None), record]))
    assert "1 of 2 points have no numbers" in browser.note.value
    assert "The energy is nan" in browser.children[2].value
    empty = DatasetBrowser(Dataset([]))
    empty.flag_button.click()
    assert "no record is shown" in empty.error.value
    browser.close()
    empty.close()
