"""Where the name of a field has room: the place with most space to all sides, or none.

The one idea: the diagram is looked at as a coarse picture in which every cell knows its field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .phase_diagram_rows import Row

_COLUMNS, _LINES = 110, 66
#: What a letter and a line of text take (pixels).
_LETTER, _HEIGHT = 7.2, 15.0


def places(
    rows: Sequence[Row], axis: str, limits: tuple[float, float], size: tuple[float, float],
    words: Callable[[tuple[int, ...]], str], taken: Sequence[tuple[float, float, str]] = (),
) -> list[tuple[float, float, str]]:  # fmt: skip
    """Return (position, temperature, text) of each field that has room; `size` is that of the picture in pixels.

    Nothing is put where `taken` texts stand.
    """
    from scipy import ndimage

    temperatures = np.array([row.temperature_K for row in rows])
    if len(rows) < 3:
        return []
    lines = np.linspace(temperatures[0], temperatures[-1], _LINES)
    nearest = np.abs(temperatures[None] - lines[:, None]).argmin(axis=1)
    x = np.linspace(*limits, _COLUMNS)
    kinds: dict[tuple[int, ...], int] = {}
    drawn = {}
    for at in np.unique(nearest):
        line = np.zeros(_COLUMNS, int)
        for phases, low, high in rows[at].spans(axis, limits):
            line[(x > low) & (x < high)] = kinds.setdefault(phases, len(kinds) + 1)
        drawn[at] = line
    picture = np.pad(np.stack([drawn[at] for at in nearest]), 1)
    for at, temperature, text in taken:
        column = np.abs(x - at).argmin() + 1, np.abs(lines - temperature).argmin() + 1
        half = int(_LETTER * len(text) / 2 / size[0] * _COLUMNS) + 2, int(_HEIGHT / 2 / size[1] * _LINES) + 1
        rows_, columns = (slice(max(c - h, 0), c + h + 1) for c, h in zip(column[::-1], half[::-1], strict=True))
        picture[rows_, columns] = 0
    widths = np.zeros(len(kinds) + 1)
    for phases, kind in kinds.items():
        widths[kind] = _LETTER * len(words(phases))
    cell = size[0] / _COLUMNS, size[1] / _LINES
    across = np.minimum(_run(picture, 1), _run(picture[:, ::-1], 1)[:, ::-1]) * cell[0]
    along = np.minimum(_run(picture, 0), _run(picture[::-1], 0)[::-1]) * cell[1]
    room = np.minimum(across - widths[picture] / 2 - 4, along - _HEIGHT / 2)
    found = []
    for phases, kind in kinds.items():
        parts, _ = ndimage.label(picture == kind)
        for number, box in enumerate(ndimage.find_objects(parts), start=1):
            here = np.where(parts[box] == number, room[box], -np.inf)
            best = here.max()
            if best < 0:
                continue
            # A plateau of equal room: its middle looks better than its first cell.
            level = here >= best - 1e-9
            row, column = (round(float(one.mean())) for one in np.nonzero(level))
            if not level[row, column]:
                row, column = (int(one[0]) for one in np.nonzero(level))
            at = box[1].start + column - 1, box[0].start + row - 1
            found.append((float(x[at[0]]), float(lines[at[1]]), words(phases)))
    return found


def _run(picture: np.ndarray, axis: int) -> np.ndarray:
    """Return how many cells of the same kind lie before each one along `axis`."""
    cells = np.moveaxis(picture, axis, 0)
    count = np.zeros(cells.shape)
    for at in range(1, len(cells)):
        count[at] = np.where(cells[at] == cells[at - 1], count[at - 1] + 1, 0)
    return np.moveaxis(count, 0, axis)
