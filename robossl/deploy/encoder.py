"""From what the guard lets through to the message that the robot's controller takes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import PositionsOutput, TrajectoryOutput, output_type


class CommandEncoder:
    """Makes messages of the profile's output."""

    def __init__(self, profile: RobotProfile, types: RosTypes, *, period_s: float) -> None:
        self.topic, self.type = profile.output.topic, output_type(profile.output)
        self._output, self._types, self._period_s = profile.output, types, period_s
        joints = profile.limits.joints if isinstance(profile.limits, ArmLimits) else ()
        self._names = [joint.name for joint in joints]

    def encode(self, command: NDArray[np.float64], stamp_ns: int) -> Any:
        """Returns the message of a command [D]; `stamp_ns` is the wall clock's time."""
        if isinstance(self._output, TrajectoryOutput):
            return self._trajectory(command, self._output.horizon_periods * self._period_s)
        if isinstance(self._output, PositionsOutput):
            return self._types.values(command)
        twist = self._twist(float(command[0]), float(command[1]))
        if not self._output.stamped:
            return twist
        return self._types.make(self.type, header=self._types.header(stamp_ns, self._output.frame), twist=twist)

    def _trajectory(self, command: NDArray[np.float64], horizon_s: float) -> Any:
        """Makes a trajectory of one point; a stamp of zero means from now on."""
        seconds, nanoseconds = divmod(round(horizon_s * 1e9), 1_000_000_000)
        none = np.zeros(0)
        point = self._types.make(
            "trajectory_msgs/msg/JointTrajectoryPoint",
            positions=np.asarray(command, np.float64),
            velocities=none,
            accelerations=none,
            effort=none,
            time_from_start=self._types.make("builtin_interfaces/msg/Duration", sec=seconds, nanosec=nanoseconds),
        )
        return self._types.make(self.type, header=self._types.header(0), joint_names=self._names, points=[point])

    def _twist(self, linear: float, angular: float) -> Any:
        ahead = self._types.make("geometry_msgs/msg/Vector3", x=linear, y=0.0, z=0.0)
        turn = self._types.make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=angular)
        return self._types.make("geometry_msgs/msg/Twist", linear=ahead, angular=turn)
