"""What the operating system said, as a sentence that tells what to do next.

A full disk and a folder that cannot be written are the two faults that hit long work on shared machines.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import LabkitError

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def disk_full_sentence(error: BaseException, folder: Path) -> str | None:
    """The sentence for a full disk (or quota) met while writing into `folder`; None for any other error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return f"disk full while writing into {folder} ({_free(folder)} free): free space, then resume the run"
        cause = cause.__cause__ or cause.__context__
    return None


def store_sentence(error: OSError, root: Path) -> str:
    """The sentence for a store at `root` in which no run can be made."""
    if error.errno in DISK_FULL:
        return f"disk full: no run can be stored in {root} ({_free(root)} free). Free space and launch again"
    reason = os.strerror(error.errno) if error.errno else str(error)
    return (
        f"labkit cannot write in {root}: {reason.lower()}. "
        "Set the environment variable LABKIT_RUNS, or pass store=, to a folder that you can write"
    )


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Turn an OSError met while writing in `root` into a LabkitError with its sentence."""
    try:
        yield
    except OSError as error:
        raise LabkitError(store_sentence(error, root)) from error


def _free(folder: Path) -> str:
    for place in (folder, *folder.parents):
        try:
            return f"{shutil.disk_usage(place).free / 1e9:.2f} GB"
        except OSError:
            continue
    return "unknown space"
