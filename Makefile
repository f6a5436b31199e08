# What can be done here. Everything happens in a virtual environment of its own, `.venv`, which
# the targets make when it is missing and renew when pyproject.toml or constraints.txt change.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check
# What `make test` hands to pytest besides its own options: make test ARGS="-k sitemap".
ARGS ?=
# Test processes: one a core, up to eight, each with a database of its own. Files stay together,
# because their expensive fixtures belong to the file; in the order of folders, because the long
# ones come first then, and the small ones of tests/unit even out the end.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
JOBS ?= $(shell [ $(CORES) -gt 8 ] && echo 8 || echo $(CORES))

# The tests make and remove some hundred databases: in memory, where there is room for it, unless
# TMPDIR says where. They kill processes, not the machine, so nothing they show depends on a disk.
MEMORY := $(shell [ -z "$$TMPDIR" ] && [ -w /dev/shm ] \
	&& df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print "TMPDIR=/dev/shm"}')

# Hundreds of processes are started here, and each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@echo "Syncline. The targets:"
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.runtime ## Sync the example handbook and search it; DOCS=folder adds your own pages
	@DOCS="$(DOCS)" ASK="$(ASK)" $(PYTHON) examples/demo.py

.PHONY: test
test: $(VENV)/.development ## Run all tests; ARGS="-k sitemap" selects some
	@sh tests/setup-servers.sh
	@$(MEMORY) $(PYTHON) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: $(VENV)/.development ## Check style, types and the direction of imports
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@$(VENV)/bin/lint-imports

.PHONY: bench
bench: $(VENV)/.development ## Measure syncs of some 4,000 real pages, also of other tools (benchmarks/README.md)
	@$(PYTHON) -m benchmarks $(ARGS)

.PHONY: soak
soak: $(VENV)/.development ## Run the long storms; takes an hour
	@SYNCLINE_STORM_ENTRIES=$${SYNCLINE_STORM_ENTRIES:-5000} \
		$(PYTHON) -m pytest soak tests/databases tests/servers tests/unit \
			--timeout 7200 $(ARGS)

.PHONY: reference
reference: $(VENV)/.development ## Write docs/reference anew from the code
	@$(PYTHON) docs/reference/generate.py

.PHONY: clean
clean: ## Remove .venv and everything else that was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment ----------------------------------------------------------------------

CHOOSE_PYTHON = for each in python3.13 python3.12 python3.11 python3; do \
	if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "$$each"; break; \
	fi; \
done

NO_PYTHON = printf '%s\n' \
	"Syncline needs Python 3.11 or newer; python3.13, python3.12, python3.11 and python3 are not." \
	"Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install" \
	"python), then run make again." >&2

NO_VENV = printf '%s\n' \
	"The virtual environment could not be made. On Debian and Ubuntu the module for it is a" \
	"package of its own: apt-get install python3-venv. Then run make again." >&2

NO_PACKAGES = printf '%s\n' "" \
	"The packages could not be installed. They come from the package index that pip is" \
	"configured to use (pip config list). Without a network, point pip to a folder of wheels:" \
	"  PIP_NO_INDEX=1 PIP_FIND_LINKS=/path/to/wheels make ..." >&2

INSTALL = $(PIP) install -qq -c constraints.txt $(1) || { $(NO_PACKAGES); exit 1; }

# Also renewed when its interpreter has gone, as after an upgrade of the system's Python.
ifneq ($(shell $(PYTHON) -c 'print(1)' 2>/dev/null),1)
.PHONY: $(VENV)/pyvenv.cfg $(VENV)/.pip $(VENV)/.runtime $(VENV)/.development
endif

$(VENV)/pyvenv.cfg:
	@python="$$($(CHOOSE_PYTHON))"; \
	if [ -z "$$python" ]; then $(NO_PYTHON); exit 1; fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	rm -f $(VENV)/.pip $(VENV)/.runtime $(VENV)/.development; \
	"$$python" -m venv --clear $(VENV) || { $(NO_VENV); rm -rf $(VENV); exit 1; }

# An old pip may not know the wheels' tags. Without a network the one that is there must do.
$(VENV)/.pip: | $(VENV)/pyvenv.cfg
	@$(PIP) install --quiet --retries 1 --upgrade pip 2>/dev/null \
		|| echo "pip could not be upgraded; going on with $$($(PIP) --version | cut -d' ' -f1,2)"
	@touch $@

$(VENV)/.runtime: pyproject.toml constraints.txt $(VENV)/.pip
	@echo "Installing Syncline (the first time this takes a minute or two)"
	@$(call INSTALL,-e .)
	@touch $@

$(VENV)/.development: pyproject.toml constraints.txt $(VENV)/.pip
	@echo "Installing Syncline with what its tests need"
	@$(call INSTALL,-e '.[dev]')
	@touch $(VENV)/.runtime $@
