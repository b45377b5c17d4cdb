"""A Panda pushes a block to a goal on a table, by small motions of its tool."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from robossl.core import Array, Draws, Obs, Policy, UserError
from robossl.envs.engine import Engine
from robossl.envs.randomisation import AnyRandomisation, Randomisation
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks import block as cube
from robossl.envs.tasks.arm_geometry import between, first_far
from robossl.envs.tasks.arm_rewards import judge_push, planar_norm
from robossl.envs.tasks.arm_task import TABLE_GREY, ArmTask, arm_spec, require_positive
from robossl.envs.tasks.block import Block
from robossl.envs.tasks.columns import joined
from robossl.envs.tasks.panda import NUM_JOINTS
from robossl.envs.tasks.panda_arm import ArmConfig, PandaArm
from robossl.envs.tasks.panda_options import TOUCH
from robossl.envs.tasks.progress import distances, progress
from robossl.envs.tasks.push_expert import PushExpert
from robossl.envs.tasks.variation import varied

NUM_SUBSTEPS = 5
TOOL_LOW_W_M, TOOL_HIGH_W_M = (0.35, -0.24, 0.01), (0.75, 0.24, 0.12)
REGION_W_M = (np.array([0.46, -0.13]), np.array([0.64, 0.13]))
"""Where blocks and goals are put: everywhere around it the tool still reaches."""
BLOCK_HALF_M = 0.024
BLOCK_MASS_KG = (0.05, 0.20)
BLOCK_FRICTION = (0.3, 0.7)
TOOL_RADIUS_M = 0.015
"""From a block's side to the axis of a tool that touches it."""
GOAL_HEIGHT_W_M = 0.001
NUM_GOAL_CANDIDATES = 8

_DRAWS = (NUM_JOINTS, 1, 2, 2 * NUM_GOAL_CANDIDATES, 5, 1)
_GOAL = ("goal_x_w_m", "goal_y_w_m")
_RANDOMISATIONS: dict[str, AnyRandomisation] = {
    **cube.randomisations(BLOCK_MASS_KG, BLOCK_FRICTION),
    "size": Randomisation(field="geom_size", elements=cube.GEOM, low=0.85, high=1.25, holds=(0.6, 1.4)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPushConfig:
    """Says how hard the task is and what its reward weighs.

    Attributes:
        step_m: the farthest the commanded tool position moves per decision along each axis.
        success_radius_m: the block counts as at the goal when its centre is this near, seen from above.
        min_push_m: the least distance between block and goal at the start.
        max_episode_steps: decisions.
        weight_reach: of the tool being where it can push the block towards the goal.
        weight_push: of the block being near the goal.
        weight_at_goal: of the block counting as there.
        weight_effort: of the mean square of the action.
    """

    step_m: float = 0.02
    success_radius_m: float = 0.05
    min_push_m: float = 0.10
    max_episode_steps: int = 100
    weight_reach: float = 0.25
    weight_push: float = 0.5
    weight_at_goal: float = 0.5
    weight_effort: float = -0.05

    def __post_init__(self) -> None:
        """Checks the numbers."""
        require_positive("ArmPush", self, "step_m", "success_radius_m", "min_push_m", "max_episode_steps")
        farthest = float(np.linalg.norm(REGION_W_M[1] - REGION_W_M[0])) / 2
        if not self.success_radius_m < self.min_push_m <= farthest:
            raise UserError(
                f"ArmPush: min_push_m must be above success_radius_m ({self.success_radius_m}) and at most"
                f" {farthest:.3f}, got {self.min_push_m}"
            )


class ArmPush(ArmTask):
    """See `Task`. The block must come within reach of the goal's centre, once."""

    scene = "arm_push"
    goal_names = _GOAL
    levels: ClassVar[dict[str, ArmPushConfig]] = {
        "easy": ArmPushConfig(success_radius_m=0.08),
        "medium": ArmPushConfig(),
        "hard": ArmPushConfig(success_radius_m=0.025, min_push_m=0.14),
    }

    def __init__(self, config: ArmPushConfig | None = None) -> None:
        self.config = config = config or ArmPushConfig()
        self._block = Block(BLOCK_HALF_M)
        self._goal_mocap = self._table_geom = -1
        arm = PandaArm(ArmConfig(step_m=config.step_m, low_w_m=TOOL_LOW_W_M, high_w_m=TOOL_HIGH_W_M))
        super().__init__(arm, _spec(arm, config), goal_radius_m=config.success_radius_m)

    def adapt_scene(self, spec: Any) -> None:
        """See `ArmTask.adapt_scene`."""
        spec.geom("goal_disc").size[0] = self.config.success_radius_m

    def bind(self, model: Any) -> None:
        """See `ArmTask.bind`."""
        self._block.bind(model)
        self._goal_mocap, self._table_geom = model.body("goal").mocapid[0], model.geom("table_top").id

    def new_memory(self, num_worlds: int) -> Memory:
        """See `Task.new_memory`."""
        return {**super().new_memory(num_worlds), "start_distance_m": np.zeros(num_worlds, np.float32)}

    def arrange(self, draws: Draws) -> dict[str, Array]:
        """See `ArmTask.arrange`."""
        unit = draws.uniform(shape=(sum(_DRAWS),))
        arm, yaw, start, goals, block, table = np.split(unit, np.cumsum(_DRAWS)[:-1], axis=1)
        start = between(REGION_W_M, start)
        goals = between(REGION_W_M, goals.reshape(len(unit), NUM_GOAL_CANDIDATES, 2))
        goal_w = np.full((len(unit), 3), GOAL_HEIGHT_W_M)
        goal_w[:, :2] = first_far(start, goals, REGION_W_M, self.config.min_push_m)
        yaw_rad = (yaw[:, 0] - 0.5) * np.pi / 2  # the block looks the same after a quarter turn
        changes = self._block.changes(BLOCK_MASS_KG, BLOCK_FRICTION, block)
        changes += [("geom_rgba", (self._table_geom, slice(3)), between(TABLE_GREY, table))]
        distance_m = planar_norm(np, goal_w[:, :2] - start)
        return {
            "qpos": np.concatenate([self.arm.start(arm), self._block.pose(start, yaw_rad)], axis=1),
            "mocap_pos": goal_w[:, None],
            "start_distance_m": distance_m,
            "min_distance_m": distance_m,
            **varied(self.model, changes),
        }

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""
        goal_w, block_w, tool_w = self._goal(engine), self._block.position(engine), self.arm.tool(engine)
        contact_m, radius_m = self._block.half(engine) + TOOL_RADIUS_M, self.config.success_radius_m
        reached, nearest_m = memory["reached"], memory["min_distance_m"]
        *terms, distance = judge_push(
            engine.xp, goal_w, block_w, tool_w, action, contact_m, radius_m, reached, nearest_m
        )
        named = dict(zip(("reach", "push", "at_goal", "effort"), terms, strict=True))
        metrics = {**progress(memory, distance), "pushed": memory["start_distance_m"] - distance}
        return Outcome(named, block_w[:, 2] < cube.FALLEN_BELOW_W_M, reached, metrics)

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`."""
        xp, tool_w, goal_w = engine.xp, self.arm.tool_view(engine), self._goal(engine)[:, :2]
        seen = self._block.observe(engine, tool_w)
        return {"proprio": self.arm.feel(engine), "object": seen, "goal": joined(xp, goal_w, goal_w - seen[:, :2])}

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.privileged`."""
        return {
            "tool_position": self.arm.tool(engine),
            **self._block.privileged(engine),
            "goal_position": self._goal(engine)[:, :2],
        }

    def expert(self) -> Policy:
        """See `Task.expert`."""
        return PushExpert(step_m=self.config.step_m, share=self.share)

    def achieved_goal(self, engine: Engine) -> Array:
        """See `ArmTask.achieved_goal`."""
        return self._block.position(engine)[:, :2]

    def desired_goal(self, engine: Engine, memory: Memory) -> Array:
        """See `ArmTask.desired_goal`."""
        return self._goal(engine)[:, :2]

    def _goal(self, engine: Engine) -> Array:
        return engine.read("mocap_pos")[:, self._goal_mocap]


def _spec(arm: PandaArm, config: ArmPushConfig) -> TaskSpec:
    return arm_spec(
        arm,
        vectors={
            "object": cube.OBSERVED,
            "goal": (*_GOAL, "block_to_goal_x_m", "block_to_goal_y_m"),
        },
        privileged={**cube.PRIVILEGED, "goal_position": _GOAL},
        privileged_texts={**cube.PRIVILEGED_TEXTS, "goal_position": "where the block's centre is to go"},
        random_fields=cube.RANDOM_FIELDS,
        sensors={"touch": TOUCH},
        randomisations=_RANDOMISATIONS,
        num_substeps=NUM_SUBSTEPS,
        max_episode_steps=config.max_episode_steps,
        reward_weights={
            "reach": config.weight_reach,
            "push": config.weight_push,
            "at_goal": config.weight_at_goal,
            "effort": config.weight_effort,
        },
        metrics={
            **distances("from the block's centre to the goal, seen from above"),
            "pushed": "by how much nearer to the goal the block is than at the start, m",
        },
        description="A seven-joint arm pushes a block to a goal on a table.",
        success=f"the block's centre came within {config.success_radius_m} m of the goal at the end of any decision",
        ends_early=cube.FALLS,
        is_recordable=True,
    )
