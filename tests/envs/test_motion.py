"""Arms whose joints are led to their targets as a robot's guard and controller lead them."""

import array_api_compat.torch as torch_xp
import numpy as np
import pytest
import torch
from task_checks import make, random_actions

from robossl.core import EnvSpec, UserError
from robossl.deploy.motion_filter import MotionFilter
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.motion import LedJoints, MotionConfig
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.tasks.panda import POSITION_MAX_RAD, POSITION_MIN_RAD, VELOCITY_MAX_RAD_S

PUSH, REACH_GOAL = "robossl/ArmPush-v0", "robossl/ArmReachGoal-v0"
PERIOD_S = 0.04
ACCELERATION = (7.5, 3.75, 5.0, 6.25, 7.5, 10.0, 10.0)
LED = MotionConfig(acceleration_rad_s2=ACCELERATION, blend_s=0.4, horizon_periods=1.5)
NAMES = tuple(f"joint{i}" for i in range(1, 8))


def led_joints(config: MotionConfig = LED) -> LedJoints:
    return LedJoints(
        NAMES,
        low=POSITION_MIN_RAD,
        high=POSITION_MAX_RAD,
        velocity=VELOCITY_MAX_RAD_S,
        config=config,
        period_s=PERIOD_S,
    )


def walk(num_worlds: int = 3, num_decisions: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Returns where joints start [N, 7], and where they should go [T, N, 7]."""
    generator = np.random.default_rng(0)
    start = generator.uniform(POSITION_MIN_RAD, POSITION_MAX_RAD, (num_worlds, 7))
    return start, generator.uniform(POSITION_MIN_RAD - 0.5, POSITION_MAX_RAD + 0.5, (num_decisions, num_worlds, 7))


def test_commands_are_the_guards_to_the_last_bit() -> None:
    joints, (start, targets) = led_joints(), walk()
    memory = joints.new_memory(len(start))
    led = np.array([joints.lead(target, start, memory) for target in targets])
    for world in range(len(start)):
        guard = MotionFilter(
            low=POSITION_MIN_RAD,
            high=POSITION_MAX_RAD,
            rate=VELOCITY_MAX_RAD_S,
            acceleration=np.array(ACCELERATION),
            period_s=PERIOD_S,
        )
        guard.start(start[world])
        for i, target in enumerate(targets[:, world]):
            command = guard.move(guard.step_velocity(target, scale=min(1.0, i * (PERIOD_S / 0.4))))
            np.testing.assert_array_equal(led[i, world], command)


def test_torch_leads_as_numpy_does() -> None:
    joints, (start, targets) = led_joints(), walk()
    here = joints.new_memory(len(start))
    there = {key: torch.asarray(value.copy()) for key, value in here.items()}
    for target in targets:
        expected = joints.lead(target, start, here)
        found = joints.lead(torch_xp.asarray(target), torch_xp.asarray(start), there)
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("env_id", [PUSH, REACH_GOAL, "robossl/ArmLift-v0", "robossl/ArmPegInBox-v0"])
def test_no_joint_is_told_more_than_it_may_do(env_id: str) -> None:
    env = make(env_id, motion=MotionConfig(acceleration_rad_s2=ACCELERATION))
    env.reset()
    commands = [env.engine.read("ctrl")[:, :7]]
    for action in random_actions(env, 12):
        env.step(np.sign(action))
        commands.append(env.engine.read("ctrl")[:, :7])
    velocity = np.diff(np.array(commands), axis=0) / PERIOD_S
    speeding_up = np.diff(velocity, axis=0, prepend=0.0 * velocity[:1]) / PERIOD_S
    assert (np.abs(velocity) <= VELOCITY_MAX_RAD_S + 1e-4).all()
    assert (np.abs(speeding_up) <= np.array(ACCELERATION) + 1e-2).all()
    assert np.abs(speeding_up).max() > 3.0
    env.close()


def test_a_state_put_back_goes_on_and_a_world_does_not_depend_on_others_to_the_last_bit() -> None:
    env, alone = make(PUSH, 3, motion=LED, delay_s=0.03), make(PUSH, 1, motion=LED, delay_s=0.03)
    env.reset()
    alone.reset(first_world=1)
    actions = list(random_actions(env, 6))
    for action in actions[:3]:
        env.step(action)
        alone.step(action[1:2])
    state = env.get_state()
    first = [env.step(action).obs["proprio"] for action in actions[3:]]
    env.set_state(state)
    for action, expected in zip(actions[3:], first, strict=True):
        np.testing.assert_array_equal(env.step(action).obs["proprio"], expected)
        np.testing.assert_array_equal(alone.step(action[1:2]).obs["proprio"][0], expected[1])
    env.close()
    alone.close()


def test_an_episode_begins_at_rest_where_the_joints_are() -> None:
    env = make(PUSH, 2, motion=LED)
    env.reset()
    for action in random_actions(env, 4):
        env.step(action)
    env.reset(first_episode=9)
    start = env.engine.read("ctrl")[:, :7]
    env.step(np.ones((2, 3), np.float32))  # of a blend, the first command is to stay
    np.testing.assert_allclose(env.engine.read("ctrl")[:, :7], start, atol=2e-3)
    env.close()


def test_without_it_nothing_is_between() -> None:
    env = make(PUSH, 1)
    assert isinstance(env.engine, MujocoEngine)
    assert env.spec.motion is None
    assert set(env.task.new_memory(1)) == {
        "tool_target_w",
        "has_target",
        "reached",
        "min_distance_m",
        "start_distance_m",
    }
    env.close()


def test_the_spec_says_how_joints_were_led_and_travels_as_json() -> None:
    env = make(REACH_GOAL, 1, motion=LED)
    motion = env.spec.motion
    assert motion is not None
    assert (motion.joints, motion.acceleration_rad_s2) == (NAMES, ACCELERATION)
    assert (motion.velocity_rad_s, motion.blend_s, motion.horizon_periods) == (tuple(VELOCITY_MAX_RAD_S), 0.4, 1.5)
    assert EnvSpec.from_json(env.spec.to_json(), file="env.json") == env.spec
    env.close()


@pytest.mark.parametrize(
    ("env_id", "motion", "message"),
    [
        ("robossl/RingCorridor-v0", LED, "has no arm whose joints could be led"),
        ("Pendulum-v1", LED, "nothing is known of its joints"),
        (PUSH, MotionConfig(acceleration_rad_s2=(1.0, 2.0)), "acceleration_rad_s2 needs 7 numbers, one a joint, got 2"),
    ],
)
def test_what_cannot_be_led_is_refused(env_id: str, motion: MotionConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_env(EnvConfig(id=env_id, num_worlds=1, num_threads=1, motion=motion), WorldSeed())


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"acceleration_rad_s2": (1.0, -1.0)}, "must be positive and finite"),
        ({"velocity_rad_s": (1.0,)}, "need acceleration_rad_s2, too"),
        ({"blend_s": 1.0}, "need acceleration_rad_s2, too"),
        ({"acceleration_rad_s2": (1.0,), "blend_s": -1.0}, "blend_s must be finite and not negative, got -1"),
        ({"horizon_periods": 0.5}, "horizon_periods must be finite and at least 1, got 0.5"),
    ],
)
def test_senseless_numbers_are_refused(numbers: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MotionConfig(**numbers)  # type: ignore[arg-type]
