"""What insertion means: a box that is solid, what counts. See test_conformance for the rest."""

import numpy as np
import pytest

from robossl.core import Stream, UserError
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks.arm_peg_in_box import BOX_HEIGHT_M, PEG_RADIUS_M, ArmPegInBox, ArmPegInBoxConfig

ID = "robossl/ArmPegInBox-v0"


def make(num_worlds: int, level: str = "medium", stream: Stream = Stream.TRAIN) -> TaskEnv:
    config = EnvConfig(id=ID, num_worlds=num_worlds, num_threads=1)
    env = TaskEnv(ArmPegInBox(ArmPegInBox.levels[level]), config, WorldSeed(seed=1, stream=stream))
    env.reset()
    return env


def follow(env: TaskEnv, offset_m: np.ndarray, num_steps: int) -> dict[str, np.ndarray]:
    """Steers the tip to points beside the goal: first far above it, then down."""
    for step in range(num_steps):
        state = env.privileged()
        target = state["goal_position"] + offset_m
        if step < num_steps // 2:
            target[:, 2] = BOX_HEIGHT_M + 0.04
        info = env.step(np.clip((target - state["tool_position"]) / 0.04, -1, 1)).info
    return info


@pytest.mark.parametrize(("level", "least"), [("easy", 0.95), ("medium", 0.95), ("hard", 0.9)])
def test_expert_succeeds_on_unseen_worlds_of_every_level(level: str, least: float) -> None:
    env = make(64, level, Stream.EVAL)
    expert = env.expert()
    assert expert is not None
    for _ in range(50):
        batch = env.step(expert.act({}, env.privileged()))
    assert batch.info["success"].mean() >= least
    assert np.median(batch.info["reward/insert"]) > 0.95


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_box_leaves_the_clearance_that_the_level_says(level: str) -> None:
    task = ArmPegInBox(ArmPegInBox.levels[level])
    model = task.build_model()
    for name, axis, sign in (("front", 0, 1), ("back", 0, -1), ("left", 1, 1), ("right", 1, -1)):
        wall = model.geom(f"wall_{name}")
        inner = sign * wall.pos[axis] - wall.size[axis]
        np.testing.assert_allclose(inner - model.geom("peg").size[0], task.config.clearance_m)
        np.testing.assert_allclose(wall.pos[2] + wall.size[2], BOX_HEIGHT_M)


def test_a_peg_beside_the_hole_stays_on_the_rim_or_outside() -> None:
    env = make(3)
    inner = PEG_RADIUS_M + 0.010
    offsets = np.array([[inner + 0.006, 0, 0], [0, -inner - 0.006, 0], [0.0, 0.0, 0.0]])
    info = follow(env, offsets, 60)
    state = env.privileged()
    aside = np.abs(state["tool_position"] - state["goal_position"])[:, :2].max(axis=1)
    is_in = (state["tool_position"][:, 2] < BOX_HEIGHT_M) & (aside < inner)
    assert is_in.tolist() == [False, False, True]
    assert info["success"].tolist() == [False, False, True]


def test_walls_keep_the_peg_inside() -> None:
    env = make(4)
    assert follow(env, np.zeros((4, 3)), 48)["reward/inside"].all()
    farthest = np.zeros(4)
    for _ in range(20):
        env.step(np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]))
        state = env.privileged()
        aside = np.abs(state["tool_position"] - state["goal_position"])[:, :2].max(axis=1)
        farthest = np.maximum(farthest, aside)
    assert (farthest > 0.008).all()  # where the clearance ends, less what the peg tilts
    assert (farthest < 0.012).all()


def test_descending_is_rewarded_over_the_box_only() -> None:
    env = make(2)
    info = follow(env, np.array([[0.0, 0.0, 0.09], [0.09, 0.0, 0.02]]), 48)
    assert info["reward/insert"][0] > 0.4
    assert info["reward/insert"][1] == 0
    assert info["reward/align"][0] > 0.95
    np.testing.assert_allclose(info["reward/align"][1], 1 - 0.085 / 0.25, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"clearance_m": 0.0}, "clearance_m must be positive"), ({"success_radius_m": 0.07}, "above the box's rim")],
)
def test_impossible_configurations_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ArmPegInBoxConfig(**options)
