"""A virtual environment for each peer, made on demand under `tests/benchmarks/.venvs` (not in git).

MACE pins e3nn 0.4.4 and NequIP wants 0.6, so neither shares one with the other or with labkit. torch goes first: where
a local CPU wheel of that version is known to pip it is taken, and no CUDA libraries are fetched after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".venvs"
REPOSITORY = Path(__file__).resolve().parents[3]

#: What is installed, in this order.
PACKAGES = {
    "mace": ("torch==2.13.0", "mace-torch==0.3.16"),
    "nequip": ("torch==2.13.0", "nequip==0.19.1"),
    "motep": ("motep==0.2.0",),
}

#: One thread, and the allocator that labkit's own workers use, for every side alike.
VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}


def command(side: str) -> list[str]:
    """Start of the command that runs a side; makes its environment if there is none."""
    module = ["-m", f"tests.benchmarks.train_peers.{side}_side"]
    if side == "labkit":
        return [sys.executable, *module]
    return [str(_ready(side) / "bin" / "python"), *module]


def start(side: str, job: str, **pipes: int) -> subprocess.Popen[str]:
    """A process of one side with its job as JSON."""
    environment = {**os.environ, **VARIABLES}
    return subprocess.Popen([*command(side), job], cwd=REPOSITORY, env=environment, text=True, **pipes)


def _ready(side: str) -> Path:
    folder, wanted = FOLDER / side, "\n".join(PACKAGES[side])
    stamp = folder / "complete.txt"
    if stamp.is_file() and stamp.read_text() == wanted:
        return folder
    print(f"making {folder} with {', '.join(PACKAGES[side])} (once)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    for package in PACKAGES[side]:
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", package], check=True)
    if side == "motep":
        _templates(folder)
    stamp.write_text(wanted)
    return folder


def _templates(folder: Path) -> None:
    """A potential of each level, from motep's own source distribution (its wheel leaves them out).

    Their coefficients are of some crystal and are drawn anew before a fit; only the structure of the level is used.
    """
    with tempfile.TemporaryDirectory() as downloads:
        pip = [str(folder / "bin" / "pip"), "download", "--quiet", "--no-deps", "--no-binary", "motep"]
        subprocess.run([*pip, "--dest", downloads, *PACKAGES["motep"]], check=True)
        (archive,) = Path(downloads).glob("*.tar.gz")
        (folder / "templates").mkdir(exist_ok=True)
        with tarfile.open(archive) as files:
            for member in files.getmembers():
                if "/fitting/crystals/cubic/" in member.name and member.name.endswith("/pot.mtp"):
                    level = Path(member.name).parent.name
                    (folder / "templates" / f"{level}.mtp").write_bytes(files.extractfile(member).read())
