"""A progress line for scripts and terminals: one line of text that overwrites itself."""

from typing import Self, TextIO

from labkit.runs.status import RunStatus

WIDTH = 24


def clock(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def describe(status: RunStatus) -> str:
    """A status in one line: state, bar, share, stage, time spent and to go."""
    fraction = status.fraction or 0.0
    bar = "█" * round(WIDTH * fraction) + "░" * (WIDTH - round(WIDTH * fraction))
    parts = [f"{status.state:<9} {bar} {100 * fraction:5.1f} %"]
    parts += [f"{status.step}/{status.total}"] if status.step is not None and status.total else []
    parts += [status.stage] if status.stage else []
    parts += [f"{clock(status.elapsed_s)} spent"]
    parts += [f"{clock(status.eta_s)} to go"] if status.eta_s is not None else []
    return " · ".join(parts)


class ProgressLine:
    """Rewrites one line of `stream`; silent without one."""

    def __init__(self, stream: TextIO | None) -> None:
        """Write to `stream`."""
        self._stream, self._last = stream, ""

    def __enter__(self) -> Self:
        """Start without a line."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last line standing."""
        if self._stream is not None and self._last:
            self._stream.write("\n")
            self._stream.flush()

    def show(self, name: str, status: RunStatus) -> None:
        """Show `status` when it reads differently from what stands there."""
        line = f"{name}: {describe(status)}"
        if self._stream is not None and line != self._last:
            self._stream.write("\r" + line.ljust(len(self._last)))
            self._stream.flush()
            self._last = line
