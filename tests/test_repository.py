"""Promises about the code base itself: what imports what, how large the rooms are, what a fresh install needs."""

import ast
import re
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("labkit", "widgets/labkit_widgets")
FILES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
NOTEBOOK_LIBRARIES = {
    "labkit_widgets",
    "ipywidgets",
    "IPython",
    "nglview",
    "anywidget",
    "plotly",
    "itables",
    "traitlets",
}


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_labkit_is_quick_and_brings_neither_torch_nor_a_notebook_library():
    started = time.perf_counter()
    loaded = _python("import labkit, sys; print(*sys.modules)").split()
    assert time.perf_counter() - started < 1.0
    assert not {"torch", "pymatgen", "ase", *NOTEBOOK_LIBRARIES} & set(loaded)


@pytest.mark.parametrize(
    "module",
    [
        "labkit.runs",
        "labkit.structures",
        "labkit.datasets",
        "labkit.references",
        "labkit.training",
        "labkit.simulators",
        "labkit.active_learning",
        "labkit.screening",
        "labkit.landscapes",
        "labkit.phase_diagrams",
        "labkit.analysis",
        "labkit.plots",
        "labkit.potentials.camp",
    ],
)
def test_what_a_notebook_imports_to_launch_does_not_load_torch(module):
    loaded = _python(f"import {module}, sys; print(*sys.modules)").split()
    assert not {"torch", *NOTEBOOK_LIBRARIES} & set(loaded)
    assert not {"scipy.stats", "scipy.signal"} & set(loaded)  # half a second of every notebook's first cell


def test_plotly_does_not_bring_a_grammar_that_is_compiled_for_a_second_at_import():
    loaded = _python("import plotly.graph_objects as go, sys; go.FigureWidget; print(*sys.modules)").split()
    assert "jsonschema" in loaded
    assert "rfc3987_syntax" not in loaded


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def test_nothing_in_labkit_imports_a_notebook_library():
    guilty = [str(path) for path in FILES if "labkit_widgets" not in path.parts and _imports(path) & NOTEBOOK_LIBRARIES]
    assert guilty == []


#: From DESIGN.md: a room may use the rooms to its left, never those to its right.
ORDER = [
    "structures",
    "runs",
    "potentials",
    "datasets",
    "references",
    "training",
    "analysis",
    "simulators",
    "screening",
    "active_learning",
    "landscapes",
    "phase_diagrams",
    "plots",
    "cli",
]
MAY_USE = {
    "structures": set(),
    "runs": set(),
    "potentials": {"structures"},
    "datasets": {"structures", "potentials"},  # potentials: random_charges labels its gas with one
    "training": {"structures", "runs", "potentials", "datasets"},
    "simulators": {"structures", "runs", "potentials", "analysis"},  # analysis: what dynamics report of themselves
    "screening": {"structures", "runs", "potentials", "simulators", "analysis"},
    "analysis": {"structures"},
    "references": {"structures", "runs", "potentials", "datasets"},
    "active_learning": {
        "structures",
        "runs",
        "potentials",
        "datasets",
        "references",
        "training",
        "simulators",
        "analysis",
    },
    "landscapes": {"structures", "runs", "potentials", "references", "simulators", "analysis"},
    "phase_diagrams": {"structures", "runs", "potentials", "simulators", "screening", "analysis"},
    "plots": {"analysis", "datasets", "active_learning", "landscapes", "phase_diagrams", "simulators"},
    "cli": set(ORDER),
}


@pytest.mark.parametrize("room", ORDER)
def test_imports_between_rooms_never_point_back(room):
    used = set()
    for path in (REPOSITORY / "labkit" / room).rglob("*.py"):
        used |= set(re.findall(r"(?:from|import) labkit\.(\w+)", path.read_text(encoding="utf-8")))
    assert used - MAY_USE[room] - {room, "errors"} == set()


def test_rooms_are_small():
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in FILES]
    assert max(lengths) <= 450
    assert statistics.median(lengths) <= 140


def test_every_module_says_what_it_is_for():
    silent = [str(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_every_dependency_is_pinned_in_the_constraints():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(need for group in project["optional-dependencies"].values() for need in group),
    ]
    names = {re.split(r"[\[<>=!~; ]", need)[0].lower().replace("_", "-") for need in wanted} - {"labkit-mlip"}
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert names - pinned == set()


def test_no_notebook_fetches_anything():
    for path in (REPOSITORY / "notebooks").glob("*.ipynb"):
        assert not re.search(r"https?://(?!doi\.org)", path.read_text(encoding="utf-8")), path.name
