# Each target makes .venv by itself, by way of .ci/venv. The stamps .venv/.core and .venv/.all say what is
# installed there, so that a second call starts at once.

# torch's threads spin while they wait: on a busy machine one thread is up to twenty times faster.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
# For `make badges`: where the repository is on GitHub.
REPOSITORY ?=
# For `make test-browser`; empty: the one that is found.
CHROMIUM ?=
export CHROMIUM
# The Python that makes .venv; empty: python3, or a newer one where that is too old.
PYTHON ?=
export PYTHON

python := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help verify test test-browser lab lint format badges clean
# Two targets at once would install into one .venv at once.
.NOTPARALLEL:

help: ## show this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-15s %s\n", $$1, $$2 }'
	@echo "PYTHON=… chooses the Python that makes .venv (after make clean)."

verify: .venv/.core ## judge every claim; installs neither torch nor Jupyter
	@.venv/bin/derivations verify

test: .venv/.all ## run the tests, then every notebook, comparing its outputs
	$(python) -m pytest -n auto --dist loadfile
	$(python) -m pytest -n auto --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=120 notebooks

test-browser: .venv/.browser ## run two notebooks in JupyterLab in a Chromium; CHROMIUM=… names it
	$(python) -m pytest tests/browser

lab: .venv/.all ## open the notebooks in JupyterLab
	$(python) -m jupyter lab notebooks

lint: .venv/.all ## ruff check, ruff format --check, mypy
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

format: .venv/.all ## let ruff mend and format
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

badges: .venv/.core ## launch badges for REPOSITORY=owner/name, and what Colab has to install
	$(python) .ci/badges.py "$(REPOSITORY)"

clean: ## remove .venv, caches and what a build left; keep runs/
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name .git -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints -o -name .hypothesis \) \
		-prune -exec rm -rf {} +

.venv/.core .venv/.all .venv/.browser: pyproject.toml constraints.txt $(python)
	@bash .ci/venv $(patsubst .%,%,$(notdir $@))

# No recipe: where this link points nowhere (its Python was removed or upgraded), the stamps are made again.
$(python):
