"""Measured voltages of common electrodes against lithium, each with its source, to stand beside computed ones."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.errors import InvalidStructure


@dataclass(frozen=True)
class MeasuredVoltage:
    """The voltage (V against Li) of an electrode between two contents: the range that sources give, low and high."""

    name: str
    x_low: float
    x_high: float
    low_V: float
    high_V: float
    source: str
    note: str = ""

    @property
    def text(self) -> str:
        """The range in words: "3.45 V" or "4.0 to 4.1 V"."""
        same = self.low_V == self.high_V
        return f"{self.low_V:.2f} V" if same else f"{self.low_V:.1f} to {self.high_V:.1f} V"


_UNCHECKED = "numbers and citation from memory, not checked against the publication"
_ALL = (
    MeasuredVoltage(
        "LiFePO4",
        0.0,
        1.0,
        3.45,
        3.45,
        "Padhi, Nanjundaswamy, Goodenough, J. Electrochem. Soc. 144, 1188 (1997), doi 10.1149/1.1837571; Yamada, "
        f"Chung, Hinokuma, J. Electrochem. Soc. 148, A224 (2001), doi 10.1149/1.1348257; {_UNCHECKED}",
        "One flat plateau: LiFePO4 and FePO4 coexist, there is no ordered phase between them at room temperature.",
    ),
    MeasuredVoltage(
        "LiCoO2",
        0.0,
        1.0,
        4.0,
        4.1,
        "Mizushima, Jones, Wiseman, Goodenough, Mater. Res. Bull. 15, 783 (1980), doi 10.1016/0025-5408(80)90012-4; "
        f"Amatucci, Tarascon, Klein, J. Electrochem. Soc. 143, 1114 (1996), doi 10.1149/1.1836594; {_UNCHECKED}",
        "About 3.9 V near LiCoO2 and above 4.2 V beyond half of the charge; CoO2 itself is stacked as O1.",
    ),
)


def measured_voltage(name: str) -> MeasuredVoltage:
    """What is measured for an electrode of the library; raises InvalidStructure for one that is not listed."""
    for one in _ALL:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in _ALL)
    raise InvalidStructure(f"no measured voltage of {name} is listed here; there are those of {known}.")
