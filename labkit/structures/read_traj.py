"""Read ASE's binary trajectories from memory.

The format is JSON with arrays (no pickle); the frame table is compared with the file's size before it is followed.
"""

from __future__ import annotations

import io
import struct
import warnings

from ase import Atoms

from labkit.errors import UnreadableFile

HEADER_BYTES = 48


def read_traj_frames(data: bytes, label: str) -> list[Atoms]:
    """Return all frames (Å); raises UnreadableFile whose `frames` are those before the fault."""
    from ase.io.trajectory import TrajectoryReader

    if len(data) < HEADER_BYTES:
        raise UnreadableFile(f"{label} ends within its header ({len(data)} bytes). Copy it again.")
    _, n_frames, table_at = struct.unpack("<3q", data[24:HEADER_BYTES])
    if not 0 < n_frames * 8 <= len(data) - table_at or table_at < 0:
        raise UnreadableFile(
            f"{label} claims {n_frames:,} frames with their table at byte {table_at:,}, but has {len(data):,} "
            "bytes. It is empty or cut off."
        )
    frames: list[Atoms] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old versions announce themselves; nothing for the user to do
            reader = TrajectoryReader(io.BytesIO(data))
            for index in range(n_frames):
                frames.append(reader[index])  # noqa: PERF401 - the frames before a fault must survive it
    except Exception as error:  # a torn file makes the reader raise nearly everything
        rescue = [f"The {len(frames)} frames before it can be read and can be kept."] if frames else []
        raise UnreadableFile(
            [
                f"Frame {len(frames)} of {label} cannot be read ({type(error).__name__}): the file is damaged or "
                "cut off.",
                *rescue,
            ],
            frames,
        ) from error
    return frames
