"""The colours of superbasins while an energy cut moves: one that stays keeps its colour, one that splits passes it on.

The largest superbasins have a colour each; with more of them than colours the small ones stay grey.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import theme


class BasinColours:
    """Which superbasin has which colour; a superbasin is known by its lowest minimum."""

    def __init__(self) -> None:
        self.colours = [colour for colour in theme.palette() if colour != theme.RED]  # which says what is chosen
        self._slots: dict[int, int] = {}

    def slots(self, sizes: Sequence[int], lowest: Sequence[int]) -> list[int | None]:
        """Return the number of the colour of each superbasin, None for grey.

        sizes: numbers of minima; lowest: the lowest minimum of each superbasin.
        """
        largest = sorted(range(len(sizes)), key=lambda k: (-sizes[k], lowest[k]))[: len(self.colours)]
        kept = {lowest[k]: self._slots[lowest[k]] for k in largest if lowest[k] in self._slots}
        free = [slot for slot in range(len(self.colours)) if slot not in kept.values()]
        for k in largest:
            if lowest[k] not in kept:
                kept[lowest[k]] = free.pop(0)
        self._slots = kept
        return [kept.get(one) for one in lowest]
