"""Read labelled structures from a file: extended xyz (also gzipped), ASE databases, networks of stationary points.

A label that is silently missing is an error that names the key; numbers that are none are kept, counted in a warning
and left out on request only.
"""

from __future__ import annotations

import gzip
import io
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from labkit.datasets.dataset import Dataset
from labkit.datasets.labels import Keys, Raw, to_record
from labkit.datasets.problems import FaultyRecords, InvalidDataset, MissingLabel
from labkit.datasets.read_extxyz import read_extxyz
from labkit.datasets.read_others import is_network, parse_json, read_ase_db, read_network
from labkit.errors import UnreadableFile
from labkit.structures import MAX_ATOMS, safe_name

#: Unpacked size; half a million atoms with forces are about 50 MB.
MAX_BYTES = 500_000_000


def read(
    path: str | Path,
    *,
    energy_key: str = "energy",
    forces_key: str = "forces",
    stress_key: str = "stress",
    magmoms_key: str = "magmoms",
    group_key: str | None = None,
    weight_key: str = "weight",
    require: Sequence[str] = ("energy", "forces"),
    level_of_theory: str = "",
    provenance: str = "",
    name: str | None = None,
    drop_faulty: bool = False,
    mix_levels: bool = False,
    max_atoms: int = MAX_ATOMS,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """Return the labelled structures of a file: extxyz, xyz, either of them gzipped, an ASE database (.db, .json), or a
    JSON network of stationary points (Landscape17).

    Energies are total (eV), forces eV/Å, stresses eV/Å^3 with tension positive, as Voigt's six numbers or 3 x 3. A
    `stress_key` with "virial" in its name is taken as -V times the stress (eV). The labels in `require`, and those
    whose key is not the default, must be in every record. Without a `group_key`, "group" or "config_type" is taken.

    Records with numbers that are none, or with flat cells, are kept and counted in a FaultyRecords warning unless
    `drop_faulty` leaves them out. Raises UnreadableFile, MissingLabel, InvalidDataset (several levels of theory, unless
    `mix_levels`) or BudgetExceeded (a structure of more than `max_atoms` atoms).
    """
    path = Path(path)
    label = safe_name(path.name)
    keys = Keys(energy_key, forces_key, stress_key, magmoms_key, group_key, weight_key, tuple(require))
    raws, keys, stated = _open(path, label, keys, max_atoms, max_bytes)
    level = level_of_theory or stated
    records = []
    try:
        for number, raw in enumerate(raws):
            records.append(to_record(raw, keys, f"Frame {number} of {label}", level))
    except UnreadableFile as error:
        raise UnreadableFile(error.reasons, [record.atoms for record in records]) from error
    if not records:
        raise UnreadableFile(f"{label} holds no structure. Is it the right file?")
    name = name or label.removesuffix(".gz").rsplit(".", 1)[0]
    found = Dataset(records, name, provenance=provenance or f"file {label}", mix_levels=mix_levels)
    return _without_faults(found, label, drop_faulty)


def _without_faults(found: Dataset, label: str, drop_faulty: bool) -> Dataset:
    # Contacts are left to `faults()`: they take as long as reading does, and a close pair is still a number.
    faults = found.faults(min_distance_A=0)
    if not faults:
        return found
    indices = sorted({fault.index for fault in faults})
    if drop_faulty:
        if len(indices) == len(found):
            raise InvalidDataset(f"All {len(found)} records of {label} are faulty; the first: {faults[0].sentence}")
        left = found.without(indices)
        left.provenance += f", without {len(indices)} faulty records ({', '.join(map(str, indices[:20]))})"
        return left
    warnings.warn(
        f"{len(indices)} of {len(found)} records of {label} are faulty; the first is {indices[0]}: "
        f"{faults[0].sentence} See .faults(); drop_faulty=True leaves them out.",
        FaultyRecords,
        stacklevel=3,
    )
    return found


def _open(path: Path, label: str, keys: Keys, max_atoms: int, max_bytes: int) -> tuple[Iterable[Raw], Keys, str]:
    """Return the structures, the keys as they apply to this format, and the level of theory that the file states."""
    data = _load(path, label, max_bytes)
    if data.startswith(b"SQLite format 3"):
        rows, stated = read_ase_db(path, label, "db", keys, max_atoms)
        return rows, keys, stated
    start = data[:100].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        raise UnreadableFile(f"{label} is a web page or XML, not structures. Download the file itself.")
    if start.startswith((b"{", b"[")):
        content = parse_json(data, label)
        if is_network(content):
            # The network's own word for the energy carries its unit.
            own = Keys(**{**vars(keys), "energy": "energy_eV" if keys.energy == "energy" else keys.energy})
            return read_network(content, label, max_atoms), own, ""
        if isinstance(content, dict) and "ids" in content and "nextid" in content:
            rows, stated = read_ase_db(path, label, "json", keys, max_atoms)
            return rows, keys, stated
        raise UnreadableFile(
            f"{label} is JSON, but neither an ASE database nor a network of stationary points (molecule -> symbols, "
            "minima). Write it as extended xyz."
        )
    if b"\0" in data[:4096]:
        raise UnreadableFile(f"{label} is a binary file of an unknown kind. Write it as extended xyz.")
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="replace", newline=None)
    return read_extxyz(lines, label, keys, max_atoms), keys, ""


def _load(path: Path, label: str, max_bytes: int) -> bytes:
    """Return the content, unpacked, of at most `max_bytes`; the size is asked for before anything is loaded."""
    try:
        if not path.is_file():
            raise UnreadableFile(f"{label} is not a file that can be opened. Check the path: {path}")
        _refuse_size(path.stat().st_size, label, max_bytes)
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(max_bytes + 1)
            _refuse_size(len(data), label, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFile(f"{label} cannot be unpacked ({error}). Was the download or the copy cut off?") from error
    except OSError as error:
        reason = error.strerror or error
        raise UnreadableFile(f"{label} cannot be opened ({reason}). Check the path and its permissions.") from error
    if not data.strip():
        raise UnreadableFile(f"{label} is empty. Was the download or the copy interrupted?")
    return data


def _refuse_size(size: int, label: str, max_bytes: int) -> None:
    if size > max_bytes:
        raise UnreadableFile(
            f"{label} has more than {max_bytes / 1e6:,.0f} MB (unpacked); split it, or give a larger max_bytes."
        )


__all__ = ["MAX_BYTES", "MissingLabel", "read"]
