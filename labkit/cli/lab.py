"""`labkit lab` and `labkit app`: JupyterLab on the welcome notebook, or the laboratory as a web page without code."""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import labkit
from labkit.errors import LabkitError

NOTEBOOKS = {"jupyterlab": "00_welcome.ipynb", "voila": "app.ipynb"}
#: Extensions of JupyterLab and Notebook that Voila lists but cannot load; each would log an error in the browser.
NOT_FOR_VOILA = [
    "@jupyter-notebook/lab-extension",
    "@voila-dashboards/jupyterlab-preview",
    "jupyterlab-plotly",
    "jupyterlab_pygments",
]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `lab` and `app` to the commands."""
    for name, server, text in (
        ("lab", "jupyterlab", "open JupyterLab on the welcome notebook"),
        ("app", "voila", "open the laboratory as a web page, without code (Voila)"),
    ):
        parser = commands.add_parser(name, help=text)
        parser.add_argument("--notebook", type=Path, help="the notebook or folder to open instead")
        parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
        parser.add_argument("--port", type=int, help="the port to listen on")
        parser.set_defaults(command=open_server, server=server)


def open_server(arguments: argparse.Namespace) -> int:
    """Start the server and stay until it ends; raises LabkitError when it or the notebook is missing."""
    if importlib.util.find_spec(arguments.server) is None:
        message = f"{arguments.server} is not installed: pip install labkit-mlip, or `make lab` in a checkout"
        raise LabkitError(message)
    command = server_command(arguments.server, arguments.notebook, arguments.no_browser, arguments.port)
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C reaches the server too, which asks before it ends


def server_command(
    server: str, notebook: Path | None = None, no_browser: bool = False, port: int | None = None
) -> list[str]:
    """The command that serves `notebook`, else the shipped one, else the current folder."""
    target = notebook or shipped_notebook(server) or Path.cwd()
    if not target.exists():
        message = f"there is no {target} to open"
        raise LabkitError(message)
    command = [sys.executable, "-m", server, str(target)]
    if server == "jupyterlab" and hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container root is all there is, and Jupyter would refuse to start
    if server == "voila":
        command.append(f"--VoilaConfiguration.extension_denylist={NOT_FOR_VOILA}")
    command += ["--no-browser"] if no_browser else []
    command += [f"--port={port}"] if port is not None else []
    return command


def shipped_notebook(server: str) -> Path | None:
    """The notebook that `server` opens by itself, when labkit runs from a checkout."""
    path = Path(labkit.__file__).resolve().parents[1] / "notebooks" / NOTEBOOKS[server]
    return path if path.is_file() else None
