"""A Panda brings the tip of its tool to a point above a table."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from robossl.core import Array, Draws, Obs, Policy, UserError
from robossl.envs.engine import Engine
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks.arm_geometry import between, first_far
from robossl.envs.tasks.arm_rewards import judge_reach
from robossl.envs.tasks.arm_task import TABLE_GREY, ArmTask, arm_spec, require_positive
from robossl.envs.tasks.columns import joined
from robossl.envs.tasks.panda import NUM_JOINTS, IKConfig
from robossl.envs.tasks.panda_arm import ArmConfig, PandaArm
from robossl.envs.tasks.progress import distances, progress
from robossl.envs.tasks.reach_expert import ReachExpert
from robossl.envs.tasks.variation import varied

NUM_SUBSTEPS = 8
TOOL_LOW_W_M, TOOL_HIGH_W_M = (0.30, -0.27, 0.02), (0.70, 0.27, 0.32)
START_RAD = (0.0, 0.0, 0.0, -2.3562, 0.0, 2.3562, 0.7854)
START_W_M = np.array([0.50, 0.0, 0.18])
"""Where the tool is in that posture."""
CENTRE_W_M = np.array([0.50, 0.0, 0.18])
NUM_GOAL_CANDIDATES = 8

_DRAWS = (NUM_JOINTS, 3 * NUM_GOAL_CANDIDATES, 1)
_GOAL = ("goal_x_w_m", "goal_y_w_m", "goal_z_w_m")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReachConfig:
    """Says how hard the task is and what its reward weighs.

    Attributes:
        step_m: the farthest the commanded tool position moves per decision along each axis.
        success_radius_m: the tool counts as at the goal when it is this near. The ball that is drawn has this size.
        min_reach_m: the least distance between tool and goal at the start, but for the noise of the start.
        region_half_m: half the edges of the box that goals are drawn from.
        start_noise_rad: how far each joint may start from its usual position.
        max_episode_steps: decisions.
        weight_reach: of the tool being near the goal.
        weight_at_goal: of the tool counting as there.
        weight_effort: of the mean square of the action.
    """

    step_m: float = 0.02
    success_radius_m: float = 0.05
    min_reach_m: float = 0.12
    region_half_m: tuple[float, float, float] = (0.15, 0.20, 0.13)
    start_noise_rad: float = 0.02
    max_episode_steps: int = 50
    weight_reach: float = 0.5
    weight_at_goal: float = 0.5
    weight_effort: float = -0.05

    def __post_init__(self) -> None:
        """Checks the numbers."""
        require_positive("ArmReach", self, "step_m", "success_radius_m", "min_reach_m", "max_episode_steps")
        low, high = CENTRE_W_M - self.region_half_m, CENTRE_W_M + self.region_half_m
        if min(self.region_half_m) <= 0 or (low < TOOL_LOW_W_M).any() or (high > TOOL_HIGH_W_M).any():
            raise UserError(f"ArmReach: the tool cannot reach all of region_half_m, {self.region_half_m}")
        if not self.success_radius_m < self.min_reach_m <= min(self.region_half_m):
            raise UserError(
                f"ArmReach: min_reach_m must be above success_radius_m ({self.success_radius_m}) and at most"
                f" {min(self.region_half_m)}, got {self.min_reach_m}"
            )


class ArmReach(ArmTask):
    """See `Task`. The tool must come near the goal, once."""

    scene = "arm_reach"
    goal_names = _GOAL
    levels: ClassVar[dict[str, ArmReachConfig]] = {
        "easy": ArmReachConfig(region_half_m=(0.12, 0.15, 0.12), success_radius_m=0.08),
        "medium": ArmReachConfig(),
        "hard": ArmReachConfig(region_half_m=(0.18, 0.25, 0.13), success_radius_m=0.02, start_noise_rad=0.15),
    }

    def __init__(self, config: ArmReachConfig | None = None) -> None:
        self.config = config = config or ArmReachConfig()
        self._region = CENTRE_W_M - config.region_half_m, CENTRE_W_M + config.region_half_m
        self._goal_mocap = self._table_geom = -1
        arm = PandaArm(
            ArmConfig(
                step_m=config.step_m,
                low_w_m=TOOL_LOW_W_M,
                high_w_m=TOOL_HIGH_W_M,
                start_noise_rad=config.start_noise_rad,
                ik=IKConfig(posture_rad=START_RAD),
            )
        )
        super().__init__(arm, _spec(arm, config), goal_radius_m=config.success_radius_m)

    def adapt_scene(self, spec: Any) -> None:
        """See `ArmTask.adapt_scene`."""
        spec.geom("goal_ball").size[0] = self.config.success_radius_m

    def bind(self, model: Any) -> None:
        """See `ArmTask.bind`."""
        self._goal_mocap, self._table_geom = model.body("goal").mocapid[0], model.geom("table_top").id

    def arrange(self, draws: Draws) -> dict[str, Array]:
        """See `ArmTask.arrange`."""
        unit = draws.uniform(shape=(sum(_DRAWS),))
        arm, goals, table = np.split(unit, np.cumsum(_DRAWS)[:-1], axis=1)
        start = np.broadcast_to(START_W_M, (len(unit), 3))
        goals = between(self._region, goals.reshape(len(unit), NUM_GOAL_CANDIDATES, 3))
        goal_w = first_far(start, goals, self._region, self.config.min_reach_m)
        changes = [("geom_rgba", (self._table_geom, slice(3)), between(TABLE_GREY, table))]
        return {
            "qpos": self.arm.start(arm),
            "mocap_pos": goal_w[:, None],
            "min_distance_m": np.full(len(unit), np.inf),
            **varied(self.model, changes),
        }

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""
        goal_w, tool_w, radius_m = self._goal(engine), self.arm.tool(engine), self.config.success_radius_m
        reached, nearest_m = memory["reached"], memory["min_distance_m"]
        *terms, distance = judge_reach(engine.xp, goal_w, tool_w, action, radius_m, reached, nearest_m)
        named = dict(zip(("reach", "at_goal", "effort"), terms, strict=True))
        return Outcome(named, engine.xp.zeros_like(reached), reached, progress(memory, distance))

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`."""
        goal_w = self._goal(engine)
        goal = joined(engine.xp, goal_w, goal_w - self.arm.tool_view(engine))
        return {"proprio": self.arm.feel(engine), "goal": goal}

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.privileged`."""
        return {"tool_position": self.arm.tool(engine), "goal_position": self._goal(engine)}

    def expert(self) -> Policy:
        """See `Task.expert`."""
        return ReachExpert(step_m=self.config.step_m, share=self.share)

    def achieved_goal(self, engine: Engine) -> Array:
        """See `ArmTask.achieved_goal`."""
        return self.arm.tool(engine)

    def desired_goal(self, engine: Engine, memory: Memory) -> Array:
        """See `ArmTask.desired_goal`."""
        return self._goal(engine)

    def _goal(self, engine: Engine) -> Array:
        return engine.read("mocap_pos")[:, self._goal_mocap]


def _spec(arm: PandaArm, config: ArmReachConfig) -> TaskSpec:
    return arm_spec(
        arm,
        vectors={"goal": (*_GOAL, "tool_to_goal_x_m", "tool_to_goal_y_m", "tool_to_goal_z_m")},
        privileged={"goal_position": _GOAL},
        privileged_texts={"goal_position": "where the tip is to go"},
        random_fields=("geom_rgba",),
        num_substeps=NUM_SUBSTEPS,
        max_episode_steps=config.max_episode_steps,
        reward_weights={
            "reach": config.weight_reach,
            "at_goal": config.weight_at_goal,
            "effort": config.weight_effort,
        },
        metrics=distances("from the tip to the goal"),
        description="A seven-joint arm brings the tip of its tool to a point above a table.",
        success=f"the tip came within {config.success_radius_m} m of the goal at the end of any decision",
        is_recordable=True,
    )
