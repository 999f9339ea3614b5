"""Sites and jumps: on which site each ion rests, how often it leaves for another one, and the diffusion that follows.

An ion belongs to the site that it entered last, so one that vibrates far out and falls back has not jumped: a jump
counts when it comes within the radius of another site. Own code, since gemdat holds matplotlib at an old version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from scipy.spatial import cKDTree

from labkit.analysis.diffusion import CM2_S_PER_A2_FS
from labkit.analysis.trajectory import Frames, checked, remove_drift, select
from labkit.analysis.trajectory import positions as positions_of
from labkit.errors import InvalidStructure

_FEW_FRAMES = 5


@dataclass(frozen=True)
class Rate:
    """A rate (1/ps) from `count` jumps, with its exact 95 % Poisson interval."""

    count: int
    rate_1_ps: float
    low_1_ps: float
    high_1_ps: float


@dataclass(frozen=True, eq=False)
class SiteJumps:
    """What n ions did on m sites. sites (m, 3) fractional; kinds (m,) names; occupation (m,): ions on a site in the
    mean; on_site (T, n): the site entered last, -1 before the first; matrix (m, m): jumps from row to column;
    time_ps (m,): time of all ions on each site; squares_A2: |step|^2 of each jump; returns: share of jumps that undo
    the one before; between: share of ions outside of all radii. `warning`: why the rates must not be trusted, or empty.
    """

    sites: np.ndarray
    kinds: tuple[str, ...]
    radius_A: float
    occupation: np.ndarray
    on_site: np.ndarray = field(repr=False)
    matrix: np.ndarray
    time_ps: np.ndarray
    squares_A2: np.ndarray = field(repr=False)
    n_ions: int
    length_ps: float
    returns: float
    between: float
    warning: str

    @property
    def n_jumps(self) -> int:
        """All jumps, those to the next image of the same site too."""
        return len(self.squares_A2)

    @property
    def rate(self) -> Rate:
        """Jumps of one ion, whatever the site."""
        return poisson_rate(self.n_jumps, self.n_ions * self.length_ps)

    def rate_between(self, start: int | str, end: int | str) -> Rate:
        """Jumps from `start` to `end` (site numbers, or names of kinds) for each ps that an ion is at the start."""
        first, second = self._mask(start), self._mask(end)
        return poisson_rate(int(self.matrix[np.ix_(first, second)].sum()), float(self.time_ps[first].sum()))

    def rates_by_kind(self) -> dict[tuple[str, str], Rate]:
        """The rate for each pair of kinds between which ions jumped."""
        names = list(dict.fromkeys(self.kinds))
        found = {(a, b): self.rate_between(a, b) for a in names for b in names}
        return {pair: rate for pair, rate in found.items() if rate.count}

    def residence_ps(self, site: int | str) -> float:
        """Mean time that an ion stays; infinite where none left."""
        mask = self._mask(site)
        left = self.matrix[mask].sum()
        return float(self.time_ps[mask].sum() / left) if left else float("inf")

    def diffusion(self, dimensions: int = 3) -> tuple[float, float]:
        """Jump-diffusion coefficient and its standard error, cm^2/s: D_J = sum_jumps a^2 / (2 d n t) = sum Γ a^2 / 2d.

        That of jumps without memory; a tracer D below it means that ions jump back. The error is that of a compound
        Poisson process, sqrt(sum a^4).
        """
        scale = CM2_S_PER_A2_FS / 1000 / (2 * dimensions * self.n_ions * self.length_ps)
        return float(self.squares_A2.sum() * scale), float(np.sqrt((self.squares_A2**2).sum()) * scale)

    def _mask(self, which: int | str) -> np.ndarray:
        if isinstance(which, str):
            mask = np.array([kind == which for kind in self.kinds])
            if not mask.any():
                raise ValueError(f"there is no kind of site {which!r}; known: {', '.join(dict.fromkeys(self.kinds))}.")
            return mask
        if not 0 <= which < len(self.sites):
            raise ValueError(f"there is no site {which}; the sites are 0 to {len(self.sites) - 1}.")
        return np.arange(len(self.sites)) == which


def poisson_rate(count: int, time_ps: float) -> Rate:
    """The rate of `count` events in `time_ps` with its 95 % interval (Garwood, Biometrika 28, 437 (1936))."""
    from scipy.stats import chi2

    if time_ps <= 0:
        return Rate(count, 0.0, 0.0, float("inf"))
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return Rate(count, count / time_ps, float(low) / time_ps, float(chi2.ppf(0.975, 2 * count + 2)) / 2 / time_ps)


def site_jumps(
    frames: Frames,
    sites: np.ndarray | Atoms,
    species: str,
    *,
    frame_interval_fs: float,
    radius_A: float | None = None,
    kinds: Sequence[str] | None = None,
    drift: str | None = "host",
    wrapped: bool | None = None,
) -> SiteJumps:
    """Return on which of the `sites` the ions of `species` rest and how they jump.

    sites: fractional coordinates (m, 3), such as `ProbabilityDensity.maxima`, or a crystal whose atoms of `species` lie
    on them. radius_A: an ion enters a site within this distance; by itself 0.45 of the smallest distance of two sites,
    at most 1.5 Å. Spheres must not overlap: what lies between them is what keeps a vibration from being a jump.
    drift: "host" takes out the motion of the other atoms, None nothing.
    Raises InvalidStructure for frames without a three-dimensional cell, ValueError for sites, a radius or a drift
    without meaning.
    """
    frames = checked(frames, minimum=2)
    if not frames[0].pbc.all() or frames[0].cell.rank < 3:
        raise InvalidStructure("sites are found in frames that are periodic in three directions.")
    if not np.isfinite(frame_interval_fs) or frame_interval_fs <= 0:
        raise ValueError(f"frame_interval_fs={frame_interval_fs} must be positive: the time between two frames in fs.")
    if isinstance(sites, Atoms):
        sites = sites.get_scaled_positions()[select(sites, species)]
    sites = np.asarray(sites, dtype=float).reshape(-1, 3) % 1.0
    kinds = tuple(kinds) if kinds is not None else ("site",) * len(sites)
    if len(sites) == 0 or len(kinds) != len(sites):
        raise ValueError(f"{len(sites)} sites and {len(kinds)} kinds were given; give at least one, and one kind each.")
    mobile = select(frames[0], species)
    array = positions_of(frames, wrapped=wrapped)
    if drift == "host" and not mobile.all():
        array = remove_drift(array, frames[0].get_masses(), ~mobile)
    elif drift not in ("host", None):
        raise ValueError(f"drift={drift!r} is unknown; use 'host' or None.")
    cell = frames[0].cell.array
    radius = _radius(sites, cell, radius_A)
    inside, place = _entered(array[:, mobile] @ np.linalg.inv(cell), sites, cell, radius)
    return _counted(inside, place, sites, kinds, cell, radius, frame_interval_fs)


def _radius(sites: np.ndarray, cell: np.ndarray, wanted: float | None) -> float:
    """The checked radius; the smallest distance is also that to a site's own image."""
    first, second = np.triu_indices(len(sites), 1)
    apart = find_mic((sites[second] - sites[first]) @ cell, cell, True)[1].min() if len(first) else np.inf
    shifts = np.array([s for s in np.ndindex(3, 3, 3) if s != (1, 1, 1)]) - 1
    apart = float(min(apart, np.linalg.norm(shifts @ cell, axis=1).min()))
    if apart < 1e-3:
        raise ValueError("two of the sites are the same place; name each site once.")
    if wanted is None:
        return min(0.45 * apart, 1.5)
    if not 0 < wanted <= apart / 2:
        raise ValueError(f"radius_A={wanted} must be positive and at most {apart / 2:.3g} Å, half the way to a site.")
    return float(wanted)


def _entered(scaled: np.ndarray, sites: np.ndarray, cell: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Site within the radius (T, n), -1 for none, and its unwrapped place (T, n, 3) in fractions.

    Images -1, 0 and 1 are enough for wrapped ions, as the radius is below half of the shortest vector's width or the
    query simply sees all spheres that can reach into the cell.
    """
    widths = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = np.ceil(radius / widths).astype(int)
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    images = (sites[None] + shifts[:, None]).reshape(-1, 3)
    home = np.floor(scaled)
    flat = ((scaled - home) @ cell).reshape(-1, 3)
    _, found = cKDTree(images @ cell).query(flat, distance_upper_bound=radius)
    known = found < len(images)
    inside = np.where(known, found % len(sites), -1).reshape(scaled.shape[:2])
    place = np.where(known[:, None], images[np.minimum(found, len(images) - 1)], 0.0).reshape(scaled.shape) + home
    return inside, place


def _counted(
    inside: np.ndarray,
    place: np.ndarray,
    sites: np.ndarray,
    kinds: tuple[str, ...],
    cell: np.ndarray,
    radius: float,
    frame_interval_fs: float,
) -> SiteJumps:
    n_frames, n_ions = inside.shape
    latest = np.where(inside >= 0, np.arange(n_frames)[:, None], -1)
    latest = np.maximum.accumulate(latest, axis=0)  # the frame in which the present site was last seen
    ions = np.arange(n_ions)[None]
    on_site = np.where(latest >= 0, inside[latest, ions], -1)
    where = place[latest, ions]
    steps = np.where((on_site[1:] >= 0) & (on_site[:-1] >= 0), 1.0, 0.0)[..., None] * np.diff(where, axis=0)
    jumped = np.abs(steps).max(axis=2) > 1e-6
    time, ion = np.nonzero(jumped)
    moved = steps[time, ion] @ cell
    matrix = np.zeros((len(sites), len(sites)), dtype=int)
    np.add.at(matrix, (on_site[time, ion], on_site[time + 1, ion]), 1)
    picoseconds = frame_interval_fs / 1000
    stays = np.bincount(on_site[:-1][on_site[:-1] >= 0], minlength=len(sites)) * picoseconds
    order = np.lexsort((time, ion))
    same = ion[order][1:] == ion[order][:-1]
    undone = same & (np.abs(moved[order][1:] + moved[order][:-1]).max(axis=1) < 1e-6)
    mean = float(stays.sum()) / len(time) if len(time) else np.inf
    warning = ""
    if len(time) == 0:
        warning = "no ion jumped; run longer or hotter, or look at the sites."
    elif mean < _FEW_FRAMES * picoseconds:
        warning = (
            f"an ion stays {1000 * mean:.0f} fs in the mean and frames are {frame_interval_fs:g} fs apart: jumps are "
            "missed. Write frames more often."
        )
    return SiteJumps(
        sites=sites,
        kinds=kinds,
        radius_A=radius,
        occupation=np.bincount(on_site[on_site >= 0], minlength=len(sites)) / n_frames,
        on_site=on_site,
        matrix=matrix,
        time_ps=stays,
        squares_A2=(moved**2).sum(axis=1),
        n_ions=n_ions,
        length_ps=(n_frames - 1) * picoseconds,
        returns=float(undone.sum() / len(time)) if len(time) else 0.0,
        between=float((inside < 0).mean()),
        warning=warning,
    )
