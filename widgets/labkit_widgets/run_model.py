"""What a run's panel says, without its widgets: one snapshot of a run as words, a fraction and which buttons make
sense.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.runs import ACTIVE, Run


@dataclass(frozen=True)
class RunPicture:
    """Everything a panel shows of a run at one moment."""

    state: str
    fraction: float
    line: str
    error: str
    can_stop: bool
    can_pause: bool
    can_unpause: bool
    can_resume: bool

    @classmethod
    def of(cls, run: Run) -> RunPicture:
        """Look at a run; a run whose files cannot be read is shown as broken, with the reason."""
        try:
            status = run.status()
        except Exception as error:
            return cls("broken", 0.0, "", str(error), False, False, False, False)
        state = status.state
        error = ""
        if state in ("failed", "interrupted") and status.error_message:
            error = str(status.error_message)
        return cls(
            state=state,
            fraction=min(max(float(status.fraction or 0.0), 0.0), 1.0),
            line=describe(status),
            error=error,
            can_stop=state in ACTIVE,
            can_pause=state in ("queued", "running"),
            can_unpause=state == "paused",
            can_resume=state in ("failed", "cancelled", "interrupted"),
        )


def describe(status: object) -> str:
    """Return stage, step, time used and time left of a status in one line."""
    parts = []
    if getattr(status, "stage", ""):
        parts.append(str(status.stage))
    if getattr(status, "step", None) is not None:
        total = getattr(status, "total", None)
        parts.append(f"step {status.step}" + (f" of {total}" if total else ""))
    if getattr(status, "elapsed_s", 0):
        took = clock(status.elapsed_s)
        parts.append(f"{took} so far" if status.state in ACTIVE else f"took {took}")
    if status.state == "running" and getattr(status, "eta_s", None) is not None:
        parts.append(f"about {clock(status.eta_s)} left")
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """Return a duration as a person says it: 8 s, 2 min 05 s, 3 h 12 min."""
    seconds = round(max(0.0, float(seconds)))
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
