"""From a config to an environment: levels of difficulty."""

from typing import Any

import gymnasium
import pytest

from robossl.core import UnknownNameError, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.make import make_task


def test_a_level_changes_the_task() -> None:
    radii = [make_task("robossl/ArmReach-v0", level).goal_radius_m for level in ("easy", "medium", "hard")]
    assert radii == sorted(radii, reverse=True)
    assert len(set(radii)) == 3
    assert make_task("robossl/ArmReach-v0").config == make_task("robossl/ArmReach-v0", "medium").config


def test_the_config_and_gymnasium_choose_the_level() -> None:
    env = make_env(EnvConfig(id="robossl/ArmReach-v0", num_worlds=1, difficulty="hard"), WorldSeed())
    assert env.task.config.success_radius_m == 0.02
    env = gymnasium.make("robossl/ArmReachGoal-v0", difficulty="hard").unwrapped
    assert env.batch_env.task.task.config.success_radius_m == 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": "robossl/RingCorridor-v0", "difficulty": "harder"}, "has no level 'harder'; it has easy, medium, hard"),
        ({"id": "robossl/ArmReach-v0", "difficulty": "absurd"}, "has no level 'absurd'; it has easy, medium, hard"),
        ({"id": "Pendulum-v1", "difficulty": "easy"}, "Pendulum-v1 has no levels"),
    ],
)
def test_levels_that_do_not_exist_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_env(EnvConfig(num_worlds=1, **options), WorldSeed())


@pytest.mark.parametrize("seed", [-1, 2**32, 2**64])
def test_a_seed_that_would_stand_for_another_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match=f"a seed goes from 0 to 4294967295, got {seed}"):
        WorldSeed(seed=seed)
    with pytest.raises(UserError, match="a seed goes from 0"):
        make_env(EnvConfig(id="robossl/RingCorridor-v0", num_worlds=1), WorldSeed()).reset(seed=seed)
    assert WorldSeed(seed=2**32 - 1).seed == 2**32 - 1


@pytest.mark.parametrize(("option", "name"), [("renderer", "raycats"), ("engine", "mujocco")])
def test_a_name_that_nothing_has_is_refused_whether_or_not_it_would_be_looked_at(option: str, name: str) -> None:
    options: dict[str, Any] = {option: name}
    with pytest.raises(UnknownNameError, match=f"unknown {option} '{name}'; did you mean"):
        EnvConfig(id="robossl/ArmReach-v0", **options)
