# Every target sets up what it needs and says so when it cannot; `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test coverage lint structure bench bench-kafka bench-config bench-store bench-calibration bench-web detector-table screenshots run lock docs kafka peers soak clean

python := .venv/bin/python
leeway := .venv/bin/leeway
installed := .venv/.installed
LEEWAY_CACHE ?= $(CURDIR)/.cache
export LEEWAY_CACHE
# Tests start hundreds of processes; each of them would read all source anew.
unexport PYTHONDONTWRITEBYTECODE

SOURCE ?= file
SERVE ?= 1
SOAK_MINUTES ?= 10
CHAOS_MINUTES ?= 30
# One more than the cores of a small machine: tests also wait for brokers and services.
TESTERS ?= 3
ARGS ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(installed) ## show Leeway on real flights: SOURCE=file|kafka, SERVE=0 ends when the data does
ifeq ($(SOURCE),kafka)
	@$(MAKE) --no-print-directory kafka
endif
	@$(leeway) demo --source $(SOURCE) $(if $(filter 0,$(SERVE)),--no-serve,--serve) $(ARGS)

test: $(installed) kafka peers ## run every test, against a real Kafka broker too: ARGS="-k psi", TESTERS=3 processes
	@.ci/packages docker-compose clickhouse-server openssl go chromium
	@$(python) -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder $(ARGS)

coverage: $(installed) kafka peers ## run every test and print which lines none of them ran: ARGS="tests/routing"
	@$(python) -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder --cov --cov-report term $(ARGS)

lint: $(installed) ## check format, style and types
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .
	@$(python) -m mypy

structure: $(installed) ## print rooms, circles, sizes and names of the code: ARGS="--comments 30", "--names"
	@$(python) -m tests.structure $(ARGS)

bench: $(installed) ## measure speed against peers, in one run
	@$(python) -m bench $(ARGS)

bench-kafka: $(installed) kafka ## measure events a second from a real broker to stored scores, beside peers
	@$(python) -m bench.kafka $(ARGS)

bench-config: $(installed) ## measure 1,000 models of 200 features from one defaults file: load, check, start, memory, change
	@$(python) -m bench.config $(ARGS)

bench-store: $(installed) ## measure the stores: rows a second, bytes a row, history questions, a backtest
	@$(python) -m bench store history backtest

bench-calibration: $(installed) ## measure false alarms against their budget, and what is found: ARGS="--long"
	@$(python) -m bench.calibration $(ARGS)

bench-web: $(installed) ## measure the pages in a real browser: first look, change of span, bytes, heat map: ARGS="--rows 2000000"
	@.ci/packages chromium
	@$(python) -m bench.pages $(ARGS)

detector-table: $(installed) peers ## measure false alarms, delays and misses of all change detectors: ARGS="--quick"
	@$(python) -m bench.detector_table $(ARGS)

screenshots: $(installed) ## take the pictures of the documentation from the demo's pages
	@.ci/packages chromium
	@$(python) -m tests.web.screenshots

run: $(installed) ## start the service: CONFIG=path/to/leeway.yaml
	@test -n "$(CONFIG)" || { echo "Which configuration? make run CONFIG=path/to/leeway.yaml" >&2; exit 2; }
	@$(leeway) run "$(CONFIG)" $(ARGS)

lock: $(installed) ## pin the newest versions that pyproject.toml allows: ARGS="--upgrade"
	@$(python) -m uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
		--group build --group demo --group lint --group test \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		$(ARGS) --output-file requirements.lock

docs: $(installed) ## write the reference of configuration, tables and detectors from the code
	@$(python) -m monitor.config.reference docs/configuration.md
	@$(python) -m monitor.config.json_schema
	@$(python) -m sinks.store.reference docs/schema.md
	@$(python) -m detectors.pages docs/detectors

kafka: $(installed) ## fetch Apache Kafka, once
	@.ci/packages java mvn
	@$(python) -m tests.services.kafka fetch

peers: $(installed) ## fetch MOA, frouros and an OpenID provider, which tests compare with and log in at, once
	@.ci/packages java mvn
	@$(python) -m tests.services.peers
	@$(python) -m tests.services.oidc

soak: $(installed) kafka peers ## properties with new examples; Alertmanager's own tests; Prometheus' rules; 10,000 configurations with mistakes; kill workers on a real Kafka, those who tell people, and services that are changed; replays under crashes; everything at once: SOAK_MINUTES=10 CHAOS_MINUTES=30
	@.ci/packages go cc
	@for _ in 1 2 3 4 5; do $(python) -m pytest --quiet -m hypothesis --hypothesis-profile=default || exit 1; done
	@$(python) -m bench.alertmanager_suite
	@$(python) -m bench.prometheus_rules
	@$(python) -m bench.api_requests
	@$(python) -m bench.soak_config
	@$(python) -m bench.soak_kafka $(ARGS)
	@$(python) -m bench.soak_kafka --kills 14 --moves 6 --events 12000 --idle-after 300ms
	@$(python) -m bench.soak_alerts
	@$(python) -m bench.soak_apply
	@$(python) -m bench.soak --minutes $(SOAK_MINUTES)
	@$(python) -m bench.soak_chaos --minutes $(CHAOS_MINUTES)

clean: ## remove what was built, keeping .cache (downloads)
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(installed): requirements.lock pyproject.toml
	@echo "Setting up .venv …"
	@PYTHON="$(PYTHON)" .ci/environment
