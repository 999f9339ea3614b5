"""The cheapest question: which elements, in which shares, and do their charges add up?"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, ClassVar

from ase.data import atomic_numbers
from pydantic import Field, field_validator

from labkit.errors import InvalidStructure
from labkit.screening.candidate import Candidate, Outcome, passed, rejected
from labkit.screening.stage import Stage, counts
from labkit.structures.substitution import neutral_states

Range = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]


class Composition(Stage):
    """Keep candidates by their elements, the shares of their elements, and the neutrality of their charges."""

    cheap: ClassVar[bool] = True

    require: list[str] = Field([], description="Elements that must all be there")
    any_of: list[str] = Field([], description="At least one of these elements must be there")
    forbid: list[str] = Field([], description="Elements that must not be there")
    allow: list[str] = Field([], description="If given: no other elements than these")
    shares: dict[str, Range] = Field({}, description='Atomic share of an element, {"Li": [0.05, 0.5]}')
    max_elements: int | None = Field(None, description="Most elements", ge=1)
    neutral: bool = Field(True, description="Usual oxidation states must add up to zero (pymatgen's guess)")
    oxidation_states: dict[str, list[float]] = Field({}, description='Other states than the usual ones, {"Fe": [2]}')

    @field_validator("require", "any_of", "forbid", "allow", "shares", "oxidation_states")
    @classmethod
    def _elements(cls, value: list[str] | dict[str, object]) -> list[str] | dict[str, object]:
        unknown = [symbol for symbol in value if symbol not in atomic_numbers or symbol == "X"]
        if unknown:
            raise ValueError(f"{', '.join(map(repr, unknown))} is no element; use symbols such as 'Li'.")
        return value

    def judge(self, candidate: Candidate) -> Outcome:
        """Rejected with the first rule that is broken; values: n_elements, oxidation (text)."""
        found = counts(candidate.atoms)
        values: dict[str, object] = {"n_elements": len(found)}
        reason = self._broken(found)
        if reason:
            return rejected(reason, **values)
        if not self.neutral:
            return passed(**values)
        own = tuple((symbol, tuple(known)) for symbol, known in self.oxidation_states.items())
        try:
            states = oxidation(tuple(sorted(found.items())), own)
        except InvalidStructure as error:
            return Outcome("failed", str(error), values)
        if states is None:
            return rejected("the usual oxidation states of its elements do not add up to zero.", **values)
        return passed(**values, oxidation=" ".join(f"{symbol}{state:+g}" for symbol, state in states))

    def _broken(self, found: dict[str, int]) -> str:
        total = sum(found.values())
        if missing := [symbol for symbol in self.require if symbol not in found]:
            return f"it has no {' and no '.join(missing)}."
        if self.any_of and not set(self.any_of) & set(found):
            return f"it has none of {', '.join(self.any_of)}."
        if bad := [symbol for symbol in found if symbol in self.forbid or (self.allow and symbol not in self.allow)]:
            return f"{', '.join(bad)} {'are' if len(bad) > 1 else 'is'} not wanted."
        if self.max_elements is not None and len(found) > self.max_elements:
            return f"it has {len(found)} elements, at most {self.max_elements} are wanted."
        for symbol, (low, high) in self.shares.items():
            share = found.get(symbol, 0) / total
            if not low <= share <= high:
                return f"{100 * share:.3g} % of its atoms are {symbol}; {100 * low:g} to {100 * high:g} % are wanted."
        return ""


@lru_cache(maxsize=4096)
def oxidation(
    composition: tuple[tuple[str, int], ...], states: tuple[tuple[str, tuple[float, ...]], ...] = ()
) -> tuple[tuple[str, float], ...] | None:
    """The most usual neutral oxidation states of a composition, averaged over each element, or None.

    An element alone is neutral. Raises InvalidStructure when it cannot be decided, see `neutral_states`.
    """
    if len(composition) == 1:
        return ((composition[0][0], 0.0),)
    found = neutral_states(dict(composition), {symbol: list(known) for symbol, known in states})
    return None if found is None else tuple(sorted(found.items()))
