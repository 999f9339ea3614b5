"""`python -m labkit.potentials.speed_worker NAME DEVICE SECONDS` prints a potential's speed as JSON.

A process of its own, so that a notebook that measures neither freezes nor disturbs what it measures.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from labkit.errors import LabkitError
from labkit.potentials.registry import load
from labkit.potentials.speed import measure_speed


def main(arguments: list[str]) -> int:
    """Measure the named potential; the last line printed is a Speed, or {"error": sentence}."""
    name, device, seconds = arguments[0], arguments[1], float(arguments[2])
    try:
        potential = load(Path(name) if Path(name).is_dir() else name, device)
        print(json.dumps(asdict(measure_speed(potential, seconds=seconds))))
    except (LabkitError, ValueError, ImportError, RuntimeError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
