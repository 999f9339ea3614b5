"""A screening campaign as a task, and as a plain function for scripts with an executor or stages of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ase import Atoms
from pydantic import Field, field_validator, model_validator

from labkit.errors import InvalidTask
from labkit.runs import RunContext, Task, quantity
from labkit.screening.campaign import Campaign, Order
from labkit.screening.intake import CANDIDATES, structures_of, write_candidates
from labkit.screening.plan import plan
from labkit.screening.stage import Stage, StageSettings
from labkit.structures import StructureField
from labkit.structures.substitution import Substitution

BEST = 20


class Screening(Task):
    """Send many candidates through a funnel of stages, cheap ones first; each gets a verdict with its reason."""

    kind = "Screening"

    candidates: list[StructureField] = Field([], description="What to screen; or name a file or folder in frames")
    frames: str = Field("", description="A file or folder of structures (extxyz, traj, ASE db, CIF), or a shipped set")
    substitutions: list[Substitution] = Field([], description="Rules that make further candidates of each of these")
    keep_parents: bool = Field(True, description="With substitutions: screen the given structures themselves too")
    stages: list[StageSettings] = Field(
        ["composition", "geometry", "relaxation"], description="The funnel, in its order", validate_default=True
    )
    potential: str = Field("chgnet", description="The potential of every stage that does not name its own")
    processes: int | None = quantity(
        None, "processes", "Candidates computed at once, one thread each; with a scheduler: as many as it has", ge=1
    )
    timeout_s: float = quantity(
        3600.0, "s", "A candidate that takes longer in one stage is given up", gt=0, label="Longest stage"
    )
    order: Order = Field(
        "deepest first", description="Deepest first: results soon; breadth first: one stage after the other"
    )
    scheduler: str = Field("", description="Address of a Dask scheduler (tcp://...); empty: processes of this machine")
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @field_validator("stages", mode="before")
    @classmethod
    def _as_settings(cls, value: Any) -> Any:
        return [StageSettings.model_validate(one) for one in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Screening:
        if bool(self.candidates) == bool(self.frames.strip()):
            raise InvalidTask("give the candidates themselves, or the file or folder in frames: one of the two.")
        if not self.stages:
            raise InvalidTask("a campaign needs at least one stage.")
        return self

    def label(self) -> str:
        """How many candidates, or which file, through which stages."""
        what = f"{len(self.candidates)} candidates" if self.candidates else Path(self.frames).name
        return f"Screen {what}: {', '.join(one.label or one.name for one in self.stages)}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Screen; tables: rows (one line for each verdict), funnel, phases; frames: structures that stages changed.

        Raises InvalidTask before the first candidate when a stage or a source does not exist, RunFailed when the
        workers cannot work.
        """
        source: Iterable[Any] | None = self.candidates or structures_of(self.frames)
        if (context.folder / CANDIDATES).exists():  # what this run began with stays true, whatever became of the file
            source = None
        with ExitStack() as stack:
            executor = self._executor(stack, context)
            return run_screening(
                source,
                self.stages,
                context.folder,
                executor=executor,
                substitutions=self.substitutions,
                keep_parents=self.keep_parents,
                potential=self.potential,
                device=self.device,
                processes=self.processes if executor or self.processes else 1,
                timeout_s=self.timeout_s,
                order=self.order,
                report=lambda now: context.progress(now.done, now.total, now.sentence()),
                stopped=lambda: _stopped_or_paused(context),
            )

    def _executor(self, stack: ExitStack, context: RunContext) -> Executor | None:
        if not self.scheduler:
            return None
        try:
            from distributed import Client
        except ImportError as error:
            raise ModuleNotFoundError(
                'a Dask scheduler needs the package distributed: pip install "labkit-mlip[dask]"'
            ) from error
        client = stack.enter_context(Client(self.scheduler))
        context.save_json("cluster", {"scheduler": self.scheduler, "dashboard": client.dashboard_link})
        context.log(f"Dask scheduler {self.scheduler}, dashboard {client.dashboard_link}")
        return client.get_executor()


def run_screening(
    candidates: Iterable[Atoms | str | dict[str, Any]] | None,
    stages: Sequence[StageSettings | Stage | str | dict[str, Any] | Callable[..., Any]],
    folder: Path | str,
    executor: Executor | None = None,
    *,
    substitutions: Sequence[Substitution] = (),
    keep_parents: bool = True,
    potential: str = "chgnet",
    device: str = "auto",
    processes: int | None = None,
    timeout_s: float = 3600.0,
    order: Order = "deepest first",
    report: Callable[[Campaign], None] = lambda campaign: None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Screen `candidates` (read one at a time) in `folder`, which may hold a part of the same campaign; return the
    counts: candidates, passed, rejected, failed, best, cost_cpu_s. None: those that the folder holds already.

    stages: names, settings, stage objects, or functions `f(candidate)` (see `Candidate`) that may live in a notebook.
    executor: any `concurrent.futures.Executor`; None for `processes` child processes of this machine. timeout_s: wall
    time (s) of one candidate in one stage. report hears of every change; while stopped() is true nothing new is begun
    (it raises to end the work). Raises InvalidTask and RunFailed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    planned = plan(stages, potential=potential, device=device, timeout_s=timeout_s)
    write_candidates(folder, candidates, substitutions, keep_parents=keep_parents, stopped=stopped)
    campaign = Campaign(
        folder,
        planned,
        executor=executor,
        processes=processes,
        order=order,
        report=report,
        stopped=stopped,
    )
    campaign.run()
    from labkit.screening.table import best

    return {
        "candidates": campaign.total,
        "passed": campaign.counts[-1].passed,
        "rejected": sum(count.rejected for count in campaign.counts),
        "failed": sum(count.failed for count in campaign.counts),
        "best": list(itertools.islice(best(folder), BEST)),
        "cost_cpu_s": round(sum(count.cpu_s for count in campaign.counts), 3),
    }


def _stopped_or_paused(context: RunContext) -> bool:
    context.raise_if_stopped()
    paused = bool(context.controls().get("paused"))
    context.status.set_state("paused" if paused else "running")
    return paused
