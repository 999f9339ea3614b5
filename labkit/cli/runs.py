"""`labkit run` and `labkit runs`: start a task file, and look after the runs of a store."""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from labkit.runs import FINAL, STATES, Run, Store, load_task
from labkit.runs.progress import clock, describe

#: A command that cancels stays until the run is over: what ends a worker that does not react leaves with the command.
CANCEL_WAIT_S = 10.0
EXIT = {"finished": 0, "failed": 1, "interrupted": 1, "cancelled": 130}


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `run` and `runs` to the commands."""
    parser = commands.add_parser("run", help="run a task file here, with a progress line; Ctrl-C cancels it")
    parser.add_argument("task", type=Path, help="a task.json, or a run folder whose task is run again")
    parser.add_argument("--name", help="the name of the run")
    _add_store(parser)
    parser.set_defaults(command=run_task)

    actions = commands.add_parser("runs", help="list, show, cancel, resume or delete runs").add_subparsers(
        title="actions", required=True, metavar="ACTION"
    )
    parser = actions.add_parser("list", help="all runs, newest first")
    parser.add_argument("--state", choices=STATES, help="only runs in this state")
    parser.add_argument("--kind", help="only this kind of task")
    parser.add_argument("--text", help="only runs with this text in their id or name")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    _add_store(parser)
    parser.set_defaults(command=list_runs)
    parser = _add_action(actions, "show", "one run: task, status, result and log", show_run)
    parser.add_argument("--log", type=int, default=10, metavar="LINES", help="how much of the log to show")
    _add_action(actions, "cancel", "stop runs", cancel_runs, many=True)
    parser = _add_action(actions, "resume", "continue a run from its last checkpoint", resume_run)
    parser.add_argument("--wait", action="store_true", help="stay and show the progress")
    parser = _add_action(actions, "delete", "delete runs with all they hold", delete_runs, many=True)
    parser.add_argument("--force", action="store_true", help="cancel those that still work")


def run_task(arguments: argparse.Namespace) -> int:
    """Launch the task and stay with it; 0 finished, 1 failed, 130 cancelled."""
    task = load_task(arguments.task)
    return _stay(lambda: task.launch(store=Store(arguments.store), name=arguments.name))


def list_runs(arguments: argparse.Namespace) -> int:
    """Print one line for each run, and what is wrong with broken folders."""
    store = Store(arguments.store)
    runs = store.runs(arguments.state, arguments.kind, arguments.text)
    for run in runs:
        status = run.status()
        if arguments.json:
            print(json.dumps({"id": run.id, "name": run.name, "kind": run.kind, **vars(status)}))
        else:
            share = "" if status.fraction is None else f"{100 * status.fraction:.0f} %"
            print(f"{status.state:<11} {share:>5} {clock(status.elapsed_s):>8}  {run.id}  {run.name}")
    if not runs and not arguments.json:
        print(f"no such runs in {store.root}")
    for folder, reason in store.broken():
        print(f"broken: {folder.name}: {reason}", file=sys.stderr)
    return 0


def show_run(arguments: argparse.Namespace) -> int:
    """Print what a run is, how it is doing, and the end of its log."""
    run = Store(arguments.store).get(arguments.run)
    status = run.status()
    print(f"{run.name}  ({run.id})")
    print(describe(status))
    if status.error_message:
        print(f"{status.error_type + ': ' if status.error_type else ''}{status.error_message}")
    if status.started:
        print(
            f"started {datetime.fromisoformat(status.started).astimezone():%Y-%m-%d %H:%M:%S}, attempt {status.attempt}"
        )
    print(f"folder  {run.folder}")
    print(f"tables  {', '.join(run.tables()) or 'none'};  frames  {run.n_frames}")
    print(f"task    {run.kind} {_short(run.task_dict.get('parameters', {}))}")
    if status.state == "finished":
        print(f"result  {_short(run.result())}")
    if arguments.log and (log := run.log(arguments.log)):
        print(f"log\n{log}")
    return 0


def cancel_runs(arguments: argparse.Namespace) -> int:
    """Cancel the named runs; 1 when one of them still works afterwards."""
    stopped = True
    for name in arguments.run:
        run = Store(arguments.store).get(name).cancel(CANCEL_WAIT_S)
        print(f"{run.id} {run.state}")
        stopped &= not run.status().active
    return 0 if stopped else 1


def resume_run(arguments: argparse.Namespace) -> int:
    """Continue a run, and stay with it when asked to."""
    run = Store(arguments.store).get(arguments.run)
    if arguments.wait:
        return _stay(run.resume)
    print(run.resume().folder)
    return 0


def delete_runs(arguments: argparse.Namespace) -> int:
    """Delete the named runs."""
    for name in arguments.run:
        run = Store(arguments.store).get(name)
        run.delete(force=arguments.force)
        print(f"{run.id} deleted")
    return 0


def _stay(start: Callable[[], Run]) -> int:
    def stop(*_: int | FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)  # a batch system's way of pressing Ctrl-C
    run: Run | None = None
    try:
        run = start()
        print(run.folder, flush=True)
        run.wait(progress=True)
    except KeyboardInterrupt:
        if run is None:
            return EXIT["cancelled"]
        run.cancel(CANCEL_WAIT_S)
    finally:
        signal.signal(signal.SIGTERM, before)
    status = run.status()
    if status.state == "finished":
        print(json.dumps(run.result(), indent=1, ensure_ascii=False))
    else:
        print(f"{run.id} {status.state}{': ' + status.error_message if status.error_message else ''}", file=sys.stderr)
        if status.state in FINAL | {"interrupted"}:
            print(f"`labkit runs resume {run.id}` continues it", file=sys.stderr)
    return EXIT.get(status.state, 1)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else text[:400] + " …"


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, help="the folder of the runs (default: $LABKIT_RUNS or ~/labkit-runs)")


def _add_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    command: object,
    many: bool = False,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text)
    parser.add_argument("run", nargs="+" if many else None, help="a run's id, or a part of it that no other run has")
    _add_store(parser)
    parser.set_defaults(command=command)
    return parser
