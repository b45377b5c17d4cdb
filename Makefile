# Every recipe uses one virtual environment that it makes itself: `make quickstart` and `make test` are all the set-up there is.
PYTHON ?= python3
VENV ?= .venv
# Extra words for pip, e.g. an index of CPU builds of torch (see README).
PIP_ARGS ?=
BIN := $(VENV)/bin
SOURCES := setup.py robossl envs agents configs assets packaging tests

.PHONY: quickstart test check format lint types architecture pytest test-slow test-gpu wheel-test deploy-test ros2-test ros-demo fuzz middleware soak docs pictures bench bench-sim evidence clean
.DELETE_ON_ERROR:

quickstart: $(VENV)/.installed
	$(BIN)/robossl train quickstart

test: $(VENV)/.installed-dev
	$(MAKE) check

check: format lint types pytest

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml setup.py constraints.txt
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable '.[dev]'
	touch $@

format: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(SOURCES)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check $(SOURCES)

# Over an installed copy: proves that the wheel is complete, and gives mypy one package instead of five folders.
types: $(VENV)/.installed-dev
	rm -rf build/typecheck build/lib
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --no-deps --target build/typecheck .
	cd build/typecheck && $(abspath $(BIN))/mypy --config-file $(abspath pyproject.toml) -p robossl

architecture: $(VENV)/.installed-dev
	$(BIN)/pytest tests/test_architecture.py

pytest: $(VENV)/.installed-dev
	$(BIN)/pytest

test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest -m slow

test-gpu: $(VENV)/.installed-dev
	$(BIN)/pytest -m gpu

# As somebody has it who only installs: a clean environment and an empty folder, both away from the repository.
wheel-test:
	rm -rf build/lib build/wheel
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && mkdir "$$folder/empty" && \
	$(PYTHON) -m venv "$$folder/venv" && \
	"$$folder/venv/bin/python" -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt build/wheel/*.whl && \
	cd "$$folder/empty" && "$$folder/venv/bin/python" $(abspath tests/wheel_run.py)

# The same for robossl-deploy: a clean environment with nothing but what a robot's computer installs runs a toy policy.
deploy-test: $(VENV)/.installed-dev
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/python tests/deploy/small_bundle.py "$$folder/bundle" && \
	$(PYTHON) -m venv "$$folder/venv" && \
	"$$folder/venv/bin/python" -m pip install --quiet $(PIP_ARGS) './packaging/robossl-deploy[dds,rosbridge]' && \
	"$$folder/venv/bin/python" tests/deploy/small_run.py "$$folder/bundle"

# The transports against a real ROS 2, in a shell where its setup.bash was sourced: rclpy, DDS, a rosbridge server.
ros2-test: $(VENV)/.installed-dev
	@$(BIN)/python -c "import rclpy" 2>/dev/null || { \
	  echo "ros2-test: $$($(BIN)/python -V) imports no rclpy: source the setup.bash of a ROS 2 for this version"; exit 1; }
	$(BIN)/pytest -rs tests/deploy/test_ros2.py

# A million random, malformed, reordered and hostile messages for each codec and the guard behind it; about ten minutes.
# An interrupted run goes on where it was. FUZZ_ARGS: e.g. --seed 1.
fuzz: $(VENV)/.installed-dev
	$(BIN)/python tests/deploy/fuzz_run.py $(FUZZ_ARGS)

# Debian's own ROS 1 and Cyclone DDS, which tests of the transports talk to; they are skipped by name without.
middleware: $(VENV)/.installed-dev
	packaging/install-middleware.sh $(VENV)

# A million steps of every task, about two hours of processor time: no growth of memory, no lost world.
soak: $(VENV)/.installed-dev
	for id in $$($(BIN)/python -c "from robossl.core.registry import TASKS; print(*TASKS)"); do \
	  $(BIN)/robossl bench soak --env $$id || exit 1; \
	done

# docs/environments.md is written from the code.
docs: $(VENV)/.installed-dev
	$(BIN)/robossl envs docs > docs/environments.md

# The cameras' pictures in the scenes' READMEs: of the world (NAME:FOLDER:SEED) in which they show what the task is about.
PICTURES := RingCorridor:ring_corridor:2 RoomsPointGoal:rooms_point_goal:81 ArmReach:arm_reach:0 ArmPush:arm_push:14 \
  ArmLift:arm_lift:0 ArmPegInBox:arm_peg_in_box:0

pictures: $(VENV)/.installed
	mkdir -p build/pictures
	for task in $(PICTURES); do \
	  IFS=:; set -- $$task; unset IFS; \
	  $(BIN)/robossl envs show robossl/$$1-v0 --seed $$3 --out build/pictures || exit 1; \
	  for picture in build/pictures/$$1-v0-*.png; do \
	    case $$picture in *-sheet.png|*-appearances.png) ;; *) cp $$picture assets/$$2/ ;; esac; \
	  done; \
	done
	cp build/pictures/RingCorridor-v0-sheet.png docs/images/ring_corridor_sheet.png
	cp build/pictures/ArmPush-v0-appearances.png docs/images/arm_push_appearances.png

# A simulated robot and the bridge in two processes: to success, and to a stop when things break; about a minute.
# With BUNDLE=FOLDER PROFILE=NAME on your own bundle.
ros-demo: $(VENV)/.installed-dev
	$(BIN)/robossl sim-robot $(PROFILE) --demo $(if $(BUNDLE),--bundle $(BUNDLE))

# The table of docs/speed.md for every task, some ten minutes; run it on a quiet machine.
bench-sim: $(VENV)/.installed-dev
	mkdir -p build
	$(BIN)/robossl bench sim --markdown --out build/speed.json

bench: $(VENV)/.installed-dev
	$(BIN)/robossl bench all

# Six runs of several minutes each, behind docs/results.md; run them on a quiet machine.
evidence: $(VENV)/.installed
	for seed in 0 1 2; do \
	  $(BIN)/robossl train quickstart --seed $$seed -f evidence && \
	  $(BIN)/robossl train quickstart --seed $$seed --no-pretrain -f evidence || exit 1; \
	done
	$(BIN)/robossl report evidence/quickstart/* evidence/quickstart-no-pretrain/*

clean:
	rm -rf build dist *.egg-info
