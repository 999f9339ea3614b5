"""Counting a funnel: what each stage has let through, what it cost, and what is still to come at that price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labkit.runs.progress import clock


@dataclass
class StageCount:
    """What one stage has done so far."""

    passed: int = 0
    rejected: int = 0
    failed: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def judged(self) -> int:
        """How many candidates have a verdict."""
        return self.passed + self.rejected + self.failed

    @property
    def mean_wall_s(self) -> float | None:
        """Wall time of one candidate, None before the first."""
        return self.wall_s / self.judged if self.judged else None

    @property
    def share(self) -> float:
        """The share that passes; 1 before the first verdict, so that the estimate errs on the costly side."""
        return self.passed / self.judged if self.judged else 1.0

    def add(self, verdict: str, cpu_s: float, wall_s: float) -> None:
        """Count one verdict."""
        setattr(self, verdict, getattr(self, verdict) + 1)
        self.cpu_s += cpu_s
        self.wall_s += wall_s


def funnel_lines(
    labels: list[str], waiting: list[int], running: list[int], counts: list[StageCount]
) -> list[dict[str, Any]]:
    """The funnel table, one dict for each stage.

    to_come_cpu_s: mean cost x (candidates here + those expected from the stages before); NaN where no mean is known.
    """
    lines, arriving = [], 0.0
    for number, (label, count) in enumerate(zip(labels, counts, strict=True)):
        here = waiting[number] + running[number] + arriving
        mean = count.cpu_s / count.judged if count.judged else (0.0 if here == 0 else float("nan"))
        lines.append(
            {
                "stage": number,
                "stage_name": label,
                "waiting": waiting[number],
                "running": running[number],
                "passed": count.passed,
                "rejected": count.rejected,
                "failed": count.failed,
                "cpu_s": round(count.cpu_s, 3),
                "to_come_cpu_s": round(here * mean, 3),
            }
        )
        arriving = here * count.share
    return lines


def sentence(lines: list[dict[str, Any]], counts: list[StageCount], slots: int) -> str:
    """What a progress bar says: where candidates are, and how long the known stages will take."""
    known = [line["to_come_cpu_s"] for line in lines if line["to_come_cpu_s"] == line["to_come_cpu_s"]]
    at_work = [f"{line['stage_name']} {line['running']}" for line in lines if line["running"]]
    out = sum(count.rejected + count.failed for count in counts)
    text = f"{counts[-1].passed} through, {out} out"
    text += f"; now {', '.join(at_work)}" if at_work else ""
    left = clock(sum(known) / max(1, slots))
    return text + (f"; about {left} left" if len(known) == len(lines) else f"; more than {left} left")
