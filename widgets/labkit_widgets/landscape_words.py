"""What a landscape view says: superbasins, transition states and times in words, and the tables of numbers as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from ase import units

from labkit.landscapes.network import KineticNetwork, Minimum, TransitionState

from . import theme
from .landscape_drawing import Basins, Drawing

_SI = ((1e-15, "fs"), (1e-12, "ps"), (1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))
_DIGITS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def many(count: int, one: str, several: str = "") -> str:
    """Return "1 minimum" or "3 minima"."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def lines(texts: Iterable[str]) -> str:
    """Return small grey lines below each other; texts are escaped."""
    return "".join(f'<div class="lk-muted">{theme.escape(text)}</div>' for text in texts)


def size_words(network: KineticNetwork, level: bool = True) -> str:
    """Return how much there is (with the `level` of theory or without), and what is peculiar about it."""
    if not network.n_minima:
        return "This network has no minima yet: explore the landscape first, then show it again."
    parts = [many(network.n_minima, "minimum", "minima"), many(network.n_transition_states, "transition state")]
    loops = len(network.self_loops)
    parts[1] += f", {loops} of them from a minimum to a copy of itself" if loops else ""
    parts += [network.level_of_theory] if level and network.level_of_theory else []
    components = len(network.components())
    sunk = [one for one in network.transition_states if one.energy_eV < _highest(network, one)]
    if sunk:
        parts[1] += f", {many(len(sunk), 'lies', 'lie')} below a minimum that it joins"
    if network.n_minima == 1:
        parts.append("a tree of one leaf, without a barrier to another minimum")
    elif components > 1:
        parts.append(f"in {components} parts that no transition state joins")
    return " · ".join(parts)


def _highest(network: KineticNetwork, saddle: TransitionState) -> float:
    return max(network.minima[end].energy_eV for end in saddle.minima)


def basin_words(drawing: Drawing, basins: Basins, cut_eV: float, selected: int | None) -> str:
    """Return what a cut through the tree makes of it."""
    count = len(basins.tops)
    leaves = len(drawing.minima)
    words = [f"At {cut_eV:.3f} eV: {many(count, 'superbasin')}"]
    above = leaves - int(basins.sizes.sum())
    if count:
        largest = ", ".join(
            f"{many(int(size), 'minimum', 'minima')} around {lowest}"
            for size, lowest in zip(basins.sizes[:3], basins.lowest[:3], strict=True)
        )
        words[0] += f" ({largest}{', …' if count > 3 else ''})"
    if above:
        words.append(f"{many(above, 'minimum lies', 'minima lie')} above the cut")
    if selected is not None and drawing.place(selected) is not None:
        words.append(_where(drawing, cut_eV, selected))
    return "; ".join(words) + "."


def _where(drawing: Drawing, cut_eV: float, selected: int) -> str:
    top = drawing.top_of(selected, cut_eV)
    if top is None:
        return f"minimum {selected} lies above the cut"
    above = int(drawing.tree.parent[top])
    leaves_at = "" if above < 0 else f", and leaves it at {drawing.energies_eV[above]:.3f} eV"
    others = sorted(drawing.tree.minima_below(top) - {selected})
    if not others:
        return f"minimum {selected} is alone in its superbasin{leaves_at}"
    named = ", ".join(map(str, others[:5])) + (f" and {len(others) - 5:,} more" if len(others) > 5 else "")
    return f"minimum {selected} can reach {named}{leaves_at}"


def transition_line(network: KineticNetwork, point: TransitionState, minimum: int) -> str:
    """Return a transition state as a line of a list, seen from one of its minima."""
    other = point.minima[1] if point.minima[0] == minimum else point.minima[0]
    barrier = point.energy_eV - network.minima[minimum].energy_eV
    end = "copy of itself" if other == minimum else f"minimum {other}"
    parts = [f"TS {point.index}", f"barrier {barrier:.3f} eV", f"to {end}"]
    imaginary = imaginary_cm(point)
    parts += [f"{imaginary:.0f}i cm⁻¹"] if imaginary is not None else []
    return " · ".join(parts)


def imaginary_cm(point: Minimum) -> float | None:
    """Return the wavenumber (1/cm, positive) of the unstable mode, None where eigenvalues were not kept."""
    values = np.asarray(point.eigenvalues if point.eigenvalues is not None else [])
    if not len(values) or values.min() >= 0:
        return None
    # ν = sqrt(λ) / 2π in ASE's time unit; 1/cm by the speed of light
    return float(math.sqrt(-values.min()) / (2 * math.pi) * units.second / (units._c * 100))


def point_facts(network: KineticNetwork, point: Minimum) -> str:
    """Return energies and provenance of a point as a small table."""
    lowest = network.global_minimum.energy_eV
    rows: dict[str, object] = {"Energy above the lowest": f"{point.energy_eV - lowest:.4f} eV"}
    if isinstance(point, TransitionState):
        for end in dict.fromkeys(point.minima):
            rows[f"Barrier from minimum {end}"] = f"{point.energy_eV - network.minima[end].energy_eV:.4f} eV"
        imaginary = imaginary_cm(point)
        rows |= {"Unstable mode": f"{imaginary:.0f}i cm⁻¹"} if imaginary is not None else {}
    else:
        rows["Transition states"] = len(network.transition_states_of(point.index))
    rows |= {"Point group order": point.order} if point.order > 1 else {}
    return theme.facts(rows)


def time_words(log_time: float, seconds: bool) -> str:
    """Return a time given as its natural logarithm: in seconds, or in units of 1/ν, the common prefactor."""
    if log_time == math.inf:
        return "never"
    if log_time == -math.inf:
        return "–"
    power = log_time / math.log(10)
    plain = math.log10(999.5)  # from here on three digits would need an exponent of their own
    if seconds and -15 <= power < plain:
        value = 10**power
        size, name = next((s, n) for s, n in reversed(_SI) if value >= s * 0.9995)
        return f"{value / size:.3g} {name}"
    if -3 <= power < plain:
        number = f"{10**power:.3g}"
    else:
        exponent = math.floor(power)
        mantissa = 10 ** (power - exponent)
        exponent, mantissa = (exponent + 1, 1.0) if mantissa >= 9.95 else (exponent, mantissa)
        number = f"{mantissa:.1f} × 10{str(exponent).translate(_DIGITS)}"
    return f"{number} {'s' if seconds else '/ν'}"


def path_words(minima: Sequence[int], saddles: Sequence[int], highest_eV: float) -> str:
    """Return a path through the network in words; `highest_eV` is its highest saddle above the start."""
    if len(minima) > 8:
        shown = " → ".join(map(str, minima[:4])) + " → … → " + " → ".join(map(str, minima[-2:]))
    else:
        shown = " → ".join(map(str, minima))
    over = f"TS {', '.join(map(str, saddles[:6]))}{', …' if len(saddles) > 6 else ''}"
    return f"{shown} over {over}; highest saddle {highest_eV:.3f} eV above the start"
