"""A bridge and a simulated robot on one loopback network, in a time that passes only when somebody waits."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.cli.profiles import load_profile
from robossl.core import Contract, EnvSpec, Stream
from robossl.core.contract import CameraInput, ElementSpec, InputSpec, Range, TrainedOn, VectorInput
from robossl.deploy.bridge import Bridge, Event, State, Tick
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.session import Mode, Session
from robossl.deploy.topics import CameraTopic, ScanInput, output_type
from robossl.deploy.transports import Topic
from robossl.deploy.transports.loopback import LoopbackNetwork, LoopbackTransport
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.make import make_env
from robossl.rehearsal.sim_robot import CONTROL, SimRobot, SimRobotConfig
from robossl.rehearsal.world import SimulatedWorld

TYPES = RosTypes("humble")
REACH, RING, ROOMS = "robossl/ArmReach-v0", "robossl/RingCorridor-v0", "robossl/RoomsPointGoal-v0"
REACH_KEYS, RING_KEYS = ("rgb_static", "proprio", "goal"), ("rgb_front", "proprio")
ROOMS_KEYS = ("depth_front", "proprio", "goal")
_ANY = Range(low=-100.0, q01=-100.0, q99=100.0, high=100.0)
_PIXEL = Range(low=0, q01=0, q99=255, high=255)


def arm_profile(**changes: Any) -> RobotProfile:
    return replace(load_profile("panda"), **changes)


def base_profile() -> RobotProfile:
    """The generic base with a scanner, its turns not slowed down."""
    profile = load_profile("camera_base")
    blind = NoObstacleSensing(because="it is simulated")
    inputs = (*profile.inputs, ScanInput(topic="/scan", max_age_s=0.3))
    return replace(profile, inputs=inputs, limits=replace(profile.limits, obstacle=blind))


def watching_for_frost(profile: RobotProfile) -> RobotProfile:
    inputs = tuple(
        replace(source, max_identical=3) if isinstance(source, CameraTopic) else source for source in profile.inputs
    )
    return replace(profile, inputs=inputs)


def contract_of(env_id: str, keys: tuple[str, ...], control_hz: float | None = None) -> Contract:
    """What an export would promise of a policy that saw these observations, and was trained on anything at all."""
    env = make_env(
        EnvConfig(id=env_id, num_worlds=1, num_threads=1, observations=keys), WorldSeed(seed=0, stream=Stream.EVAL)
    )
    spec: EnvSpec = env.spec
    env.close()
    control_hz = control_hz or spec.control_hz
    trained_on = TrainedOn(env=env_id, engine="none", render=spec.render, agent="sac", run="runs/test/1", step=0)
    return Contract(
        robossl="0.1.0",
        trained_on=trained_on,
        policy="policy.onnx",
        opset=18,
        control_hz=control_hz,
        inputs=tuple(_input(key, spec, 2.0 / control_hz) for key in keys),
        actions=spec.action.names,
        commands=spec.commands,
    )


def _input(key: str, spec: EnvSpec, age_s: float) -> InputSpec:
    part = spec.observation[key]
    if part.is_image and part.dtype == "float32":
        return CameraInput(
            name=key,
            shape=(1, *part.shape),  # type: ignore[arg-type]
            dtype="float32",
            modality="depth",
            sensor=key.partition("_")[2],
            encoding="32FC1",
            max_age_s=age_s,
            seen=(Range(low=0.0, q01=0.0, q99=100.0, high=100.0),),
        )
    if part.is_image:
        return CameraInput(
            name=key,
            shape=(1, *part.shape),  # type: ignore[arg-type]
            dtype="uint8",
            modality="rgb",
            sensor=key.partition("_")[2],
            encoding="rgb8",
            max_age_s=age_s,
            seen=(_PIXEL,) * 3,
        )
    joints = part.joints or ("",) * part.shape[0]
    elements = tuple(
        ElementSpec(name=name, unit=unit, joint=joint or None, low=None, high=None, seen=_ANY)
        for name, unit, joint in zip(part.names, part.units, joints, strict=True)
    )
    return VectorInput(name=key, shape=part.shape, max_age_s=age_s, elements=elements)


class Reacher:
    """Moves the tool towards the goal, as far a step as the contract lets it."""

    def __init__(self) -> None:
        self.contract = contract_of(REACH, REACH_KEYS)
        self._step_m = self.contract.commands[0].high

    def reset(self) -> None:
        pass

    def command(self, inputs: Any) -> NDArray[np.float64]:
        return np.asarray(inputs["goal"][0, 3:].clip(-self._step_m, self._step_m), np.float64)


class Roamer:
    """Drives in a slow circle."""

    def __init__(self) -> None:
        self.contract = contract_of(RING, RING_KEYS)

    def reset(self) -> None:
        pass

    def command(self, inputs: Any) -> NDArray[np.float64]:
        return np.array([0.5, 0.2])


class Rammer:
    """Drives straight ahead, whatever stands there, and keeps what it sees."""

    def __init__(self) -> None:
        self.contract = contract_of(ROOMS, ROOMS_KEYS)
        self.speed_m_s = 0.22
        self.seen: list[Any] = []

    def reset(self) -> None:
        pass

    def command(self, inputs: Any) -> NDArray[np.float64]:
        self.seen.append(inputs)
        return np.array([self.speed_m_s, 0.0])


class Stage:
    """Attributes:
    sent: commands on the wire, [D] each, with the time.
    """

    def __init__(
        self, policy: Any, profile: RobotProfile, config: SimRobotConfig | None = None, *, obeyed: bool = True
    ) -> None:
        self.t_ns = 1_000_000_000
        self.policy, self.profile = policy, profile
        self.network = LoopbackNetwork(sleep=self.sleep)
        self._advancing = False
        env = EnvConfig(id=policy.contract.trained_on.env, num_worlds=1, num_threads=1)
        self.robot = SimRobot(
            SimulatedWorld(env, seed=3),
            profile,
            LoopbackTransport(self.network),
            types=TYPES,
            clock=self,
            config=config or SimRobotConfig(),
        )
        mode = Mode.LIVE if obeyed else Mode.DRY_RUN
        self.bridge = Bridge(policy, profile, speed=1.0, obeyed=obeyed)
        self.session = Session(
            self.bridge,
            LoopbackTransport(self.network),
            types=TYPES,
            clock=self,
            mode=mode,
            period_s=policy.contract.period_s,
        )
        self.sent: list[tuple[float, NDArray[np.float64]]] = []
        self._spy = LoopbackTransport(self.network)
        kind = output_type(profile.output)
        self._spy.subscribe(Topic(name=profile.output.topic, type=kind), lambda data: self._note(data, kind))
        self._spy.advertise(CONTROL)

    def now_ns(self) -> int:
        return self.t_ns

    def wall_ns(self) -> int:
        return self.t_ns + 1_700_000_000_000_000_000

    def sleep(self, seconds: float) -> None:
        """Passes time up to the robot's next physics step, and lets it make that step."""
        if self._advancing or seconds <= 0:
            return
        self.t_ns = min(self.t_ns + max(1, round(seconds * 1e9)), max(self.robot.next_ns, self.t_ns + 1))
        if self.t_ns >= self.robot.next_ns:
            self._advancing = True
            self.robot.advance()
            self._advancing = False

    def play(self, seconds: float, *, arms: bool = True) -> list[Tick]:
        """Runs the bridge; arms it whenever it is ready."""
        ticks: list[Tick] = []
        until_ns = self.t_ns + round(seconds * 1e9)
        while self.t_ns < until_ns:
            ticks.append(self.session.period())
            self._spy.spin_once(0.0)
            if arms and ticks[-1].state is State.READY:
                self.session.ask(Event.ARM)
        return ticks

    def wait(self, seconds: float) -> None:
        """Lets time pass without a bridge."""
        until_ns = self.t_ns + round(seconds * 1e9)
        while self.t_ns < until_ns:
            self.sleep((until_ns - self.t_ns) / 1e9)

    def tell(self, text: str) -> None:
        """Says something on the robot's control topic."""
        self._spy.publish(CONTROL.name, TYPES.to_bytes(TYPES.make(CONTROL.type, data=text)))

    def close(self) -> None:
        self.robot.close()

    def _note(self, data: bytes, kind: str) -> None:
        message = TYPES.from_bytes(data, kind)
        if kind.endswith("JointTrajectory"):
            command = message.points[0].positions
        else:
            twist = getattr(message, "twist", message)
            command = np.array([twist.linear.x, twist.angular.z])
        self.sent.append((self.t_ns / 1e9, command))
