"""A measured spectrum from text: energy (eV) or wavelength (nm) and intensity, as a spectrometer saves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.errors import InvalidStructure

#: h c in eV nm; CODATA 2018.
HC_EV_NM = 1239.8419843320026
_MOST_LINES = 200_000
UNITS = ("auto", "eV", "nm")


class UnreadableSpectrum(InvalidStructure):
    """Text that is no spectrum of two columns."""


@dataclass(frozen=True)
class MeasuredSpectrum:
    """energies_eV: (M,) ascending; intensity: (M,) per unit of energy, as measured; unit: what the first column was."""

    energies_eV: np.ndarray
    intensity: np.ndarray
    unit: str

    def scaled_to(self, energies_eV: np.ndarray, intensity: np.ndarray) -> np.ndarray:
        """Return the intensity (M,) times the factor that fits the curve best in the sense of least squares.

        Raises UnreadableSpectrum when the two have no energy in common.
        """
        inside = (self.energies_eV >= np.min(energies_eV)) & (self.energies_eV <= np.max(energies_eV))
        model = np.interp(self.energies_eV[inside], energies_eV, intensity)
        norm = float(self.intensity[inside] @ self.intensity[inside])
        if not norm > 0 or not model.any():
            raise UnreadableSpectrum(
                f"the measurement lies between {self.energies_eV[0]:.3g} and {self.energies_eV[-1]:.3g} eV and has "
                "nothing in common with the calculated spectrum. Is the unit right, and the zero-phonon line?"
            )
        return self.intensity * max(float(self.intensity[inside] @ model) / norm, 0.0)


def read_spectrum(text: str, unit: str = "auto") -> MeasuredSpectrum:
    """Return the spectrum that `text` holds: two numbers a line, between them blanks, a tab, a comma or a semicolon.

    A head line and lines that begin with #, % or ! are skipped, and a decimal comma is understood where a semicolon,
    tab or blank parts the columns ("637,2 0,5"). `unit` is "eV", "nm" or "auto": numbers below 20 are eV, above 100 nm.
    Intensities per wavelength become intensities per energy, I(E) = I(λ) λ²/hc. Raises UnreadableSpectrum naming the
    line.
    """
    if unit not in UNITS:
        raise ValueError(f"unit={unit!r} is unknown; use {', '.join(UNITS)}.")
    rows = _rows(text)
    if len(rows) < 3:
        raise UnreadableSpectrum(f"{len(rows)} line(s) with two numbers were found; a spectrum needs at least 3.")
    table = np.array(rows)
    x, intensity = table.T
    if (x <= 0).any():
        raise UnreadableSpectrum(f"the first column holds {x.min():g}; energies and wavelengths are positive.")
    if not (intensity > 0).any():
        raise UnreadableSpectrum("no intensity is above zero; is the second column the right one?")
    if unit == "auto":
        unit = "eV" if x.max() < 20 else "nm" if x.min() > 100 else ""
        if not unit:
            raise UnreadableSpectrum(
                f"the first column runs from {x.min():g} to {x.max():g}: neither eV (below 20) nor nm (above 100). "
                "Choose its unit."
            )
    energies = x if unit == "eV" else HC_EV_NM / x
    if unit == "nm":
        intensity = intensity * x**2 / HC_EV_NM
    energies, first = np.unique(energies, return_index=True)
    if len(energies) < 3:
        raise UnreadableSpectrum(f"the first column has {len(energies)} different value(s); at least 3 are needed.")
    return MeasuredSpectrum(energies, intensity[first], unit)


def _rows(text: str) -> list[tuple[float, float]]:
    lines = str(text).splitlines()
    if len(lines) > _MOST_LINES:
        raise UnreadableSpectrum(f"the text has {len(lines)} lines; at most {_MOST_LINES} are read.")
    rows: list[tuple[float, float]] = []
    head = True
    for number, line in enumerate(lines, start=1):
        words = _columns(line)
        if not words or words[0][0] in "#%!":
            continue
        try:
            x, y = (float(word) for word in words[:2])
        except ValueError:
            if head:
                head = False
                continue
            raise UnreadableSpectrum(f"line {number} holds no two numbers: {line.strip()[:60]!r}.") from None
        if not (np.isfinite(x) and np.isfinite(y)):
            raise UnreadableSpectrum(f"line {number} holds a number that is not finite: {line.strip()[:60]!r}.")
        head = False
        rows.append((x, y))
    return rows


def _columns(line: str) -> list[str]:
    for mark in (";", "\t"):
        if mark in line:
            return [word.strip().replace(",", ".") for word in line.split(mark) if word.strip()]
    words = line.split()
    # "637,2 0,5" has decimal commas; "637.2,0.5", "637, 5" and "637,5" have commas between the columns.
    if len(words) > 1 and "." not in line and any("," in word.rstrip(",") for word in words):
        return [word.replace(",", ".") for word in words]
    return line.replace(",", " ").split()
