"""What a campaign knows, in files that only grow: one line for each verdict, one frame for each structure that changed.

A frame is written before the line that names it, so whatever a kill leaves behind reads as a shorter campaign.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.errors import InvalidTask
from labkit.runs import folder as names
from labkit.runs.atomic import read_json, write_file, write_json
from labkit.runs.extxyz import read_frame
from labkit.runs.folder import safe_name
from labkit.runs.frames import FrameWriter
from labkit.runs.tables import TableWriter
from labkit.screening.intake import CandidateFile
from labkit.screening.plan import Planned

ROWS, PHASES, FUNNEL = "rows.csv", "phases.csv", "funnel.csv"
CAMPAIGN, PROVENANCE, FILES = "campaign.json", "provenance.json", "candidates"


class Journal:
    """The only writer of the results in the folder of a campaign."""

    def __init__(self, folder: Path, planned: list[Planned], count: int) -> None:
        """Open the folder; raises InvalidTask when it holds the results of other stages or candidates."""
        self.folder = folder
        plan = [one.described() for one in planned]
        known = read_json(folder / CAMPAIGN) or {"stages": [], "candidates": count}
        now = json.loads(json.dumps({"stages": plan, "candidates": count}))
        # Further stages behind the known ones are welcome: what these have found stays true.
        if known != {**now, "stages": now["stages"][: len(known["stages"])]}:
            raise InvalidTask(
                f"{folder} holds a campaign of {known.get('candidates')} candidates with other stages; give the same "
                "stages (or more behind them) and candidates to go on with it, or another folder. A function of yours "
                "whose code or values have changed is another stage too."
            )
        write_json(folder / CAMPAIGN, now)
        self._rows, self._phases = TableWriter(folder / ROWS), TableWriter(folder / PHASES)
        self._funnel = TableWriter(folder / FUNNEL)
        self._writer = FrameWriter(folder / names.FRAMES)
        self.made = CandidateFile(folder / names.FRAMES)
        self.provenance = self._provenance([one.in_full() for one in planned])

    def earlier(self, table: str = ROWS) -> Iterator[dict[str, str]]:
        """The lines of earlier attempts, one at a time."""
        csv.field_size_limit(1 << 24)
        with (self.folder / table).open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)

    def row(self, said: Mapping[str, Any], stage: int, stage_name: str) -> int:
        """Keep one verdict; returns the number of its frame in frames.extxyz, -1 without one."""
        frame = self._frame(said, stage_name)
        if said.get("files"):
            folder = self.folder / FILES / f"{said['index']:06d}"
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in said["files"].items():
                data = text.encode()
                write_file(folder / safe_name(name), lambda file, data=data: file.write(data), durable=False)
        self._rows.write(
            0 if self._rows.last_step is None else self._rows.last_step + 1,
            {
                "candidate": said["index"],
                "name": said["name"],
                "formula": said["formula"],
                "stage": stage,
                "stage_name": stage_name,
                "verdict": said["verdict"],
                "reason": said["reason"],
                "cpu_s": said["cpu_s"],
                "wall_s": said["wall_s"],
                "frame": frame,
                "provenance": self.provenance[stage],
                "worker": said["worker"],
                "values": json.dumps(said["values"], ensure_ascii=False),
            },
        )
        return frame

    def phase(self, number: int, said: Mapping[str, Any]) -> None:
        """Keep a competing phase."""
        self._phases.write(
            0 if self._phases.last_step is None else self._phases.last_step + 1,
            {
                "phase": number,
                "name": said["name"],
                "formula": said["formula"],
                "verdict": said["verdict"],
                "reason": said["reason"],
                "cpu_s": said["cpu_s"],
                "values": json.dumps(said["values"], ensure_ascii=False),
            },
        )

    def funnel(self, lines: list[dict[str, Any]]) -> None:
        """Keep how full the stages are now, one line for each stage."""
        first = 0 if self._funnel.last_step is None else self._funnel.last_step + 1
        for offset, line in enumerate(lines):
            self._funnel.write(first + offset, line)

    def close(self) -> None:
        """Close the files."""
        for one in (self._rows, self._phases, self._funnel, self._writer):
            one.close()

    def _frame(self, said: Mapping[str, Any], stage_name: str) -> int:
        if "frame" not in said:
            return -1
        atoms = read_frame(said["frame"].encode())
        atoms.info.update(candidate=int(said["index"]), stage=stage_name)
        number = 0 if self._writer.last_step is None else self._writer.last_step + 1
        self._writer.write(atoms, number)
        return number

    def _provenance(self, plan: list[dict[str, Any]]) -> list[str]:
        """One entry for each stage and version of the code: the id is in every row."""
        import hashlib
        import platform
        from importlib.metadata import PackageNotFoundError, version

        from labkit import __version__

        def installed(package: str) -> str:
            try:
                return version(package)
            except PackageNotFoundError:
                return "not installed"

        software = {"labkit": __version__, "python": platform.python_version()}
        software |= {package: installed(package) for package in ("ase", "numpy", "pymatgen", "torch", "chgnet")}
        known, ids = read_json(self.folder / PROVENANCE) or {}, []
        for stage in plan:
            entry = {"stage": stage, "software": software}
            key = hashlib.sha1(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:10]
            known.setdefault(key, {**entry, "first_used": names.now()})
            ids.append(key)
        write_json(self.folder / PROVENANCE, known)
        return ids
