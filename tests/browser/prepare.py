"""Gets ready what the browser tests need beyond Python packages: a Chromium and the ipykernel 6 kernel.

`make test` calls it once. A Chromium of the system is taken where there is one; otherwise playwright fetches its own,
which works wherever its download server is reached.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find_chromium() -> str | None:
    """Path of a Chromium: the one LABKIT_CHROMIUM names, the system's, or playwright's own; None when there is none."""
    named = os.environ.get("LABKIT_CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    found += [path for path in MACOS if Path(path).exists()]
    if not any(found):
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            own = playwright.chromium.executable_path
        found.append(own if Path(own).exists() else None)
    return next((path for path in found if path), None)


def main() -> int:
    """Install what is missing; returns the exit status."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.browser import kernel6

    kernel6.install()
    if find_chromium() is None:
        print("no Chromium on this system: playwright fetches one")
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if find_chromium() is None:
        print("The browser tests need a Chromium: install one with the system's packages, or set LABKIT_CHROMIUM.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
