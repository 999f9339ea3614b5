"""Deal records out to parts, reproducibly: single ones, or whole families that must not be torn apart.

Frames of one trajectory, or strained copies of one crystal, are nearly the same structure; when some of them are
trained on and others tested on, the test says nothing. Families keep them together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from labkit.datasets.problems import InvalidDataset
from labkit.datasets.record import Record

By: TypeAlias = str | Callable[[Record], str]
FAMILIES = ("group", "composition", "provenance")


def split(
    records: Sequence[Record], fractions: Sequence[float], seed: int, by: By = "random", stratify: By | None = None
) -> list[list[int]]:
    """Return the indices of each part, in ascending order; see `Dataset.split`."""
    shares = np.array(fractions, dtype=float)
    if shares.ndim != 1 or len(shares) == 0 or not (shares > 0).all() or not shares.sum() <= 1 + 1e-9:
        raise InvalidDataset(
            f"The fractions are {tuple(fractions)}; positive numbers that sum to at most 1 are needed."
        )
    random = np.random.default_rng(seed)
    if by == "random":
        strata = families(records, stratify) if stratify is not None else {"": list(range(len(records)))}
        parts = _dealt(list(strata.values()), shares, random)
    elif stratify is not None:
        raise InvalidDataset("stratify goes with by='random' only: a family is in one part and cannot be shared out.")
    else:
        parts = _whole(families(records, by), shares, random)
    empty = [number + 1 for number, part in enumerate(parts) if not part]
    if empty:
        raise InvalidDataset(
            f"Part {empty[0]} of {len(shares)} would be empty: {len(records)} records"
            + (f" in {len(families(records, by))} families" if by != "random" else "")
            + ". Take larger fractions, fewer parts, or by='random'."
        )
    return [sorted(part) for part in parts]


def families(records: Sequence[Record], by: By) -> dict[str, list[int]]:
    """Return the indices of each family, by "group", "composition", "provenance", or a function of a record."""
    if not callable(by) and by not in FAMILIES:
        raise InvalidDataset(f"There is no family {by!r}; take one of random, {', '.join(FAMILIES)}, or a function.")
    found: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        found.setdefault(str(by(record) if callable(by) else getattr(record, by)), []).append(index)
    return found


def _dealt(strata: list[list[int]], shares: np.ndarray, random: np.random.Generator) -> list[list[int]]:
    """Deal each stratum by itself; what rounding owes to a part in one stratum it gets in a later one."""
    parts: list[list[int]] = [[] for _ in shares]
    owed = np.zeros(len(shares) + 1)
    whole = np.append(shares, max(0.0, 1 - shares.sum()))  # the last share is left out
    for stratum in strata:
        shuffled = [stratum[place] for place in random.permutation(len(stratum))]
        owed += whole * len(stratum)
        counts = np.maximum(np.floor(owed + 1e-9).astype(int), 0)
        while counts.sum() > len(stratum):
            counts[np.argmax(counts - owed)] -= 1
        while counts.sum() < len(stratum):
            counts[np.argmax(owed - counts)] += 1
        owed -= counts
        ends = np.cumsum(counts)
        for part, begin, end in zip(parts, [0, *ends], ends[:-1], strict=False):
            part += shuffled[begin:end]
    if sum(map(len, strata)) >= len(shares):
        _share_one(parts)
    return parts


def _share_one(parts: list[list[int]]) -> None:
    # A small fraction of a small set still gets one record, from the part that has most.
    for part in parts:
        richest = max(parts, key=len)
        if not part and len(richest) > 1:
            part.append(richest.pop())


def _whole(found: dict[str, list[int]], shares: np.ndarray, random: np.random.Generator) -> list[list[int]]:
    """Give whole families, large ones first, each to the part that lacks most; equal ones in random order."""
    members = list(found.values())
    shuffled = [members[place] for place in random.permutation(len(members))]
    shuffled.sort(key=len, reverse=True)
    total = sum(map(len, members))
    wanted = np.append(shares, max(0.0, 1 - shares.sum())) * total
    sizes, parts = np.zeros(len(wanted)), [[] for _ in wanted]
    for place, family in enumerate(shuffled):
        left = len(shuffled) - place
        empty = [number for number in range(len(shares)) if not parts[number]]
        # When there are only as many families left as empty parts, each of these gets one.
        among = empty if len(empty) >= left else range(len(wanted))
        chosen = max(among, key=lambda number: wanted[number] - sizes[number])
        parts[chosen] += family
        sizes[chosen] += len(family)
    return parts[: len(shares)]
