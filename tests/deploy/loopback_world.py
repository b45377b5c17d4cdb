"""An arm on a loopback network, in a time that passes only when somebody waits."""

from typing import Any

import numpy as np
from deploy_robots import TYPES, arm_profile, image, joint_state
from numpy.typing import NDArray

from robossl.deploy.transports import Topic
from robossl.deploy.transports.loopback import LoopbackNetwork, LoopbackTransport

GREY = np.full((4, 6, 3), 100, np.uint8)
JOINTS = Topic(name="/joint_states", type="sensor_msgs/msg/JointState")
CAMERA = Topic(name="/camera/image_raw", type="sensor_msgs/msg/Image")
STOP = Topic(name="/stop", type="std_msgs/msg/Bool")
OUTPUT = Topic(name=arm_profile().output.topic, type="trajectory_msgs/msg/JointTrajectory")


class World:
    """A clock, a network and an arm that goes where the last command says, at 100 Hz.

    Attributes:
        commands: joint positions received, with the time.
        camera_dies_s: from then on no picture comes.
    """

    def __init__(self, *, camera_dies_s: float = 1e9, listens: bool = True, stop: bool = True) -> None:
        self.t_ns = 1_000_000_000
        self.wall_offset_ns = 1_700_000_000_000_000_000
        self.network = LoopbackNetwork(sleep=self.sleep)
        self.position = np.zeros(2)
        self.commands: list[tuple[float, NDArray[np.float64]]] = []
        self.camera_dies_s = camera_dies_s
        self._robot = LoopbackTransport(self.network)
        self._robot.advertise(JOINTS)
        self._robot.advertise(CAMERA)
        if stop:
            self._robot.advertise(STOP)
        if listens:
            self._robot.subscribe(OUTPUT, self._obey)
        self._next_ns = self.t_ns

    def now_ns(self) -> int:
        return self.t_ns

    def wall_ns(self) -> int:
        return self.t_ns + self.wall_offset_ns

    def sleep(self, seconds: float) -> None:
        """Passes at most 10 ms, and lets the robot speak when it is time."""
        self.t_ns += min(round(seconds * 1e9), 10_000_000) or 1
        if self.t_ns >= self._next_ns:
            self._next_ns += 10_000_000
            self._robot.publish(JOINTS.name, TYPES.to_bytes(joint_state(self.t_ns, self.position.tolist())))
            if self.t_ns < self.camera_dies_s * 1e9:
                self._robot.publish(CAMERA.name, TYPES.to_bytes(image(self.t_ns, GREY)))

    def hear(self) -> None:
        """Lets the robot take its commands."""
        self._robot.spin_once(0.0)

    def say(self, topic: Topic, message: Any) -> None:
        """Publishes as the robot."""
        self._robot.advertise(topic)
        self._robot.publish(topic.name, TYPES.to_bytes(message))

    def _obey(self, data: bytes) -> None:
        message = TYPES.from_bytes(data, OUTPUT.type)
        assert message.joint_names == ["robot_joint1", "robot_joint2"]
        self.position = message.points[0].positions
        self.commands.append((self.t_ns / 1e9, self.position))
