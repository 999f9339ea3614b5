# Two commands do everything: `make lab` and `make test`. Both set up .venv first, with the versions in constraints.txt.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1 && { echo $$p; break; }; done)
# Linux without an NVIDIA GPU takes the CPU build of torch: the default one brings gigabytes of CUDA.
TORCH := $(shell grep '^torch==' constraints.txt)
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --quiet --constraint constraints.txt

.PHONY: help lab app test dft bench clean
help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /: /'

lab: $(VENV)/ready-lab ## set up, then JupyterLab on the first notebook
	$(BIN)/labkit lab

app: $(VENV)/ready-lab ## set up, then the same laboratory as a web page (Voila)
	$(BIN)/labkit app

test: $(VENV)/ready-test ## set up, then all tests, notebooks and browser tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Two lanes: beside the browser tests all others at low priority, then the notebooks.
	$(BIN)/python tests/run_all.py

dft: $(VENV)/created ## compile GPAW (density-functional theory for crystals) into .venv/dft; Debian packages by apt
	tools/dft/install.sh $(VENV)/dft $(BIN)/python

bench: $(VENV)/ready-test ## speed against stock chgnet, as ratios (minutes)
	$(BIN)/python tests/benchmarks/run_all.py

clean: ## remove what the other targets made
	rm -rf $(VENV) .pytest_cache .ruff_cache test-artifacts

$(VENV)/created:
	@test -n "$(PYTHON)" || { echo "labkit needs Python 3.11 or 3.12 (chgnet ships wheels for these two), and neither was found."; \
		echo "Install one of them (for example from python.org), or name it: make lab PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; then \
		echo "no NVIDIA GPU: taking the CPU build of torch"; \
		$(PIP) install --quiet --no-deps --retries 0 --index-url $(TORCH_CPU_INDEX) $(TORCH) \
			|| echo "the CPU index did not answer: pip will choose the build of torch"; fi
	@touch $@

$(VENV)/ready-lab: $(VENV)/created pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dask,landscapes,learning,phase-diagrams,references]'
	@# Nothing phones home: JupyterLab neither asks about news nor looks for updates.
	$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements
	@touch $@

$(VENV)/ready-test: $(VENV)/ready-lab
	$(INSTALL) --editable '.[test]'
	$(BIN)/python tests/browser/prepare.py
	@touch $@
