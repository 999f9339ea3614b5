"""`labkit doctor`: what this machine has, what is missing, and how to get it.

Each check is a function that returns its findings; only an essential one that fails makes the exit status 1.
"""

import argparse
import importlib.metadata
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import labkit
from labkit.runs import Store
from labkit.runs.faults import store_sentence

DISTRIBUTION = "labkit-mlip"
PYTHONS = ((3, 11), (3, 12))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSERS = ("/Applications/Chromium.app", "/Applications/Google Chrome.app")
LITTLE_GB = 2.0
TOO_LITTLE_GB = 0.1


@dataclass(frozen=True)
class Finding:
    """One line of the report; `remedy` says what to do when it is not ok."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    essential: bool = True


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `doctor` to the commands."""
    parser = commands.add_parser("doctor", help="check versions, device, browser, disk and store")
    parser.add_argument("--store", type=Path, help="the store to check (default: $LABKIT_RUNS or ~/labkit-runs)")
    parser.set_defaults(command=examine)


def examine(arguments: argparse.Namespace) -> int:
    """Print the report; 1 when something essential is missing."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        python, packages, device, weights, references, browser, lambda: disk(Store(arguments.store).root),
        lambda: store(Store(arguments.store).root),
    ]  # fmt: skip
    healthy = True
    for check in checks:
        for finding in check():
            mark = "ok  " if finding.ok else ("FAIL" if finding.essential else "note")
            print(f"{mark}  {finding.name:<18} {finding.detail}", flush=True)
            if not finding.ok:
                print(f"      {'':<18} -> {finding.remedy}")
                healthy &= not finding.essential
    print("everything essential is here" if healthy else "something essential is missing: see the lines marked FAIL")
    return 0 if healthy else 1


def python(version: tuple[int, int] = sys.version_info[:2]) -> Iterator[Finding]:
    """The version of Python, for which chgnet must ship a wheel."""
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    remedy = f"chgnet ships wheels for Python {wanted} only: install one of them and run `make lab` again"
    yield Finding("python", version in PYTHONS, f"{version[0]}.{version[1]} ({sys.executable})", remedy)


def packages() -> Iterator[Finding]:
    """Every required package: installed, and in the range that the distribution asks for."""
    try:
        wanted = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(DISTRIBUTION, False, "not installed", "run `make lab` in the checkout, or `pip install -e .`")
        return
    tested = pins()
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield package(requirement, tested.get(canonicalize_name(requirement.name)))


def pins() -> dict[str, str]:
    """The versions that labkit is tested with, when it runs from a checkout."""
    path = Path(labkit.__file__).resolve().parents[1] / "constraints.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = (line.partition("==")[::2] for line in lines if "==" in line and not line.lstrip().startswith("#"))
    return {canonicalize_name(name): version.split(";")[0].strip() for name, version in pairs}


def package(requirement: Requirement, pinned: str | None = None) -> Finding:
    """Whether `requirement` is met by what is installed, and whether that is the tested version `pinned`."""
    remedy = f'pip install "{requirement}"'
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(requirement.name, False, f"not installed (needs {requirement.specifier or 'any'})", remedy)
    fits = requirement.specifier.contains(version, prereleases=True)
    if not fits or pinned is None or Version(version).public == pinned:
        return Finding(requirement.name, fits, f"{version} (needs {requirement.specifier or 'any'})", remedy)
    remedy = f"it may well work; `pip install {requirement.name}=={pinned}` brings the tested version"
    return Finding(requirement.name, False, f"{version} (tested with {pinned})", remedy, essential=False)


def device() -> Iterator[Finding]:
    """Where potentials would be evaluated with device="auto"."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("device", False, f"torch cannot be imported: {error}", "run `make lab` again in a fresh .venv")
        return
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        detail = f"CUDA, {torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    elif torch.backends.mps.is_available():
        detail = f"CPU, {torch.get_num_threads()} threads (an Apple GPU is there: CHGNet uses it with device='mps')"
    else:
        detail = f"CPU, {torch.get_num_threads()} threads"
    yield Finding("device", True, detail)


def weights() -> Iterator[Finding]:
    """The CHGNet weights, which come with its wheel: nothing is fetched from the network."""
    spec = importlib.util.find_spec("chgnet")
    folder = Path(spec.origin).parent / "pretrained" if spec is not None and spec.origin else None
    found = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder and folder.is_dir() else []
    yield Finding(
        "CHGNet weights", bool(found), ", ".join(found) or "none", "pip install --force-reinstall chgnet==0.4.2"
    )


def references() -> Iterator[Finding]:
    """The reference methods that label: which are here, and how to get the others."""
    from labkit.references.registry import ENTRIES

    here = {name: entry.installed for name, entry in ENTRIES.items()}
    yield Finding("references", True, ", ".join(name for name, there in here.items() if there) or "none")
    for name, there in here.items():
        if not there:
            yield Finding(name, False, "not installed", ENTRIES[name].install, essential=False)


def browser() -> Iterator[Finding]:
    """A Chromium for the browser tests; the laboratory itself opens in any browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    found = found or next((path for path in MAC_BROWSERS if Path(path).exists()), None)
    remedy = "needed by `make test` only: apt-get install chromium (Linux) or brew install --cask chromium (macOS)"
    yield Finding("browser", found is not None, found or "no Chromium", remedy, essential=False)


def disk(root: Path) -> Iterator[Finding]:
    """Room for runs below `root`."""
    place = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    remedy = "free space, or set LABKIT_RUNS to a folder on a larger disk"
    yield Finding("disk", free > LITTLE_GB, f"{free:.1f} GB free at {place}", remedy, essential=free < TOO_LITTLE_GB)


def store(root: Path) -> Iterator[Finding]:
    """Whether runs can be written below `root`."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(b"labkit")
    except OSError as error:
        yield Finding("store", False, str(root), store_sentence(error, root))
        return
    broken = Store(root).broken()
    yield Finding("store", True, f"{root} can be written")
    if broken:
        names = ", ".join(folder.name for folder, _ in broken[:5])
        remedy = f"`labkit runs list` says why; delete or mend them: {names}"
        yield Finding("runs", False, f"{len(broken)} broken folders", remedy, essential=False)
