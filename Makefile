# `make demo` and `make test` need only python3 (3.11 or newer) and a package registry.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CORES ?= all
DEVICE ?= cpu
# The commands below use the environment, whether or not it is activated.
export PATH := $(CURDIR)/$(BIN):$(PATH)
SNAKEMAKE := snakemake --cores $(CORES)
# Which torch: `cuda` is as the lock has it, `cpu` leaves CUDA's libraries out. An environment stays
# what it is until TORCH says otherwise.
HAS_TORCH := $(if $(wildcard $(VENV)/.torch-cpu),cpu,cuda)
TORCH ?= $(HAS_TORCH)
ifeq ($(filter $(TORCH),cpu cuda),)
  $(error TORCH=$(TORCH): it is cpu or cuda)
endif
# PyPI's torch has CUDA on Linux with x86_64 alone. There, builds for the CPU bear this version.
LOCAL := $(if $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m)),+cpu)
SIZE_cuda = 6 GB with CUDA
SIZE_cpu = 2 GB
# To pip, `==2.0` also means `2.0+cpu`, and it prefers that; `===2.0` means no other build.
LIST_cuda = sed -E '/^\#/d; s/^(torch(vision)?)==/\1===/' $<
# What pip may not find stands first, so that it says so at once.
LIST_cpu = sed -nE 's/^torch(vision)?==.*/&$(LOCAL)/p' $<; \
  sed -E '/^\#/d; /^torch(vision)?==/d; /sys_platform == "linux"/d' $<
# pip unpacks one package after another. No two lines of the lock are of one package, so two pips share
# them. The first part has torch in it where pip may not find it.
PARTS = 1 2 3 4 5 6 7 0
INSTALL_PART = awk "NR % $(words $(PARTS)) == PART" $(VENV)/requirements.txt | \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement /dev/stdin
HINT_cpu+cpu = echo 'error: PyPI has no torch+cpu, so pip must know where else to look. PyTorch says on its' \
  'page how to install it: take the address of the index that it gives for "CPU", and call' \
  'PIP_EXTRA_INDEX_URL=ADDRESS make $(or $(MAKECMDGOALS),demo) TORCH=cpu' >&2;
# Refuses to clear an environment that make did not create.
NEW_VENV = if [ -e $(VENV) ] && [ ! -e $(READY) ] && [ ! -e $(VENV)/.made-by-ptnl ]; then \
	  echo "error: $(VENV) exists, but make did not create it; move it elsewhere"; exit 2; fi; \
	$(PYTHON) -m venv --clear $(VENV) && touch $(VENV)/.made-by-ptnl

.PHONY: demo test unit test-exports check coverage test-faults mutants test-slurm slurm chromium rehearsal docs check-links lint format clean lock assets gpu-bench wheels

demo: $(READY) ## run the embedded study: every stage, all tables and figures, the report
	@ptnl run --cores $(CORES)
	@ptnl summary --results results/embedded

# tests/conftest.py says which files start first, and which share a worker.
WORKERS ?= 2
PARALLEL = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# What lint says comes last, so that it is seen.
test: $(READY) ## run lint beside all tests: unit tests, dry runs, real runs of small studies
	@$(MAKE) --no-print-directory lint > $(VENV)/lint.log 2>&1 & \
	  pytest $(PARALLEL); tests=$$?; wait $$!; lint=$$?; cat $(VENV)/lint.log; exit $$((tests | lint))

check: lint ## run lint and the unit tests of what you edited: a quick loop
	@tests=$$(python -m tests.changed); \
	  [ -z "$$tests" ] || pytest --numprocesses $(WORKERS) $$tests

unit: $(READY) ## run the unit tests only
	@pytest $(PARALLEL) tests/unit

# Fails below 95 %. Its data go to the environment's folder, because tests watch the checkout.
coverage: export COVERAGE_FILE := $(CURDIR)/$(VENV)/coverage/data
coverage: $(READY) ## measure which lines of ptnl/ the tests run, in jobs and commands too
	@mkdir -p $(dir $(COVERAGE_FILE))
	@coverage erase
	@coverage run -m pytest $(PARALLEL)
	@coverage combine --quiet
	@coverage report --skip-covered --fail-under 95

test-faults: $(READY) ## try kills, full disks, clocks, file modes, hostile files (needs root)
	@python -m tests.faults --docs workflow/docs/faults.md

test-slurm: slurm ## run a study on a SLURM of one node, installed first (Debian, root)
	@pytest tests/slurm

# These packages need older versions of some pinned packages, so they have an environment of their
# own, which falls back on the main one for everything else.
EXPORTS := $(VENV)/exports
PURELIB = import sysconfig; print(sysconfig.get_path("purelib"))
test-exports: $(READY) ## open label exports with the packages of Label Studio, CVAT, FiftyOne
	@$(BIN)/python -m venv $(EXPORTS)
	@$(BIN)/python -c '$(PURELIB)' > "$$($(EXPORTS)/bin/python -c '$(PURELIB)')/ptnl.pth"
	@$(EXPORTS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  label-studio-sdk==2.1.2 datumaro==1.13.12 fiftyone==1.22.1
	@PYTHONPATH=$(CURDIR) $(EXPORTS)/bin/python -m pytest tests/workflow/test_own.py -k export

# mutmut is in an environment of its own, as above. What it changes is a copy in that folder.
MUTANTS := $(VENV)/mutants
mutants: $(READY) ## small changes of the code: do the unit tests notice? make mutants ONLY=ptnl.labels.noise
	@$(BIN)/python -m venv $(MUTANTS)/venv
	@$(BIN)/python -c '$(PURELIB)' > "$$($(MUTANTS)/venv/bin/python -c '$(PURELIB)')/ptnl.pth"
	@$(MUTANTS)/venv/bin/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	@$(MUTANTS)/venv/bin/python -m tests.mutants $(ONLY) --folder $(MUTANTS) --workers $(WORKERS) \
	  $(if $(ONLY),,--docs workflow/docs/mutants.md)

rehearsal: $(READY) ## run the paper's study on small made-up archives and random weights
	@python -m tests.rehearsal results/rehearsal --cores $(CORES)

chromium: ## install the browser in which tests open pages (Debian, root); without it they are skipped
	@tests/install_chromium.sh

slurm: $(READY) ## a SLURM of one node (Debian, root), and its executor
	@tests/slurm/install.sh
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	  --constraint envs/requirements.lock --editable '.[slurm]'

# This target makes no environment: a compute node has its own, and often no network.
DEVICE ?= cuda
gpu-bench: ## test and measure everything on a GPU; DEVICE=cpu rehearses it
	@python3 -m tests.measurements.gpu --device $(DEVICE) --out results/gpu-bench

PLATFORM ?= manylinux_2_28_x86_64
FOR_PYTHON ?= 3.12
WHEELS ?= wheels
# A newer glibc also runs wheels for older ones, but pip accepts only the platforms that are named.
PLATFORMS = $(PLATFORM) manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux1_x86_64
PINS = $(foreach name,$(ONLY),$(shell sed -nE 's/^($(subst _,[-_],$(name))==[^ ;]+).*/\1/Ip' envs/requirements.lock))
wheels: $(READY) ## download wheels for an offline machine: make wheels ONLY="pyarrow ftfy"
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps \
	  --only-binary=:all: --implementation cp --python-version $(FOR_PYTHON) \
	  $(addprefix --platform ,$(PLATFORMS)) --dest $(WHEELS) \
	  $(if $(ONLY),$(PINS),--requirement envs/requirements.lock)
	@echo "on that machine: pip install --no-index --no-deps --target SITE $(WHEELS)/*.whl"

docs: $(READY) ## build the documentation: results/docs/index.html
	@sphinx-build --builder html --fail-on-warning --quiet workflow/docs results/docs
	@echo "results/docs/index.html"

check-links: $(READY) ## check all links in the docs; needs a network
	@sphinx-build --builder linkcheck --quiet workflow/docs results/docs-links

# Two at a time; each prints what it says when it ends.
# Snakemake keeps a log of each call: not in the checkout, which tests watch.
CHECKS = 'mypy' 'snakemake --lint --directory $(VENV)/lint' 'ruff check .' 'ruff format --check .' \
  'snakefmt --check Snakefile workflow'
lint: $(READY) ## check format, style and types
	@echo "ruff, snakefmt, mypy, snakemake --lint"
	@printf '%s\n' $(CHECKS) | xargs -P 2 -I CHECK \
	  sh -c 'said=$$(CHECK 2>&1); status=$$?; printf "%s\n" "$$said"; exit $$status'

format: $(READY) ## format the code
	@ruff check --fix .
	@ruff format .
	@snakefmt Snakefile workflow

assets: $(READY) ## rebuild the shipped data sets and backbones (DEVICE=cuda trains on a GPU)
	@snakemake --snakefile workflow/assets/Snakefile --cores $(CORES) --config device=$(DEVICE)

clean: ## remove the files that the embedded study made, and no others
	@if [ -e $(READY) ]; then $(SNAKEMAKE) --delete-all-output; fi

lock: ## resolve the environment anew and pin every package
	@$(NEW_VENV)
	@$(BIN)/python -m pip install --quiet --upgrade -e '.[test,assets]'
	@{ echo '# Every package of the environment, exactly. `make lock` writes it anew.'; \
	  $(BIN)/python -m pip freeze --all --exclude-editable | sed -E \
	  '/^pip==/d; s/^((nvidia|cuda)-.*|triton==.*)$$/\1 ; sys_platform == "linux"/'; } \
	  > envs/requirements.lock
	@$(MAKE) envs/ptnl.yaml

# Snakemake copies only this file to the place of a conda environment, so it contains all pins.
envs/ptnl.yaml: envs/requirements.lock
	@{ printf '%s\n' '# For `snakemake --sdm conda`: the packages of requirements.lock. `make $@` writes it.' \
	  'channels:' '  - conda-forge' '  - nodefaults' 'dependencies:' '  - python=3.11' '  - pip' \
	  '  - pip:'; sed -n 's/^[^#]/      - &/p' $<; } > $@

.PHONY: another-torch
another-torch:

$(READY): envs/requirements.lock pyproject.toml $(if $(filter $(TORCH),$(HAS_TORCH)),,another-torch)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; call make PYTHON=python3.11"; exit 2; }
	@echo "environment 1/3: creating $(VENV)"
	@$(NEW_VENV)
	@{ $(LIST_$(TORCH)); } > $(VENV)/requirements.txt
	@echo "environment 2/3: installing $$(wc -l < $(VENV)/requirements.txt) pinned packages ($(SIZE_$(TORCH)))"
	@printf '%s\n' $(PARTS) | xargs -P 2 -I PART sh -c '$(INSTALL_PART)' \
	  || { $(HINT_$(TORCH)$(LOCAL)) exit 2; }
	@echo "environment 3/3: installing ptnl"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --editable .
	@touch $(if $(filter cpu,$(TORCH)),$(VENV)/.torch-cpu) $@
