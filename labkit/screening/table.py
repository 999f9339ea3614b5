"""Reading a campaign: the table of its candidates, the record and the structures of one, and files to take away."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ase import Atoms

from labkit.errors import LabkitError, RunFailed
from labkit.runs import Run
from labkit.runs import folder as names
from labkit.runs.atomic import plain, read_json
from labkit.runs.folder import slug
from labkit.screening.intake import CANDIDATES, LIST, CandidateFile
from labkit.screening.journal import CAMPAIGN, FILES, PROVENANCE, ROWS

if TYPE_CHECKING:
    import pandas as pd

Source = Run | Path | str
FIRST = ["candidate", "name", "formula", "stage", "stage_name", "verdict", "reason", "cpu_s", "parent", "origin"]


def table(source: Source) -> pd.DataFrame:
    """One row for each candidate, also of a campaign that is still at work.

    Columns: candidate, name, formula, stage and stage_name (the last one reached), verdict (waiting, passed, rejected,
    failed), reason, cpu_s (of all its stages), parent (-1 without one), origin, then every number that a stage found.
    "passed" is said only of those that came through every stage so far; `waiting` of those that go on.
    """
    import pandas as pd

    folder = _folder(source)
    given = pd.read_csv(folder / LIST, keep_default_na=False, dtype={"name": str, "formula": str, "origin": str})
    given["parent"] = pd.to_numeric(given["parent"], errors="coerce").fillna(-1).astype(int)
    found = pd.DataFrame(
        {"stage": -1, "stage_name": "", "verdict": "waiting", "reason": "", "cpu_s": 0.0}, index=given["candidate"]
    )
    rows = _rows(folder)
    if len(rows):
        last = rows.drop_duplicates("candidate", keep="last").set_index("candidate")
        for column in ("stage", "stage_name", "verdict", "reason"):
            found.loc[last.index, column] = last[column]
        stages = len((read_json(folder / CAMPAIGN) or {}).get("stages", []))
        going_on = last.index[(last["verdict"] == "passed") & (last["stage"] + 1 < stages)]
        found.loc[going_on, "verdict"] = "waiting"
        found.loc[last.index, "cpu_s"] = rows.groupby("candidate")["cpu_s"].sum()
        given = given.set_index("candidate")
        given.loc[last.index, "formula"] = last["formula"]
        given = given.reset_index()
        numbers: dict[int, dict[str, Any]] = {}
        for candidate, text in zip(rows["candidate"], rows["values"], strict=True):
            numbers.setdefault(int(candidate), {}).update(json.loads(text))
        extra = pd.DataFrame.from_dict(numbers, orient="index")
        taken = [name for name in extra.columns if name in FIRST]
        found = found.join(extra.rename(columns={name: f"{name} (value)" for name in taken}))
    merged = given.join(found, on="candidate")
    return merged[[*FIRST, *(name for name in found.columns if name not in FIRST)]]


def best(source: Source) -> Iterator[dict[str, Any]]:
    """The candidates that came through every stage, best first where they are ranked: number, name, formula, values."""
    found = table(source)
    found = found[found["verdict"] == "passed"]
    if "rank" in found.columns:
        found = found.sort_values("rank")
    for line in found.drop(columns=["stage", "stage_name", "verdict", "reason", "parent", "origin"]).to_dict("records"):
        yield {key: value for key, value in line.items() if value is not None and value == value}


def record(source: Source, candidate: int) -> dict[str, Any]:
    """Everything that is known of one candidate: where it came from, and each stage's row with its provenance."""
    folder = _folder(source)
    rows = _rows(folder)
    rows = rows[rows["candidate"] == candidate] if len(rows) else rows
    known = read_json(folder / PROVENANCE) or {}
    listed = table(source)
    listed = listed[listed["candidate"] == candidate]
    if listed.empty:
        raise LabkitError(f"{folder.name} has no candidate {candidate}; it has {len(table(source))}, from 0.")
    stages = []
    for line in rows.to_dict("records"):
        values = json.loads(line.pop("values"))
        stages.append({**line, "values": values, "provenance": known.get(line["provenance"], line["provenance"])})
    first = listed.iloc[0]
    kept = folder / FILES / f"{candidate:06d}"
    return {
        "candidate": candidate,
        "name": str(first["name"]),
        "parent": int(first["parent"]),
        "origin": str(first["origin"]),
        "stages": stages,
        "files": sorted(str(path) for path in kept.iterdir() if path.is_file()) if kept.is_dir() else [],
    }


def structure(source: Source, candidate: int, *, given: bool = False) -> Atoms:
    """The newest structure of a candidate, or the `given` one; raises LabkitError when there is no such candidate."""
    folder = _folder(source)
    rows = _rows(folder)
    frames = rows.loc[(rows["candidate"] == candidate) & (rows["frame"] >= 0), "frame"] if len(rows) else []
    try:
        if len(frames) and not given:
            return CandidateFile(folder / names.FRAMES).atoms(int(frames.iloc[-1]))
        return CandidateFile(folder / CANDIDATES).atoms(candidate)
    except IndexError as error:
        raise LabkitError(f"{folder.name} has no candidate {candidate}: {error}") from error


def export(
    source: Source,
    target: Path | str,
    kind: Literal["csv", "json", "db", "cif"] = "csv",
    *,
    only: str | None = "passed",
) -> Path:
    """Write the candidates to `target`: a table (csv), records (json), an ASE database (db), or a folder of CIFs.

    only: the verdict that is wanted, None for all; csv and json always hold all. An existing file is replaced, an
    existing folder is not. Raises LabkitError for an unknown kind and for a folder that is there already.
    """
    target = Path(target)
    found = table(source)
    if kind not in ("csv", "json", "db", "cif"):
        raise LabkitError(f"candidates are exported as csv, json, db or cif, not {str(kind)!r}.")
    if kind == "cif" and target.exists():
        raise LabkitError(f"{target} is there already; CIFs are written into a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    try:
        chosen = found if only is None or kind in ("csv", "json") else found[found["verdict"] == only]
        part = making / target.name
        if kind == "csv":
            found.to_csv(part, index=False)
        elif kind == "json":
            records = [{key: _known(value) for key, value in line.items()} for line in found.to_dict("records")]
            part.write_text(json.dumps(records, default=plain, indent=1, ensure_ascii=False), encoding="utf-8")
        elif kind == "db":
            _write_db(source, chosen, making / "made.db")
            part = making / "made.db"
        else:
            _write_cifs(source, chosen, part)
        part.replace(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target


def _write_db(source: Source, chosen: pd.DataFrame, path: Path) -> None:
    from ase.db import connect
    from ase.db.core import reserved_keys

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ASE warns of names that a chemist could mean, such as "name"
        with connect(path) as database:
            for line, atoms in _structures(source, chosen):
                database.write(atoms, key_value_pairs=_pairs(line, reserved_keys), data=_plain(line))


def _pairs(line: dict[str, Any], reserved: list[str]) -> dict[str, Any]:
    """What an ASE database can be searched by: numbers, and texts that are not numbers."""
    pairs = {}
    for key, value in line.items():
        plain_key = key.replace("Å", "A")
        word = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in plain_key).strip("_")
        word = word if word[:1].isalpha() else f"value_{word}"
        word = f"{word}_value" if word in reserved else word
        number = isinstance(value, int | float) and value == value
        if number or (isinstance(value, str) and value and not _reads_as_number(value)):
            pairs[word] = value
    return pairs


def _reads_as_number(text: str) -> bool:
    """Whether ASE would take the text for a number, or a truth value, and refuse it: 17, 1e5, InF."""
    try:
        float(text)
    except ValueError:
        return text in ("True", "False")
    return True


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    """A row of the table as JSON keeps it."""
    return {key: _known(value) for key, value in line.items()}


def _write_cifs(source: Source, chosen: pd.DataFrame, folder: Path) -> None:
    import ase.io

    folder.mkdir()
    for line, atoms in _structures(source, chosen):
        if atoms.cell.rank == 3 and atoms.pbc.any():
            ase.io.write(folder / f"{line['candidate']:06d}_{slug(line['name'])}.cif", atoms, format="cif")
    chosen.to_csv(folder / "table.csv", index=False)


def _structures(source: Source, chosen: pd.DataFrame) -> Iterator[tuple[dict[str, Any], Atoms]]:
    folder = _folder(source)
    rows = _rows(folder)
    rows = rows[rows["frame"] >= 0] if len(rows) else rows
    newest = dict(zip(rows["candidate"], rows["frame"], strict=True)) if len(rows) else {}
    given, made = CandidateFile(folder / CANDIDATES), CandidateFile(folder / names.FRAMES)
    for line in chosen.to_dict("records"):
        number = int(line["candidate"])
        yield line, made.atoms(int(newest[number])) if number in newest else given.atoms(number)


def _rows(folder: Path) -> pd.DataFrame:
    """The whole lines of the rows so far."""
    import pandas as pd

    path = folder / ROWS
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    text = dict.fromkeys(("name", "formula", "stage_name", "verdict", "reason", "provenance", "worker", "values"), str)
    return pd.read_csv(io.BytesIO(whole), dtype=text, keep_default_na=False) if whole else pd.DataFrame()


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _folder(source: Source) -> Path:
    folder = source.folder if isinstance(source, Run) else Path(source)
    if not (folder / LIST).exists():
        raise RunFailed(f"{folder.name} holds no candidates so far; is it a screening campaign, and has it begun?")
    return folder
