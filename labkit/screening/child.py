"""The process in which candidates are judged, one after the other: a crash costs one candidate, not the campaign.

It reads questions from its standard input and answers on its standard output, each as JSON behind its length; what a
package prints goes to the standard error. It ends with the process that started it, or after minutes without work.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

PARENT_POLL_S = 0.5
#: A child that a cluster's worker keeps ready gives its memory back after this long.
IDLE_S = 300.0


def pack(message: dict[str, Any]) -> bytes:
    """One message as it travels."""
    data = json.dumps(message).encode()
    return struct.pack(">Q", len(data)) + data


def main(arguments: list[str]) -> int:
    """Answer until nobody asks any more. arguments: the number of the process that started this one."""
    for one in (signal.SIGINT, signal.SIGTERM):  # meant for the process that started this one, which ends it
        signal.signal(one, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # Fortran and C libraries print where they want
    threading.Thread(target=_end_with, args=(int(arguments[0]),), daemon=True).start()
    answers.write(pack({"ready": True}))
    while (asked := _receive(sys.stdin.buffer.raw)) is not None:
        for one in asked["candidates"]:
            answers.write(pack({"begun": one["index"]}))
            answers.write(pack(answer(asked["stage"], one)))
    return 0


def answer(stage: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Judge one candidate: its row as JSON. `asked`: index, frame (extxyz), name, values, scratch."""
    from labkit.runs.extxyz import read_frame
    from labkit.screening.candidate import Candidate, Outcome, as_outcome, jsonable

    begin, clock = _cpu_s(), time.perf_counter()
    said: dict[str, Any] = {"index": asked["index"], "name": asked["name"], "formula": ""}
    try:
        atoms = read_frame(asked["frame"].encode())
        said["name"] = asked["name"] or str(atoms.info.get("name") or atoms.get_chemical_formula("metal"))
        said["formula"] = atoms.get_chemical_formula("metal")
        atoms.info["name"] = said["name"]
        scratch = _scratch(asked.get("scratch"))
        candidate = Candidate(asked["index"], said["name"], atoms, asked["values"], scratch)
        outcome = as_outcome(_stage(json.dumps(stage, sort_keys=True)).judge(candidate))
        values = jsonable(outcome.values)
        json.dumps(values, ensure_ascii=False).encode()
        changed = _changed(outcome.atoms, said["name"])
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split()) or "no reason given"
        outcome, values, changed = Outcome("failed", f"{type(error).__name__}: {reason}"), {}, {}
    return {
        **said,
        **changed,
        "verdict": outcome.verdict,
        "reason": str(outcome.reason).encode(errors="replace").decode(),
        "values": values,
        "files": dict(outcome.files),
        "cpu_s": round(_cpu_s() - begin, 6),
        "wall_s": round(time.perf_counter() - clock, 6),
        "worker": f"{socket.gethostname()}:{os.getpid()}",
    }


def _changed(atoms: Any, name: str) -> dict[str, Any]:
    """The new structure as it travels; whatever cannot be written, or not be read again, raises here."""
    if atoms is None:
        return {}
    from labkit.runs.extxyz import read_frame, write_frame

    atoms.info.setdefault("name", name)
    data = write_frame(atoms)
    read_frame(data)
    return {"frame": data.decode(), "formula": atoms.get_chemical_formula("metal")}


@lru_cache(maxsize=16)
def _stage(settings: str) -> Any:
    from labkit.screening.stage import Function, build

    known = json.loads(settings)
    if "callable" in known:
        import cloudpickle

        # Written by the campaign that started this process, from an object of its own.
        return Function(function=cloudpickle.loads(base64.b64decode(known["callable"])))
    return build(known["name"], known["parameters"])


def _scratch(path: str | None) -> Path | None:
    if not path or not Path(path).parents[2].is_dir():  # the campaign's folder is not on a disk that is seen here
        return None
    return Path(path)


def _receive(stream: BinaryIO) -> dict[str, Any] | None:
    if not select.select([stream], [], [], IDLE_S)[0]:
        return None
    head = _read(stream, 8)
    data = _read(stream, struct.unpack(">Q", head)[0]) if len(head) == 8 else b""
    return json.loads(data) if data else None


def _read(stream: BinaryIO, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return bytes(data) if len(data) == size else b""


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os._exit(1)
