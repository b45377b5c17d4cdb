"""A task of one's own with a mistake in it: one line says what is wrong, before a wrong number comes out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_task_env import Rail

from robossl.core import UserError
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.randomisation import Randomisation
from robossl.envs.task_env import TaskEnv


def begun(task: Any) -> TaskEnv:
    env = TaskEnv(task, EnvConfig(id="test/Rail-v0", num_worlds=3, num_threads=1), WorldSeed())
    env.reset()
    return env


def step_once(task: Any) -> None:
    begun(task).step(np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"control_hz": 4.0}, r"decides every 0.25 s, and 2 physics steps of 0.1 s last 0.2 s"),
        ({"max_episode_steps": 0}, "max_episode_steps must be a whole number and at least 1, got 0"),
        ({"default_observation": ("proprioo",)}, "unknown observation 'proprioo'; did you mean 'proprio'"),
        ({"random_fields": ("geom_rgb",)}, "unknown field that a task can randomise 'geom_rgb'"),
        ({"random_fields": ("geom_rgba",)}, "does not lay out 'geom_rgba'"),
        ({"randomisations": {"hue": Randomisation(field="geom_rgb", low=0.5, high=1)}}, "'geom_rgb'; did you mean"),
        ({"reward_weights": {"right": 1.0}}, "reward terms hold 'effort', which its spec does not declare"),
        ({"metrics": ("count", "way")}, "metrics lack 'way', which its spec declares"),
    ],
)
def test_what_a_spec_declares_is_held_against_the_task(changes: dict[str, Any], message: str) -> None:
    task = Rail()
    task.spec = replace(Rail.spec, **changes)
    with pytest.raises(UserError, match=message):
        step_once(task)


@pytest.mark.parametrize(
    ("method", "wrong", "message"),
    [
        ("observe", lambda seen: {"proprio": seen["proprio"]}, "observed vectors lack 'count'"),
        (
            "observe",
            lambda seen: {**seen, "proprio": seen["proprio"][:, :1]},
            r"'proprio' as \[3, 1\], expected \[3, 2\]",
        ),
        ("control", lambda ctrl: ctrl[:1], r"controls as \[1, 1\], expected \[3, 1\]"),
        ("outcome", lambda judged: judged._replace(success=False), r"'success' as \[\], expected \[3\]"),
        ("outcome", lambda judged: judged._replace(terminated=np.zeros((3, 1), bool)), "'terminated' as"),
        ("layout", lambda laid: {**laid, "geom_rgba": np.ones((len(laid["qpos"]), 1, 4))}, "lays out 'geom_rgba'"),
    ],
)
def test_what_a_task_returns_is_held_against_its_spec(method: str, wrong: Any, message: str) -> None:
    class Wrong(Rail):
        pass

    right = getattr(Rail, method)
    setattr(Wrong, method, lambda *arguments: wrong(right(*arguments)))
    with pytest.raises(UserError, match=message):
        step_once(Wrong())


def test_a_task_that_keeps_its_promises_steps() -> None:
    step_once(Rail())


def test_a_reward_that_is_not_finite_is_named_at_the_step_that_brings_it() -> None:
    class Late(Rail):
        num_steps = 0

        def outcome(self, *arguments: Any) -> Any:
            judged = super().outcome(*arguments)
            Late.num_steps += 1
            worse = np.array([0, np.nan if Late.num_steps == 3 else 0, 0], np.float32)
            return judged._replace(terms={**judged.terms, "effort": judged.terms["effort"] + worse})

    env = begun(Late())
    for _ in range(2):
        env.step(np.zeros((3, 1)))
    with pytest.raises(UserError, match="the task's reward is not finite: 'effort' is nan in world 1"):
        env.step(np.zeros((3, 1)))


def test_more_worlds_that_end_than_there_are_at_a_later_step_are_told_too() -> None:
    class Longer(Rail):
        num_steps = 0

        def outcome(self, *arguments: Any) -> Any:
            judged = super().outcome(*arguments)
            Longer.num_steps += 1
            return judged if Longer.num_steps < 2 else judged._replace(terminated=np.zeros(1000, bool))

    env = begun(Longer())
    env.step(np.zeros((3, 1)))
    with pytest.raises(UserError, match=r"'terminated' as \[1000\], expected \[3\]"):
        env.step(np.zeros((3, 1)))


def test_memory_of_objects_is_refused() -> None:
    class Named(Rail):
        def new_memory(self, num_worlds: int) -> Any:
            return {**super().new_memory(num_worlds), "name": np.full(num_worlds, None)}

    with pytest.raises(UserError, match=r"memory 'name' is of \|O, expected one of bool, int8"):
        step_once(Named())


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, [0, 0, 0]),
        ({"right": np.array([0.1, 0.2, 0.3])}, np.float32(0.5) * np.array([0.1, 0.2, 0.3])),
        ({"right": np.array([True, False, True])}, [0.5, 0, 0.5]),
    ],
)
def test_rewards_are_one_number_of_single_precision_a_world(terms: dict[str, Any], expected: Any) -> None:
    class Other(Rail):
        def outcome(self, *arguments: Any) -> Any:
            return super().outcome(*arguments)._replace(terms=terms)

    task = Other()
    task.spec = replace(Rail.spec, reward_weights=dict.fromkeys(terms, 0.5))
    reward = begun(task).step(np.zeros((3, 1))).reward
    assert reward.dtype == np.float32
    np.testing.assert_array_equal(reward, np.float32(expected))
