"""The process that computes labels, one structure after the other: a crash in it costs one structure, not the run.

It reads questions from its standard input and answers on its standard output, each as JSON behind its length; what a
package prints goes to the standard error. It ends with the process that started it.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
import time
from dataclasses import replace
from functools import lru_cache
from typing import Any, BinaryIO

from ase import Atoms

from labkit.datasets.labels import Keys, to_record
from labkit.datasets.read_extxyz import read_extxyz
from labkit.datasets.record import Record
from labkit.datasets.write import frame
from labkit.references.interface import Reference
from labkit.structures import MAX_ATOMS

#: What a label says about itself in the comment line of its frame.
INDEX, CPU_S = "label_index", "label_cpu_s"
PARENT_POLL_S = 0.5


def question(index: int, atoms: Atoms) -> dict[str, Any]:
    """What is sent to a worker: the structure, exact to the last bit; raises InvalidDataset without atoms."""
    return {"index": index, "name": str(atoms.info.get("name") or ""), "frame": frame(Record(atoms))}


def answer(reference: Reference, asked: dict[str, Any]) -> dict[str, Any]:
    """Label one structure: {"frame": ...} or {"kind": error class, "reason": sentence}, and the CPU time (s)."""
    begin = cpu_s()
    try:
        atoms = parse(asked["frame"]).atoms
        if asked["name"]:
            atoms.info["name"] = asked["name"]
        record = reference.label(atoms)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return {"kind": type(error).__name__, "reason": reason, "cpu_s": cpu_s() - begin}
    spent = cpu_s() - begin
    labelled = record.atoms.copy()
    labelled.info.update({INDEX: int(asked["index"]), CPU_S: round(spent, 6)})
    return {"frame": frame(replace(record, atoms=labelled)), "cpu_s": spent}


def answer_elsewhere(name: str, options: str, asked: dict[str, Any]) -> dict[str, Any]:
    """`answer` in a worker of an executor; `options` is JSON, and the reference is opened once for each process."""
    return answer(_opened(name, options), asked)


def parse(text: str) -> Record:
    """The record of one frame that `question` or `answer` wrote."""
    raw = next(read_extxyz(iter(text.splitlines(keepends=True)), "the label", Keys(require=()), MAX_ATOMS))
    return to_record(raw, Keys(require=()), "The label")


def cpu_s() -> float:
    """CPU time (s) of this process and of the processes that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def send(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message."""
    data = json.dumps(message).encode()
    stream.write(struct.pack(">Q", len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """Read one message; None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = struct.unpack(">Q", head)[0]
    data = stream.read(size)
    return json.loads(data) if len(data) == size else None


@lru_cache(maxsize=4)
def _opened(name: str, options: str) -> Reference:
    from labkit.references.registry import load

    return load(name, **json.loads(options))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os._exit(1)


def main(arguments: list[str]) -> int:
    """`python -m labkit.references.label_worker PARENT_PID NAME OPTIONS`."""
    parent, name, options = arguments
    for one in (signal.SIGINT, signal.SIGTERM):  # meant for the process that started this one, which ends it
        signal.signal(one, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Fortran and C libraries print where they want
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    try:
        reference = _opened(name, options)
    except Exception as error:
        send(answers, {"fatal": f"{type(error).__name__}: {error}"})
        return 1
    send(answers, {"ready": True})
    while (asked := receive(sys.stdin.buffer)) is not None:
        send(answers, answer(reference, asked))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
