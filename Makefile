# Two commands for newcomers: `make demo` and `make test`. Both install what is missing.
.DEFAULT_GOAL := help
.PHONY: help setup build build-sanitize install test demo bench eval-recorded eval-scenarios evidence-rollout check format fuzz clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 20

setup: ## installs the Debian packages that are missing (tools/setup is the list)
	@tools/setup

build: setup ## the release binary, build/release/weir
	@test -d build/release || CC=gcc meson setup build/release --buildtype=debugoptimized >/dev/null
	@ninja -C build/release

build-sanitize: setup ## the same with clang's address and undefined sanitizers, build/sanitize
	@test -d build/sanitize || CC=clang meson setup build/sanitize -Ddebug=true -Doptimization=1 \
	  -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build/sanitize

install: build ## the release binary, its manual page and completions into PREFIX (/usr/local), below DESTDIR
	@meson configure build/release -Dprefix=$(or $(PREFIX),/usr/local)
	@meson install -C build/release --quiet

test: build build-sanitize ## every test, in both builds; ends with 'N passed, N failed'
	@tools/run-tests build/release build/sanitize

demo: build ## real questions through HRM+TRM on a real model; MODEL=sim works offline, DEMO_EXIT=1 ends it
	@tools/demo

bench: build ## the measured tables, bench/results.md and bench/parts.md
	@tools/setup bench
	@bench/run
	@bench/parts

eval-recorded: build ## what is claimed about quality, cost and confidence, from recorded answers, into docs/evidence.md
	@tools/evidence

# The 23 scenarios of config/questions in the five configurations; PROVIDER=sim needs neither network nor key.
SCENARIO_CELLS = gpt-4o/hrm_trm,gpt-4o/full_stack:100,gpt-4o/full_stack:200,gpt-4o/full_stack:500,gpt-4o-mini/hrm_trm
eval-scenarios: build ## 23 scenarios x 5 configurations = 115 runs; PROVIDER=sim is a dry run
	@build/release/weir eval --questions config/questions/scenarios.jsonl --cells $(SCENARIO_CELLS) \
	  --out build/eval-scenarios $(if $(PROVIDER),--provider $(PROVIDER)) $(if $(filter sim,$(PROVIDER)),--allow-simulated)

evidence-rollout: build ## what the guards of a rollout do over 1,000 seeds each, into docs/evidence.md
	@tools/evidence-rollout

check: setup ## format, includes, scripts and data files, cppcheck
	@tools/check

format: setup ## formats our C
	@git ls-files '*.c' '*.h' | xargs clang-format -i

SECONDS ?= 600
fuzz: setup ## every fuzz target for SECONDS (600) each
	@tools/fuzz $(SECONDS)

clean: ## removes what was built
	rm -rf build
