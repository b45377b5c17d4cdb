"""From messages to what the policy takes: numbers by name, frames by camera, each fresh, in the contract's order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Contract, UserError
from robossl.core.contract import CameraInput, VectorInput
from robossl.deploy.clearance import Ways
from robossl.deploy.familiarity import Familiarity
from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import ArmLimits, BaseLimits
from robossl.deploy.mailbox import Mailbox
from robossl.deploy.motion import Fault, Measured
from robossl.deploy.pictures import filled, fit_picture, same_kind
from robossl.deploy.profile import RobotProfile
from robossl.deploy.topics import CameraTopic, InputTopic, JointsInput, ScanInput, StopInput
from robossl.deploy.values import (
    given_values,
    look_up,
    parts_of,
    require_one_source,
    require_same_order,
    tool_name,
    value_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is known in one control period.

    Attributes:
        inputs: the policy's, {name: [1, ...]}; None where one is missing.
        measured: the robot's own motion; None where it is not known.
        values: all named numbers.
        faults: what is wrong.
        unfamiliarity: see `Familiarity`; the greatest of all inputs.
        strangest: what that is the score of.
        age_s: of the oldest reading that the policy acts on.
    """

    inputs: Mapping[str, NDArray[Any]] | None
    measured: Measured | None
    values: Mapping[str, float]
    faults: tuple[Fault, ...]
    unfamiliarity: float
    strangest: str
    age_s: float


class ObservationBuilder:
    """Collects messages and builds the observation of a period from the newest ones.

    Raises:
        UserError: if the profile has no source for something that the contract asks for, or two, or joints in another
            order.
    """

    def __init__(self, contract: Contract, profile: RobotProfile) -> None:
        require_same_order(contract, profile)
        require_one_source(profile)
        self._contract, self._limits = contract, profile.limits
        tool = profile.limits.tool if isinstance(profile.limits, ArmLimits) else None
        self._kinematics = ToolKinematics(tool) if tool else None
        self._tool_name = tool_name(profile)
        unscored = profile.safety.unscored
        self._familiarity = {spec.name: Familiarity(spec, unscored=unscored) for spec in contract.inputs}
        self._rings: dict[str, list[NDArray[Any]]] = {}
        vectors = [spec for spec in contract.inputs if isinstance(spec, VectorInput)]
        cameras = {spec.name: _camera_topic(spec, profile) for spec in contract.inputs if isinstance(spec, CameraInput)}
        self._keys = {spec.name: tuple(value_key(element, profile) for element in spec.elements) for spec in vectors}
        parts = {part for keys in self._keys.values() for key in keys for part in parts_of(key)}
        needed = [source for source in profile.inputs if _is_needed(source, parts, [*cameras.values()], profile)]
        self.mailboxes = {source.topic: _mailbox(source, contract, profile) for source in needed}
        self._cameras = {name: self.mailboxes[source.topic] for name, source in cameras.items()}

    def receive(self, topic: str, message: Any, t_s: float) -> None:
        """Takes a message of a topic at the time it came."""
        self.mailboxes[topic].put(message, t_s)

    def restart(self) -> None:
        """Begins a new episode: the next frame fills its whole stack."""
        self._rings.clear()

    def clear(self) -> None:
        """Forgets every message, as after a fault, but not a pressed stop: only the button takes that back."""
        self.restart()
        for mailbox in self.mailboxes.values():
            if not isinstance(mailbox.source, StopInput):
                mailbox.clear()

    def build(self, t_s: float) -> Observation:
        """Returns the observation at `t_s`; each call pushes one frame per camera, as each step in training did."""
        values = self._values()
        faults = [fault for mailbox in self.mailboxes.values() for fault in mailbox.faults(t_s)]
        vectors, frames = self._vectors(values), self._frames()
        inputs: dict[str, NDArray[Any]] | None = None
        unfamiliarity, strangest = 0.0, ""
        if vectors is not None and frames is not None:
            inputs = vectors | {name: self._stacked(name, frame) for name, frame in frames.items()}
            parts = {name: vector[0] for name, vector in vectors.items()} | frames
            scores = {name: self._familiarity[name].score(part) for name, part in parts.items()}
            worst = max(scores, key=scores.__getitem__)
            unfamiliarity, strangest = scores[worst], self._familiarity[worst].strangest(parts[worst])
        boxes = [box for box in self.mailboxes.values() if not isinstance(box.source, StopInput)]
        ages_s = [box.age_s(t_s) for box in boxes if box.max_age_s is not None]
        return Observation(
            inputs=inputs,
            measured=self._measured(values),
            values=values,
            faults=tuple(faults),
            unfamiliarity=unfamiliarity,
            strangest=strangest,
            age_s=max(ages_s),
        )

    def _values(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for mailbox in self.mailboxes.values():
            if mailbox.reading is not None:
                values |= mailbox.reading.values
        if self._kinematics is not None and isinstance(self._limits, ArmLimits):
            joints = [values.get(f"position:{joint.model}") for joint in self._limits.joints]
            if None not in joints:
                tool_w_m = self._kinematics.positions(np.array([joints], np.float64))[0]
                values |= {f"{self._tool_name}_{axis}_w_m": float(x) for axis, x in zip("xyz", tool_w_m, strict=True)}
        return values

    def _vectors(self, values: Mapping[str, float]) -> dict[str, NDArray[Any]] | None:
        vectors: dict[str, NDArray[Any]] = {}
        for name, keys in self._keys.items():
            numbers = [look_up(key, values) for key in keys]
            if None in numbers:
                return None
            vectors[name] = np.array([numbers], np.float32)
        return vectors

    def _frames(self) -> dict[str, NDArray[Any]] | None:
        frames: dict[str, NDArray[Any]] = {}
        for spec in self._contract.inputs:
            if isinstance(spec, CameraInput):
                reading = self._cameras[spec.name].reading
                if reading is None or reading.picture is None:
                    return None
                whole = filled(reading.picture, spec.seen[0].low, spec.seen[0].high)
                frames[spec.name] = fit_picture(whole, spec.shape[1], spec.shape[2])
        return frames

    def _stacked(self, name: str, frame: NDArray[Any]) -> NDArray[Any]:
        """Pushes a frame and returns the last K [1, K, H, W, C], oldest first."""
        num_frames = next(spec.shape[0] for spec in self._contract.inputs if spec.name == name)
        ring = self._rings.setdefault(name, [frame] * num_frames)
        ring.append(frame)
        del ring[:-num_frames]
        return np.stack(ring)[None]

    def _measured(self, values: Mapping[str, float]) -> Measured | None:
        limits = self._limits
        if isinstance(limits, BaseLimits):
            names, positions = ["forward_m_s", "yaw_rate_rad_s"], []
        else:
            names = [f"velocity:{joint.model}" for joint in limits.joints]
            positions = [f"position:{joint.model}" for joint in limits.joints]
        if any(name not in values for name in (*names, *positions)):
            return None
        return Measured(
            position=np.array([values[name] for name in positions]),
            velocity=np.array([values[name] for name in names]),
            clearance_m=self._clearance_m(),
        )

    def _clearance_m(self) -> Ways | None:
        """Returns the nearer of what all sensors see; None where there is none, and 0 where none of them looks."""
        readings = [mailbox.reading for mailbox in self.mailboxes.values() if mailbox.reading is not None]
        seen = [reading.ways for reading in readings if reading.ways is not None]
        nearest = np.fmin.reduce(seen) if seen else None
        return None if nearest is None else np.where(np.isnan(nearest), 0.0, nearest)


def _is_needed(source: InputTopic, parts: set[str], cameras: list[CameraTopic], profile: RobotProfile) -> bool:
    """Tells whether the policy, or the guard, looks at an input; what nobody looks at need not be there."""
    own = isinstance(source, (JointsInput, ScanInput, StopInput)) or getattr(source, "body", "") is None
    watches = isinstance(source, CameraTopic) and source.obstacles is not None
    return own or watches or source in cameras or not parts.isdisjoint(given_values(source, profile.limits))


def _mailbox(source: InputTopic, contract: Contract, profile: RobotProfile) -> Mailbox:
    """Makes a mailbox with the shorter of the greatest ages that profile and contract allow."""
    max_age_s = source.max_age_s
    is_for_guard = isinstance(source, StopInput) or (isinstance(source, ScanInput) and source.beams is None)
    if max_age_s is not None and not is_for_guard:
        fed = CameraInput if isinstance(source, CameraTopic) else VectorInput
        max_age_s = min([max_age_s, *(spec.max_age_s for spec in contract.inputs if isinstance(spec, fed))])
    reordered = profile.safety.max_reordered
    return Mailbox(source, profile.limits, max_age_s=max_age_s, max_reordered=reordered)


def _camera_topic(spec: CameraInput, profile: RobotProfile) -> CameraTopic:
    cameras = [source for source in profile.inputs if isinstance(source, CameraTopic)]
    for source in cameras:
        if source.sensor == spec.sensor and same_kind(source.encoding, spec.encoding):
            return source
    found = ", ".join(f"{source.sensor} ({source.encoding})" for source in cameras) or "none"
    raise UserError(
        f"profile {profile.name}: no camera {spec.sensor!r} gives {spec.encoding} as the policy needs; it has {found}"
    )
