"""A real JupyterLab in a real Chromium: a server, a page that runs notebooks, and every console error it ever said."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from labkit.cli.lab import NOT_FOR_VOILA

ARTIFACTS = Path(__file__).resolve().parents[2] / "test-artifacts"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTH, HEIGHT = 1440, 1000


def free_port() -> int:
    """Return a port of this host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """JupyterLab (or Voila) on a free port, without a token, showing one folder; nothing phones home."""

    def __init__(self, root: Path, runs: Path, app: str = "lab") -> None:
        self.root, self.port = root, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        home = root.parent / "home"
        home.mkdir(exist_ok=True)
        notes = home / "settings" / "@jupyterlab" / "apputils-extension"
        notes.mkdir(parents=True, exist_ok=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (notes / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "LABKIT_RUNS": str(runs),
            "OMP_NUM_THREADS": "1",
        }
        environment.pop("PYTHONPATH", None)
        self.log = (root.parent / f"{app}.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            self._command(app),
            cwd=root,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait("/lab" if app == "lab" else "/")

    def _command(self, app: str) -> list[str]:
        if app == "voila":
            return [
                sys.executable,
                "-m",
                "voila",
                "--no-browser",
                f"--port={self.port}",
                "--Voila.ip=127.0.0.1",
                f"--VoilaConfiguration.extension_denylist={NOT_FOR_VOILA}",
                str(self.root),
            ]
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.root_dir": self.root,
            "ServerApp.allow_root": True,
            "ServerApp.disable_check_xsrf": True,
            "IdentityProvider.token": "",
            "LabApp.expose_app_in_browser": True,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        return [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            *(f"--{key}={value}" for key, value in options.items()),
        ]

    def _wait(self, path: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(self.url + path, timeout=5).read(1)
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(
            f"the server did not answer; its log: {Path(self.log.name).read_text(encoding='utf-8')[-3000:]}"
        )

    def stop(self) -> None:
        """End the server and its kernels."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.log.close()


class LabPage:
    """One notebook in one browser tab. `errors` collects console errors and page errors."""

    def __init__(self, page, server: Server, kernel: str) -> None:
        self.page, self.server, self.kernel = page, server, kernel
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(30_000)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _on_console(self, message) -> None:
        if message.type == "error":
            place = message.location.get("url", "")
            self.errors.append(f"console error: {message.text} ({place})")

    def outside(self) -> list[str]:
        """Return the addresses asked for that are not this server's own."""
        own = (self.server.url, self.server.url.replace("http", "ws"), "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]

    def open(self, name: str, *cells: str) -> None:
        """Open notebook `name`; with `cells` it is written first, with this page's kernel."""
        path = self.server.root / name
        if cells:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        else:
            notebook = nbformat.read(path, as_version=4)
        notebook.metadata["kernelspec"] = {"name": self.kernel, "display_name": self.kernel, "language": "python"}
        nbformat.write(notebook, path)
        self.page.goto(f"{self.server.url}/lab/workspaces/{path.stem}/tree/{name}?reset")
        self.wait_idle()
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")

    def wait_idle(self) -> None:
        """Wait until the notebook is open and its kernel idle."""
        self.page.wait_for_function(
            """() => { const app = window.jupyterapp; const widget = app && app.shell.currentWidget;
            const session = widget && widget.context && widget.context.sessionContext.session;
            return session && session.kernel && session.kernel.status === 'idle'; }""",
            timeout=60_000,
        )

    def run_all(self, timeout: float = 120, wait: bool = True) -> None:
        """Run all cells; with `wait` until the last has ended. A Python error in a cell fails with its traceback."""
        self.page.evaluate(
            """() => { window.labkitDone = false;
            window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.labkitDone = true; }); }"""
        )
        if wait:
            self.page.wait_for_function("() => window.labkitDone", timeout=timeout * 1000)
            self.check_cells()

    def run_cell(self, number: int, wait: bool = True) -> None:
        """Run one cell (from 0), and with `wait` until it has ended."""
        self.page.evaluate(
            """(n) => { window.labkitDone = false;
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.deselectAll(); notebook.activeCellIndex = n;
            window.jupyterapp.commands.execute('notebook:run-cell').then(() => { window.labkitDone = true; }); }""",
            number,
        )
        if wait:
            self.page.wait_for_function("() => window.labkitDone", timeout=60_000)
            self.check_cells()
        self.page.evaluate(
            "async (n) => await window.jupyterapp.shell.currentWidget.content.scrollToItem(n, 'start')", number
        )

    def cell_that_shows(self, code: str):
        """Return the output area of the first cell whose code contains `code`, scrolled into view."""
        number = self.page.evaluate(
            """async (code) => { const notebook = window.jupyterapp.shell.currentWidget.content;
            const number = notebook.model.sharedModel.cells.findIndex(
              cell => cell.cell_type === 'code' && cell.getSource().includes(code));
            await notebook.scrollToItem(number, 'start'); return number; }""",
            code,
        )
        return self.page.locator(f".jp-Cell[data-windowed-list-index='{number}'] .jp-Cell-outputWrapper")

    def check_cells(self) -> None:
        """Fail with the traceback if a cell ended with an error."""
        outputs = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
            .map(cell => JSON.stringify(cell.toJSON().outputs || []))"""
        )
        for number, text in enumerate(outputs):
            for output in json.loads(text):
                if output["output_type"] == "error":
                    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
                    raise AssertionError(f"cell {number} of the notebook failed:\n{trace[-3000:]}")

    def ask(self, code: str, timeout: float = 20) -> str:
        """Run `code` in the notebook's kernel beside the cells and return what it printed."""
        return self.page.evaluate(
            """async ([code, limit]) => {
            const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
            const future = kernel.requestExecute({code, store_history: false, silent: false});
            let text = '';
            future.onIOPub = (message) => {
              if (message.header.msg_type === 'stream') { text += message.content.text; }
              if (message.header.msg_type === 'error') { text += message.content.traceback.join('\\n'); } };
            const late = new Promise((_, no) => setTimeout(() => no('the kernel did not answer'), limit));
            await Promise.race([future.done, late]);
            return text; }""",
            [code, timeout * 1000],
        )

    def screenshot(self, name: str, target=None) -> np.ndarray:
        """Save a picture under test-artifacts/ and return its pixels, shape (height, width, 3)."""
        ARTIFACTS.mkdir(exist_ok=True)
        raw = (target or self.page).screenshot(path=ARTIFACTS / f"{name}.png")
        return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"))

    def shutdown(self) -> None:
        """End the notebook's kernel and close the tab without a question."""
        self.page.evaluate(
            """async () => { const widget = window.jupyterapp.shell.currentWidget;
            await widget.context.save(); await widget.context.sessionContext.shutdown(); }"""
        )
        self.page.close()


def fits(pixels: np.ndarray) -> bool:
    """Tell whether nothing is drawn on a narrow frame just inside the border: the picture is not cut off."""
    inner = pixels[6:-6, 6:-6].astype(int)
    ring = np.concatenate([inner[:2].reshape(-1, 3), inner[-2:].reshape(-1, 3), inner[:, :2].reshape(-1, 3)])
    return bool((np.abs(ring - np.median(ring, axis=0)).sum(axis=1) < 60).all())


def drawn_fraction(pixels: np.ndarray) -> float:
    """Return the fraction of pixels that differ clearly from the most frequent colour (the background)."""
    flat = pixels.reshape(-1, 3).astype(int)
    colours, counts = np.unique(flat, axis=0, return_counts=True)
    background = colours[counts.argmax()]
    return float((np.abs(flat - background).sum(axis=1) > 60).mean())
