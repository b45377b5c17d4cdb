"""What a task tells of its commands is what it does with actions."""

import gymnasium
import numpy as np

from robossl.core import CommandSpec
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.spaces import native_action

ACTIONS = np.array([[-1.0], [-0.3], [0.0], [1.0]], np.float32)


def command_values(commands: tuple[CommandSpec, ...], action: np.ndarray) -> dict[str, np.ndarray]:
    """Applies the map that the specs describe to [N, A]."""
    values = {}
    for command in commands:
        part = 0.0 * action[:, 0] if command.source is None else action[:, command.source]
        values[command.name] = np.clip(command.offset + command.scale * part, command.low, command.high)
    return values


def test_the_car_drives_as_its_commands_say() -> None:
    env = make_env(EnvConfig(id="robossl/RingCorridor-v0", num_worlds=4, observations=("proprio",)), WorldSeed())
    env.reset()
    told = command_values(env.spec.commands, ACTIONS)
    controls = env.task.control(env.engine, ACTIONS, {})  # type: ignore[attr-defined]
    np.testing.assert_allclose(controls[:, 0], told["speed_m_s"])
    np.testing.assert_array_equal(controls[:, 1], 0)
    np.testing.assert_allclose(controls[:, 2], told["yaw_rate_rad_s"])
    env.close()


def test_the_arm_moves_its_set_point_as_its_commands_say() -> None:
    env = make_env(EnvConfig(id="robossl/ArmPush-v0", num_worlds=4), WorldSeed())
    env.reset()
    memory = env._memory  # type: ignore[attr-defined]
    action = ACTIONS * np.array([[1.0, -1.0, 0.5]], np.float32)
    measured = env.task.arm.tool(env.engine)  # type: ignore[attr-defined]
    env.task.control(env.engine, 0 * action, memory)  # type: ignore[attr-defined]
    for _ in range(4):  # the tool itself does not move: the set-point runs into its lead
        before = memory["tool_target_w"].copy()
        env.task.control(env.engine, action, memory)  # type: ignore[attr-defined]
        values = command_values(env.spec.commands, action)
        for axis, command in enumerate(env.spec.commands):
            assert command.moves is not None
            wanted = before[:, axis] + values[command.name]
            lead = command.moves.max_lead
            wanted = np.clip(wanted, measured[:, axis] - lead, measured[:, axis] + lead)
            wanted = np.clip(wanted, command.moves.low, command.moves.high)
            np.testing.assert_allclose(memory["tool_target_w"][:, axis], wanted, atol=1e-6)
    env.close()


def test_joints_and_units_are_told_of_every_element() -> None:
    env = make_env(EnvConfig(id="robossl/ArmPush-v0", num_worlds=1), WorldSeed())
    proprio = env.spec.observation["proprio"]
    assert proprio.joints[:8] == (*(f"joint{i}" for i in range(1, 8)), "joint1")
    assert (proprio.units[0], proprio.units[7], proprio.units[14]) == ("rad", "rad/s", "m")
    assert proprio.joints[14] == ""
    assert env.spec.observation["object"].units[6:8] == ("1", "1")
    names = {env.engine.model.joint(i).name for i in range(env.engine.model.njnt)}  # type: ignore[attr-defined]
    assert set(proprio.joints) - {""} <= names
    env.close()


def test_a_gymnasium_environment_gets_native_actions() -> None:
    env = make_env(EnvConfig(id="Pendulum-v1", num_worlds=4), WorldSeed())
    native = gymnasium.make("Pendulum-v1").action_space
    told = command_values(env.spec.commands, ACTIONS)["action_0"]
    expected = [native_action(native, row)[0] for row in ACTIONS]  # type: ignore[arg-type]
    np.testing.assert_allclose(told, expected, atol=1e-6)
    env.close()
