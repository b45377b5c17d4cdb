"""A Panda grips a block on a table and lifts it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from robossl.core import Array, Draws, Obs, Policy, UserError
from robossl.envs.engine import Engine
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks import block as cube
from robossl.envs.tasks.arm_geometry import between
from robossl.envs.tasks.arm_rewards import judge_lift, tolerance
from robossl.envs.tasks.arm_task import TABLE_GREY, ArmTask, arm_spec, require_positive
from robossl.envs.tasks.block import Block
from robossl.envs.tasks.lift_expert import LiftExpert
from robossl.envs.tasks.panda import FINGER_OPEN_M, NUM_JOINTS, IKConfig
from robossl.envs.tasks.panda_arm import ArmConfig, PandaArm
from robossl.envs.tasks.progress import distances, progress
from robossl.envs.tasks.variation import varied

NUM_SUBSTEPS = 6
TOOL_LOW_W_M, TOOL_HIGH_W_M = (0.36, -0.22, 0.016), (0.68, 0.22, 0.36)
START_RAD = (0.0, 0.1743, 0.0, -2.3999, 0.0, 2.5742, 0.7854)
REGION_W_M = (np.array([0.44, -0.14]), np.array([0.60, 0.14]))
"""Where blocks are put."""
ABOVE_M = (0.03, 0.08)
"""How far above the height that counts the goals of the goal-conditioned variant are."""
GOAL_RADIUS_M = 0.05
BETWEEN_FINGERS_M = 0.025
"""From the tool to the centre of a block that is between the fingers."""
SQUEEZE_M = 0.01
"""How far behind their command fingers are that press on something."""

_DRAWS = (NUM_JOINTS, 2, 1, 1, 5, 1)
_GOAL = ("goal_x_w_m", "goal_y_w_m", "goal_z_w_m")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmLiftConfig:
    """Says how hard the task is and what its reward weighs.

    Attributes:
        step_m: the farthest the commanded tool position moves per decision along each axis.
        lift_m: how high above the table the block must be.
        block_half_m: half the block's edge.
        yaw_rad: how far the block may be turned from standing square between the fingers.
        mass_kg, friction: bounds that the block's are drawn from.
        max_episode_steps: decisions.
        weight_reach: of the block being between the fingers.
        weight_grip: of the fingers pressing on it there.
        weight_lift: of its height above the table.
        weight_lifted: of the height that counts.
        weight_effort: of the mean square of the action.
    """

    step_m: float = 0.02
    lift_m: float = 0.15
    block_half_m: float = 0.024
    yaw_rad: float = 0.35
    mass_kg: tuple[float, float] = (0.05, 0.20)
    friction: tuple[float, float] = (0.6, 1.0)
    max_episode_steps: int = 100
    weight_reach: float = 0.2
    weight_grip: float = 0.2
    weight_lift: float = 0.3
    weight_lifted: float = 0.3
    weight_effort: float = -0.05

    def __post_init__(self) -> None:
        """Checks the numbers."""
        require_positive("ArmLift", self, "step_m", "lift_m", "block_half_m", "max_episode_steps")
        if not 0 <= self.yaw_rad <= np.pi / 4:
            raise UserError(f"ArmLift: yaw_rad must be in [0, pi/4], got {self.yaw_rad}")
        width = 2 * self.block_half_m * (np.cos(self.yaw_rad) + np.sin(self.yaw_rad))
        if width >= 2 * FINGER_OPEN_M:
            raise UserError(
                f"ArmLift: a block of half_m {self.block_half_m} turned by {self.yaw_rad} rad does not fit between the"
                " fingers"
            )
        highest = TOOL_HIGH_W_M[2] - self.block_half_m - ABOVE_M[1]
        if self.lift_m > highest:
            raise UserError(f"ArmLift: lift_m must be at most {highest:.3f}, got {self.lift_m}")


class ArmLift(ArmTask):
    """See `Task`. The block must be lifted high enough, once."""

    scene = "arm_lift"
    goal_names = _GOAL
    levels: ClassVar[dict[str, ArmLiftConfig]] = {
        "easy": ArmLiftConfig(lift_m=0.08, yaw_rad=0.0, mass_kg=(0.05, 0.10)),
        "medium": ArmLiftConfig(),
        "hard": ArmLiftConfig(block_half_m=0.035, yaw_rad=0.05, mass_kg=(0.1, 0.4), friction=(0.4, 0.8)),
    }

    def __init__(self, config: ArmLiftConfig | None = None) -> None:
        self.config = config = config or ArmLiftConfig()
        self._block = Block(config.block_half_m)
        self._table_geom = -1
        arm = PandaArm(
            ArmConfig(
                step_m=config.step_m,
                low_w_m=TOOL_LOW_W_M,
                high_w_m=TOOL_HIGH_W_M,
                has_gripper=True,
                ik=IKConfig(posture_rad=START_RAD),
            )
        )
        super().__init__(arm, _spec(arm, config), goal_radius_m=GOAL_RADIUS_M)

    def adapt_scene(self, spec: Any) -> None:
        """See `ArmTask.adapt_scene`."""
        spec.geom("block_box").size = [self.config.block_half_m] * 3

    def bind(self, model: Any) -> None:
        """See `ArmTask.bind`."""
        self._block.bind(model)
        self._table_geom = model.geom("table_top").id

    def new_memory(self, num_worlds: int) -> Memory:
        """See `Task.new_memory`."""
        return {**super().new_memory(num_worlds), "goal_w": np.zeros((num_worlds, 3), np.float32)}

    def arrange(self, draws: Draws) -> dict[str, Array]:
        """See `ArmTask.arrange`."""
        unit = draws.uniform(shape=(sum(_DRAWS),))
        arm, place, yaw, above, block, table = np.split(unit, np.cumsum(_DRAWS)[:-1], axis=1)
        config, place = self.config, between(REGION_W_M, place)
        pose = self._block.pose(place, config.yaw_rad * (2 * yaw[:, 0] - 1))
        goal_z = config.block_half_m + config.lift_m + between(ABOVE_M, above)
        changes = self._block.changes(config.mass_kg, config.friction, block)
        changes += [("geom_rgba", (self._table_geom, slice(3)), between(TABLE_GREY, table))]
        return {
            "qpos": np.concatenate([self.arm.start(arm), pose], axis=1),
            "goal_w": np.concatenate([place, goal_z], axis=1),
            "min_distance_m": np.full(len(unit), config.lift_m),
            **varied(self.model, changes),
        }

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""
        xp, config, block_w = engine.xp, self.config, self._block.position(engine)
        reached, nearest_m = memory["reached"], memory["min_distance_m"]
        squeeze = tolerance(xp, self.arm.squeeze(engine), SQUEEZE_M, FINGER_OPEN_M, SQUEEZE_M)
        *terms, distance = judge_lift(
            xp,
            block_w,
            self.arm.tool(engine),
            squeeze,
            action,
            BETWEEN_FINGERS_M,
            config.block_half_m,
            config.lift_m,
            reached,
            nearest_m,
        )
        named = dict(zip(("reach", "grip", "lift", "lifted", "effort"), terms, strict=True))
        return Outcome(named, block_w[:, 2] < cube.FALLEN_BELOW_W_M, reached, progress(memory, distance))

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`."""
        seen = self._block.observe(engine, self.arm.tool_view(engine))
        return {"proprio": self.arm.feel(engine), "object": seen}

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.privileged`."""
        return {
            "tool_position": self.arm.tool(engine),
            **self._block.privileged(engine),
            "goal_position": engine.xp.asarray(memory["goal_w"], copy=True),
            "finger_opening": self.arm.opening(engine)[:, None],
        }

    def expert(self) -> Policy:
        """See `Task.expert`."""
        config = self.config
        turned = {"block_half_m": config.block_half_m, "yaw_rad": config.yaw_rad}
        return LiftExpert(step_m=config.step_m, share=self.share, **turned)

    def achieved_goal(self, engine: Engine) -> Array:
        """See `ArmTask.achieved_goal`."""
        return self._block.position(engine)

    def desired_goal(self, engine: Engine, memory: Memory) -> Array:
        """See `ArmTask.desired_goal`."""
        return engine.xp.asarray(memory["goal_w"], copy=True)


def _spec(arm: PandaArm, config: ArmLiftConfig) -> TaskSpec:
    return arm_spec(
        arm,
        vectors={"object": cube.OBSERVED},
        privileged={**cube.PRIVILEGED, "goal_position": _GOAL, "finger_opening": ("opening_m",)},
        privileged_texts={
            **cube.PRIVILEGED_TEXTS,
            "goal_position": "where ArmLiftGoal wants the block's centre, above the height that counts",
            "finger_opening": "how far apart the fingers are",
        },
        random_fields=cube.RANDOM_FIELDS,
        randomisations=cube.randomisations(config.mass_kg, config.friction),
        num_substeps=NUM_SUBSTEPS,
        max_episode_steps=config.max_episode_steps,
        reward_weights={
            "reach": config.weight_reach,
            "grip": config.weight_grip,
            "lift": config.weight_lift,
            "lifted": config.weight_lifted,
            "effort": config.weight_effort,
        },
        metrics=distances("from the block to the height that counts"),
        description="A seven-joint arm with a gripper lifts a block off a table.",
        success=f"the block was more than {config.lift_m} m above the table at the end of any decision",
        ends_early=cube.FALLS,
        is_recordable=True,
    )
