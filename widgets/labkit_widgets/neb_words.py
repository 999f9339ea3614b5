"""The read-outs of a minimum-energy path as HTML: barriers, residual forces, steps, state, reason; of two sources."""

from __future__ import annotations

import numpy as np

from . import theme
from .neb_model import RUNNING, BandPicture

COLOURS = {"converged": theme.GREEN, RUNNING: theme.BLUE, "not converged": theme.ORANGE, "failed": theme.RED}


def readouts(band: BandPicture, label: str, other: BandPicture | None = None, other_label: str = "") -> str:
    """Return the table of numbers; with two sources one column each and their difference."""
    bands = [band] if other is None else [band, other]
    head = "".join(f"<th>{theme.escape(one)}</th>" for one in ([label] if other is None else [label, other_label]))
    lines = [f"<tr><th></th>{head}{'' if other is None else '<th>difference</th>'}</tr>"]
    rows = [
        ("Forward barrier", "forward_eV", "eV", 3),
        ("Backward barrier", "backward_eV", "eV", 3),
        ("Reaction energy", "reaction_eV", "eV", 3),
        ("Largest force on the band", "max_force_eV_A", "eV/Å", 3),
        ("Largest force at the saddle", "saddle_force_eV_A", "eV/Å", 3),
        ("Imaginary mode at the saddle", "imaginary_THz", "THz", 2),
    ]
    for words, name, unit, digits in rows:
        values = [getattr(one, name) for one in bands]
        if name == "imaginary_THz" and not np.isfinite(values).any():
            continue
        cells = "".join(f"<td>{quantity(value, unit, digits)}</td>" for value in values)
        if other is not None:
            delta = values[0] - values[1] if unit == "eV" else np.nan
            cells += f"<td>{signed(delta) if np.isfinite(delta) else ''}</td>"
        lines.append(f"<tr><th>{words}</th>{cells}</tr>")
    if any(one.negative_modes is not None for one in bands):
        cells = "".join(f"<td>{'–' if one.negative_modes is None else one.negative_modes}</td>" for one in bands)
        lines.append(f"<tr><th>Unstable modes at the saddle</th>{cells}</tr>")
    steps = "".join(f"<td>{'–' if one.steps is None else one.steps}</td>" for one in bands)
    states = "".join(f"<td>{theme.badge(one.state, COLOURS.get(one.state, theme.GREY))}</td>" for one in bands)
    lines += [f"<tr><th>Optimiser steps</th>{steps}</tr>", f"<tr><th>State</th>{states}</tr>"]
    return f'<table class="lk-errors">{"".join(lines)}</table>'


def reasons(band: BandPicture, label: str, other: BandPicture | None = None, other_label: str = "") -> str:
    """Return why a band is not what it should be; empty when all is well."""
    blocks = []
    for one, name in ((band, label), (other, other_label)):
        if one is None or not one.reason:
            continue
        text = one.reason if other is None else f"{name}: {one.reason}"
        kind = {"failed": "error", "converged": "info"}.get(one.state, "warning")
        blocks.append(theme.message(text, kind))
    return "".join(blocks)


def title_of(band: BandPicture) -> str:
    """Return the line of a band in the list: its name, and its barrier or its state."""
    if band.over and np.isfinite(band.forward_eV):
        note = f"{band.forward_eV:.3f} eV" + ("" if band.state == "converged" else f", {band.state}")
    else:
        note = f"{band.state}, no barrier" if band.over else band.state
    return f"{band.name} · {note}"


def place_words(band: BandPicture, image: float) -> str:
    """Return where the slider stands: image, distance and energy."""
    count = len(band.distances_A)
    whole = abs(image - round(image)) < 1e-9
    number = round(image) if whole else int(image)
    words = f"image {number + 1}" if whole else f"between images {number + 1} and {number + 2}"
    parts = [f"{words} of {count}" if count and whole else words]
    at = place_of(band, image)
    if at is not None:
        parts += [f"{at[0]:.2f} Å", quantity(at[1], "eV", 3) + " above the start" + ("" if whole else " (spline)")]
    return " · ".join(parts)


def place_of(band: BandPicture, image: float) -> tuple[float, float] | None:
    """Return (distance in Å, energy in eV) of a place on the profile, None when the profile is not known."""
    count = len(band.distances_A)
    if not count or image > count - 1 + 1e-9:
        return None
    distance = float(np.interp(image, np.arange(count), band.distances_A))
    on_image = abs(image - round(image)) < 1e-9
    if on_image or not len(band.curve_A):
        return distance, float(np.interp(image, np.arange(count), band.energies_eV))
    return distance, float(np.interp(distance, band.curve_A, band.curve_eV))


def quantity(value: float, unit: str, digits: int) -> str:
    """Return a number with its unit, a dash for one that is not known."""
    if not np.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return f"{text.replace('-', '−') if float(text) else text.lstrip('-')} {unit}"


def signed(value: float) -> str:
    """Return a difference of energies with its sign."""
    text = f"{value:+.3f}"
    return f"{text.replace('-', '−') if float(text) else '0.000'} eV"
