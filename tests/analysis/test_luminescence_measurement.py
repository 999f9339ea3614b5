"""Pasted spectra: what is read, and what is refused with which sentence."""

import numpy as np
import pytest

from labkit.analysis.luminescence_measurement import HC_EV_NM, UnreadableSpectrum, read_spectrum

ENERGY = "1.8 0.1\n1.9 0.4\n2.0 0.2\n"


@pytest.mark.parametrize(
    "text",
    [
        ENERGY,
        ENERGY.replace(" ", ", "),
        ENERGY.replace(" ", "\t"),
        ENERGY.replace(".", ",").replace(" ", ";"),
        ENERGY.replace(".", ","),
        "# a comment\nEnergy (eV) Intensity\n\n" + ENERGY,
        ENERGY.replace("\n", " 7 8\r\n"),
        "2.0 0.2\n1.8 0.1\n1.9 0.4",
    ],
)
def test_two_columns_are_read_however_they_are_parted(text):
    found = read_spectrum(text)
    np.testing.assert_allclose(found.energies_eV, [1.8, 1.9, 2.0])
    np.testing.assert_allclose(found.intensity, [0.1, 0.4, 0.2])
    assert found.unit == "eV"


def test_wavelengths_become_energies_and_the_area_stays():
    nm = np.linspace(600, 800, 401)
    per_nm = np.exp(-0.5 * ((nm - 690) / 15) ** 2)
    text = "\n".join(f"{x} {y}" for x, y in zip(nm, per_nm, strict=True))
    found = read_spectrum(text)
    assert found.unit == "nm"
    np.testing.assert_allclose(found.energies_eV, (HC_EV_NM / nm)[::-1])
    assert np.trapezoid(found.intensity, found.energies_eV) == pytest.approx(np.trapezoid(per_nm, nm), rel=1e-4)
    assert pytest.approx(1.946, abs=1e-3) == HC_EV_NM / 637.0  # the NV centre's line
    assert read_spectrum(text, "nm").unit == "nm"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 line"),
        ("1.8 0.1\n1.9 0.2", "2 line"),
        ("a b\n1.8 0.1\n1.9 x\n2 3", "line 3 holds no two numbers: '1.9 x'"),
        ("1.8 0.1\n1.9\n2 3", "line 2 holds no two numbers"),
        ("1.8 0.1\n1.9 nan\n2 3", "line 2 holds a number that is not finite"),
        ("-1 0.1\n1.9 1\n2 3", "energies and wavelengths are positive"),
        ("1 0\n1.9 0\n2 0", "no intensity is above zero"),
        ("1 1\n1 2\n1 3", "1 different value"),
        ("20 1\n50 2\n90 3", "neither eV"),
        ("1 1\n" * 200_001, "at most 200000"),
    ],
)
def test_text_that_is_no_spectrum_is_refused_with_its_line(text, words):
    with pytest.raises(UnreadableSpectrum, match=words):
        read_spectrum(text)


def test_a_measurement_is_scaled_onto_the_curve():
    x = np.linspace(1.7, 2.1, 200)
    y = np.exp(-0.5 * ((x - 1.9) / 0.04) ** 2)
    found = read_spectrum("\n".join(f"{a} {421.0 * b}" for a, b in zip(x, y, strict=True)))
    np.testing.assert_allclose(found.scaled_to(x, y), y, atol=1e-9)
    with pytest.raises(UnreadableSpectrum, match=r"between 1\.7 and 2\.1 eV and has nothing in common"):
        found.scaled_to(x + 3, y)


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="unit='cm-1'"):
        read_spectrum(ENERGY, "cm-1")
