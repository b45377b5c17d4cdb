"""What the arm's tasks share: a scene around the arm, its cameras, and goals that must be reached once.

What is left to a task: how an episode starts, what is seen, what is rewarded, what success is. Rewards and observations
use the engine's `xp`, and so does what is remembered.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias

from robossl.core import Array, CameraSpec, Draws, Obs, Policy, UserError
from robossl.envs.engine import Engine
from robossl.envs.motion import MotionConfig
from robossl.envs.mujoco_model import load_model, scene_file
from robossl.envs.randomisation import AnyRandomisation
from robossl.envs.sensors import Sensor
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks.panda_arm import TOOL_NAMES, PandaArm
from robossl.envs.tasks.panda_options import RANDOMISATIONS, SENSORS
from robossl.envs.tasks.progress import new_progress
from robossl.envs.tasks.units import vector

TABLE_GREY = (0.30, 0.65)
SHARE, SHARE_LED = 0.5, 0.25
"""For arms whose servos lag by 50 ms, and for those whose joints are led besides."""

Names: TypeAlias = Mapping[str, tuple[str, ...]]


class ArmTask(ABC):
    """See `Task`.

    Attributes:
        model: the compiled scene.
        scene: folder and name of the MJCF file in `robossl.assets`.
        goal_names: what `desired_goal` holds.
        goal_radius_m: how near to the desired goal what is achieved must come, in the goal-conditioned variant.
    """

    model: Any
    scene: ClassVar[str]
    goal_names: ClassVar[tuple[str, ...]]

    def __init__(self, arm: PandaArm, spec: TaskSpec, *, goal_radius_m: float) -> None:
        self.arm, self.spec, self.goal_radius_m = arm, spec, goal_radius_m

    def lead(self, motion: MotionConfig) -> None:
        """Leads the joints to their targets, from now on, instead of letting them jump there."""
        self.arm.lead(motion)
        self.spec = replace(self.spec, motion=self.arm.motion)

    @property
    def share(self) -> float:
        """The share of the way that is left that experts command at once."""
        motion = self.spec.motion
        return SHARE if motion is None or motion.acceleration_rad_s2 is None else SHARE_LED

    def build_model(self) -> Any:
        """See `Task.build_model`."""
        model = load_model(scene_file(self.scene, f"{self.scene}.xml"), self.adapt_scene)
        self.model = model
        self.arm.bind(model)
        self.bind(model)
        return model

    def new_memory(self, num_worlds: int) -> Memory:
        """See `Task.new_memory`."""
        return {**self.arm.new_memory(num_worlds), **new_progress(num_worlds)}

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """See `Task.control`: joint position targets in rad, then those of the fingers in m."""
        return self.arm.control(engine, action, memory)

    @abstractmethod
    def adapt_scene(self, spec: Any) -> None:
        """Gives the scene the sizes that the configuration asks for, before it is compiled."""

    @abstractmethod
    def bind(self, model: Any) -> None:
        """Looks up what the task needs of the compiled model."""

    def layout(self, draws: Draws) -> dict[str, Array]:
        """See `Task.layout`."""
        start = self.arrange(draws)
        return {**start, "ctrl": start["qpos"][:, : self.arm.num_joints]}  # else the wrist would feel the servos leave

    @abstractmethod
    def arrange(self, draws: Draws) -> dict[str, Array]:
        """See `Task.layout`: all but the controls."""

    @abstractmethod
    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`."""

    @abstractmethod
    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`."""

    @abstractmethod
    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.privileged`."""

    @abstractmethod
    def expert(self) -> Policy:
        """See `Task.expert`."""

    @abstractmethod
    def achieved_goal(self, engine: Engine) -> Array:
        """Returns what the goal is compared with, [N, G], m."""

    @abstractmethod
    def desired_goal(self, engine: Engine, memory: Memory) -> Array:
        """Returns the goals of the running episodes, [N, G], m."""


def arm_spec(
    arm: PandaArm,
    *,
    vectors: Names,
    privileged: Names,
    random_fields: tuple[str, ...],
    num_substeps: int,
    max_episode_steps: int,
    reward_weights: dict[str, float],
    description: str,
    success: str,
    metrics: Mapping[str, str],
    privileged_texts: Mapping[str, str],
    ends_early: str = "",
    sensors: Mapping[str, Sensor] | None = None,
    randomisations: Mapping[str, AnyRandomisation] | None = None,
    is_recordable: bool = False,
) -> TaskSpec:
    """Returns the spec of a task that sees the arm itself and `vectors` beside it; `metrics` says what each is."""
    seen = {"proprio": arm.proprio, **{key: vector(names) for key, names in vectors.items()}}
    return TaskSpec(
        control_hz=arm.config.control_hz,
        num_substeps=num_substeps,
        max_episode_steps=max_episode_steps,
        action=arm.action,
        commands=arm.commands,
        vectors=seen,
        cameras=tuple(CameraSpec(name=name, width=64, height=64) for name in ("static", "wrist", "viewer")),
        default_observation=tuple(seen),
        privileged={key: vector(names) for key, names in {"tool_position": TOOL_NAMES, **privileged}.items()},
        reward_weights=reward_weights,
        metrics=tuple(metrics),
        metric_texts=dict(metrics),
        privileged_texts={"tool_position": "the tip of the tool", **privileged_texts},
        viewer_camera="viewer",
        random_fields=random_fields,
        mjcf_sensors=(),
        sensors={**SENSORS, **(sensors or {})},
        randomisations={**(randomisations or {}), **RANDOMISATIONS},
        description=description,
        success=success,
        ends_early=ends_early,
        is_recordable=is_recordable,
    )


def require_positive(task: str, config: Any, *names: str) -> None:
    """Checks numbers of a task's configuration.

    Raises:
        UserError: naming the first that is not positive.
    """
    for name in names:
        if getattr(config, name) <= 0:
            raise UserError(f"{task}: {name} must be positive, got {getattr(config, name)}")
