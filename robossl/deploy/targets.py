"""From the quantities that a policy commands to what the guard takes: an arm's joint positions, a base's velocities."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import CommandSpec, Contract, UserError
from robossl.core.errors import suggestion
from robossl.core.inverse_kinematics import damped_targets, pose_error
from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import ArmLimits
from robossl.deploy.motion import Measured
from robossl.deploy.profile import RobotProfile, ToolControl
from robossl.deploy.topics import TwistOutput

Vector = NDArray[np.float64]


class Targets(Protocol):
    """Turns commands [C] of the contract into what the guard is asked for [D]."""

    def start(self, values: Mapping[str, float]) -> None:
        """Begins with the set-points where the robot is; `values` are named measurements."""

    def wanted(self, commands: Vector, values: Mapping[str, float], measured: Measured) -> Vector:
        """Returns what the policy wants [D], not finite where `commands` [C] are not."""


def make_targets(contract: Contract, profile: RobotProfile) -> Targets:
    """Chooses how the contract's commands move the profile's robot.

    Raises:
        UserError: if they do not.
    """
    if isinstance(profile.output, TwistOutput):
        return DriveTargets(contract, profile.output)
    assert isinstance(profile.limits, ArmLimits)
    moved = {command.moves.name for command in contract.commands if command.moves}
    control = profile.tool_control
    if control and {f"{control.name}_{axis}_w_m" for axis in "xyz"} <= moved:
        return ToolTargets(contract, profile.limits, control)
    return JointTargets(contract, profile.limits)


class DriveTargets:
    """See `Targets`: forward speed and yaw rate."""

    def __init__(self, contract: Contract, output: TwistOutput) -> None:
        wanted = ((output.linear, "m/s"), (output.angular, "rad/s"))
        self._index = [_find(contract, name, unit) for name, unit in wanted]
        _require_all_used(contract, self._index)

    def start(self, values: Mapping[str, float]) -> None:
        """See `Targets.start`."""

    def wanted(self, commands: Vector, values: Mapping[str, float], measured: Measured) -> Vector:
        """See `Targets.wanted`."""
        return commands[self._index]


class SetPoints:
    """Quantities that commands set, or move step by step as the simulation does."""

    def __init__(self, commands: Sequence[CommandSpec], keys: Sequence[str]) -> None:
        self._keys, self._moves = keys, [command.moves for command in commands]
        self._points = np.full(len(keys), np.nan)

    def start(self, values: Mapping[str, float]) -> None:
        """Begins where the quantities are."""
        self._points = np.array([values[key] for key in self._keys])

    def advance(self, commands: Vector, values: Mapping[str, float]) -> Vector:
        """Returns the set-points [D] after one more step of `commands` [D]."""
        for i, (key, moves) in enumerate(zip(self._keys, self._moves, strict=True)):
            if moves is None:
                self._points[i] = commands[i]
            elif np.isfinite(commands[i]):
                led = values[key] + np.clip(
                    self._points[i] + commands[i] - values[key], -moves.max_lead, moves.max_lead
                )
                self._points[i] = np.clip(led, moves.low, moves.high)
        return np.where(np.isfinite(commands), self._points, np.nan)


class JointTargets:
    """See `Targets`: each joint's position is commanded, or moved, by name."""

    def __init__(self, contract: Contract, limits: ArmLimits) -> None:
        names = {
            command.moves.name if command.moves else command.name: i for i, command in enumerate(contract.commands)
        }
        self._index = []
        for joint in limits.joints:
            name = f"{joint.model}_rad"
            if name not in names:
                raise UserError(
                    f"the policy commands no {name!r}{suggestion(name, names)}: a profile for another robot?"
                )
            self._index.append(names[name])
        _require_all_used(contract, self._index)
        chosen = [contract.commands[i] for i in self._index]
        self._points = SetPoints(chosen, [f"position:{joint.model}" for joint in limits.joints])

    def start(self, values: Mapping[str, float]) -> None:
        """See `Targets.start`."""
        self._points.start(values)

    def wanted(self, commands: Vector, values: Mapping[str, float], measured: Measured) -> Vector:
        """See `Targets.wanted`."""
        return self._points.advance(commands[self._index], values)


class ToolTargets:
    """See `Targets`: the tool's position is moved and its orientation kept, by the simulated arm's own step."""

    def __init__(self, contract: Contract, limits: ArmLimits, control: ToolControl) -> None:
        assert limits.tool is not None
        keys = [f"{control.name}_{axis}_w_m" for axis in "xyz"]
        names = [command.moves.name if command.moves else command.name for command in contract.commands]
        self._index = [names.index(key) for key in keys]
        _require_all_used(contract, self._index)
        self._points = SetPoints([contract.commands[i] for i in self._index], keys)
        self._kinematics, self._control = ToolKinematics(limits.tool), control
        self._joints = [f"position:{joint.model}" for joint in limits.joints]
        self._posture = np.array(control.posture_rad or np.full(len(limits.joints), np.nan))
        self._rotation_w = _frame(control)
        self._step = np.array([joint.velocity_rad_s for joint in limits.joints]) / contract.control_hz
        self._low = np.array([joint.min_rad for joint in limits.joints])
        self._high = np.array([joint.max_rad for joint in limits.joints])

    def start(self, values: Mapping[str, float]) -> None:
        """See `Targets.start`."""
        self._points.start(values)
        if self._control.posture_rad is None:
            self._posture = np.array([values[key] for key in self._joints])

    def wanted(self, commands: Vector, values: Mapping[str, float], measured: Measured) -> Vector:
        """See `Targets.wanted`."""
        target_w = self._points.advance(commands[self._index], values)
        if not np.isfinite(target_w).all():
            return np.full(len(self._low), np.nan)
        position_w, rotation_w, J = self._kinematics.jacobian(measured.position)
        error = pose_error(np, position_w[None], rotation_w[None], target_w[None], self._rotation_w)
        targets = damped_targets(
            np,
            measured.position[None],
            J[None],
            error,
            posture=self._posture,
            posture_gain=self._control.posture_gain,
            damping=self._control.damping,
            greatest_step=self._step,
            low=self._low,
            high=self._high,
        )
        return np.asarray(targets[0])


def _find(contract: Contract, name: str, unit: str) -> int:
    names = [command.name for command in contract.commands]
    if name not in names:
        raise UserError(f"the policy commands no {name!r}{suggestion(name, names)}: a profile for another robot?")
    found = contract.commands[names.index(name)]
    if found.unit != unit or found.moves is not None:
        raise UserError(
            f"the policy's command {name!r} is in {found.unit!r}, the profile takes a set-point in {unit!r}"
        )
    return names.index(name)


def _require_all_used(contract: Contract, used: Sequence[int]) -> None:
    unused = [command.name for i, command in enumerate(contract.commands) if i not in used]
    if unused:
        raise UserError(f"the policy also commands {', '.join(unused)}, which the profile's robot does not have")


def _frame(control: ToolControl) -> Vector:
    """Returns the rotation [3, 3] whose columns are the tool's axes.

    Raises:
        UserError: if the two axes are not at a right angle and of unit length.
    """
    x, z = np.array(control.x_axis_w), np.array(control.z_axis_w)
    rotation = np.stack([x, np.cross(z, x), z], axis=1)
    if not np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-6):
        raise UserError(f"the tool's axes must be of unit length and at a right angle, got {x.tolist()}, {z.tolist()}")
    return rotation
