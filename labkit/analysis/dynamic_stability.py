"""Is a crystal that is unstable at 0 K stabilised by its own motion? The answer stands in its time-averaged structure.

The one idea: atoms that hop among distorted structures average to the ideal one, atoms locked in one of them do not.
The descriptor is labkit's own formulation of the one used for BaFeO3 in Phys. Rev. B 106, 064308 (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from labkit.analysis.trajectory import Frames, checked
from labkit.errors import InvalidStructure

Align = Literal["auto", "drift", "rotation"] | None
#: The error comes from the scatter of blocks; each needs some frames, and fewer than three blocks have no scatter.
FEWEST_BLOCKS, FEWEST_FRAMES_IN_A_BLOCK = 3, 5
#: A volume that differs from the ideal one by more than this factor belongs to another structure.
MOST_STRAIN = 1.3


@dataclass(frozen=True, eq=False)
class StructuralDescriptor:
    """How far the time-averaged structure is from the ideal one.

    D_A: sqrt(mean_i |<u_i>|^2), Å. corrected_A: the same without the noise of a finite average (negative where the
    noise wins), D_error_A its standard error. reference_A: D_0 of the distorted structure at 0 K, or None. order: eta =
    corrected_A / D_0, 1 locked in the distortion, 0 stabilised by motion; order_error. mean_displacements_A: <u_i>,
    (n, 3). frames: how many were averaged. blocks: number of stretches of time behind the error.
    """

    D_A: float
    corrected_A: float
    D_error_A: float
    reference_A: float | None
    order: float | None
    order_error: float | None
    mean_displacements_A: np.ndarray
    frames: int
    blocks: int

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers in JSON-able form, without the displacements of the atoms."""
        return {key: value for key, value in asdict(self).items() if key != "mean_displacements_A"}

    def __str__(self) -> str:
        """Return D and eta with their errors in one line."""
        text = f"D = {self.D_A:.4f} Å, without noise {self.corrected_A:.4f} ± {self.D_error_A:.4f} Å"
        return text if self.order is None else f"{text}, η = {self.order:.2f} ± {self.order_error:.2f}"


def displacements(frames: Frames, ideal: Atoms, align: Align = "auto") -> np.ndarray:
    """Return displacements u_i(t) from the ideal structure, (T, n, 3) in Å.

    Each frame is laid on `ideal` by the minimum image of its own cell, atom by atom in the given order; a strained
    frame is counted in the ideal cell. align: "drift" takes out the mean displacement, "rotation" also the best
    rotation (Kabsch), None nothing; "auto" is "rotation" for a molecule and "drift" for a crystal. Raises
    InvalidStructure for frames that are not this structure.
    """
    frames = checked(frames, minimum=1)
    if len(frames[0]) != len(ideal) or not np.array_equal(frames[0].numbers, ideal.numbers):
        raise InvalidStructure(
            f"the frames hold {frames[0].get_chemical_formula()} and the ideal structure "
            f"{ideal.get_chemical_formula()}, or in another order; build both from the same supercell."
        )
    if align not in ("auto", "drift", "rotation", None):
        raise ValueError(f"align={align!r} is unknown; use 'auto', 'drift', 'rotation' or None.")
    periodic = bool(ideal.pbc.any())
    if periodic and align == "rotation":
        raise ValueError("the cell of a crystal does not turn; use align='drift' or None.")
    moved = np.array([_laid_on(frame, ideal, align is not None) for frame in frames])
    if align is None:
        return moved
    moved -= moved.mean(axis=1, keepdims=True)
    return moved if periodic or align == "drift" else _unturned(moved, ideal.positions)


def structural_descriptor(
    frames: Frames | np.ndarray,
    ideal: Atoms,
    distorted: Atoms | float | None = None,
    *,
    align: Align = "auto",
    blocks: int = 5,
    atoms: np.ndarray | None = None,
) -> StructuralDescriptor:
    """Return D and, with a distorted structure, the order parameter eta of a trajectory.

    frames: Atoms, or displacements (T, n, 3) of `displacements`. distorted: the structure relaxed at 0 K, or its D_0 in
    Å. atoms: mask (n,) of those that count, all by default. The average over a time of finite length is never exactly
    zero: with the means m_b of B blocks, <D^2> = (B^2 |m|^2 - sum_b |m_b|^2) / (B (B - 1)) is free of noise that is
    independent from block to block (the mean over pairs of different blocks), and its error is the larger of the
    jackknife's over blocks and that of independent pairs. A distortion that lives longer than a block is not told from
    one that lives for ever. Raises InvalidStructure for few frames
    and for numbers that are not finite.
    """
    moved = frames if isinstance(frames, np.ndarray) else displacements(frames, ideal, align)
    if not np.isfinite(moved).all():
        raise InvalidStructure("some displacements are not finite numbers; leave those frames out.")
    counted = np.ones(len(ideal), dtype=bool) if atoms is None else np.asarray(atoms, dtype=bool)
    if blocks < FEWEST_BLOCKS:
        raise ValueError(f"blocks={blocks}; at least {FEWEST_BLOCKS} are needed for an error.")
    size = len(moved) // blocks
    if size < FEWEST_FRAMES_IN_A_BLOCK:
        least = blocks * FEWEST_FRAMES_IN_A_BLOCK
        raise InvalidStructure(f"{len(moved)} frames are too few for {blocks} blocks; give at least {least}.")
    means = moved[len(moved) - size * blocks :].reshape(blocks, size, *moved.shape[1:]).mean(axis=1)
    gram = np.einsum("bix,cix->bc", means[:, counted], means[:, counted]) / counted.sum()
    left_out = [_between(np.delete(np.delete(gram, b, 0), b, 1)) for b in range(blocks)]
    square = _between(gram)
    jackknife = float(np.sqrt((blocks - 1) / blocks * ((left_out - np.mean(left_out)) ** 2).sum()))
    pairs = gram[np.triu_indices(blocks, 1)]
    # Without order the pairs are independent, and the jackknife of few blocks may by chance be much too small.
    error = max(jackknife, float(pairs.std(ddof=1) / np.sqrt(len(pairs))))
    high, low = _root(square + error), _root(square - error)
    zero_K = _reference(distorted, ideal, align, counted)
    corrected = _root(square)
    return StructuralDescriptor(
        D_A=float(np.sqrt(gram.mean())),
        corrected_A=corrected,
        D_error_A=(high - low) / 2,
        reference_A=zero_K,
        order=None if zero_K is None else corrected / zero_K,
        order_error=None if zero_K is None else (high - low) / 2 / zero_K,
        mean_displacements_A=means.mean(axis=0),
        frames=size * blocks,
        blocks=blocks,
    )


def mode_amplitudes(displacements_A: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Return amplitudes Q_g(t) of displacements (T, n, 3) along patterns (g, n, 3): u = sum_g Q_g e_g + the rest.

    A pattern is the displacement of the atoms in a mode (not mass-weighted); with patterns whose largest displacement
    is 1 Å, Q is in Å. The rest is made as small as possible, sum_g' (e_g . e_g') Q_g' = e_g . u. Returns (T, g).
    """
    patterns = np.asarray(patterns, dtype=float).reshape(-1, *displacements_A.shape[1:])
    overlaps = np.einsum("gix,tix->gt", patterns, displacements_A)
    return np.linalg.solve(np.einsum("gix,hix->gh", patterns, patterns), overlaps).T


def rms_A(displacements_A: np.ndarray, atoms: np.ndarray | None = None) -> float:
    """Return D = sqrt(mean_i |u_i|^2) of displacements (n, 3), over all atoms or those of a mask (n,)."""
    counted = displacements_A if atoms is None else displacements_A[atoms]
    return float(np.sqrt((counted**2).sum(axis=1).mean()))


def left_places(mean_displacements_A: np.ndarray, ideal: Atoms, distorted: Atoms | None = None) -> np.ndarray:
    """Return a mask (n,) of the atoms whose mean displacement (n, 3) is more than half the way to their neighbour.

    They have hopped, diffused or melted away, and what they are displaced by says nothing about a distortion; unless
    the distorted structure itself takes an atom as far (within a fifth).
    """
    apart = ideal.get_all_distances(mic=True)
    np.fill_diagonal(apart, np.inf)
    reach = 0.0 if distorted is None else np.linalg.norm(displacements([distorted], ideal)[0], axis=1).max()
    return np.linalg.norm(mean_displacements_A, axis=1) > np.maximum(apart.min(axis=1) / 2, 1.2 * reach)


def _reference(distorted: Atoms | float | None, ideal: Atoms, align: Align, counted: np.ndarray) -> float | None:
    if distorted is None:
        return None
    value = float(distorted) if not isinstance(distorted, Atoms) else None
    if value is None:
        value = rms_A(displacements([distorted], ideal, align)[0], counted)
    if not value > 0:
        raise InvalidStructure("the distorted structure is the ideal one (D_0 = 0); there is nothing to be locked in.")
    return value


def _between(gram: np.ndarray) -> float:
    """The mean over pairs of different blocks."""
    n = len(gram)
    return float((gram.sum() - np.trace(gram)) / (n * (n - 1)))


def _root(square: float) -> float:
    return float(np.sign(square) * np.sqrt(abs(square)))


def _laid_on(frame: Atoms, ideal: Atoms, free: bool) -> np.ndarray:
    """Displacements (n, 3) of one frame; where the frame is free to drift, relative to its heaviest atom first."""
    step = frame.positions - ideal.positions
    if ideal.cell.rank == 3 and frame.cell.rank == 3:
        ratio = frame.cell.volume / ideal.cell.volume
        if not 1 / MOST_STRAIN < ratio < MOST_STRAIN:
            raise InvalidStructure(
                f"the cell of a frame has {ratio:.2f} times the ideal volume; the order of the atoms or the "
                "supercell is another one."
            )
        step = (frame.get_scaled_positions(wrap=False) - ideal.get_scaled_positions(wrap=False)) @ ideal.cell.array
    if free:
        step = step - step[np.argmax(ideal.get_masses())]
    return find_mic(step, ideal.cell, ideal.pbc)[0] if ideal.pbc.any() else step


def _unturned(moved: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Displacements (T, n, 3) of frames turned onto the ideal positions (n, 3): W. Kabsch, Acta Cryst. A 32, 922."""
    ideal = positions - positions.mean(axis=0)
    turned = []
    for one in moved:
        left, _, right = np.linalg.svd((one + ideal).T @ ideal)
        sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
        turned.append((one + ideal) @ left @ sign @ right - ideal)
    return np.array(turned)


def symmetric_part(vectors: np.ndarray, operations: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the part of displacements (..., n, 3) that keeps the symmetry of the ideal structure.

    operations: (rotation (3, 3) Cartesian, permutation (n,): atom i goes to atom permutation[i]) of
    `labkit.analysis.dynamic_stability_symmetry.operations`. The average over the group of all that it does to u.
    """
    total = np.zeros_like(vectors)
    for rotation, permutation in operations:
        total[..., permutation, :] += vectors @ rotation.T
    return total / len(operations)
