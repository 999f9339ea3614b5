"""The best of what is left, by one number that an earlier stage found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from labkit.runs import quantity
from labkit.screening.candidate import Outcome, passed, rejected
from labkit.screening.stage import Member, Stage


class Ranking(Stage):
    """Rank by one number and keep the best; a candidate without that number comes last."""

    gathers: ClassVar[bool] = True

    by: str = Field("energy_eV_atom", description="The number to rank by, as a stage before calls it", min_length=1)
    largest_first: bool = Field(False, description="Large numbers are good ones")
    keep: int | None = quantity(None, "candidates", "How many go on; all if not given", ge=1)

    def judge_all(self, members: Sequence[Member], phases: Sequence[Member]) -> Mapping[int, Outcome]:
        """Values: rank, from 1."""
        sign = -1 if self.largest_first else 1

        def place(member: Member) -> tuple[bool, float, int]:
            value = member.values.get(self.by)
            known = isinstance(value, int | float)
            return not known, sign * value if known else 0.0, member.index

        outcomes = {}
        for rank, member in enumerate(sorted(members, key=place), 1):
            value = member.values.get(self.by)
            if not isinstance(value, int | float):
                outcomes[member.index] = rejected(f"no stage before gave its {self.by}.", rank=rank)
            elif self.keep is not None and rank > self.keep:
                outcomes[member.index] = rejected(
                    f"rank {rank} of {len(members)} by {self.by} ({value:.4g}); the best {self.keep} were kept.",
                    rank=rank,
                )
            else:
                outcomes[member.index] = passed(rank=rank)
        return outcomes
