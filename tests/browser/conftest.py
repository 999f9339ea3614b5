"""Fixtures of the browser tests: one server, one browser, one page for each group of tests and kernel."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from . import kernel6, prepare
from .lab import CHROMIUM_FLAGS, HEIGHT, WIDTH, LabPage, Server

KERNELS = {"ipykernel 7": "python3", "ipykernel 6": kernel6.NAME}


def pytest_collection_modifyitems(items) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A JupyterLab server for all browser tests; its runs live in a temporary store."""
    folder = tmp_path_factory.mktemp("lab")
    root, runs = folder / "notebooks", folder / "runs"
    root.mkdir()
    runs.mkdir()
    shutil.copy(Path(__file__).parent / "frames_task.py", root)
    server = Server(root, runs)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser():
    """One Chromium without a window."""
    from playwright.sync_api import sync_playwright

    path = prepare.find_chromium()
    if path is None:
        pytest.fail("there is no Chromium; run: python tests/browser/prepare.py")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request) -> str:
    """The name of the kernel: every browser test runs on ipykernel 6 and 7."""
    if request.param == "ipykernel 6" and not kernel6.is_installed():
        pytest.fail("ipykernel 6 is not installed beside the default kernel; run: python tests/browser/prepare.py")
    return KERNELS[request.param]


@pytest.fixture(scope="module")
def lab(server, browser, kernel):
    """A page for one module and kernel; what the console said is printed when the module is over."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    lab = LabPage(context.new_page(), server, kernel)
    yield lab
    for error in lab.errors:
        print(error)
    lab.shutdown()
    context.close()
