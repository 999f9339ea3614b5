"""Figures of phonons: what is drawn is what the result says, and imaginary modes are shaded."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from ase import units
from ase.build import bulk

from labkit.plots import phonons as plots
from labkit.simulators.phonons_data import Bands, PhononDOS, ThermalFunctions
from labkit.simulators.phonons_quasi_harmonic_result import QuasiHarmonicResult
from labkit.simulators.phonons_result import HarmonicCrystal

matplotlib.use("agg")


def bands(low):
    x = np.array([0.0, 0.1, 0.2, 0.2, 0.4])
    frequencies = np.stack([np.linspace(low, 1, 5), np.linspace(2, 3, 5)], axis=1)
    ticks = [(0.0, "Γ"), (0.2, "X|U"), (0.4, "L")]
    return Bands(x, frequencies, np.zeros((5, 3)), ticks, [slice(0, 3), slice(3, 5)])


def test_bands_break_at_jumps_and_are_shaded_only_where_they_are_imaginary():
    ax = plots.phonon_bands(bands(-2.0))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Γ", "X|U", "L"]
    lines = [line for line in ax.lines if len(line.get_xdata()) in (2, 3) and line.get_linewidth() == 1.1]
    assert sorted(len(line.get_xdata()) for line in lines) == [2, 2, 3, 3]
    [shade] = ax.patches
    assert shade.get_y() < -2
    assert shade.get_y() + shade.get_height() == 0
    assert "imaginary" in ax.get_ylabel()
    assert ax.get_ylim()[0] < -2
    calm = plots.phonon_bands(bands(0.0))
    assert not calm.patches
    assert calm.get_ylim()[0] == 0
    assert "imaginary" not in calm.get_ylabel()


def test_the_density_of_states_has_a_line_for_each_element_and_stands_upright_beside_bands():
    grid = np.linspace(-2, 3, 40)
    projected = np.array([grid**2, grid**2, 2 + grid])
    dos = PhononDOS(grid, projected.sum(axis=0), projected)
    ax = plots.phonon_dos(dos, symbols=["O", "O", "Fe"])
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert drawn["O"] == pytest.approx(2 * grid**2)
    assert drawn["Fe"] == pytest.approx(2 + grid)
    left, right = plots.bands_and_dos(bands(-2.0), dos, symbols=["O", "O", "Fe"])
    assert left.get_ylim() == pytest.approx(right.get_ylim())
    assert right.lines[0].get_ydata() == pytest.approx(grid)
    assert len(right.patches) == 1
    with pytest.raises(ValueError, match="2 symbols were given for 3 atoms"):
        plots.phonon_dos(dos, symbols=["O", "Fe"])
    with pytest.raises(ValueError, match="needs 2, from left to right"):
        plots.bands_and_dos(bands(0), dos, [ax])


def test_thermal_functions_say_when_modes_are_left_out():
    T = np.linspace(0, 100, 5)
    thermal = ThermalFunctions(T, -T / 1000, T / 1e6, T / 1e6, 0.1, 0.07)
    ax = plots.thermal_functions(thermal)
    assert ax.lines[0].get_ydata() == pytest.approx(-T / 1000)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["free energy", "entropy", "heat capacity"]
    assert "7 % of the modes are imaginary and left out" in ax.get_xlabel()
    few = plots.thermal_functions(replace(thermal, imaginary_fraction=0.003))
    assert "0.3 % of the modes are imaginary and left out" in few.get_xlabel()


def test_quasi_harmonic_panels_mark_the_minima():
    T, v = np.linspace(0, 500, 11), np.linspace(9, 12, 7)
    volume = 10 + T / 500
    helmholtz = (v[None] - volume[:, None]) ** 2 - T[:, None] / 1000
    modulus = 2 * volume / units.GPa
    result = QuasiHarmonicResult(
        1, 0.0, T, -T / 1000, volume, T * 1e-7, modulus, T * 0, T * 0, T * 0, v, v * 0, helmholtz, v * 0
    )
    panels = plots.quasi_harmonic(result, curves=3)
    assert len(panels) == 4
    assert panels[0].lines[-1].get_xdata() == pytest.approx([10.0, 10.5, 11.0])
    assert panels[1].lines[0].get_ydata() == pytest.approx(volume)
    assert panels[2].lines[0].get_ydata() == pytest.approx(T * 0.1)
    assert "left out" not in panels[0].get_xlabel()
    warned = plots.quasi_harmonic(replace(result, left_out=0.003 + v * 0))
    assert "imaginary modes, up to 0.3 %, left out" in warned[0].get_xlabel()
    rough = plots.quasi_harmonic(replace(result, helmholtz_eV=helmholtz + 0.1 * (-1.0) ** np.arange(7)))
    heights = [np.ptp(one[3].collections[0].get_datalim(one[3].transData).intervaly) for one in (panels, rough)]
    assert heights[1] > 2 * heights[0]
    assert ["not to be trusted" in ax.get_xlabel() for ax in (panels[2], *rough)] == [False, False, True, True, True]
    with pytest.raises(ValueError, match="needs 4"):
        plots.quasi_harmonic(result, panels[:2])


def test_a_crystal_of_springs_can_be_drawn_in_the_dark():
    from labkit.plots import style

    springs = np.zeros((8, 8, 3, 3))
    springs[range(8), range(8)] = np.diag([1.0, 2.0, -0.5])
    crystal = HarmonicCrystal(bulk("Ar", "fcc", 5.25), np.diag([2, 2, 2]), springs)
    with style(dark=True):
        left, _ = plots.bands_and_dos(crystal.bands("Γ X", points=3), crystal.dos((4, 4, 4)), symbols=["Ar"])
        left.figure.canvas.draw()
    assert len(left.patches) == 1
