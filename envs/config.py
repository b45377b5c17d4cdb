"""How an environment is chosen and built."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Literal

import numpy as np

from robossl.core import Stream, UserError
from robossl.core.processor import require_num_threads
from robossl.envs.fitting import fit
from robossl.envs.motion import MotionConfig
from robossl.envs.randomisation import GREATEST, Span, span_of
from robossl.envs.sensor_model import LONGEST_DELAY_S, SensorModel

EngineName = Literal["mujoco", "bullet", "warp"]
RendererName = Literal["raycast", "gl", "warp"]
Difficulty = Literal["easy", "medium", "hard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvConfig:
    """Chooses an environment.

    Attributes:
        id: a robossl id, or any installed Gymnasium id.
        difficulty: for tasks that have levels; what the task is by itself where None.
        num_worlds: worlds stepped together.
        observations: keys the agent sees; the task's default where None.
        image_size: width and height of every camera in pixels; the task's default where None.
        renderer: fixed for a run: other renderers give other pixels.
        engine: of the physics; a policy trained in one can be checked in the others.
        device: where engine `warp` runs: cpu, cuda or cuda:<number>; a GPU if there is one where None.
        num_threads: for physics and pictures; all cores where None.
        delay_s: from an observation to the moment when the command that it led to takes effect, in whole physics steps;
            of the whole way through a robot's network, whatever its parts.
        motion: how an arm's joints are led to their targets, as the profile of a robot bounds them; not at all unless
            told.
        sensors: {observation: how it is imperfect, as a model or its fields}; those that are not named are perfect.
        randomise: {what the task declares: the range, or the one value, that it is drawn from}; "all" stands for every
            declared range, the full one at 1 and half of it at 0.5. What is not named is as the task has it.
    """

    id: str = "robossl/RingCorridor-v0"
    difficulty: Difficulty | None = None
    num_worlds: int = 32
    observations: tuple[str, ...] | None = None
    image_size: tuple[int, int] | None = None
    renderer: RendererName = "raycast"
    engine: EngineName = "mujoco"
    device: str | None = None
    num_threads: int | None = None
    delay_s: float = 0.0
    motion: MotionConfig = field(default_factory=MotionConfig)
    sensors: dict[str, SensorModel] = field(default_factory=dict)
    randomise: dict[str, float | Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the fields, and takes lists for tuples and mappings for configs."""
        fit(self, EnvConfig, "env.", but=("difficulty", "randomise"))  # a task knows its levels, `_span` the ranges
        if not isinstance(self.randomise, Mapping):
            raise UserError(f"env.randomise must be a dict, got {self.randomise!r}")
        object.__setattr__(self, "randomise", {name: _span(name, value) for name, value in self.randomise.items()})
        if self.num_worlds < 1:
            raise UserError(f"env.num-worlds must be at least 1, got {self.num_worlds}")
        observations = self.observations or ()
        if len(set(observations)) < len(observations):
            raise UserError(f"env.observations names some more than once: {' '.join(observations)}")
        if self.image_size is not None and min(self.image_size) < 1:
            raise UserError(f"env.image-size must be positive, got {self.image_size}")
        require_num_threads("env.num-threads", self.num_threads)
        if not 0 <= self.delay_s < math.inf:
            raise UserError(f"env.delay-s must be finite and not negative, got {self.delay_s}")
        if self.delay_s > LONGEST_DELAY_S:
            raise UserError(f"env.delay-s must be at most {LONGEST_DELAY_S:g}, got {self.delay_s}")
        for name, span in self.randomise.items():
            low, high = span_of(span)
            if not -GREATEST < low <= high < GREATEST:
                raise UserError(f"env.randomise.{name}: a range goes from low to high, got {low:g} {high:g}")


def _span(name: str, value: object) -> float | Span:
    """Returns the one value, or the range, that something is drawn from."""
    ends = np.atleast_1d(np.array(value, object))
    if ends.shape not in ((1,), (2,)) or not all(isinstance(end, Real) and not isinstance(end, bool) for end in ends):
        raise UserError(f"env.randomise.{name}: a range is one number, or its lowest and its highest, got {value!r}")
    return (float(ends[0]), float(ends[1])) if len(ends) == 2 else float(ends[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSeed:
    """Which worlds: the run's seed and the family of episodes."""

    seed: int = 0
    stream: Stream = Stream.TRAIN

    def __post_init__(self) -> None:
        """Checks the seed: what does not fit into 32 bits would stand for another one."""
        fit(self, WorldSeed, "", but=("stream",))
        if not 0 <= self.seed < 2**32:
            raise UserError(f"a seed goes from 0 to {2**32 - 1}, got {self.seed}")
