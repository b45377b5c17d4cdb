"""What a GPU repeats of a task from a recording: held against the task itself, on a processor and on a GPU.

A processor has no recordings. There a tape of torch's operations stands in: like a CUDA graph it repeats the same
operations on the same memory, and knows nothing of the Python that called them.
"""

import numpy as np
import pytest

pytest.importorskip("mujoco_warp")

import torch
from task_checks import assert_same, everything, make, random_actions
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from warp_toys import NEEDS_GPU

from robossl.core.registry import TASKS, load
from robossl.envs.motion import MotionConfig
from robossl.envs.warp.recorded_task import RecordedTask

RECORDABLE = [name for name in TASKS if load(TASKS, name, what="environment")().spec.is_recordable]
IN_SLOW_TESTS = [pytest.param(name, marks=pytest.mark.slow) for name in RECORDABLE]
WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten._linalg_check_errors")


class Tape(TorchDispatchMode):
    """Remembers what torch does; refuses what would wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert not str(function).startswith(WAITS)
        result = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, result))
        return result

    def play(self):
        for function, args, kwargs, result in self.calls:
            if function.is_view:
                continue
            again = function(*args, **kwargs)
            for own, its in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(own, torch.Tensor) and own.data_ptr() != its.data_ptr():
                    own.copy_(its)


class Recorder:
    """Records with a tape, and undoes what the task's memory lived through meanwhile: a GPU records without doing."""

    def __init__(self, memory):
        self.memory, self.num = memory, 0

    def __call__(self, work):
        self.num += 1
        before = copies(self.memory)
        with pytest.MonkeyPatch.context() as patch, Tape() as tape:
            for name in ("asarray", "as_tensor", "tensor", "from_numpy"):
                patch.setattr(torch, name, from_device_only(getattr(torch, name)))
            result = work()
        for name, values in before.items():
            self.memory[name].copy_(values)
        return tape.play, result


def from_device_only(function):
    def checked(values, *args, **kwargs):
        assert isinstance(values, torch.Tensor)
        return function(values, *args, **kwargs)

    return checked


def recorded(env_id, **options):
    """Returns an environment that repeats, its recorder, and one that does not."""
    env, plain = (make(env_id, engine="warp", device="cpu", **options) for _ in range(2))
    recorder = Recorder(env._memory)
    env._acting = env._sight._task = RecordedTask(env.task, env.engine, recorder)
    return env, recorder, plain


@pytest.mark.parametrize("env_id", IN_SLOW_TESTS)
def test_what_is_repeated_from_a_recording_is_what_the_task_does(env_id):
    env, recorder, plain = recorded(env_id)
    assert_same(env.reset(), plain.reset())
    ends = 0
    for action in random_actions(env, env.spec.max_episode_steps + 5):
        batch, other = env.step(action), plain.step(action)
        assert_same(batch.obs, other.obs)
        assert_same(batch.final_obs, other.final_obs)
        assert_same(batch.info, other.info)
        np.testing.assert_array_equal(batch.reward, other.reward)
        ends += len(batch.final_ids)
    assert_same(everything(env), everything(plain))
    assert ends
    assert recorder.num == 3
    state = plain.get_state()
    plain.step(action)
    expected = plain.step(action)
    env.set_state(state)
    env.step(action)
    assert_same(env.step(action).obs, expected.obs)


@pytest.mark.slow
def test_what_looks_at_sizes_on_the_host_is_not_recorded():
    env, recorder, plain = recorded("robossl/ArmPush-v0", randomise={"size": 1.0})
    env.reset()
    plain.reset()
    for action in random_actions(env, 6):
        batch, other = env.step(action), plain.step(action)
        assert_same(batch.info, other.info)
    assert recorder.num == 2  # control and observe


@pytest.mark.slow
def test_led_joints_and_late_commands_are_recorded_too():
    motion = MotionConfig(acceleration_rad_s2=(10.0,) * 7, blend_s=0.4, horizon_periods=1.5)
    env, recorder, plain = recorded("robossl/ArmReach-v0", delay_s=0.05, motion=motion)
    assert_same(env.reset(), plain.reset())
    for action in random_actions(env, 20):
        assert_same(env.step(action).obs, plain.step(action).obs)
    assert recorder.num == 3


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=NEEDS_GPU)])
@pytest.mark.parametrize("env_id", RECORDABLE)
def test_a_gpu_repeats_what_the_task_does(env_id, device):
    """The physics apart: of the same state, a recording and the task make the same controls and observations."""
    env = make(env_id, engine="warp", device=device)
    env.reset()
    engine, memory, acting = env.engine, env._memory, env._acting
    for action in random_actions(env, 12):
        before = copies(memory)
        given = torch.as_tensor(action, device=engine.device)
        found = acting.control(engine, given, memory).clone(), copies(memory)
        for name, values in before.items():
            memory[name].copy_(values)
        torch.testing.assert_close((env.task.control(engine, given, memory), memory), found, rtol=1e-6, atol=1e-9)
        for name, values in before.items():
            memory[name].copy_(values)
        env.step(action)
        torch.testing.assert_close(acting.observe(engine, memory), env.task.observe(engine, memory), rtol=0, atol=0)
    assert [part.repeat is not None for part in acting._parts.values()] == [True] * 3


def copies(memory):
    return {name: values.clone() for name, values in memory.items()}
