"""Installs the newest ipykernel 6 beside the default one, as the kernel `labkit-ipykernel6` of this environment.

Whether a button answers while a cell runs differs between ipykernel 6 and 7, so the browser tests run on both.
Called by `prepare.py`; it does nothing when the kernel is there already.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

VERSION = "6.31.0"
NAME = "labkit-ipykernel6"


def folder() -> Path:
    """Return where this environment keeps the kernel's packages."""
    return Path(sys.prefix) / "ipykernel6"


def spec() -> Path:
    """Return the path of the kernel's kernel.json."""
    return Path(sys.prefix) / "share" / "jupyter" / "kernels" / NAME / "kernel.json"


def is_installed() -> bool:
    """Tell whether the right version and its kernel specification are there."""
    return (folder() / f"ipykernel-{VERSION}.dist-info").is_dir() and spec().is_file()


def install() -> None:
    """Install the kernel with pip (its dependencies are those of the newer one) and write its specification."""
    if is_installed():
        return
    target = ["--target", str(folder()), "--no-deps", "--upgrade", f"ipykernel=={VERSION}"]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *target, "nest-asyncio==1.6.0"], check=True)
    spec().parent.mkdir(parents=True, exist_ok=True)
    content = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python (ipykernel 6)",
        "language": "python",
        "env": {"PYTHONPATH": str(folder())},
    }
    spec().write_text(json.dumps(content, indent=1), encoding="utf-8")
