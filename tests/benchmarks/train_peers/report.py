"""Tables of accuracy and speed with labkit's ratio to each peer beside its target; text in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

OURS = ("CAMP-L", "CAMP-L committee", "CAMP")

#: Where labkit wants to be: force error at most this share of the peer's, at least so many times faster.
TARGETS: dict[str, dict[str, float]] = {
    "MACE": {"forces": 0.5, "energy_and_forces": 4.0, "training_step": 3.0},
    "NequIP": {"forces": 0.7, "energy_and_forces": 1.5, "training_step": 1.4},
    "MTP": {"forces": 1.0},
}


def markdown(results: dict[str, Any]) -> str:
    """The whole report."""
    parts = ["# Training and speed beside the peers", results.get("about", "")]
    for name, models in results.get("accuracy", {}).items():
        parts += [f"## {name}: errors after the same CPU time", _errors(models), _error_ratios(models)]
    if speed := results.get("speed"):
        parts += ["## Speed (CPU ms, one thread, float32; MTP float64)", _speed(speed), _speed_ratios(speed)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _errors(models: dict[str, dict[str, Any]]) -> str:
    tests = list(next(iter(models.values()))["errors"])
    head = ["model", "weights", "CPU s", "steps", "epochs"]
    for test in tests:
        head += [f"F {test} (meV/Å)", f"E {test} (meV/atom)"]
    rows = []
    for name, told in models.items():
        row = [
            name,
            f"{told['parameters']:,}",
            f"{told['cpu_seconds']:.0f}",
            str(told["steps"]),
            _short(told["epochs"]),
        ]
        for test in tests:
            errors = told["errors"][test]
            energy = f"{errors['energy_rmse_meV_atom']:.2f}"
            if "forces_rmse_meV_A" not in errors:  # a path: what counts is the barrier
                energy += f"; profile {errors['profile_rmse_meV']:.1f} meV"
            row += [f"{errors['forces_rmse_meV_A']:.1f}" if "forces_rmse_meV_A" in errors else "-", energy]
        rows.append(row)
    return table(head, rows)


def _error_ratios(models: dict[str, dict[str, Any]]) -> str:
    rows = []
    for ours, peer in _pairs(models):
        goal = TARGETS.get(peer, {}).get("forces")
        for test, errors in models[peer]["errors"].items():
            if "forces_rmse_meV_A" in errors:
                ratio = models[ours]["errors"][test]["forces_rmse_meV_A"] / errors["forces_rmse_meV_A"]
                rows.append([ours, peer, test, f"{ratio:.2f}", *_verdict(goal, ratio, at_most=True)])
    return table(["ours", "peer", "test", "force RMSE, ours / peer", "target", ""], rows) if rows else ""


def _speed(speed: dict[str, dict[str, dict[str, float]]]) -> str:
    models = list(dict.fromkeys(model for told in speed.values() for model in told))
    head = ["model", *(f"{cell}: {what}" for cell in speed for what in ("E+F", "training step"))]
    rows = []
    for model in models:
        row = [model]
        for told in speed.values():
            times = told.get(model, {})
            row += [f"{times[key]:.1f}" if key in times else "-" for key in ("energy_and_forces", "training_step")]
        rows.append(row)
    return table(head, rows)


def _speed_ratios(speed: dict[str, dict[str, dict[str, float]]]) -> str:
    rows = []
    for cell, told in speed.items():
        for ours, peer in _pairs(told):
            for key, title in (("energy_and_forces", "E+F"), ("training_step", "training step")):
                if key not in told[peer] or key not in told[ours]:
                    continue
                ratio = told[peer][key] / told[ours][key]
                goal = TARGETS.get(peer, {}).get(key)
                rows.append([ours, peer, cell, title, f"{ratio:.2f}", *_verdict(goal, ratio, at_most=False)])
    return table(["ours", "peer", "cell", "", "times faster", "target", ""], rows) if rows else ""


def _pairs(models: Iterable[str]) -> list[tuple[str, str]]:
    names = list(models)
    return [(ours, peer) for ours in names if ours in OURS for peer in names if peer not in OURS]


def _verdict(goal: float | None, ratio: float, at_most: bool) -> list[str]:
    if goal is None:
        return ["-", ""]
    met = ratio <= goal if at_most else ratio >= goal
    return [f"{'≤' if at_most else '≥'} {goal:g}", "met" if met else "missed"]


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up as plain text too."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
