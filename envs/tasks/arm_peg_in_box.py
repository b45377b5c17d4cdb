"""A Panda puts the peg it holds into an open box on a table."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from robossl.core import Array, Draws, Obs, Policy, UserError
from robossl.envs.engine import Engine
from robossl.envs.host import Constants
from robossl.envs.randomisation import Randomisation
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks.arm_geometry import between
from robossl.envs.tasks.arm_rewards import judge_peg
from robossl.envs.tasks.arm_task import TABLE_GREY, ArmTask, arm_spec, require_positive
from robossl.envs.tasks.columns import joined
from robossl.envs.tasks.panda import NUM_JOINTS, IKConfig
from robossl.envs.tasks.panda_arm import ArmConfig, PandaArm
from robossl.envs.tasks.peg_expert import PegExpert
from robossl.envs.tasks.progress import distances, progress
from robossl.envs.tasks.variation import varied

NUM_SUBSTEPS = 8
TOOL_LOW_W_M, TOOL_HIGH_W_M = (0.36, -0.22, 0.01), (0.68, 0.22, 0.26)
START_RAD = (0.0, -0.1960, 0.0, -2.4893, 0.0, 2.2932, 0.7854)
REGION_W_M = (np.array([0.46, -0.13]), np.array([0.60, 0.13]))
"""Where boxes are put."""
PEG_RADIUS_M = 0.012
BOX_HEIGHT_M = 0.08
WALL_M = 0.012
FLOOR_M = 0.006
GOAL_HEIGHT_W_M = 0.02
"""Where the tip of the peg is to go: just above the floor of the box."""
OVER_BOX_M = 0.05
"""How far aside of the box's middle the peg is rewarded for going down."""

_ABOVE_BOX_M = Constants(np.array([0.0, 0.0, GOAL_HEIGHT_W_M], np.float32))
_DRAWS = (NUM_JOINTS, 2, 3, 1)
_RGB = (np.array([0.10, 0.30, 0.55]), np.array([0.35, 0.60, 0.95]))
_GOAL = ("goal_x_w_m", "goal_y_w_m", "goal_z_w_m")
_WALLS = {"wall_front": (1, 0), "wall_back": (-1, 0), "wall_left": (0, 1), "wall_right": (0, -1)}
_RANDOMISATIONS = {
    "friction": Randomisation(field="geom_friction", elements=("box_floor", *_WALLS), columns=(0,), low=0.5, high=1.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPegInBoxConfig:
    """Says how hard the task is and what its reward weighs.

    Attributes:
        step_m: the farthest the commanded tool position moves per decision along each axis.
        clearance_m: between the peg and each wall when it stands in the middle of the box.
        success_radius_m: the peg counts as in the box when its tip is this near to the goal, far below the rim.
        max_episode_steps: decisions.
        weight_align: of the peg being over the middle of the box.
        weight_insert: of its tip being near the goal, once it is over the box.
        weight_inside: of counting as in the box.
        weight_effort: of the mean square of the action.
    """

    step_m: float = 0.02
    clearance_m: float = 0.010
    success_radius_m: float = 0.03
    max_episode_steps: int = 100
    weight_align: float = 0.25
    weight_insert: float = 0.4
    weight_inside: float = 0.35
    weight_effort: float = -0.05

    def __post_init__(self) -> None:
        """Checks the numbers."""
        names = ("step_m", "clearance_m", "success_radius_m", "max_episode_steps")
        require_positive("ArmPegInBox", self, *names)
        if GOAL_HEIGHT_W_M + self.success_radius_m > BOX_HEIGHT_M:
            raise UserError(f"ArmPegInBox: success_radius_m ends above the box's rim, got {self.success_radius_m}")


class ArmPegInBox(ArmTask):
    """See `Task`. The tip of the peg must come near the floor of the box, once. The gripper stays closed."""

    scene = "arm_peg_in_box"
    goal_names = _GOAL
    levels: ClassVar[dict[str, ArmPegInBoxConfig]] = {
        "easy": ArmPegInBoxConfig(clearance_m=0.020),
        "medium": ArmPegInBoxConfig(),
        "hard": ArmPegInBoxConfig(clearance_m=0.004),
    }

    def __init__(self, config: ArmPegInBoxConfig | None = None) -> None:
        self.config = config = config or ArmPegInBoxConfig()
        self._box_mocap = self._table_geom = -1
        self._wall_geoms: list[int] = []
        arm = PandaArm(
            ArmConfig(
                step_m=config.step_m,
                low_w_m=TOOL_LOW_W_M,
                high_w_m=TOOL_HIGH_W_M,
                ik=IKConfig(posture_rad=START_RAD),
            )
        )
        super().__init__(arm, _spec(arm, config), goal_radius_m=config.success_radius_m)

    def adapt_scene(self, spec: Any) -> None:
        """See `ArmTask.adapt_scene`: builds the box around the peg."""
        inner, outer = PEG_RADIUS_M + self.config.clearance_m, PEG_RADIUS_M + self.config.clearance_m + WALL_M
        for name, (x, y) in _WALLS.items():
            wall = spec.geom(name)
            wall.size = [WALL_M / 2 if x else outer, WALL_M / 2 if y else inner, BOX_HEIGHT_M / 2]
            wall.pos = [x * (inner + WALL_M / 2), y * (inner + WALL_M / 2), BOX_HEIGHT_M / 2]
        floor = spec.geom("box_floor")
        floor.size, floor.pos = [inner, inner, FLOOR_M / 2], [0.0, 0.0, FLOOR_M / 2]

    def bind(self, model: Any) -> None:
        """See `ArmTask.bind`."""
        self._box_mocap, self._table_geom = model.body("box").mocapid[0], model.geom("table_top").id
        self._wall_geoms = [model.geom(name).id for name in _WALLS]

    def arrange(self, draws: Draws) -> dict[str, Array]:
        """See `ArmTask.arrange`."""
        unit = draws.uniform(shape=(sum(_DRAWS),))
        arm, place, colour, table = np.split(unit, np.cumsum(_DRAWS)[:-1], axis=1)
        box_w = np.zeros((len(unit), 3))
        box_w[:, :2] = between(REGION_W_M, place)
        changes = [
            ("geom_rgba", (self._wall_geoms, slice(3)), between(_RGB, colour)[:, None]),
            ("geom_rgba", (self._table_geom, slice(3)), between(TABLE_GREY, table)),
        ]
        return {
            "qpos": self.arm.start(arm),
            "mocap_pos": box_w[:, None],
            "min_distance_m": np.full(len(unit), np.inf),
            **varied(self.model, changes),
        }

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""
        goal_w, tool_w, radius_m = self._goal(engine), self.arm.tool(engine), self.config.success_radius_m
        reached, nearest_m = memory["reached"], memory["min_distance_m"]
        *terms, distance = judge_peg(engine.xp, goal_w, tool_w, action, OVER_BOX_M, radius_m, reached, nearest_m)
        named = dict(zip(("align", "insert", "inside", "effort"), terms, strict=True))
        return Outcome(named, engine.xp.zeros_like(reached), reached, progress(memory, distance))

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`."""
        goal_w = self._goal(engine)
        goal = joined(engine.xp, goal_w[:, :2], goal_w - self.arm.tool_view(engine))
        return {"proprio": self.arm.feel(engine), "goal": goal}

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.privileged`."""
        return {"tool_position": self.arm.tool(engine), "goal_position": self._goal(engine)}

    def expert(self) -> Policy:
        """See `Task.expert`."""
        config = self.config
        aside_m = min(0.5 * config.clearance_m, 0.005)
        return PegExpert(step_m=config.step_m, share=self.share, rim_w_m=BOX_HEIGHT_M, aside_m=aside_m)

    def achieved_goal(self, engine: Engine) -> Array:
        """See `ArmTask.achieved_goal`."""
        return self.arm.tool(engine)

    def desired_goal(self, engine: Engine, memory: Memory) -> Array:
        """See `ArmTask.desired_goal`."""
        return self._goal(engine)

    def _goal(self, engine: Engine) -> Array:
        (above_m,) = _ABOVE_BOX_M.on(engine)
        return engine.read("mocap_pos")[:, self._box_mocap] + above_m


def _spec(arm: PandaArm, config: ArmPegInBoxConfig) -> TaskSpec:
    return arm_spec(
        arm,
        vectors={"goal": (*_GOAL[:2], "tool_to_goal_x_m", "tool_to_goal_y_m", "tool_to_goal_z_m")},
        privileged={"goal_position": _GOAL},
        privileged_texts={"goal_position": "where the peg's tip is to go, just above the box's floor"},
        random_fields=("geom_rgba",),
        randomisations=_RANDOMISATIONS,
        num_substeps=NUM_SUBSTEPS,
        max_episode_steps=config.max_episode_steps,
        reward_weights={
            "align": config.weight_align,
            "insert": config.weight_insert,
            "inside": config.weight_inside,
            "effort": config.weight_effort,
        },
        metrics=distances("from the peg's tip to the goal"),
        description="A seven-joint arm puts the peg it holds into an open box on a table.",
        success=f"the peg's tip came within {config.success_radius_m} m of the goal, just above the box's floor, at the"
        " end of any decision",
        is_recordable=True,
    )
