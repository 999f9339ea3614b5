"""Looking into the output of one cell of a notebook: its widgets, its plots, its 3D canvas."""

from __future__ import annotations

import time
from collections.abc import Callable


def shown(page, cell: int):
    """The output area of a cell, scrolled into view."""
    area = page.page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .jp-Cell-outputWrapper")
    area.locator(".lk-root").first.wait_for()
    return area


def evaluate(page, cell: int, script: str):
    """Run a script with the plots (`plots`) and the 3D canvas (`canvas`) of a cell at hand."""
    return page.page.evaluate(
        """([cell, script]) => { const area = document.querySelector(`.jp-Cell[data-windowed-list-index='${cell}']`);
        const plots = [...area.querySelectorAll('.js-plotly-plot')];
        return new Function('plots', 'canvas', script)(plots, area.querySelector('.labkit-ngl')); }""",
        [cell, script],
    )


def wait_for(page, cell: int, script: str, what: str, timeout: float = 40.0) -> None:
    deadline = time.monotonic() + timeout
    while not evaluate(page, cell, script):
        assert time.monotonic() < deadline, f"{what}: it did not happen in time"
        time.sleep(0.2)


def happens(condition: Callable[[], object], timeout: float = 20.0) -> bool:
    """Whether a condition comes true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
