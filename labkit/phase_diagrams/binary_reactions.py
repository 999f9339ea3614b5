"""The names of reactions in a binary system, by what is liquid, and how one writes them.

The one idea: whether the phase in the middle decomposes or forms on cooling, and how many liquids take part on either
side, decide the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.phase_diagrams.phases_base import Phase

#: Whether the middle phase decomposes on cooling, whether it is liquid, and how many of the other two are.
_KINDS = {
    (True, True, 0): "eutectic",
    (True, True, 1): "monotectic",
    (True, True, 2): "three liquids",
    (True, False, 0): "eutectoid",
    (True, False, 1): "metatectic",
    (True, False, 2): "inverse syntectic",
    (False, False, 0): "peritectoid",
    (False, False, 1): "peritectic",
    (False, False, 2): "syntectic",
    (False, True, 0): "inverse eutectic",
    (False, True, 1): "inverse monotectic",
    (False, True, 2): "three liquids",
}


def kind(phases: tuple[Phase, Phase, Phase], *, decomposes: bool) -> str:
    """Return the name of the equilibrium of three phases, rising in x, whose middle one decomposes or forms on cooling.

    On cooling, with L liquid and Greek letters solid: eutectic L → α + β, monotectic L1 → L2 + α, eutectoid γ → α + β
    (monotectoid if γ and α are one phase with a miscibility gap), metatectic (catatectic) γ → L + α; peritectic
    L + α → β, peritectoid α + β → γ, syntectic L1 + L2 → α. What runs the other way is "inverse".
    """
    first, middle, last = phases
    found = _KINDS[decomposes, middle.is_liquid, first.is_liquid + last.is_liquid]
    demixes = middle.name in (first.name, last.name)
    return "monotectoid" if found == "eutectoid" and demixes else found


def written(phases: tuple[str, str, str], *, decomposes: bool) -> str:
    """Return the reaction on cooling: "liquid → fcc + bcc"; of two parts of one phase that at higher x has a prime."""
    left, middle, right = (name + "′" * phases[:at].count(name) for at, name in enumerate(phases))
    return f"{middle} → {left} + {right}" if decomposes else f"{left} + {right} → {middle}"
