"""A test of endurance that notices what it is there for."""

import json
from typing import Any

import numpy as np
import pytest

from robossl.bench import soak as endurance
from robossl.bench.soak import SoakConfig, failures, make, soak
from robossl.cli.main import main
from robossl.core import UserError
from robossl.envs.task_env import TaskEnv

CONFIG = SoakConfig(env="robossl/ArmReach-v0", steps=400, num_worlds=4, num_threads=1)


@pytest.fixture
def env() -> Any:
    made = make(CONFIG)
    yield made
    made.close()


def endured(env: TaskEnv) -> dict[str, Any]:
    return soak(CONFIG, env, lambda count, figures: False)


def test_a_sound_task_passes_with_all_its_sensors_and_all_that_can_be_random(
    env: TaskEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endurance, "_resident_mib", lambda: 100.0)
    assert {"proprio", "goal", "force_torque", "joint_state"} <= set(env.spec.observation)
    figures = endured(env)
    assert (figures["steps"], figures["episodes"], figures["diverged"]) == (400, 8, 0)
    assert {"randomise/damping", "randomise/light"} <= set(env.step(np.zeros((4, 3))).info)
    assert failures(figures) == []


def test_a_divergence_that_was_counted_is_none_to_complain_of(env: TaskEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    step, calls = env.engine.step, []

    def break_one(*arguments: Any) -> Any:
        calls.append(0)
        if len(calls) in (7, 30):
            env.engine.write("qpos", np.full((1, env.engine.model.nq), np.nan), np.array([2]))
        return step(*arguments)

    monkeypatch.setattr(env.engine, "step", break_one)
    figures = endured(env)
    assert (figures["diverged"], figures["uncounted"]) == (2, 0)


def test_one_that_was_not_counted_is(env: TaskEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    step = env.step

    def broken(action: Any) -> Any:
        batch = step(action)
        batch.obs["goal"][1, 0] = np.nan
        return batch

    monkeypatch.setattr(env, "step", broken)
    figures = endured(env)
    assert figures["uncounted"] == 100
    assert failures(figures)[0] == "100 divergences were not counted"


def test_growing_memory_is_a_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    grown = iter(100 + 0.04 * k for k in range(10_000))
    monkeypatch.setattr(endurance, "_resident_mib", lambda: next(grown))
    words = [
        "bench",
        "soak",
        "--env",
        CONFIG.env,
        "--steps",
        "400",
        "--num-worlds",
        "4",
        "--num-threads",
        "1",
        "--json",
    ]
    with pytest.raises(SystemExit) as stop:
        main(words)
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert stop.value.code == 1
    assert (figures["num_worlds"], figures["machine"]["versions"].keys() >= {"robossl", "mujoco"}) == (4, True)
    assert f"memory_growth          {100 * figures['memory_growth']:.4g} %" in lines
    assert any(line.startswith("fastest") and line.endswith(" rad/s or m/s") for line in lines)
    assert figures["memory_growth"] == pytest.approx(0.032, abs=0.005)
    assert figures["failures"] == [f"memory grew by {figures['memory_growth']:.1%}, more than 2%"]


def test_too_few_steps_and_levels_that_are_not_there_are_refused() -> None:
    with pytest.raises(UserError, match="one for each world, got 3 for 64"):
        SoakConfig(steps=3)
    with pytest.raises(UserError, match="num_worlds must be at least 1, got 0"):
        SoakConfig(num_worlds=0)
    with pytest.raises(UserError, match="a seed goes from 0 to 4294967295, got -1"):
        make(SoakConfig(seed=-1))
    with pytest.raises(UserError, match="has no level 'absurd'"):
        make(SoakConfig(env="robossl/RingCorridor-v0", difficulty="absurd"))
