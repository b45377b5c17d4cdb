"""MuJoCo's timers: stopped while an engine computes, and only then."""

import threading
from concurrent.futures import ThreadPoolExecutor

import mujoco
import numpy as np
import pytest

from robossl.envs.mujoco_clock import _standing, untimed
from robossl.envs.mujoco_engine import MujocoEngine

FALLING = "<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>"


@pytest.fixture
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(FALLING)


def step_duration(model: mujoco.MjModel) -> float:
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    assert data.timer[mujoco.mjtTimer.mjTIMER_STEP].number == 1
    return float(data.timer[mujoco.mjtTimer.mjTIMER_STEP].duration)


def test_timers_stand_still_within_the_call_and_run_again_after_it(model: mujoco.MjModel) -> None:
    assert step_duration(model) > 0
    assert untimed(lambda: step_duration(model)) == 0
    assert step_duration(model) > 0


def test_timers_run_again_after_an_error(model: mujoco.MjModel) -> None:
    def fail() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        untimed(fail)
    assert step_duration(model) > 0


def test_a_call_within_a_call_leaves_the_clock_to_the_outer_one(model: mujoco.MjModel) -> None:
    def outer() -> float:
        untimed(lambda: None)
        return step_duration(model)

    assert untimed(outer) == 0
    assert step_duration(model) > 0


def test_threads_that_begin_together_stop_the_same_clock(
    model: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robossl.envs.mujoco_clock._STANDING", [])
    together = threading.Barrier(4)

    def address(_: int) -> int:
        together.wait()
        return _standing()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(address, range(4)))) == 1
    assert untimed(lambda: step_duration(model)) == 0
    assert step_duration(model) > 0


def test_an_engine_steps_with_the_clock_stopped(model: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = MujocoEngine(model, 2, 1)
    durations, step = [], engine.batch.step

    def watched(**options: object) -> None:
        durations.append(step_duration(model))
        step(**options)

    monkeypatch.setattr(engine.batch, "step", watched)
    engine.step(np.empty((2, 0)), 3)
    assert durations == [0]
    assert step_duration(model) > 0
    assert engine.read("time").tolist() == pytest.approx([3 * model.opt.timestep] * 2)
