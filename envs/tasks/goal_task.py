"""Goal-conditioned variants of the arm's tasks: what hindsight (Andrychowicz et al., 2017) can relabel.

The observation holds `achieved_goal` and `desired_goal`; the reward depends on the two alone, and `compute_reward`
tells it for any others, many at once.
"""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Draws, Obs, Policy
from robossl.envs.compiled import fused
from robossl.envs.engine import Engine
from robossl.envs.motion import MotionConfig
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks.arm_lift import ArmLift
from robossl.envs.tasks.arm_peg_in_box import ArmPegInBox
from robossl.envs.tasks.arm_push import ArmPush
from robossl.envs.tasks.arm_reach import ArmReach
from robossl.envs.tasks.arm_task import ArmTask
from robossl.envs.tasks.progress import distances
from robossl.envs.tasks.units import vector

_AWAY = -1.0
"""Weight of the one reward term: -1 a decision until the goal is reached, as in Gymnasium-Robotics."""


class GoalTask:
    """See `Task`. Everything is the inner task's but for what is seen of the goal, reward and success.

    Attributes:
        inner: the kind of task.
        levels: its levels of difficulty.
        reward_texts: what the reward's terms are of.
    """

    reward_texts: ClassVar[dict[str, str]] = {"away": "what was achieved not being near the desired goal"}
    inner: ClassVar[Any]
    levels: ClassVar[dict[str, Any]]

    def __init__(self, config: Any = None) -> None:
        self.task: ArmTask = self.inner(config)
        self.spec = _goal_spec(self.task)

    def lead(self, motion: MotionConfig) -> None:
        """See `ArmTask.lead`."""
        self.task.lead(motion)
        self.spec = replace(self.spec, motion=self.task.spec.motion)

    def compute_reward(self, achieved_goal: Array, desired_goal: Array, info: Any) -> NDArray[np.float32]:
        """Returns the rewards [...] of what was achieved [..., G], had the goals been `desired_goal` [..., G]; m.

        Goals that are no numbers are worth none. `info` is not looked at: it is there for stable-baselines3.

        Raises:
            ValueError: if goals have another length than the task's.
        """
        achieved, desired = np.asarray(achieved_goal), np.asarray(desired_goal)
        length = len(self.task.goal_names)
        if achieved.shape[-1:] != (length,) or desired.shape[-1:] != (length,):
            shapes = f"{list(achieved.shape)} and {list(desired.shape)}"
            raise ValueError(f"goals are arrays [..., {length}] of {', '.join(self.task.goal_names)}, got {shapes}")
        reward = _AWAY * self._away(np, achieved, desired)
        return np.where(np.isnan(achieved - desired).any(axis=-1), np.nan, reward).astype(np.float32)

    def build_model(self) -> Any:
        """See `Task.build_model`."""
        return self.task.build_model()

    def new_memory(self, num_worlds: int) -> Memory:
        """See `Task.new_memory`."""
        return {**self.task.new_memory(num_worlds), "was_at_goal": np.zeros(num_worlds, bool)}

    def layout(self, draws: Draws) -> dict[str, Array]:
        """See `Task.layout`."""
        return self.task.layout(draws)

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """See `Task.control`."""
        return self.task.control(engine, action, memory)

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""
        outcome = self.task.outcome(engine, action, recorded, memory)
        away = self._away(engine.xp, self.task.achieved_goal(engine), self.task.desired_goal(engine, memory))
        memory["was_at_goal"] |= away == 0
        return outcome._replace(terms={"away": away}, success=memory["was_at_goal"])

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`."""
        goals = {
            "achieved_goal": self.task.achieved_goal(engine),
            "desired_goal": self.task.desired_goal(engine, memory),
        }
        seen = self.task.observe(engine, memory) | goals
        return {key: seen[key] for key in self.spec.vectors}

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.privileged`."""
        return self.task.privileged(engine, memory)

    def expert(self) -> Policy:
        """See `Task.expert`."""
        return self.task.expert()

    def _away(self, xp: Any, achieved: Array, desired: Array) -> Array:
        missing = achieved - desired
        away = _is_away(xp, missing.reshape(-1, missing.shape[-1]), self.task.goal_radius_m)
        return away.reshape(missing.shape[:-1])


@fused
def _is_away(xp: Any, missing: Array, radius_m: float) -> Array:
    """Returns 0 where vectors [n, G] are shorter than a radius, else 1."""
    result = xp.empty_like(missing[:, 0])
    result[...] = xp.sqrt(xp.sum(missing * missing, axis=-1)) >= radius_m
    return result


@fused
def _come_nearer(xp: Any, missing: Array, nearest: Array) -> Array:
    """Returns the lengths of vectors [n, G]; keeps in `nearest` [n] the least so far."""
    distance = xp.empty_like(nearest)
    distance[...] = xp.sqrt(xp.sum(missing * missing, axis=-1))
    nearest[...] = xp.minimum(nearest, distance)
    return distance


class ArmReachGoal(GoalTask):
    """`ArmReach` for hindsight."""

    inner, levels = ArmReach, ArmReach.levels


class ArmPushGoal(GoalTask):
    """`ArmPush` for hindsight."""

    inner, levels = ArmPush, ArmPush.levels


class ArmLiftGoal(GoalTask):
    """`ArmLift` for hindsight: the block is to be lifted to a point, and its distances are those to the point."""

    inner, levels = ArmLift, ArmLift.levels

    def new_memory(self, num_worlds: int) -> Memory:
        """See `Task.new_memory`."""
        return {**super().new_memory(num_worlds), "min_goal_distance_m": np.zeros(num_worlds, np.float32)}

    def layout(self, draws: Draws) -> dict[str, Array]:
        """See `Task.layout`."""
        begun = super().layout(draws)
        block_w = begun["qpos"][:, -7:-4]  # its pose comes last
        return {**begun, "min_goal_distance_m": np.linalg.norm(block_w - begun["goal_w"], axis=1)}

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""
        outcome = super().outcome(engine, action, recorded, memory)
        missing = self.task.achieved_goal(engine) - self.task.desired_goal(engine, memory)
        nearest = memory["min_goal_distance_m"]
        distance = _come_nearer(engine.xp, missing, nearest)
        return outcome._replace(metrics={"distance": distance, "min_distance": nearest})


class ArmPegInBoxGoal(GoalTask):
    """`ArmPegInBox` for hindsight."""

    inner, levels = ArmPegInBox, ArmPegInBox.levels


def _goal_spec(task: ArmTask) -> TaskSpec:
    spec, goal = task.spec, vector(task.goal_names)
    vectors = {key: value for key, value in spec.vectors.items() if key != "goal"}
    vectors |= {"achieved_goal": goal, "desired_goal": goal}
    return replace(
        spec,
        vectors=vectors,
        default_observation=tuple(vectors),
        reward_weights={"away": _AWAY},
        metric_texts=spec.metric_texts | distances("from what was achieved to the desired goal"),
        description=f"{spec.description} The reward depends on achieved and desired goal alone.",
        success=f"what was achieved came within {task.goal_radius_m} m of the desired goal at the end of any decision",
    )
