"""Landscape17: the published kinetic networks of six molecules, at the DFT level and of ten machine-learning variants.

V. Cărare, F. L. Thiemann, J. D. Morrow, D. J. Wales, E. O. Pyzer-Knapp and L. Dicks, npj Comput. Mater. (2025),
doi:10.1038/s41524-025-01878-x; data under BSD-3 (data/landscape17/SOURCE.txt and LICENSE). The numbers ship with
labkit: every score in the paper's table can be computed here again.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import InvalidTask
from labkit.landscapes.network import KineticNetwork

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent / "data" / "landscape17"
#: With Cartesian d functions, PySCF reproduces the stored energies to 0.1 meV (methods A, finding 1).
DFT = "ωB97X/6-31G(d)"


@dataclass(frozen=True)
class Model:
    """One published network: labkit's name, how a table calls it, the authors' folder, trained on landscape data.

    caveat: what belongs beside its numbers.
    """

    name: str
    label: str
    folder: str
    pathways: bool = False
    caveat: str = ""


_OTHER_DFT = f"{{}} was trained on another DFT level than {DFT}, against which its energies are compared here{{}}."

MODELS = (
    Model("mace", "MACE", "mace_non-altitude"),
    Model("mace+landscape", "MACE + landscape data", "mace_altitude", True),
    Model("nequip", "NequIP", "nequip_non-altitude"),
    Model("nequip+landscape", "NequIP + landscape data", "nequip_altitude", True),
    Model("allegro", "Allegro", "allegro_non-altitude"),
    Model("allegro+landscape", "Allegro + landscape data", "allegro_altitude", True),
    Model("ani2x", "ANI-2x", "ani2x_non-altitude"),
    Model(
        "aimnet2",
        "AIMNet2",
        "aimnet2_non-altitude",
        caveat=_OTHER_DFT.format("AIMNet2", "; the authors counted its errors against its own level"),
    ),
    Model(
        "mace-mp-0b3",
        "MACE-MP-0b3",
        "mace-mp-0b3_non-altitude",
        caveat=_OTHER_DFT.format("MACE-MP-0b3", " (crystals, PBE)"),
    ),
    Model("gfn2-xtb", "GFN2-xTB", "dftb_non-altitude"),
)


def molecules() -> tuple[str, ...]:
    """The six molecules: aspirin, azobenzene, ethanol, malonaldehyde, paracetamol, salicylic (acid)."""
    return tuple(_networks("dft_ktn"))


def models() -> tuple[str, ...]:
    """The ten variants of eight models whose networks ship, such as "mace" and "mace+landscape"."""
    return tuple(model.name for model in MODELS)


def model(name: str) -> Model:
    """The entry of a model by labkit's name or the authors' folder; raises InvalidTask for a name that is neither."""
    for entry in MODELS:
        if name in (entry.name, entry.folder, entry.label):
            return entry
    raise InvalidTask(f"Landscape17 has no network of a model {name!r}; take one of {', '.join(models())}.")


def reference(molecule: str) -> KineticNetwork:
    """The DFT network of a molecule; raises InvalidTask for one that is not among the six.

    Together 28 minima and 67 transition states, with energies (eV, absolute) and positions (Å, to 1e-5). Like atoms may
    stand in another order from one point to the next: compare structures with a `Comparison`, not atom by atom.
    """
    key = _known(molecule)
    return _network(_networks("dft_ktn")[key], key, DFT, f"{key}, DFT")


def model_network(model_name: str, molecule: str) -> KineticNetwork:
    """The network of a model after the authors' cleaning (bonds, hydrogen valence, mirror images).

    The authors' network of NequIP + landscape data holds 58 minima (24 of aspirin, 34 of salicylic acid) without an
    energy (NaN), which the published count of its extra minima includes. They are no minima of anything and are left
    out, with the transition states that end in them; `info["without_energy"]` lists their positions in the file under
    "minima" and "transition_states".
    """
    entry, key = model(model_name), _known(molecule)
    found = _networks(f"ml_ktn_clean_{entry.folder}")[key]
    return _network(found, key, entry.label, f"{key}, {entry.label}")


def published_statistics() -> pd.DataFrame:
    """The authors' match statistics, one row for each of the ten variants and six molecules.

    Columns: model, label, molecule, raw_n_min, raw_n_ts (before cleaning), clean_n_min, clean_n_ts, dft_n_min,
    dft_n_ts, matched_min, missing_min, extra_min, matched_ts, missing_ts, extra_ts, same_dft_reference (AIMNet2's
    energies are compared with its own DFT level, which did not ship), and the lists minima_distances_A,
    ts_distances_A, minima_dE_rel_eV, ts_dE_rel_eV. The distances are root mean squares per atom: see
    `labkit.landscapes.matching`.
    """
    import pandas as pd

    table = pd.DataFrame(_load("exact_match_statistics"))
    names = {entry.folder: entry for entry in MODELS}
    table.insert(1, "label", [names[folder].label for folder in table["model"]])
    table["model"] = [names[folder].name for folder in table["model"]]
    table.insert(table.columns.get_loc("missing_ts"), "matched_ts", table["dft_n_ts"] - table["missing_ts"])
    order = {entry.name: rank for rank, entry in enumerate(MODELS)}
    ranks = table["model"].map(order)
    return table.assign(_rank=ranks).sort_values(["_rank", "molecule"]).drop(columns="_rank").reset_index(drop=True)


def published_table() -> pd.DataFrame:
    """The published scores over all six molecules, a row for each variant, indexed by its label.

    Columns: minima_found (of 28), extra_minima, transition_states_found (of 67), recall (found / 67), raw_minima,
    clean_minima. Sums of `published_statistics`.
    """
    statistics = published_statistics()
    sums = statistics.groupby("label", sort=False)[
        ["matched_min", "extra_min", "matched_ts", "dft_n_ts", "raw_n_min", "clean_n_min"]
    ].sum()
    sums.insert(3, "recall", (sums["matched_ts"] / sums["dft_n_ts"]).round(2))
    names = {
        "matched_min": "minima_found",
        "extra_min": "extra_minima",
        "matched_ts": "transition_states_found",
        "raw_n_min": "raw_minima",
        "clean_n_min": "clean_minima",
    }
    return sums.drop(columns="dft_n_ts").rename(columns=names).rename_axis("model")


def _known(molecule: str) -> str:
    key = str(molecule).strip().lower().removesuffix(" acid")
    if key not in molecules():
        raise InvalidTask(f"Landscape17 has no molecule {molecule!r}; take one of {', '.join(molecules())}.")
    return key


def _network(data: dict[str, Any], molecule: str, level: str, name: str) -> KineticNetwork:
    info = {"molecule": molecule, "source": "Landscape17, doi:10.1038/s41524-025-01878-x"}
    network = KineticNetwork(data["symbols"], level, name, info=info)
    numbers: dict[int, int] = {}
    for index, point in enumerate(data["minima"]):
        if np.isfinite(point["energy_eV"]):
            numbers[index] = network.add_minimum(point["energy_eV"], np.reshape(point["xyz"], (-1, 3)))
    without = []
    for index, point in enumerate(data["transition_states"]):
        ends = (point["min_plus"], point["min_minus"])
        if np.isfinite(point["energy_eV"]) and all(end in numbers for end in ends):
            positions = np.reshape(point["xyz"], (-1, 3))
            network.add_transition_state([numbers[end] for end in ends], point["energy_eV"], positions)
        else:
            without.append(index)
    lost = [index for index in range(len(data["minima"])) if index not in numbers]
    if lost or without:
        network.info["without_energy"] = {"minima": lost, "transition_states": without}
    return network


@lru_cache(maxsize=16)
def _networks(stem: str) -> dict[str, Any]:
    return _load(stem)


def _load(stem: str) -> Any:
    return json.loads(gzip.decompress((FOLDER / f"{stem}.json.gz").read_bytes()))
