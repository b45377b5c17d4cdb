"""What an environment promises: names, shapes, rates and limits of everything that enters and leaves it.

Specs are plain data. They are written into configs, datasets, checkpoints and bundles, and compared there.
"""

import re
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from robossl.core.errors import UserError
from robossl.core.strict_json import from_json

MODALITIES = ("rgb", "depth", "segmentation", "bodies", "objects", "normals", "flow")

TRUTH_PREFIX = "privileged_"
"""Datasets keep `privileged()` as observations under its keys with this before them."""

LOOK = re.compile(r"look[1-9][0-9]*_")
"""Begins the keys of pictures of the same states under random appearances: `look1_rgb_front` is one of `rgb_front`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """One array without its leading world axis.

    Attributes:
        low, high: bounds of every element.
        names: one name (with unit) per element of a vector, or per column of a series, where it has them.
        units: the SI unit of each named element, or of each column of a series ("1" for a pure number), where known.
        joints: the model's joint that each named element is of, "" for none; empty where no element is of a joint.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float = -float("inf")
    high: float = float("inf")
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks the dtype."""
        try:
            np.dtype(self.dtype)
        except TypeError as error:
            raise UserError(f"there is no dtype {self.dtype!r}") from error

    @property
    def is_image(self) -> bool:
        """Tells whether this is an [H, W, C] picture."""
        return len(self.shape) == 3

    @property
    def num_bytes(self) -> int:
        """Bytes of one array."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointSpec:
    """A quantity whose set-point a command moves by its value in every control step, in the command's unit.

    Attributes:
        low, high: where the set-point is kept.
        max_lead: how far from the measured quantity it is kept.
    """

    name: str
    low: float
    high: float
    max_lead: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """A physical quantity that actions stand for: clip(offset + scale * action[source], low, high).

    Attributes:
        unit: SI; "1" for a pure number, "" where unknown.
        source: the action's index; None where the quantity is always `offset`.
        low, high: limits.
        moves: the set-point that it moves; None where it is the set-point itself.
    """

    name: str
    unit: str
    source: int | None
    scale: float
    offset: float
    low: float
    high: float
    moves: SetpointSpec | None = None

    def __post_init__(self) -> None:
        """Checks the limits."""
        if not self.low <= self.offset <= self.high:
            raise UserError(f"command {self.name!r}: {self.offset} is outside its limits [{self.low}, {self.high}]")
        if self.source is None and self.scale != 0:
            raise UserError(f"command {self.name!r} has a scale but no action that it scales")
        if self.moves is not None and not (self.moves.low < self.moves.high and self.moves.max_lead > 0):
            raise UserError(f"command {self.name!r}: the set-point {self.moves.name!r} has no room to move")


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionSpec:
    """How the joints of a simulated arm were led to their targets, as a robot's guard and controller lead them.

    Attributes:
        joints: the model's names.
        velocity_rad_s: greatest of each joint's commands.
        acceleration_rad_s2: likewise; None where commands jumped from target to target.
        blend_s: time over which the velocity limits rose from zero at an episode's start.
        horizon_periods: the time, in control periods, in which a joint went to its command; None where at once.
    """

    joints: tuple[str, ...]
    velocity_rad_s: tuple[float, ...]
    acceleration_rad_s2: tuple[float, ...] | None
    blend_s: float
    horizon_periods: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """A camera and the size of its pictures.

    Attributes:
        of: the model's camera that it moves with; the one of its own name where None.
        shift_m: how far to the right of that one it is.
    """

    name: str
    width: int
    height: int
    of: str | None = None
    shift_m: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSpec:
    """How pictures are made. Fixed in a run: other settings give other pixels.

    Attributes:
        renderer: the implementation.
        version: of the implementation; raised when its pixels change.
    """

    renderer: str
    version: int
    cameras: tuple[CameraSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSpec:
    """Everything that a dataset, a checkpoint or a robot needs to know of an environment.

    Attributes:
        observation: the policy group: what the agent sees.
        action: always in [-1, 1].
        commands: what the actions are mapped to.
        privileged: simulator state for probes and experts, never for the agent.
        metrics: names of the episode's metrics in `info`, beside success.
        camera_names: the cameras that the model has, drawn or not.
        motion: how an arm's joints were led; None where nothing is said: servos were given each target at once.
    """

    id: str
    control_hz: float
    max_episode_steps: int
    observation: dict[str, ArraySpec]
    action: ArraySpec
    privileged: dict[str, ArraySpec] = field(default_factory=dict)
    reward_terms: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    camera_names: tuple[str, ...] = ()
    render: RenderSpec | None = None
    commands: tuple[CommandSpec, ...] = ()
    motion: MotionSpec | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the spec as JSON values."""
        fields: dict[str, Any] = _finite_json(asdict(self))
        return fields

    @classmethod
    def from_json(cls, data: Any, *, file: str) -> "EnvSpec":
        """Builds the spec from `to_json`'s values.

        Raises:
            UserError: one line with file and key, for the first thing that does not fit.
        """
        return from_json(cls, _without_infinities(data), file=file)


def image_keys(observation: dict[str, ArraySpec]) -> tuple[str, ...]:
    """Returns the keys of the colour pictures: what is stacked, shifted and drawn."""
    return tuple(key for key, spec in observation.items() if spec.is_image and spec.dtype == "uint8")


def require_same_observation(expected: EnvSpec, actual: EnvSpec, *, where: str) -> None:
    """Checks that a policy made for one environment can see through another.

    Raises:
        UserError: naming the first thing that differs.
    """
    for key in sorted(set(expected.observation) | set(actual.observation)):
        old, new = expected.observation.get(key), actual.observation.get(key)
        if old is None or new is None or (old.shape, old.dtype) != (new.shape, new.dtype):
            raise UserError(f"{where}: observation {key!r} was {_describe(old)} and is now {_describe(new)}")
    if expected.action.shape != actual.action.shape:
        raise UserError(f"{where}: the action had shape {expected.action.shape} and now has {actual.action.shape}")
    if expected.render != actual.render:
        raise UserError(f"{where}: pictures were made with {expected.render} and are now made with {actual.render}")


def require_same_control(expected: EnvSpec, actual: EnvSpec, *, where: str) -> None:
    """Checks that an action does in one environment what it did in another, and for as long.

    Raises:
        UserError: naming the first thing that differs.
    """
    if expected.control_hz != actual.control_hz:
        raise UserError(
            f"{where}: it was trained with {expected.control_hz:g} decisions a second; {actual.id} now makes"
            f" {actual.control_hz:g}, and it must be trained anew"
        )
    if not expected.commands:  # runs from before commands were told
        return
    old, new = ([(part.name, part.scale, part.offset) for part in spec.commands] for spec in (expected, actual))
    for before, now in zip_longest(old, new):
        if before != now:
            raise UserError(f"{where}: {_meaning(before)} was commanded; now it is {_meaning(now)}: train anew")


def _meaning(command: tuple[str, float, float] | None) -> str:
    return "nothing" if command is None else f"{command[0]} = {command[2]:g} + {command[1]:g} * action"


def _describe(spec: ArraySpec | None) -> str:
    return "absent" if spec is None else f"{spec.dtype}{list(spec.shape)}"


def _finite_json(value: Any) -> Any:
    """Writes infinities as text: JSON has none."""
    if isinstance(value, dict):
        return {key: _finite_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite_json(item) for item in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _without_infinities(value: Any) -> Any:
    """Leaves out what `_finite_json` wrote as text: bounds that are infinite where nothing is said."""
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items() if item not in ("inf", "-inf")}
    return [_without_infinities(item) for item in value] if isinstance(value, list) else value
