"""The command line: open the laboratory, run a task, look after runs, and see what this machine has.

Each command is a function that takes the parsed arguments and returns the exit status; errors are one sentence.
"""

import argparse
import sys
from collections.abc import Sequence

from labkit import __version__
from labkit.cli import doctor, lab, runs
from labkit.errors import LabkitError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run `labkit` with the arguments `argv` (those of the process without them); returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except LabkitError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labkit", description="The laboratory for machine-learning potentials.")
    parser.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    lab.add_parser(commands)
    runs.add_parsers(commands)
    doctor.add_parser(commands)
    return parser
