"""Where the mobile ions are: their probability density on a periodic grid, which a viewer shows as an iso-surface.

Frames of the same crystal are folded into one cell, by lattice translations also into a primitive one, so that a few
picoseconds of many ions become the picture of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from scipy import fft, ndimage

from labkit.analysis.trajectory import Frames, checked, remove_drift, select
from labkit.analysis.trajectory import positions as positions_of
from labkit.errors import InvalidStructure

#: A grid beyond this is no picture any more.
MAX_VOXELS = 4_000_000
_COMMENSURATE = 0.02
_BOHR_A = 0.529177210903


@dataclass(frozen=True, eq=False)
class ProbabilityDensity:
    """density_1_A3 (a, b, c): ions in each Å^3 at the grid points i/a, j/b, k/c of `cell` (3, 3) Å; its integral over
    the cell is n_ions (a fraction of them after folding). `host`: the other atoms at their mean places, if any.
    """

    density_1_A3: np.ndarray
    cell: np.ndarray
    species: tuple[str, ...]
    n_ions: float
    n_frames: int
    host: Atoms | None = field(default=None, repr=False)

    @property
    def voxel_A3(self) -> float:
        """Volume that belongs to a grid point."""
        return float(abs(np.linalg.det(self.cell))) / self.density_1_A3.size

    def smoothed(self, width_A: float) -> ProbabilityDensity:
        """The density convoluted with a Gaussian of standard deviation `width_A`, periodic in any cell; its integral
        stays.
        """
        if not np.isfinite(width_A) or width_A < 0:
            raise ValueError(f"width_A={width_A} must be zero or positive.")
        shape = self.density_1_A3.shape
        waves = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij")
        G = 2 * np.pi * np.stack(waves, axis=-1) @ np.linalg.inv(self.cell).T
        damped = fft.fftn(self.density_1_A3) * np.exp(-0.5 * width_A**2 * (G**2).sum(axis=-1))
        made = np.maximum(fft.ifftn(damped).real, 0.0)  # a width below the spacing rings around zero
        return replace(self, density_1_A3=made * (self.density_1_A3.sum() / made.sum()))

    def level_that_holds(self, share: float) -> float:
        """The density (1/Å^3) above which a `share` (0 to 1) of the ions is found: a fair level for an iso-surface."""
        if not 0 < share < 1:
            raise ValueError(f"share={share} must lie between 0 and 1.")
        values = np.sort(self.density_1_A3.ravel())[::-1]
        total = np.cumsum(values)
        return float(values[int(np.searchsorted(total, share * total[-1]))])

    def maxima(self, *, min_distance_A: float = 1.0, least_share: float = 0.02) -> np.ndarray:
        """Fractional coordinates (m, 3) of the maxima, the highest first: the sites where ions rest.

        Of maxima closer than `min_distance_A` the highest stays, and one lower than `least_share` of the highest is
        noise. Each is moved to the centroid of the density within half of that distance. Smooth a rough density first.
        """
        rho = self.density_1_A3
        peak = (rho == ndimage.maximum_filter(rho, size=3, mode="wrap")) & (rho > least_share * rho.max())
        places = np.argwhere(peak)
        order = np.argsort(-rho[peak], kind="stable")
        found: list[np.ndarray] = []
        for place in places[order] / rho.shape:
            if not found or _distances(np.array(found) - place, self.cell).min() >= min_distance_A:
                found.append(place)
        return np.array([self._centroid(one, min_distance_A / 2) for one in found]).reshape(-1, 3)

    def _centroid(self, place: np.ndarray, radius_A: float) -> np.ndarray:
        widths = 1 / np.linalg.norm(np.linalg.inv(self.cell), axis=0)
        shape = np.array(self.density_1_A3.shape)
        reach = np.minimum(np.ceil(radius_A / widths * shape).astype(int), (shape - 1) // 2)
        offsets = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
        centre = np.round(place * shape).astype(int)
        near = np.linalg.norm(offsets / shape @ self.cell, axis=1) <= radius_A
        weights = self.density_1_A3[tuple(((centre + offsets[near]) % shape).T)]
        return (place + np.average(offsets[near] / shape, axis=0, weights=weights)) % 1.0

    def cube(self) -> str:
        """The density (1/Å^3) as the text of a Gaussian cube file, closed at the far faces, with the host's atoms.

        P. Bourke's description of the format, https://paulbourke.net/dataformats/cube/: lengths in bohr, z fastest.
        """
        closed = np.pad(self.density_1_A3, [(0, 1)] * 3, mode="wrap")
        atoms = self.host if self.host is not None else Atoms()
        head = [f"{', '.join(self.species)}: ions per cubic angstrom", f"mean of {self.n_frames} frames, labkit"]
        head.append(f"{len(atoms):5d} 0.000000 0.000000 0.000000")
        steps = self.cell / np.array(self.density_1_A3.shape)[:, None] / _BOHR_A
        head += [f"{n:5d} {x:.6f} {y:.6f} {z:.6f}" for n, (x, y, z) in zip(closed.shape, steps, strict=True)]
        places = zip(atoms.numbers, atoms.positions / _BOHR_A, strict=True)
        head += [f"{number:5d} {number:.1f} {x:.6f} {y:.6f} {z:.6f}" for number, (x, y, z) in places]
        rows = closed.reshape(-1, closed.shape[2])
        body = [" ".join(f"{value:.4g}" for value in row[k : k + 6]) for row in rows for k in range(0, len(row), 6)]
        return "\n".join([*head, *body, ""])


def probability_density(
    frames: Frames,
    species: str,
    *,
    spacing_A: float = 0.3,
    fold: Atoms | np.ndarray | None = None,
    drift: str | None = "host",
    wrapped: bool | None = None,
) -> ProbabilityDensity:
    """Return the density of `species`: ρ(r) = <sum_i δ(r - r_i(t))>_t in 1/Å^3, counted at the nearest grid point.

    `fold`: a smaller cell (or the crystal that has it) whose lattice translations fold the ions into it, such as the
    primitive cell of a supercell, in the same orientation. `drift="host"` takes out the motion of the other atoms.
    Raises InvalidStructure for frames without a three-dimensional cell and ValueError for a cell that does not fit.
    """
    frames = checked(frames, minimum=1)
    if not frames[0].pbc.all() or frames[0].cell.rank < 3:
        raise InvalidStructure("a probability density on a grid needs frames that are periodic in three directions.")
    if not np.isfinite(spacing_A) or spacing_A <= 0:
        raise ValueError(f"spacing_A={spacing_A} must be positive: the distance of grid points in Å.")
    mobile = select(frames[0], species)
    array = positions_of(frames, wrapped=wrapped)
    if drift == "host" and not mobile.all():
        array = remove_drift(array, frames[0].get_masses(), ~mobile)
    elif drift not in ("host", None):
        raise ValueError(f"drift={drift!r} is unknown; use 'host' or None.")
    cells = np.array([frame.cell.array for frame in frames])
    cell = cells.mean(axis=0)
    matrix = _translations(cell, cell if fold is None else np.asarray(getattr(fold, "cell", fold), dtype=float))
    small = np.linalg.inv(matrix) @ cell
    scaled = np.einsum("tni,tij->tnj", array[:, mobile], np.linalg.inv(cells)) @ matrix
    copies = abs(round(float(np.linalg.det(matrix))))
    shape = np.maximum(1, np.ceil(np.linalg.norm(small, axis=1) / spacing_A - 1e-9)).astype(int)
    if np.prod(shape, dtype=float) > MAX_VOXELS:
        raise ValueError(
            f"spacing_A={spacing_A:g} makes {np.prod(shape, dtype=float):.2g} grid points, over {MAX_VOXELS:,}; "
            "take a wider one."
        )
    index = np.round(scaled.reshape(-1, 3) * shape).astype(int) % shape
    counts = np.bincount(np.ravel_multi_index(tuple(index.T), tuple(shape)), minlength=int(np.prod(shape)))
    n_ions = float(mobile.sum()) / copies
    scale = n_ions / (counts.sum() * abs(np.linalg.det(small)) / counts.size)
    host = None
    if not mobile.all():
        middle = array[:, ~mobile].mean(axis=0)
        host = Atoms(frames[0].numbers[~mobile], positions=middle, cell=cell, pbc=True)
        host = _folded(host, small, copies) if copies > 1 else host
        host.wrap()
    return ProbabilityDensity(
        counts.reshape(shape) * scale, small, tuple(sorted(set(frames[0].symbols[mobile]))), n_ions, len(frames), host
    )


def _translations(cell: np.ndarray, small: np.ndarray) -> np.ndarray:
    """The whole-number matrix (3, 3) with cell = matrix @ small."""
    if small.shape != (3, 3) or abs(np.linalg.det(small)) < 1e-6:
        raise ValueError("fold must be a cell of three vectors (3, 3) in Å, or a crystal that has one.")
    exact = cell @ np.linalg.inv(small)
    matrix = np.round(exact)
    if np.abs(exact - matrix).max() > _COMMENSURATE or round(abs(np.linalg.det(matrix))) < 1:
        raise ValueError(
            f"the cell of the frames is not a whole multiple of the one in fold: {np.round(exact, 2).tolist()} of its "
            "vectors. Give the primitive cell in the orientation of the frames."
        )
    return matrix


def _folded(host: Atoms, small: np.ndarray, copies: int) -> Atoms:
    """The host's atoms in the small cell: each site once, at the mean of its copies."""
    left = list(range(len(host)))
    places, numbers = [], []
    while left:
        steps = find_mic(host.positions[left] - host.positions[left[0]], small, True)[0]
        same = [
            k
            for k in np.argsort(np.linalg.norm(steps, axis=1), kind="stable")
            if host.numbers[left[k]] == host.numbers[left[0]]
        ][:copies]
        places.append(host.positions[left[0]] + steps[same].mean(axis=0))
        numbers.append(host.numbers[left[0]])
        left = [one for k, one in enumerate(left) if k not in set(same)]
    return Atoms(numbers, positions=places, cell=small, pbc=True)


def _distances(steps: np.ndarray, cell: np.ndarray) -> np.ndarray:
    return find_mic(np.asarray(steps) @ cell, cell, True)[1]
