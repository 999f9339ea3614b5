"""A run context without a run folder: the Trainer in a script reports into memory.

Has the methods of `labkit.runs.RunContext` that a training uses, and nobody to obey.
"""

from typing import Any


class Quiet:
    """Keeps rows and log lines in lists."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.lines: list[str] = []

    def progress(self, done: int, total: int, stage: str = "") -> None:
        """Nobody looks."""

    def row(self, table: str, step: int, **values: Any) -> None:
        """Keep the row."""
        self.tables.setdefault(table, []).append({"step": step, **values})

    def log(self, message: str) -> None:
        """Keep the line."""
        self.lines.append(message)

    def save_json(self, name: str, obj: Any) -> None:
        """Nobody reads."""

    def checkpoint(self, arrays: dict[str, Any], state: dict[str, Any]) -> None:
        """Nothing is resumed."""

    def load_checkpoint(self) -> None:
        """Nothing is resumed."""
        return

    def stop_requested(self) -> bool:
        """Nobody asks."""
        return False

    def raise_if_stopped(self) -> None:
        """Nobody asks."""

    def controls_changed(self) -> bool:
        """Nobody steers."""
        return False

    def controls(self) -> dict[str, Any]:
        """Nobody steers."""
        return {}

    def pause_point(self) -> None:
        """Nobody pauses."""
