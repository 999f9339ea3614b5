"""The place where run folders live: listing, opening, making and deleting them.

A broken folder never hides the others: it is skipped, and `broken()` says what is wrong with it.
"""

import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from labkit.errors import LabkitError, RunLocked
from labkit.runs import folder as names
from labkit.runs.atomic import write_json
from labkit.runs.faults import store_sentence, writing
from labkit.runs.run import Run
from labkit.runs.status import ACTIVE
from labkit.runs.task import Task, describe

LEFTOVER_AGE_S = 86_400


class Store:
    """All the runs below one folder: `root`, else $LABKIT_RUNS, else ~/labkit-runs."""

    def __init__(self, root: Path | str | None = None) -> None:
        """Point at a folder; it is made when the first run is."""
        chosen = root or os.environ.get("LABKIT_RUNS") or Path.home() / "labkit-runs"
        self.root = Path(chosen).expanduser().absolute()

    def __repr__(self) -> str:
        """The root."""
        return f"Store({str(self.root)!r})"

    def runs(self, state: str | None = None, kind: str | None = None, text: str | None = None) -> list[Run]:
        """The runs, newest first, filtered by state, by kind of task, or by a text in their id or name."""
        return self.scan(state, kind, text)[0]

    def broken(self) -> list[tuple[Path, str]]:
        """The folders that cannot be read as runs, each with the reason."""
        return self.scan(None, None, None)[1]

    def get(self, run_id: str) -> Run:
        """Open the run whose id is, or alone contains, `run_id`; raises LabkitError when there is none or several."""
        if run_id and Path(run_id).name == run_id and not run_id.startswith(".") and (self.root / run_id).is_dir():
            return Run(self.root / run_id)
        found = [run for run in self.runs() if run_id and run_id in run.id]
        if len(found) == 1:
            return found[0]
        if found:
            message = f"{run_id!r} could be any of {', '.join(run.id for run in found[:5])}: give more of the id"
        else:
            message = f"there is no run {run_id!r} in {self.root}; `labkit runs list` shows what there is"
        raise LabkitError(message)

    def new_folder(self, task: Task, name: str | None = None) -> Path:
        """Make the folder of a new run of `task`; raises LabkitError when the store cannot be written."""
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            self._sweep()
            making = self.root / f".new-{secrets.token_hex(8)}"
            making.mkdir()
            try:
                (making / names.REQUESTS).mkdir()
                write_json(making / names.TASK, describe(task, name))
                while True:
                    final = self.root / names.run_id(task.kind, name or task.label(), secrets.token_hex(2))
                    if not final.exists():
                        # Renamed when complete, so that nobody ever lists half a run.
                        return making.rename(final)
            except BaseException:
                shutil.rmtree(making, ignore_errors=True)
                raise

    def _sweep(self) -> None:
        """Remove what a process killed while making or deleting a run left behind more than a day ago."""
        for pattern in (".new-*", ".deleted-*"):
            for leftover in self.root.glob(pattern):
                with suppress(FileNotFoundError):  # another launch has just given it its final name
                    if time.time() - leftover.stat().st_mtime > LEFTOVER_AGE_S:
                        shutil.rmtree(leftover, ignore_errors=True)

    def delete(self, run: Run | str, *, force: bool = False) -> None:
        """Delete the folder of a run; one that is still active is refused, or cancelled first with `force`.

        Raises RunLocked for an active run, LabkitError for a folder that is not a run of this store.
        """
        run = self.get(run) if isinstance(run, str) else run
        if run.folder.parent.resolve() != self.root.resolve():
            raise LabkitError(f"run {run.id} is not of this store ({self.root}); delete it with run.delete()")
        delete_run(run, force=force)

    def scan(
        self, state: str | None = None, kind: str | None = None, text: str | None = None
    ) -> tuple[list[Run], list[tuple[Path, str]]]:
        """What `runs` and `broken` give, in one look at the folders."""
        runs: list[Run] = []
        broken: list[tuple[Path, str]] = []
        try:
            folders = sorted(entry for entry in self.root.iterdir() if entry.is_dir())
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise LabkitError(store_sentence(error, self.root)) from error
        for folder in folders:
            if folder.name.startswith("."):
                continue
            try:
                run = Run(folder)
                now = run.state
            except (LabkitError, OSError) as error:
                if folder.exists():  # else it was deleted while we looked
                    broken.append((folder, str(error)))
                continue
            words = f"{run.id} {run.name} {run.kind}".lower()
            if state in (None, now) and kind in (None, run.kind) and (text is None or text.lower() in words):
                runs.append(run)
        # Ids are in order of time to the second only.
        runs.sort(key=lambda run: (str(run.task_dict.get("created", "")), run.id), reverse=True)
        return runs, broken


def delete_run(run: Run, *, force: bool = False) -> None:
    """Delete the folder of `run`; see `Store.delete`."""
    if run.state in ACTIVE:
        if not force:
            message = f"run {run.id} is {run.state}: cancel it first, or delete it with force=True"
            raise RunLocked(message)
        run.cancel()
        if run.state in ACTIVE:
            message = f"run {run.id} has been asked to stop and still works: delete it when it has stopped"
            raise RunLocked(message)
    with writing(run.folder.parent):
        # Renamed first, so that nobody lists a run of which half is gone.
        doomed = run.folder.rename(run.folder.with_name(f".deleted-{run.id}"))
        shutil.rmtree(doomed)
