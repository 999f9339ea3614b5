"""Figures of datasets and of predictions: labelled with units, drawn without a warning, empty sets included."""

from dataclasses import replace

import numpy as np
import pytest

from labkit import datasets
from labkit.datasets import Dataset
from labkit.plots.dataset import composition, energy_volume, force_histogram
from labkit.plots.parity import parity
from tests.datasets.samples import mixed, rattled


def drawn(ax):
    ax.figure.canvas.draw()
    return ax


def test_the_composition_is_stacked_to_the_number_of_atoms():
    found = rattled(3, group="a") + rattled(2, group="b", seed=1)
    ax = drawn(composition(found))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("element", "atoms")
    assert max(patch.get_y() + patch.get_height() for patch in ax.patches) == 20


def test_energies_are_drawn_against_volume_with_one_colour_a_group():
    ax = drawn(energy_volume(rattled(3, group="a") + rattled(2, group="b", seed=1)))
    assert ax.get_xlabel() == "volume per atom (Å³)"
    assert ax.get_ylabel() == "energy per atom (eV)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.lines[0].get_color() != ax.lines[1].get_color()


def test_molecules_are_drawn_by_record_and_several_compositions_without_their_elements():
    assert drawn(energy_volume(datasets.load("acac-test-dihedral"))).get_xlabel() == "record"
    assert "sum over elements taken off" in drawn(energy_volume(mixed())).get_ylabel()


def test_the_histogram_counts_every_force_component_that_is_a_number():
    found = rattled(5)
    found = Dataset([replace(found[0], forces=np.full((4, 3), np.nan)), *list(found)[1:]])
    ax = drawn(force_histogram(found, bins=20))
    assert ax.get_xlabel() == "force component (eV/Å)"
    assert ax.patches[0].get_data().values.sum() == 4 * 12


def test_parity_says_mae_and_rmse_and_takes_the_file_of_a_training_run_too():
    found = rattled(4)
    other = Dataset([replace(record, forces=record.forces + 0.1, energy=record.energy + 0.4) for record in found])
    result = datasets.compare(found, other)
    ax = drawn(parity(result, "forces"))
    assert ax.get_xlabel() == "reference force component (eV/Å)"
    assert "MAE 100, RMSE 100 meV/Å" in ax.get_legend().get_texts()[-1].get_text()
    file = {
        "energy_reference": result.energies_reference.tolist(),
        "energy_predicted": result.energies_predicted.tolist(),
    }
    ax = drawn(parity(file, "energy"))
    assert "MAE 100, RMSE 100 meV/atom" in ax.get_legend().get_texts()[-1].get_text()
    with pytest.raises(ValueError, match="no quantity 'charge'; give one of energy, forces"):
        parity(result, "charge")


def test_many_points_are_thinned_and_their_errors_are_not():
    reference = np.linspace(-1, 1, 20_000)
    file = {"forces_reference": reference, "forces_predicted": reference + 0.01}
    ax = drawn(parity(file))
    assert len(ax.lines[0].get_xdata()) == 5000
    assert "MAE 10" in ax.get_legend().get_texts()[-1].get_text()


@pytest.mark.parametrize("draw", [composition, energy_volume, force_histogram])
def test_an_empty_set_gives_empty_axes_with_titles(draw):
    assert drawn(draw(Dataset([]))).get_xlabel()
