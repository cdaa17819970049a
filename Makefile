# Everything starts here: `make demo` and `make test` set the machine up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS_READY := $(VENV)-bench/.ready
SUPPLY_READY := $(VENV)-supply/.ready
SUPPLY := $(VENV)-supply/bin
FUZZ_READY := $(VENV)/.fuzz-ready

.PHONY: install demo test check format bench bench-street bench-idle bench-hostile autobahn chaos abuse fuzz \
	lock vendor simulate evening audit sbom dist clean

install: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(READY)
	$(BIN)/comanda demo

test: $(READY)
	$(BIN)/python -m pytest -n 4 --dist worksteal

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Comanda and services written by hand on the same workload, in turn (BENCHMARKS.md); ends by itself.
ROUNDS ?= 3
SECONDS ?= 8
BENCH_ARGS ?=
bench: $(READY) $(PEERS_READY)
	$(BIN)/python -m benchmarks.compare --rounds $(ROUNDS) --seconds $(SECONDS) $(BENCH_ARGS)
	$(BIN)/python -m benchmarks.commits

$(PEERS_READY): benchmarks/requirements.lock
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock
	touch $@

# 2,500 tables of four people, and 100 beside them; then tables that nobody uses.
bench-street: $(READY)
	$(BIN)/python -m benchmarks.street $(BENCH_ARGS)

bench-idle: $(READY)
	$(BIN)/python -m benchmarks.idle $(BENCH_ARGS)

# What guests notice of an attack, beside what it is without one.
bench-hostile: $(READY)
	$(BIN)/python -m benchmarks.hostile $(BENCH_ARGS)

# Autobahn's cases against the worker, with a report of each run.
autobahn: $(READY)
	$(BIN)/python -m pytest tests/http/autobahn -q -s

# Kills and disturbs real processes, then checks that nothing was lost and nothing done twice.
CYCLES ?= 30
SEED ?= 1
chaos: $(READY)
	$(BIN)/python -m chaos --cycles $(CYCLES) --seed $(SEED)

# A hostile evening: honest tables dine while a seeded crowd abuses the server (docs/abuse.md).
abuse: SECONDS = 60
abuse: $(READY)
	$(BIN)/python -m abuse --seconds $(SECONDS) --seed $(SEED) $(ABUSE_ARGS)

# The decoders of others' bytes under atheris, SECONDS for each (docs/abuse.md).
fuzz: SECONDS = 60
fuzz: $(FUZZ_READY)
	$(BIN)/python -m fuzz --seconds $(SECONDS) --seed $(SEED) $(FUZZ_ARGS)

$(FUZZ_READY): $(READY) fuzz/requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r fuzz/requirements.lock
	touch $@

# Re-resolves the dependencies; the lock is what everybody installs.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet pip-tools
	$(VENV)-lock/bin/pip-compile --quiet --extra dev --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml
	$(VENV)-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o benchmarks/requirements.lock benchmarks/requirements.in
	cp requirements.lock deploy/requirements.lock  # whose versions it keeps, without what only we need
	$(VENV)-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o deploy/requirements.lock pyproject.toml
	$(VENV)-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o supply/requirements.lock supply/requirements.in
	$(VENV)-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o fuzz/requirements.lock fuzz/requirements.in
	rm -rf $(VENV)-lock

$(SUPPLY_READY): supply/requirements.lock
	$(PYTHON) -m venv $(VENV)-supply
	$(SUPPLY)/pip install --quiet --disable-pip-version-check --require-hashes -r supply/requirements.lock
	touch $@

# Known weaknesses of everything that is locked; ends with 3 where nobody could look them up.
audit: $(SUPPLY_READY)
	$(PYTHON) tools/audit.py $(SUPPLY)/pip-audit deploy/requirements.lock requirements.lock supply/requirements.lock

# What a release is made of: the wheel's Python packages and the page's libraries.
sbom: $(SUPPLY_READY)
	mkdir -p dist
	$(SUPPLY)/python tools/sbom.py deploy/requirements.lock comanda/http/static/vendor/packages.toml dist/comanda.cdx.json

# A release's files: the same commit makes the same bytes.
dist: $(SUPPLY_READY)
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(SUPPLY)/python -m build --no-isolation --outdir dist
	cp deploy/requirements.lock dist/requirements.lock
	$(MAKE) --no-print-directory sbom
	cd dist && sha256sum * > SHA256SUMS

# The page's libraries, from npm at the versions and hashes in the list; needs npm. Changes nothing
# unless the list has changed.
vendor: $(READY)
	$(BIN)/python tools/vendor.py comanda/http/static/vendor/packages.toml
	$(BIN)/python tools/vendor.py tests/page/vendor/packages.toml
	$(BIN)/python tools/vendor.py tests/http/vendor/packages.toml

# A range of simulated evenings that must break nothing and miss nothing (SIMULATION.md).
SEEDS ?= 2000
simulate: $(READY)
	$(BIN)/comanda simulate --seeds $(SEEDS) --processes 2 --covered

# The pictures of docs/evening.md, from a real server and a real browser; needs chromium, webp and
# fonts-noto-color-emoji.
evening: $(READY)
	$(BIN)/python -m tools.evening

clean:
	rm -rf $(VENV) $(VENV)-bench $(VENV)-supply dist benchmarks/peers/node/node_modules
