"""Where CHGNet's parameters come from: the chgnet wheel, or a folder written by `CHGNetPotential.save`.

The package itself is never imported: that would silence every Python warning of the process.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from ase.data import chemical_symbols
from torch import Tensor

from labkit.errors import UnreadableFile
from labkit.potentials.storage import read_potential

PRETRAINED = {
    "chgnet-0.3.0": ("0.3.0", "PBE/PBE+U (Materials Project)"),
    "chgnet-0.2.0": ("0.2.0", "PBE/PBE+U (Materials Project)"),
    "chgnet-r2scan": ("r2scan", "r2SCAN (Materials Project)"),
}

#: Embeddings beyond Z = 94 do not exist, and these never occurred in MPtrj: 89 elements are trained (Deng et al. 2023).
UNTRAINED = {"Po", "At", "Rn", "Fr", "Ra"}
#: MP-r2SCAN holds no ytterbium: its reference energy in the r2scan checkpoint is exactly zero.
UNTRAINED_R2SCAN = UNTRAINED | {"Yb"}

#: The options that change the mathematics, with the default of chgnet 0.4.2 where a checkpoint is silent.
ARCHITECTURE_DEFAULTS: dict[str, Any] = {
    "n_conv": 4,
    "num_radial": 31,
    "num_angular": 31,
    "atom_graph_cutoff": 6.0,
    "bond_graph_cutoff": 3.0,
    "cutoff_coeff": 8,
    "gMLP_norm": "layer",
    "readout_norm": "layer",
}
#: What labkit's forward pass assumes; a checkpoint that says otherwise is refused rather than computed wrongly.
ASSUMED = {
    "non_linearity": "silu",
    "mlp_first": True,
    "is_intensive": True,
    "angle_layer_hidden_dim": 0,
    "update_bond": True,
    "update_angle": True,
    "conv_norm": None,
}
#: What an architecture read from a file may say: a cut-off of a kilometre would fill the memory with neighbours.
RANGES: dict[str, tuple[type | tuple[type, ...], float, float]] = {
    "n_conv": (int, 2, 16),
    "num_radial": (int, 1, 1000),
    "num_angular": (int, 1, 1000),
    "atom_graph_cutoff": ((int, float), 1, 20),
    "bond_graph_cutoff": ((int, float), 0.5, 20),
    "cutoff_coeff": (int, 2, 50),
}


def read_pretrained(name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Architecture and parameters of one of the checkpoints inside the chgnet wheel.

    Raises ModuleNotFoundError when chgnet is not installed and ValueError for an architecture that is not CHGNet's.
    """
    spec = importlib.util.find_spec("chgnet")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("CHGNet's weights ship with the chgnet package: pip install chgnet==0.4.2")
    version, _ = PRETRAINED[name]
    folder = Path(next(iter(spec.submodule_search_locations))) / "pretrained" / version
    (path,) = sorted(folder.glob("*.pth.tar"))
    model = torch.load(path, map_location="cpu", weights_only=True)["model"]
    return architecture_from(model["model_args"]), model["state_dict"]


def architecture_from(arguments: dict[str, Any]) -> dict[str, Any]:
    """The options that matter in a checkpoint; raises ValueError where labkit's forward pass would differ."""
    for key, value in ASSUMED.items():
        if arguments.get(key, value) != value:
            raise ValueError(f"this CHGNet checkpoint has {key}={arguments[key]!r}; labkit computes only {value!r}.")
    return {key: arguments.get(key, default) for key, default in ARCHITECTURE_DEFAULTS.items()}


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Description (JSON) and parameters (safetensors) of a CHGNet saved by labkit.

    Raises UnreadableFile when one of them cannot be right.
    """
    said, parameters = read_potential(folder, "chgnet")
    try:
        said["architecture"] = architecture_from(dict(said["architecture"]))
        wrong = [
            key for key, (kind, low, high) in RANGES.items() if not _within(said["architecture"][key], kind, low, high)
        ]
        wrong += [key for key in ("gMLP_norm", "readout_norm") if said["architecture"][key] not in (None, "layer")]
        wrong += _wrong_shapes(said["architecture"], parameters)
        if wrong:
            raise ValueError(
                f"{wrong[0]} is {said['architecture'][wrong[0]]!r}, out of range or not what the parameters say"
            )
        said["elements"] = frozenset(str(one) for one in said["elements"])
        if not said["elements"] <= set(chemical_symbols[1:95]):
            raise ValueError("it lists elements that CHGNet does not have")
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{folder}: potential.json does not describe a CHGNet ({error}).") from error
    return said, parameters


def _within(value: Any, kind: type | tuple[type, ...], low: float, high: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high


def _wrong_shapes(architecture: dict[str, Any], parameters: dict[str, Tensor]) -> list[str]:
    """Options that the parameters contradict; a layer that is left out would pass unnoticed otherwise."""
    layers = {name.split(".")[1] for name in parameters if name.startswith("atom_conv_layers.")}
    found = {
        "n_conv": len(layers),
        "num_radial": parameters["bond_embedding.weight"].shape[-1],
        "num_angular": parameters["angle_embedding.weight"].shape[-1],
    }
    return [key for key, value in found.items() if architecture[key] != value]
