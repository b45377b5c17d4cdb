"""What a task is: a model, sensors, an action map, and pure batched functions over N worlds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, CameraSpec, CommandSpec, Draws, MotionSpec, Obs, Policy
from robossl.envs.engine import Engine
from robossl.envs.host import together_on_host
from robossl.envs.randomisation import AnyRandomisation

if TYPE_CHECKING:
    from robossl.envs.sensors.sensor import Sensor

Memory = dict[str, Array]
"""What a task remembers of each world from step to step, {name: [N, ...]}; checkpointed with the physics."""


class Outcome(NamedTuple):
    """What one control step led to.

    Attributes:
        terms: {name: [N]} named, dimensionless reward terms in [-1, 1].
        terminated: [N] bool.
        success: [N] bool: would the episode count as a success if it ended now?
        metrics: {name: [N]} of the episode so far.
    """

    terms: dict[str, Array]
    terminated: Array
    success: Array
    metrics: dict[str, Array]

    def reward(self, weights: Mapping[str, Any], num_worlds: int) -> NDArray[np.float32]:
        """Returns the weighted sum [N] of the terms, in the order of `weights`, {term: weight}."""
        total = np.zeros(num_worlds, np.float32)
        for name, weight in weights.items():
            total += weight * self.terms[name]
        return total

    def info(self, diverged: NDArray[np.bool_]) -> Obs:
        """Returns what is told of the step: copies, as a task may answer with views of its memory."""
        success = self.success.astype(bool)
        told: Obs = {"success": success, "is_success": success.copy(), "diverged": diverged}
        for name, value in self.terms.items():
            told[f"reward/{name}"] = value.copy()
        for name, value in self.metrics.items():
            told[f"metric/{name}"] = value.copy()
        return told

    def on_host(self) -> "Outcome":
        """Returns it as numpy's arrays."""
        parts: dict[str, Array] = {"terminated": self.terminated, "success": self.success}
        parts |= {f"term/{name}": value for name, value in self.terms.items()}
        parts |= {f"metric/{name}": value for name, value in self.metrics.items()}
        host = together_on_host(parts)
        return Outcome(
            terms={name: host[f"term/{name}"] for name in self.terms},
            terminated=host["terminated"],
            success=host["success"],
            metrics={name: host[f"metric/{name}"] for name in self.metrics},
        )

    def forfeited(self, diverged: NDArray[np.bool_], weights: Mapping[str, Any]) -> "Outcome":
        """Takes every gain and metric from the worlds whose physics diverged; what they had to pay, they still pay.

        Args:
            diverged: [N].
            weights: {term: weight}, which tell one from the other.
        """
        gains = {name: ~(weights[name] * value <= 0) for name, value in self.terms.items()}
        return Outcome(
            terms={
                name: np.where(diverged & gains[name], value.dtype.type(0), value) for name, value in self.terms.items()
            },
            terminated=self.terminated & ~diverged,
            success=self.success & ~diverged,
            metrics={name: np.where(diverged, value.dtype.type(0), value) for name, value in self.metrics.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """What a task declares of itself.

    Attributes:
        commands: what `control` makes of the actions.
        command_texts: {command: what `control` does to it besides}, for pages of documentation.
        vectors: every non-image observation that it computes itself.
        sensors: {key: sensor} that can be observed too, each read only if somebody looks at it.
        mjcf_sensors: names of the MJCF's sensors that it looks at itself, in `sensordata`. Of the others only contact
            sensors are on, and those that an observed sensor reads; all are where None.
        cameras: every camera with its default size.
        default_observation: the keys an agent gets unless it asks for others, e.g. ("rgb_front", "proprio").
        privileged: simulator state for probes and experts.
        privileged_texts: {key: what it is}, for pages of documentation.
        reward_weights: {term: weight}.
        metrics: names in Outcome.metrics.
        metric_texts: {metric: what it is, with its unit}, for pages of documentation.
        record: fields the engine reads as every substep begins, handed to `outcome`.
        viewer_camera: the camera for a person's videos.
        random_fields: the model fields that its own layout randomises.
        randomisations: {name: what may differ between episodes, where somebody asks for it}.
        motion: how an arm's joints are led to their targets; None where they jump.
        ends_early: when an episode ends before `max_episode_steps`, e.g. "at the first contact"; never where empty.
        is_recordable: whether `control`, `outcome` and `observe` do the same operations at every step, on fields of the
            engine, memory that they change in place and what they are given, which they leave as it is, without a look
            at any values: a GPU then repeats them from a recording, and their Python runs no more.
    """

    control_hz: float
    num_substeps: int
    max_episode_steps: int
    action: ArraySpec
    vectors: dict[str, ArraySpec]
    cameras: tuple[CameraSpec, ...]
    default_observation: tuple[str, ...]
    privileged: dict[str, ArraySpec]
    reward_weights: dict[str, float]
    metrics: tuple[str, ...]
    viewer_camera: str
    metric_texts: dict[str, str] = field(default_factory=dict)
    privileged_texts: dict[str, str] = field(default_factory=dict)
    record: tuple[str, ...] = ()
    sensors: "dict[str, Sensor]" = field(default_factory=dict)
    mjcf_sensors: tuple[str, ...] | None = None
    random_fields: tuple[str, ...] = ()
    randomisations: dict[str, AnyRandomisation] = field(default_factory=dict)
    commands: tuple[CommandSpec, ...] = ()
    command_texts: dict[str, str] = field(default_factory=dict)
    motion: MotionSpec | None = None
    is_recordable: bool = False
    description: str = ""
    success: str = ""
    ends_early: str = ""


class Task(Protocol):
    """Resets, observes, rewards, terminates; nothing else. All functions are over arrays with a leading axis N.

    The per-step functions use `engine.xp` and elementwise or per-world operations only, so that a world's numbers do
    not depend on how many others there are.
    """

    spec: TaskSpec

    def build_model(self) -> Any:
        """Compiles the task's MJCF into an `MjModel`."""

    def new_memory(self, num_worlds: int) -> Memory:
        """Returns zeroed memory for N worlds."""

    def layout(self, draws: Draws) -> dict[str, Array]:
        """Draws what n episodes begin with; on the host, and for many episodes before they are asked for.

        Returns:
            {name: [n, ...]} of state fields and model fields by their MuJoCo names, and of `new_memory`; the same names
            every time. Whatever is not named begins at the model's default, or at zero. A row depends on its own
            episode's numbers alone.
        """

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """Maps actions [N, A] in [-1, 1] to actuator controls [N, num_actuators] in SI units."""

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """Judges the step just made, whose action was asked for, however late it acts; updates `memory` in place.

        Args:
            engine: after the step.
            action: [N, A] in [-1, 1].
            recorded: {name: [N, num_substeps, ...]} of `spec.record`, as every substep began.
            memory: the task's.
        """

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """Returns all of `spec.vectors`, {key: [N, D]} float32."""

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """Returns `spec.privileged`, {key: [N, ...]}."""

    def expert(self) -> Policy | None:
        """Returns the scripted expert: a `Policy` that reads `privileged`."""
