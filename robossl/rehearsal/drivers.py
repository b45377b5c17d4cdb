"""The drivers of a robot: each input of a profile as a topic that speaks at its rate, read from a simulated world."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import UnknownNameError, UserError
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import (
    MESSAGE_TYPES,
    CameraTopic,
    InputTopic,
    JointsInput,
    OdometryInput,
    PoseInput,
    ScanInput,
    StopInput,
    ValuesInput,
)
from robossl.deploy.transports import Topic
from robossl.envs.elements import element_id
from robossl.envs.observable import sized
from robossl.envs.render import Renderer, make_renderer
from robossl.envs.sensors.lidar import Lidar
from robossl.rehearsal.controllers import FORWARD
from robossl.rehearsal.faults import Faults
from robossl.rehearsal.messages import Messages
from robossl.rehearsal.world import BodyMotion, SimulatedWorld

_ONLY = np.zeros(1, np.int64)
Make = Callable[[int, int], Any]
"""Makes a message from monotonic time and stamp, in ns; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverConfig:
    """Says how often a robot's drivers speak, and how good its sensors are.

    Attributes:
        state_hz: of joints, odometry, poses and named values; no more often than physics steps.
        camera_hz: of cameras.
        scan_hz: of the range finder.
        stop_hz: of the stop button.
        camera_noise: standard deviation of each colour, in levels of 255; without noise a robot at rest cannot be told
            from a frozen camera.
        depth_noise: standard deviation of each of a depth camera's distances, as a share of it, likewise.
        scan_noise_m: standard deviation of each of a scanner's, likewise.
    """

    state_hz: float = 100.0
    camera_hz: float = 30.0
    scan_hz: float = 10.0
    stop_hz: float = 10.0
    camera_noise: float = 0.5
    depth_noise: float = 0.003
    scan_noise_m: float = 0.002

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name in ("state_hz", "camera_hz", "scan_hz", "stop_hz"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UserError(f"drivers.{name.replace('_', '-')} must be positive, got {getattr(self, name)}")
        if not 0 <= self.camera_noise <= 255:
            raise UserError(f"drivers.camera-noise must be within 0 and 255, got {self.camera_noise}")
        if not 0 <= self.depth_noise < 1:
            raise UserError(f"drivers.depth-noise must be within 0 and 1, got {self.depth_noise}")
        if not 0 <= self.scan_noise_m < float("inf"):
            raise UserError(f"drivers.scan-noise-m must be finite and not negative, got {self.scan_noise_m}")


@dataclass(slots=True)
class _Driver:
    topic: Topic
    period_ns: int
    make: Make
    next_ns: int = 0


class Drivers:
    """Makes the messages of all inputs that the world has.

    Attributes:
        absent: {topic: why the world has it not}.

    Raises:
        UserError: if the robot's own motion is not among them: the profile is of another robot.
    """

    def __init__(
        self, profile: RobotProfile, world: SimulatedWorld, types: RosTypes, faults: Faults, config: DriverConfig
    ) -> None:
        self._profile, self._world, self._faults, self._config = profile, world, faults, config
        self._messages = Messages(types)
        self._generator = np.random.default_rng(0)
        self._renderers: list[Renderer] = []
        self._frozen: dict[str, NDArray[Any]] = {}
        self._frozen_motion: dict[str, BodyMotion] = {}
        self.absent: dict[str, str] = {}
        self._drivers: list[_Driver] = []
        for source in profile.inputs:
            try:
                hz, make = self._driver(source)
            except UnknownNameError as error:
                if isinstance(source, JointsInput):
                    raise UserError(
                        f"profile {profile.name} is not of the robot in {world.config.id}: {error}"
                    ) from error
                self.absent[source.topic] = str(error)
                continue
            topic = Topic(name=source.topic, type=MESSAGE_TYPES[source.kind])
            self._drivers.append(_Driver(topic, round(1e9 / hz), make))

    @property
    def topics(self) -> list[Topic]:
        """Returns the topics that speak."""
        return [driver.topic for driver in self._drivers]

    def begin(self) -> None:
        """Looks at the world as it is after a reset: nothing of an episode before is remembered."""
        self._frozen.clear()
        self._frozen_motion.clear()

    def due(self, t_ns: int, wall_ns: int, is_heard: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
        """Yields (topic, message) of the drivers whose time has come and who are heard by anybody.

        Args:
            t_ns: monotonic.
            wall_ns: for stamps.
            is_heard: tells of a topic whether somebody listens.
        """
        for driver in self._drivers:
            if t_ns < driver.next_ns:
                continue
            driver.next_ns = max(driver.next_ns + driver.period_ns, t_ns - driver.period_ns)
            if is_heard(driver.topic.name):
                message = driver.make(t_ns, wall_ns)
                if message is not None:
                    yield driver.topic.name, message

    def close(self) -> None:
        """Frees the renderers."""
        for renderer in self._renderers:
            renderer.close()

    def _driver(self, source: InputTopic) -> tuple[float, Make]:
        """Returns the rate and the maker of an input's messages.

        Raises:
            UnknownNameError: if the world lacks what it is of.
        """
        config, world = self._config, self._world
        if isinstance(source, JointsInput):
            return config.state_hz, self._joints()
        if isinstance(source, OdometryInput):
            body = source.body or base_body(world.model)
            world.body(body)
            return config.state_hz, partial(self._odometry, body, source.body is None)
        if isinstance(source, PoseInput):
            world.body(source.body)
            return config.state_hz, lambda t_ns, stamp_ns: self._messages.pose(stamp_ns, world.body(source.body))
        if isinstance(source, ValuesInput):
            known = world.named_values()
            absent = next((name for name in source.names if name not in known), None)
            if absent is not None:
                raise UnknownNameError("value of the task", absent, known)
            return config.state_hz, partial(self._values, source.names)
        if isinstance(source, CameraTopic):
            return config.camera_hz, self._camera(source)
        if isinstance(source, ScanInput):
            return config.scan_hz, self._scan()
        assert isinstance(source, StopInput)
        return config.stop_hz, lambda t_ns, stamp_ns: self._messages.stop(self._faults.has("stop_pressed"))

    def _joints(self) -> Make:
        """Speaks of the joints in reversed order: drivers promise none."""
        limits, world, faults = self._profile.limits, self._world, self._faults
        assert isinstance(limits, ArmLimits)
        joints = limits.joints[::-1]
        for joint in joints:
            world.joint(joint.model)

        def make(t_ns: int, stamp_ns: int) -> Any:
            readings = np.array([world.joint(joint.model) for joint in joints])
            readings[-1, 0] += faults.drift(t_ns)
            if faults.has("nan"):
                readings[0, 0] = np.nan
            names = [joint.name for joint in joints]
            if faults.has("joint_order"):
                names = [*names[1:], names[0]]
            return self._messages.joints(stamp_ns, names, readings[:, 0].copy(), readings[:, 1].copy())

        return make

    def _odometry(self, body: str, is_base: bool, t_ns: int, stamp_ns: int) -> Any:
        motion = self._frozen_motion.get(body)
        if motion is None or not self._faults.has("odometry_frozen"):
            motion = self._frozen_motion[body] = self._world.body(body)
        if is_base:
            motion = self._mistaken(motion, t_ns)
        return self._messages.odometry(stamp_ns, body, motion)

    def _mistaken(self, motion: BodyMotion, t_ns: int) -> BodyMotion:
        """Makes of a base's motion what its faulty encoders say."""
        linear = motion.linear_b_m_s.copy()
        linear[0] += self._faults.drift(t_ns)
        if self._faults.has("nan"):
            linear[0] = np.nan
        if self._faults.has("joint_order"):
            linear = np.roll(linear, 1)
        return replace(motion, linear_b_m_s=linear)

    def _values(self, names: tuple[str, ...], t_ns: int, stamp_ns: int) -> Any:
        values = self._world.named_values()
        return self._messages.values([values[name] for name in names])

    def _camera(self, source: CameraTopic) -> Make:
        world = self._world
        known = [camera.name for camera in world.task.spec.cameras]
        if source.sensor not in known:
            raise UnknownNameError("camera of the task", source.sensor, known)
        modality = "depth" if source.encoding in ("32FC1", "16UC1") else "rgb"
        key = f"{modality}_{source.sensor}"
        cameras = sized(world.task.spec.cameras, world.config.image_size)
        renderer = make_renderer(world.config.renderer, world.engine, cameras, (key,))
        self._renderers.append(renderer)

        def make(t_ns: int, stamp_ns: int) -> Any:
            if self._faults.has("camera_dropped"):
                return None
            picture = self._frozen.get(source.topic)
            if picture is None or not self._faults.has("camera_frozen"):
                picture = self._noisy(renderer.render(_ONLY)[key][0])
                self._frozen[source.topic] = picture
            return self._messages.picture(stamp_ns, source.sensor, picture, source.encoding)

        return make

    def _noisy(self, picture: NDArray[Any]) -> NDArray[Any]:
        size = self._config.camera_noise if picture.dtype == np.uint8 else self._config.depth_noise
        if not size:
            return np.array(picture)
        noise = self._generator.standard_normal(picture.shape, np.float32) * np.float32(size)
        if picture.dtype != np.uint8:
            return np.asarray(picture * (1 + noise))
        return np.asarray(np.clip(np.rint(picture + noise), 0, 255), np.uint8)

    def _scan(self) -> Make:
        world = self._world
        lidar = next((sensor for sensor in world.task.spec.sensors.values() if isinstance(sensor, Lidar)), None)
        if lidar is None or len(lidar.elevations_rad) != 1:
            raise UnknownNameError("sensor of the task", "lidar", world.task.spec.sensors)

        def make(t_ns: int, stamp_ns: int) -> Any:
            ranges_m = lidar.read(world.engine, {}, {}, _ONLY)[0]
            if self._config.scan_noise_m:
                noise = self._generator.standard_normal(ranges_m.shape, np.float32)
                noisy = np.maximum(ranges_m + np.float32(self._config.scan_noise_m) * noise, lidar.min_m)
                ranges_m = np.where(ranges_m < lidar.max_m, np.minimum(noisy, lidar.max_m), ranges_m)
            return self._messages.scan(stamp_ns, lidar, ranges_m)

        return make


def base_body(model: Any) -> str:
    """Returns the body that the model's forward actuator pushes."""
    actuator = element_id(model, "actuator", FORWARD)
    return str(model.body(int(model.site_bodyid[int(model.actuator_trnid[actuator, 0])])).name)
