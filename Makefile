# The README's two commands do all their own set-up: make demo, make test. The other targets do
# too. HACKING.md says how long each takes.
.PHONY: help demo test check damage numbers soak soak-proof build lint tidy lint-all format sanitize tsan fuzz coverage
.PHONY: test-training train-demo nnunet-demo bench-train bench micro compare docs wheel bare-root clean

help:
	@echo "make demo      convert, read, edit and show a real scan"
	@echo "make test      lint, build everything, run every test, sanitizers among them"
	@echo "make test-training  the C++ tests of training, and those that need PyTorch, in an environment of their own"
	@echo "make train-demo  train a U-Net on the CPU from 24 .mla files, predict, draw: below 10 minutes"
	@echo "make nnunet-demo  nnU-Net trained with its loader and with ours, 5 seeds each: half an hour"
	@echo "make check     for every edit: lint, C++ and Python tests, building only what changed"
	@echo "make build     set up build/venv and install the package into it"
	@echo "make format    put sources into the project's format"
	@echo "make lint      the checks that make test starts with"
	@echo "make tidy      clang-tidy over the C++ sources: slow, not a part of make test"
	@echo "make lint-all  lint and tidy"
	@echo "make sanitize  the C++ tests with AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make tsan      the C++ tests of threads with ThreadSanitizer"
	@echo "make fuzz      look for files that crash the library, for MINUTES=10 (needs clang)"
	@echo "make coverage  what the tests reach: a table, and pages in build/coverage-report"
	@echo "make damage    20,000 damaged files: no crash, no hang, nothing silently wrong"
	@echo "make numbers   random keys, values, geometries, statistics, files against NumPy and others (MINUTES=)"
	@echo "make soak      kills, power cuts under real file systems, failed calls, for MINUTES=10"
	@echo "make soak-proof does it find what is broken on purpose?"
	@echo "make bench     times beside other libraries: a report in build/bench (ONLY=, ROUNDS=, MAX_MB=)"
	@echo "make bench-train  batches beside other loaders: a report in build/bench-train (ONLY=, SECONDS_EACH=)"
	@echo "make micro     the inner steps one by one, with Google Benchmark (FILTER=)"
	@echo "make compare   BASE=COMMIT: times of two commits in turns, before a merge (HEAD=, ONLY=)"
	@echo "make docs      the documentation as a site in build/docs"
	@echo "make wheel     source archive and wheel, built, checked and tested, in dist"
	@echo "make bare-root that wheel, and a build, in a bare Debian (needs root and debootstrap)"
	@echo "make clean     remove everything that was built"

demo:
	@tools/demo.sh

test:
	@tools/test.sh all

test-training:
	@tools/training.sh test

train-demo:
	@tools/training.sh demo

nnunet-demo:
	@tools/training.sh nnunet

check:
	@tools/test.sh check

build:
	@tools/setup.sh build

format:
	@tools/setup.sh lint
	@tools/format.sh

lint:
	@tools/setup.sh lint
	@tools/lint.sh

tidy:
	@tools/setup.sh lint
	@tools/tidy.sh

lint-all: lint tidy

sanitize:
	@tools/setup.sh cpp
	@tools/cpp.sh asan C++-sanitized -DMLARRAY_TRAINING=ON

tsan:
	@tools/setup.sh cpp
	@tools/cpp.sh tsan C++-threads -DMLARRAY_BLOSC2=fetch \
	  -DFETCHCONTENT_SOURCE_DIR_BLOSC2="$$(build/venv/bin/python tools/blosc2_source.py)"

fuzz:
	@tools/fuzz.sh $(or $(MINUTES),10)

coverage:
	@tools/setup.sh coverage
	@tools/coverage.sh

damage:
	@tools/setup.sh build
	@build/venv/bin/python tests/damage/campaign.py

numbers:
	@tools/setup.sh test
	@build/venv/bin/python tools/reference_env.py
	@build/venv/bin/python tests/numbers/campaign.py --minutes $(or $(MINUTES),10)

soak:
	@tools/soak.sh $(or $(MINUTES),10)

soak-proof:
	@tools/soak.sh proof

bench:
	@tools/bench.sh

bench-train:
	@tools/training.sh bench

micro:
	@tools/micro.sh $(FILTER)

compare:
	@tools/compare.sh "$(BASE)" "$(HEAD)"

docs:
	@tools/docs.sh

wheel:
	@tools/wheel.sh

bare-root:
	@tools/bare_root.sh

clean:
	rm -rf build dist demo-output train-demo-output nnunet-demo-output
