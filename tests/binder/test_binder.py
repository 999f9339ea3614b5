"""What mybinder.org would do with binder/, as far as it can be done without Docker."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def test_repo2docker_understands_the_repository():
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(REPOSITORY)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    dockerfile = ended.stdout + ended.stderr
    for piece in ("RUN ./binder/postBuild", "binder/requirements.txt", "binder/start"):
        assert piece in dockerfile


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_post_build_makes_a_clean_environment_ready(tmp_path):
    checkout = tmp_path / "checkout"
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in tracked.split():
        if name.startswith(("labkit/", "widgets/", "binder/")) or "/" not in name:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, checkout / name)
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    # Byte code is made where it is imported: compiling all of it takes a minute that tests nothing.
    quick = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COMPILE": "1"}
    variables = {**os.environ, **quick, "PYTHON": str(python)}
    ended = subprocess.run(
        ["bash", "binder/postBuild"], cwd=checkout, env=variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    code = "import labkit, labkit_widgets, torch; print(labkit.__version__, torch.__version__, torch.version.cuda)"
    shown = subprocess.run([str(python), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert shown.split()[1].startswith("2.13.0")
    if sys.platform == "linux":
        assert shown.split()[2] == "None", "Binder needs the CPU build of torch"
    (settings,) = environment.rglob("jupyter_server_config.d/labkit.json")
    assert json.loads(settings.read_text())["ServerApp"]["default_url"] == "/lab/tree/notebooks/00_welcome.ipynb"
    doctor = subprocess.run([str(python), "-m", "labkit.cli", "doctor"], capture_output=True, text=True, check=False)
    assert "nglview" in doctor.stdout
