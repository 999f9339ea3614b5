"""The funnel of notebook 33 with CHGNet: every lithium compound of the library, and two doped frameworks of Pnma.

    python notebooks/longer/33_screening.py FOLDER [MINUTES]

Two campaigns in FOLDER, both go on where they stopped: `filters` (composition, geometry, relaxation, hops) for all
candidates, then `barriers` (nudged elastic bands, Frenkel pairs) for those that came through, the frameworks of the
paper first. What is known after MINUTES goes into 33_screening.json; the paths themselves stay in FOLDER.
"""

import json
import sys
import time
from pathlib import Path

from labkit import structures
from labkit.errors import RunCancelled
from labkit.screening import run_screening, structure, table
from labkit.screening.stages.hops import thresholds
from labkit.simulators.hops import find_hops
from labkit.structures.substitution import Substitution

FRAMEWORKS = ("LiMgPO4", "LiTiPO5")
DOPING = [
    Substitution(replace={"Mg": "Al"}, count=2, vacancy="Li", limit=1),  # Li0.5Mg0.5Al0.5PO4
    Substitution(replace={"O": "F"}, count=2, vacancy="Li", limit=1, oxidation_states={"Ti": 4}),  # Li0.5TiPO4.5F0.5
]
FILTERS = [
    {
        "name": "composition",
        # What changes its oxidation state conducts electrons: an electrode, not an electrolyte.
        "parameters": {"require": ["Li"], "forbid": ["Fe", "Co", "Mn"], "shares": {"C": [0, 0.2], "Li": [0.02, 0.9]}},
    },
    {"name": "geometry", "parameters": {"max_atoms": 60, "periodic": True}},
    {"name": "relaxation", "parameters": {"fmax_eV_A": 0.05, "max_steps": 150}},
    {"name": "hops", "parameters": {"max_distance_A": 5.0}},
]
BARRIERS = {
    "name": "barriers",
    "parameters": {
        "max_distance_A": 5.0,
        "slack_A": 0.0,
        "min_length_A": 7.0,
        "images": 3,
        "fmax_eV_A": 0.1,
        "max_barrier_eV": 0.6,
    },
}


# In the undoped crystal a vacancy has to be made first: half of a Frenkel pair for each.
FRENKEL = {"name": "frenkel", "parameters": {"min_length_A": 7.0, "fmax_eV_A": 0.1, "max_activation_eV": 0.5}}


def candidates():
    """The compounds of the library in their primitive cells, and what the doping rules make of the two frameworks."""
    for entry in structures.entries():
        if entry.kind == "crystal" and "Li" in entry.formula:
            atoms = structures.named(entry.name)
            yield _named(structures.primitive(atoms), entry.name, entry.source)
    for base, rule in zip(FRAMEWORKS, DOPING, strict=True):
        yield from rule.apply(structures.named(base))


def main(folder: Path, minutes: float) -> None:
    """Screen until the time is over, and write what is known."""
    end = time.monotonic() + 60 * minutes

    def stopped() -> bool:
        if time.monotonic() > end:
            raise RunCancelled("the time is over")
        return False

    first, second = folder / "filters", folder / "barriers"
    try:
        run_screening(candidates(), FILTERS, first, processes=1, stopped=stopped)
        through = table(first).query("verdict == 'passed'")
        found = [
            _named(structure(first, one["candidate"]), one["name"], one["origin"]) for one in through.to_dict("records")
        ]
        found.sort(key=_turn)
        run_screening(found, [BARRIERS, FRENKEL], second, processes=1, timeout_s=1500, stopped=stopped)
        complete = True
    except RunCancelled:
        complete = False
    said = {
        "complete": complete,
        "filters": {"stages": FILTERS, "rows": _rows(first)},
        "barriers": {"stages": [BARRIERS, FRENKEL], "rows": _rows(second) if second.exists() else []},
    }
    text = json.dumps(said, indent=1, ensure_ascii=False)
    Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def _named(atoms, name, source):
    atoms = atoms.copy()
    atoms.calc = None
    atoms.info = {"name": name, "source": source}
    return atoms


def _turn(atoms):
    """The two frameworks first, then those whose bands are small and few, for what is cheap is known soon."""
    network = find_hops(atoms, max_distance_A=BARRIERS["parameters"]["max_distance_A"], symprec_A=0.05)
    size = len(network.end_states(0, min_length_A=BARRIERS["parameters"]["min_length_A"])[0])
    needed = thresholds(network)[0]
    return atoms.info["name"] not in FRAMEWORKS, size * sum(hop.distance_A <= needed for hop in network.hops)


def _rows(folder):
    def short(value):
        return float(f"{value:.5g}") if isinstance(value, float) else value

    lines = table(folder).to_dict("records")
    return [
        {key: short(value) for key, value in line.items() if value is not None and value == value} for line in lines
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1e9)
