"""What a GPU repeats of a task from a recording: held against the task itself, on a processor and on a GPU.

A processor has no recordings. There a tape of torch's operations stands in: like a CUDA graph it repeats the same
operations on the same memory, and knows nothing of the Python that called them.
"""

from contextlib import nullcontext

import numpy as np
import pytest

pytest.importorskip("mujoco_warp")

import torch
from task_checks import assert_same, everything, make, random_actions
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from warp_toys import NEEDS_GPU

from robossl.core import UserError
from robossl.core.registry import TASKS, load
from robossl.envs.motion import MotionConfig
from robossl.envs.warp.recorded_task import RecordedTask

RECORDABLE = [name for name in TASKS if load(TASKS, name, what="environment")().spec.is_recordable]
IN_SLOW_TESTS = [pytest.param(name, marks=pytest.mark.slow) for name in RECORDABLE]
WAITS = (
    *("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.masked_scatter", "aten.equal"),
    *("aten._unique2", "aten.unique_consecutive", "aten.bincount", "aten.repeat_interleave.Tensor"),
    *("aten._linalg_check_errors", "aten._linalg_eigh", "aten._linalg_svd"),
)
NOWHERE = torch.device("meta")
CHOOSES = ("aten.index.Tensor", "aten.index_put")
TO_THE_HOST = ("cpu", "numpy", "tolist", "item", "__array__", "__bool__", "__float__", "__int__", "__index__")
FROM_THE_HOST = ("asarray", "as_tensor", "tensor", "from_numpy", "from_dlpack")


class Tape(TorchDispatchMode):
    """Remembers what torch does; refuses what would wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if str(function).startswith(WAITS) or (str(function).startswith(CHOOSES) and has_flags(args[1])):
            raise RuntimeError(f"{function} waits")
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


def has_flags(indices):
    """Tells whether elements are chosen by flags, of which somebody has to know how many are set."""
    return any(isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in indices)


class Elsewhere(TorchDispatchMode):
    """Refuses tensors that lie on the host, while torch only pretends to compute."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        assert all(tensor.device == NOWHERE for tensor in tensors), function
        return result


class EngineElsewhere:
    """What a task sees of an engine, on a device that only pretends."""

    def __init__(self, engine):
        self.xp, self.device = engine.xp, NOWHERE
        self.model, self.num_worlds, self.contact_slack_m = engine.model, engine.num_worlds, engine.contact_slack_m
        self._engine, self._fields = engine, {}

    def view(self, name):
        if name not in self._fields:
            self._fields[name] = elsewhere(self._engine.view(name))
        return self._fields[name]

    def read(self, name):
        return self.view(name).to(torch.float32)

    def own_values(self, field):
        return None


def elsewhere(values):
    return values.to(NOWHERE)


class Recorder:
    """Records with a tape, and undoes what the task's memory lived through meanwhile: a GPU records without doing."""

    def __init__(self, memory):
        self.memory, self.num = memory, 0

    def __call__(self, work):
        before = copies(self.memory)
        with pytest.MonkeyPatch.context() as patch, Tape() as tape:
            for name in FROM_THE_HOST:
                patch.setattr(torch, name, from_device_only(getattr(torch, name)))
            for name in TO_THE_HOST:
                patch.setattr(torch.Tensor, name, refuse)
            result = work()
        self.num += 1
        restore(self.memory, before)
        return tape.play, result


def refuse(tensor, *args, **kwargs):
    raise RuntimeError("brought to the host")


def from_device_only(function):
    def checked(values, *args, **kwargs):
        if not isinstance(values, torch.Tensor):
            raise RuntimeError("brought from the host")
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


def brings_from_host(task, engine, memory, action):
    """Runs a task's functions twice where no numbers are, the second time watched."""
    memory = {name: elsewhere(values) for name, values in memory.items()}
    num = task.spec.num_substeps
    felt = {name: engine.read(name)[:, None].repeat_interleave(num, 1) for name in task.spec.record}
    for mode in (nullcontext(), Elsewhere()):
        with mode:
            task.control(engine, action, memory)
            task.outcome(engine, action, felt, memory)
            task.observe(engine, memory)


@pytest.mark.parametrize("env_id", RECORDABLE)
def test_nothing_of_the_host_comes_into_a_recording(env_id):
    env = make(env_id, engine="warp", device="cpu")
    env.reset()
    engine, action = EngineElsewhere(env.engine), elsewhere(torch.zeros(env.num_worlds, *env.spec.action.shape))
    brings_from_host(env.task, engine, env._memory, action)


@pytest.mark.parametrize("bring", [lambda values: torch.ones(3), lambda values: values.to("cpu")])
def test_what_brings_numbers_from_the_host_is_noticed(bring):
    env = make("robossl/ArmReach-v0", engine="warp", device="cpu")
    env.reset()
    engine, action = EngineElsewhere(env.engine), elsewhere(torch.zeros(env.num_worlds, *env.spec.action.shape))

    def observe(own, engine, memory):
        bring(engine.view("qpos"))
        return own(engine, memory)

    other = Other(env.task, "observe", lambda *given: observe(env.task.observe, *given))
    with pytest.raises((AssertionError, NotImplementedError)):
        brings_from_host(other, engine, env._memory, action)


class Other:
    """A task of which one function is another."""

    def __init__(self, task, name, function):
        self._task = task
        setattr(self, name, function)

    def __getattr__(self, name):
        return getattr(self._task, name)


def with_other(name, function):
    """Returns an environment that repeats, where a function of the task is another, which is given the task's own."""
    env, recorder, plain = recorded("robossl/ArmReach-v0")
    own = getattr(env.task, name)
    other = Other(env.task, name, lambda engine, *given: function(own, engine, *given))
    env._acting = env._sight._task = RecordedTask(other, env.engine, recorder)
    return env, recorder, other, plain


def observe_flags(own, engine, memory):
    return {**own(engine, memory), "goal": own(engine, memory)["goal"] + float(engine.diverged.any())}


def clip(own, engine, action, memory):
    action.clip_(-0.2, 0.2)
    return own(engine, action, memory)


def replace_memory(own, engine, memory):
    memory["has_target"] = memory["has_target"].clone()
    return own(engine, memory)


@pytest.mark.slow
@pytest.mark.parametrize(("function", "num"), [(observe_flags, 2), (replace_memory, 0)])
def test_what_asks_for_more_or_replaces_memory_is_not_recorded(function, num):
    env, recorder, *_ = with_other("observe", function)
    env.reset()
    for action in random_actions(env, 5):
        env.step(action)
    assert recorder.num == num


@pytest.mark.slow
def test_what_changes_the_actions_is_not_recorded():
    env, recorder, other, plain = with_other("control", clip)
    plain._acting = other
    env.reset()
    plain.reset()
    for action in random_actions(env, 5):
        assert_same(env.step(action).info, plain.step(action).info)
    assert recorder.num == 0


@pytest.mark.slow
def test_inference_mode_hides_no_change_of_the_actions():
    env, *_ = with_other("control", clip)
    env.reset()
    with torch.inference_mode(), pytest.raises(RuntimeError, match="Inplace update"):
        env.step(next(random_actions(env, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("modes", [(False, True, False), (True, False, True)])
def test_inference_mode_may_come_and_go(modes):
    env, recorder, plain = recorded("robossl/ArmReach-v0")
    env.reset()
    plain.reset()
    actions = iter(random_actions(env, 60))
    for is_inference, num in zip(modes, (1, 5, 54), strict=True):
        with torch.inference_mode(is_inference):
            for _ in range(num):
                action = next(actions)
                assert_same(env.step(action).obs, plain.step(action).obs)
    assert recorder.num == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "look",
    [
        lambda values: values[values > 0],
        lambda values: values.cpu(),
        lambda values: values.tolist(),
        lambda values: float(values.max()),
        lambda values: torch.as_tensor(np.ones(3)),
    ],
)
def test_what_a_gpu_cannot_record_is_told_by_name(look):
    def observe(own, engine, memory):
        look(engine.view("qpos"))
        return own(engine, memory)

    env, *_ = with_other("observe", observe)
    env.reset()
    first, second = random_actions(env, 2)
    env.step(first)
    with pytest.raises(UserError, match="the task's observe cannot be recorded on a GPU, though its spec says"):
        env.step(second)


@pytest.mark.parametrize("device", [pytest.param("cpu", marks=pytest.mark.slow), pytest.param("cuda", marks=NEEDS_GPU)])
@pytest.mark.parametrize("env_id", RECORDABLE)
def test_a_recording_makes_of_a_state_what_the_task_makes(env_id, device):
    env = recorded(env_id)[0] if device == "cpu" else make(env_id, engine="warp", device=device)
    env.reset()
    engine, memory = env.engine, env._memory
    for action in random_actions(env, 6):
        env.step(action)
        given = torch.as_tensor(action, device=engine.device)
        felt = {name: engine.read(name)[:, None].repeat(1, env.task.spec.num_substeps, 1) for name in env._record}
        for name, arrays in {"control": (given,), "outcome": (given, felt), "observe": ()}.items():
            before, made = copies(memory), []
            for task in (env._acting, env.task):
                restore(memory, before)
                made.append((leaves(getattr(task, name)(engine, *arrays, memory)), leaves(memory)))
            torch.testing.assert_close(*made, rtol=1e-6, atol=1e-9)
            restore(memory, before)
    assert all(part.repeat for part in env._acting._parts.values())


def leaves(tree):
    return [leaf.clone() for leaf in tree_leaves(tree)]


def copies(memory):
    return {name: values.clone() for name, values in memory.items()}


def restore(memory, before):
    for name, values in before.items():
        memory[name].copy_(values)
