"""From frames to arrays: checked, unwrapped and free of drift.

Everything downstream works on one array of shape (T, n, 3) in Å. Frames from labkit's own dynamics are unwrapped
already; frames from files may be wrapped, and then the jump across the cell has to be undone before any displacement
is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from labkit.errors import InvalidStructure

Frames = Sequence[Atoms]
# In cell edges. A wrap shows as nearly 1; a hop in a small cell may well exceed 0.5 and is no reason to refuse a run.
_SUSPICIOUS_JUMP = 0.7


def checked(frames: Frames, *, minimum: int = 2) -> list[Atoms]:
    """Return the frames as a list after checking that they are one trajectory.

    Raises InvalidStructure for fewer than `minimum` frames, a changing number or order of atoms, or positions that
    are not finite.
    """
    frames = [frames] if isinstance(frames, Atoms) else list(frames)
    if len(frames) < minimum:
        raise InvalidStructure(
            f"the trajectory has {len(frames)} frame(s); at least {minimum} are needed. "
            "Run longer or write frames more often."
        )
    first = frames[0]
    if len(first) == 0:
        raise InvalidStructure("frame 0 has no atoms; give a trajectory of at least one atom.")
    for index, frame in enumerate(frames):
        if len(frame) != len(first):
            raise InvalidStructure(
                f"frame {index} has {len(frame)} atoms and frame 0 has {len(first)}; "
                "analyse the stretches of equal atoms apart."
            )
        if not np.array_equal(frame.numbers, first.numbers):
            atom = int(np.flatnonzero(frame.numbers != first.numbers)[0])
            raise InvalidStructure(
                f"atom {atom} is {frame.symbols[atom]} in frame {index} and {first.symbols[atom]} in frame 0; "
                "sort the atoms of all frames alike."
            )
        finite = np.isfinite(frame.positions).all(axis=1)
        if not finite.all():
            atom = int(np.flatnonzero(~finite)[0])
            raise InvalidStructure(
                f"the position of atom {atom} in frame {index} is not finite; drop this frame and the later ones."
            )
    return frames


def select(atoms: Atoms, species: str | Sequence[str] | None) -> np.ndarray:
    """Return a mask (n,) of the atoms of these species; None takes all. InvalidStructure names those present."""
    if species is None:
        return np.ones(len(atoms), dtype=bool)
    wanted = [species] if isinstance(species, str) else list(species)
    symbols = np.array(atoms.get_chemical_symbols())
    absent = [symbol for symbol in wanted if symbol not in symbols]
    if absent or not wanted:
        present = ", ".join(sorted(set(symbols)))
        raise InvalidStructure(f"species {', '.join(absent) or '(none)'} not in the trajectory; present: {present}.")
    return np.isin(symbols, wanted)


def positions(frames: Frames, *, wrapped: bool | None = None) -> np.ndarray:
    """Return unwrapped positions (T, n, 3) in Å.

    `wrapped=False` trusts the frames, True unwraps them (see `unwrap`). With None the frames are taken as they are,
    and refused (InvalidStructure) when an atom jumps by more than 0.7 of a cell edge from one frame to the next, which
    is what a wrap looks like.
    """
    frames = checked(frames, minimum=1)
    if wrapped:
        return unwrap(frames)
    result = np.array([frame.positions for frame in frames], dtype=float)
    if wrapped is None and len(frames) > 1 and frames[0].pbc.any() and frames[0].cell.rank == 3:
        steps = np.linalg.inv(frames[0].cell.array)
        jumps = np.abs(np.diff(result, axis=0) @ steps)[..., frames[0].pbc]
        if jumps.max() > _SUSPICIOUS_JUMP:
            time, atom = np.unravel_index(int(np.argmax(jumps.max(axis=-1))), jumps.shape[:2])
            raise InvalidStructure(
                f"atom {atom} moves by {jumps.max():.2f} of a cell edge between frames {time} and {time + 1}, over "
                f"{_SUSPICIOUS_JUMP}. Pass wrapped=True if the frames are wrapped into the cell, wrapped=False if the "
                "atom really jumped."
            )
    return result


def unwrap(frames: Frames) -> np.ndarray:
    """Return positions (T, n, 3) in Å with every jump across the cell undone.

    r_u(t) = r_u(t-1) + mic[r(t) - r(t-1)], with the minimum image of the current (Minkowski-reduced) cell, so that
    skew and changing cells are right; the displacement form is that of Bullerjahn et al., J. Chem. Theory Comput.
    2023, 10.1021/acs.jctc.3c00308. An atom must move less than half of the shortest cell vector between two frames.
    """
    frames = checked(frames, minimum=1)
    raw = np.array([frame.positions for frame in frames], dtype=float)
    if len(frames) == 1 or not frames[0].pbc.any():
        return raw
    steps = np.diff(raw, axis=0)
    cells = np.array([frame.cell.array for frame in frames])
    if np.array_equal(cells, np.broadcast_to(cells[0], cells.shape)):
        images = find_mic(steps.reshape(-1, 3), frames[0].cell, frames[0].pbc)[0].reshape(steps.shape)
    else:
        images = np.array(
            [find_mic(step, frame.cell, frame.pbc)[0] for step, frame in zip(steps, frames[1:], strict=True)]
        )
    return np.concatenate([raw[:1], raw[0] + np.cumsum(images, axis=0)])


def remove_drift(positions_A: np.ndarray, masses_amu: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return positions (T, n, 3) in Å relative to the moving centre of mass of the `reference` atoms (mask (n,)).

    r'_i(t) = r_i(t) - [R(t) - R(0)], R = sum_ref m r / sum_ref m. Raises ValueError for an empty reference.
    """
    if not reference.any():
        raise ValueError("the drift reference is empty; use drift='all' or drift=None when every atom is mobile.")
    centre = np.average(positions_A[:, reference], axis=1, weights=masses_amu[reference])
    return positions_A - (centre - centre[0])[:, None, :]


def without_drift(
    frames: Frames, mobile: np.ndarray, drift: str | None, *, wrapped: bool | None = None
) -> tuple[np.ndarray, str | None]:
    """Return (positions (T, n_mobile, 3) in Å, drift that was removed).

    `drift`: "host" (all atoms but the mobile ones), "all", None, or "auto": the host if there is one, else all atoms,
    else (one atom) nothing. Raises ValueError for another word or when "host" is asked for and every atom is mobile.
    """
    if drift not in ("auto", "host", "all", None):
        raise ValueError(f"drift={drift!r} is unknown; use 'host', 'all', 'auto' or None.")
    if drift == "auto":
        drift = "host" if not mobile.all() else "all" if len(mobile) > 1 else None
    array = positions(frames, wrapped=wrapped)
    if drift is not None:
        reference = ~mobile if drift == "host" else np.ones_like(mobile)
        array = remove_drift(array, frames[0].get_masses(), reference)
    return array[:, mobile], drift
