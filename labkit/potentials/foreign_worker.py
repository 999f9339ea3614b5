"""The child process of `foreign`: holds one ASE calculator made from somebody else's checkpoint and answers questions.

It is run as a file, by any Python that has NumPy and ASE, so it imports nothing of labkit. Messages are a length, a
JSON header and raw float64 arrays on the standard streams: no pickle ever comes back to the parent.
"""

import contextlib
import importlib
import json
import os
import pickle
import re
import signal
import struct
import sys
import zipfile
from typing import Any, BinaryIO

LOCAL = ("localhost", "127.0.0.1", "::1", "", None)
refused: "list[str]" = []  # the hosts that something here wanted to reach


def read(stream: BinaryIO) -> "dict[str, Any] | None":
    """One message as its header, arrays under "arrays"; None at the end of the stream."""
    import numpy as np

    length = stream.read(4)
    if len(length) < 4:
        return None
    header = json.loads(stream.read(struct.unpack(">I", length)[0]))
    arrays = {}
    for name, shape in header.get("arrays", {}).items():
        count = int(np.prod(shape, dtype=int))
        arrays[name] = np.frombuffer(stream.read(8 * count), dtype="<f8").reshape(shape).copy()
    return {**header, "arrays": arrays}


def write(stream: BinaryIO, header: "dict[str, Any]", arrays: "dict[str, Any] | None" = None) -> None:
    """Send one message; arrays go as little-endian float64."""
    import numpy as np

    raw = {name: np.asarray(values, dtype="<f8", order="C") for name, values in (arrays or {}).items()}
    text = json.dumps({**header, "arrays": {name: list(one.shape) for name, one in raw.items()}}).encode()
    stream.write(struct.pack(">I", len(text)) + text + b"".join(one.tobytes() for one in raw.values()))
    stream.flush()


def stay_offline() -> None:
    """Refuse every connection to another machine for the life of this process: weights are on the disk or nowhere."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")

    def watch(event: str, arguments: "tuple[Any, ...]") -> None:
        host: Any = None
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        if host not in LOCAL:
            refused.append(str(host))
            raise OSError(f"labkit downloads nothing unasked: {host} was not contacted")

    sys.addaudithook(watch)


def pick_device(device: str) -> str:
    """`auto` becomes cuda or cpu."""
    if device != "auto":
        return device
    torch = importlib.import_module("torch")
    return "cuda" if torch.cuda.is_available() else "cpu"


def open_mace(path: str, device: str) -> Any:
    """A MACE model file, in the precision in which it was saved."""
    return importlib.import_module("mace.calculators").MACECalculator(
        model_paths=path, device=pick_device(device), default_dtype=""
    )


def open_sevennet(path: str, device: str) -> Any:
    """A SevenNet checkpoint."""
    return importlib.import_module("sevenn.calculator").SevenNetCalculator(path, device=pick_device(device))


def open_mattersim(path: str, device: str) -> Any:
    """A MatterSim checkpoint."""
    module = importlib.import_module("mattersim.forcefield")
    return module.MatterSimCalculator(load_path=path, device=pick_device(device))


def open_orb(path: str, device: str) -> Any:
    """An ORB checkpoint; its architecture is read off the file's name, orb-v3-conservative-inf-omat-*.ckpt say."""
    known = importlib.import_module("orb_models.forcefield.pretrained")
    calculator = importlib.import_module("orb_models.forcefield.calculator").ORBCalculator
    stem = re.sub(r"-?\d{8}.*$", "", os.path.basename(path).rsplit(".", 1)[0]).replace("-", "_")  # noqa: PTH119
    build = getattr(known, stem, None)
    if build is None:
        names = ", ".join(name for name in dir(known) if name.startswith("orb_v"))
        raise ValueError(f"the file name does not say which architecture it is; it begins with one of: {names}")
    device = pick_device(device)
    return calculator(build(weights_path=path, device=device, compile=False), device=device)


def open_pickle(path: str, device: str) -> Any:
    """A pickled ASE calculator, or one that torch.save wrote."""
    # A pickle runs code by its nature: this line is reached only in the child, for a file that the user vouched for.
    if zipfile.is_zipfile(path):
        return importlib.import_module("torch").load(path, map_location=pick_device(device), weights_only=False)
    with open(path, "rb") as file:  # noqa: PTH123
        return pickle.load(file)


def open_address(path: str, device: str) -> Any:
    """What `package.module:name` gives when it is called without arguments."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)()


OPENERS = {
    "mace": open_mace, "sevennet": open_sevennet, "mattersim": open_mattersim, "orb": open_orb, "pickle": open_pickle,
    "address": open_address,
}  # fmt: skip


def facts(calculator: Any) -> "dict[str, Any]":
    """What the calculator says about itself: properties, elements, cut-off, number of parameters."""
    from ase.data import chemical_symbols

    numbers = getattr(getattr(calculator, "z_table", None), "zs", None) or getattr(calculator, "type_map", None)
    elements = sorted({chemical_symbols[int(one)] for one in numbers}) if numbers is not None else None
    cutoff = next((getattr(calculator, key) for key in ("r_max", "cutoff") if hasattr(calculator, key)), None)
    models = getattr(calculator, "models", None) or [getattr(calculator, "model", None)]
    count = None
    with contextlib.suppress(Exception):  # a curiosity for the card, not worth a failure
        count = sum(one.numel() for one in models[0].parameters())
    with contextlib.suppress(TypeError, ValueError):
        cutoff = float(cutoff)
    return {
        "properties": [str(one) for one in calculator.implemented_properties],
        "elements": elements,
        "cutoff_A": cutoff if isinstance(cutoff, float) else None,
        "n_parameters": count,
        "type": type(calculator).__name__,
    }


def answer(calculator: Any, question: "dict[str, Any]") -> "dict[str, Any]":
    """Energy (), forces (n, 3) and stress (3, 3) of one structure, as many as were asked for and can be had."""
    from ase import Atoms
    from ase.calculators.calculator import PropertyNotImplementedError

    arrays, wanted = question["arrays"], question["ask"]
    atoms = Atoms(
        numbers=arrays["numbers"].astype(int), positions=arrays["positions"], cell=arrays["cell"], pbc=question["pbc"]
    )
    for name in ("initial_magmoms", "initial_charges"):
        if name in arrays:
            atoms.set_array(name, arrays[name])
    atoms.info.update(question.get("info", {}))
    atoms.calc = calculator
    found = {"energy": atoms.get_potential_energy()}
    if "forces" in wanted:
        found["forces"] = atoms.get_forces()
    if "stress" in wanted and all(question["pbc"]) and "stress" in calculator.implemented_properties:
        with contextlib.suppress(PropertyNotImplementedError):  # some find out only for the structure at hand
            found["stress"] = atoms.get_stress(voigt=False)
    return found


def failure(error: BaseException) -> "dict[str, Any]":
    """An exception as a message."""
    missing = getattr(error, "name", None)
    return {"error": type(error).__name__, "message": str(error)[:2000], "missing": missing, "refused": refused[:1]}


def main() -> None:
    """Open what the first message names, then answer until the parent closes the stream."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is meant for the parent, which ends this process
    # Whatever the calculator prints goes to the log: the answers have their channel to themselves.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [one for one in sys.path if os.path.abspath(one or ".") != here]  # noqa: PTH100
    first = read(questions)
    if first is None:
        return
    sys.path += [one for one in first["sys_path"] if one not in sys.path]
    stay_offline()
    try:
        calculator = OPENERS[first["family"]](first["path"], first["device"])
        if not hasattr(calculator, "implemented_properties"):
            raise TypeError(f"it gives a {type(calculator).__name__}, which is no ASE calculator")
        write(answers, facts(calculator))
    except Exception as error:
        write(answers, failure(error))
        return
    while (question := read(questions)) is not None:
        try:
            found = answer(calculator, question)
        except Exception as error:
            write(answers, failure(error))
        else:
            write(answers, {}, found)


if __name__ == "__main__":
    main()
