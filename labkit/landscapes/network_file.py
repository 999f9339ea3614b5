"""Kinetic networks as JSON: what is written, and what is wrong with a file that cannot be one.

Numbers keep every digit, so that a network read back is the network written.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.errors import InvalidStructure, UnreadableFile
from labkit.landscapes.network import KineticNetwork, Minimum, TransitionState

FORMAT, VERSION = "labkit kinetic network", 1


def to_dict(network: KineticNetwork) -> dict[str, Any]:
    """The network as numbers, strings, lists and dicts; `info` is passed on as it is."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "level_of_theory": network.level_of_theory,
        "symbols": list(network.symbols),
        "info": dict(network.info),
        "minima": [_point(point) for point in network.minima],
        "transition_states": [_saddle(point) for point in network.transition_states],
    }


def from_dict(data: Mapping[str, Any]) -> KineticNetwork:
    """The network that `to_dict` described; raises InvalidStructure with the first fault."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise InvalidStructure(f"this is not a {FORMAT}: the entry 'format' is missing or says something else.")
    if data.get("version") != VERSION:
        raise InvalidStructure(
            f"this {FORMAT} has version {data.get('version')}; labkit reads version {VERSION}. Is labkit older than it?"
        )
    symbols, minima, saddles = (_list(data, key) for key in ("symbols", "minima", "transition_states"))
    info = data.get("info", {})
    if not isinstance(info, Mapping):
        raise InvalidStructure(f"the network's 'info' is a {type(info).__name__}; expected an object.")
    network = KineticNetwork(
        [str(symbol) for symbol in symbols],
        str(data.get("level_of_theory", "")),
        str(data.get("name", "")),
        info=info,
    )
    for number, entry in enumerate(minima):
        said = _entry(entry, f"minimum {number}", ("energy_eV", "positions"))
        network.add_minimum(said["energy_eV"], said["positions"], **_rest(said, f"minimum {number}"))
    for number, entry in enumerate(saddles):
        what = f"transition state {number}"
        said = _entry(entry, what, ("minima", "energy_eV", "positions"))
        ends = said["minima"]
        if not isinstance(ends, list) or not all(type(end) is int for end in ends):
            raise InvalidStructure(f"the minima of {what} are {ends!r}; expected two whole numbers.")
        more = {"path": said.get("path"), "path_energies_eV": said.get("path_energies_eV")}
        network.add_transition_state(ends, said["energy_eV"], said["positions"], **_rest(said, what), **more)
    return network


def write(network: KineticNetwork, path: Path) -> None:
    """Replace `path` by the network; raises TypeError when `info` holds what JSON does not know, or OSError."""
    from labkit.runs.atomic import plain, write_file

    text = json.dumps(to_dict(network), default=plain, ensure_ascii=False, separators=(",", ":")).encode()
    # No time of writing inside, so that equal networks are equal files.
    data = gzip.compress(text, mtime=0) if path.suffix == ".gz" else text
    write_file(path, lambda file: file.write(data))


def read(path: Path) -> KineticNetwork:
    """Read `path`; FileNotFoundError when there is none, UnreadableFile, naming it, when it is damaged."""
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        data = json.loads(text)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no network {path}; has the exploration found its first minimum?") from None
    except (ValueError, OSError, EOFError, RecursionError, zlib.error) as error:
        raise UnreadableFile(f"{path} is not a readable network ({error}); was it cut off while copying?") from error
    try:
        return from_dict(data)
    except InvalidStructure as error:
        raise UnreadableFile(f"{path} cannot be read as a network: {error}") from error


def _point(point: Minimum) -> dict[str, Any]:
    data: dict[str, Any] = {"energy_eV": point.energy_eV, "positions": point.positions.tolist(), "order": point.order}
    if point.eigenvalues is not None:
        data["eigenvalues"] = list(point.eigenvalues)
    if point.info:
        data["info"] = point.info
    return data


def _saddle(point: TransitionState) -> dict[str, Any]:
    data = {"minima": list(point.minima), **_point(point)}
    for key in ("path", "path_energies_eV"):
        value = getattr(point, key)
        if value is not None:
            data[key] = value.tolist()
    return data


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list):
        raise InvalidStructure(f"the network has no list {key!r}; was the file edited by hand?")
    return value


def _entry(entry: Any, what: str, needed: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise InvalidStructure(f"{what} is a {type(entry).__name__}; expected an object.")
    missing = [key for key in needed if key not in entry]
    if missing:
        raise InvalidStructure(f"{what} has no {missing[0]!r}.")
    return entry


def _rest(said: Mapping[str, Any], what: str) -> dict[str, Any]:
    info, order = said.get("info", {}), said.get("order", 1)
    if not isinstance(info, Mapping):
        raise InvalidStructure(f"the info of {what} is a {type(info).__name__}; expected an object.")
    if type(order) is not int:
        raise InvalidStructure(f"the order of {what} is {order!r}; expected a whole number.")
    return {"eigenvalues": said.get("eigenvalues"), "order": order, "info": info}
