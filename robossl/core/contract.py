"""What a bundle promises of its policy: everything that a robot must know to feed it and to obey it.

A contract is plain data, written by `robossl export` and read by the robot's side; both import this one file.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from robossl.core.errors import UserError
from robossl.core.specs import CommandSpec, MotionSpec, RenderSpec

FORMAT = 1
ACTION, COMMAND = "action", "command"
"""Names of the graph's outputs: [B, A] in [-1, 1], and [B, C] what `Contract.commands` says, in SI units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What an input's element (or a picture's channel) was in training.

    Attributes:
        low, high: the least and the greatest.
        q01, q99: the 1 % and the 99 % quantile.
    """

    low: float
    q01: float
    q99: float
    high: float

    def __post_init__(self) -> None:
        """Checks the order."""
        if not self.low <= self.q01 <= self.q99 <= self.high:
            raise UserError(f"a range must ascend, got {self.low}, {self.q01}, {self.q99}, {self.high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementSpec:
    """One number of a vector.

    Attributes:
        name: unique in its vector.
        unit: SI; "1" for a pure number, "" where unknown.
        joint: the model's joint that it is the position (unit rad or m) or the velocity (rad/s or m/s) of.
        low, high: bounds; None where there are none.
        seen: its range in training.
    """

    name: str
    unit: str
    joint: str | None
    low: float | None
    high: float | None
    seen: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorInput:
    """A float32 vector [B, D].

    Attributes:
        name: of the graph's input.
        shape: (D,).
        max_age_s: how old it may be when the policy acts on it.
        elements: D of them, in order.
    """

    kind: Literal["vector"] = "vector"
    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32"] = "float32"
    max_age_s: float
    elements: tuple[ElementSpec, ...]

    def __post_init__(self) -> None:
        """Checks that every element is described once."""
        _require(
            self.shape == (len(self.elements),), f"shape {self.shape} is not that of {len(self.elements)} elements"
        )
        _require_unique("element", [element.name for element in self.elements])
        _require(self.max_age_s > 0, f"max_age_s must be positive, got {self.max_age_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraInput:
    """The newest frames of a camera [B, K, H, W, C], oldest first, channels last, as a camera delivers them.

    A frame of another size is cropped, then resized to (H, W); one of the right size is taken as it is.

    Attributes:
        name: of the graph's input.
        shape: (K, H, W, C).
        dtype: uint8 colours in 0..255, or float32 distances in m.
        modality: what the pixels are.
        sensor: the camera's name in the model.
        encoding: of a frame, by ROS's name.
        crop: the largest rectangle of W : H in the middle.
        resize: by averaging over areas.
        padding: at an episode's start the first frame stands for all K.
        max_age_s: how old the newest frame may be when the policy acts on it.
        seen: each channel's range in training.
    """

    kind: Literal["camera"] = "camera"
    name: str
    shape: tuple[int, int, int, int]
    dtype: Literal["uint8", "float32"]
    modality: Literal["rgb", "depth"]
    sensor: str
    encoding: Literal["rgb8", "32FC1"]
    crop: Literal["centre"] = "centre"
    resize: Literal["area"] = "area"
    padding: Literal["first"] = "first"
    max_age_s: float
    seen: tuple[Range, ...]

    def __post_init__(self) -> None:
        """Checks that the fields describe one kind of picture."""
        expected = {"rgb": ("uint8", "rgb8", 3), "depth": ("float32", "32FC1", 1)}[self.modality]
        found = (self.dtype, self.encoding, self.shape[-1])
        _require(found == expected, f"a frame of {self.modality} is {expected}, got {found}")
        _require(min(self.shape) > 0, f"every size must be positive, got {self.shape}")
        _require(len(self.seen) == self.shape[-1], f"{len(self.seen)} ranges for {self.shape[-1]} channels")
        _require(self.max_age_s > 0, f"max_age_s must be positive, got {self.max_age_s}")


InputSpec: TypeAlias = VectorInput | CameraInput


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSpec:
    """What a recurrent policy remembers: a float32 input, and the output `next_<name>` that replaces it.

    Attributes:
        shape: without the batch axis.
        initial: its values at an episode's start, flat.
    """

    name: str
    shape: tuple[int, ...]
    initial: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """Where the policy comes from.

    Attributes:
        env: id of the environment.
        engine: of physics, with its version.
        render: how its pictures were made; None where it saw none.
        agent: the algorithm.
        run, step: the run, and the environment steps its checkpoint had made.
        motion: how the arm's joints were led to their targets; None where they jumped.
    """

    env: str
    engine: str
    render: RenderSpec | None
    agent: str
    run: str
    step: int
    motion: MotionSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What the policy takes, how often, and what it gives.

    Attributes:
        format: of this file.
        robossl: version that wrote it.
        policy: the graph's file in the bundle.
        opset: its ONNX operator set.
        control_hz: how often it acts: in training, and therefore on the robot.
        inputs: in the graph's order.
        actions: names of the elements of the output `action`.
        commands: elements of the output `command`, in order.
        initial_state: empty for a policy without memory.
    """

    format: int = FORMAT
    robossl: str
    trained_on: TrainedOn
    policy: str
    opset: int
    control_hz: float
    inputs: tuple[InputSpec, ...]
    actions: tuple[str, ...]
    commands: tuple[CommandSpec, ...]
    initial_state: tuple[StateSpec, ...] = ()

    def __post_init__(self) -> None:
        """Checks that the parts fit together."""
        _require(self.format == FORMAT, f"this is format {self.format}; this version of robossl reads format {FORMAT}")
        _require(self.control_hz > 0, f"control_hz must be positive, got {self.control_hz}")
        _require(len(self.inputs) > 0 and len(self.commands) > 0, "there must be inputs and commands")
        names = [part.name for part in (*self.inputs, *self.initial_state)]
        _require_unique("input", names)
        _require_unique("action", list(self.actions))
        _require_unique("command", [command.name for command in self.commands])
        for command in self.commands:
            known = command.source is None or 0 <= command.source < len(self.actions)
            _require(known, f"command {command.name!r} scales action {command.source} of {len(self.actions)}")

    @property
    def period_s(self) -> float:
        """Returns the time between two actions."""
        return 1.0 / self.control_hz


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise UserError(otherwise)


def _require_unique(what: str, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1 or not name), None)
    _require(twice is None, f"{what} names must be unique and not empty, got {twice!r}")
