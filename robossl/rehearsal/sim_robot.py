"""A simulated robot on a transport: physics in real time, drivers that speak, controllers that obey, faults on demand.

WAITING --first command--> RUNNING --success, failure, time up--> OVER --silence, or asked--> WAITING (next world)
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from robossl.core import UnknownNameError, UserError
from robossl.deploy.clock import Clock
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import output_type
from robossl.deploy.transports import Topic, Transport
from robossl.deploy.trips import RefusedMessageError
from robossl.rehearsal.controllers import RejectedCommandError, make_controller
from robossl.rehearsal.drivers import DriverConfig, Drivers, base_body
from robossl.rehearsal.faults import FaultName, Faults, FaultSizes
from robossl.rehearsal.faulty_link import FaultyLink
from robossl.rehearsal.world import SimulatedWorld, Verdict

STATUS = Topic(name="/sim_robot/status", type="std_msgs/msg/String")
CONTROL = Topic(name="/sim_robot/control", type="std_msgs/msg/String")
_STATUS_PERIOD_NS = 50_000_000
_GREATEST_LAG_NS = 100_000_000
"""Behind by more, a busy machine's lost time is given up instead of being caught up with."""
_REST = 0.01
"""Slower than this, in rad/s or m/s, is at rest."""


class Phase(Enum):
    """Where an episode stands."""

    WAITING = "waiting"
    RUNNING = "running"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimRobotConfig:
    """Says how a simulated robot behaves.

    Attributes:
        first_world: of the first episode; each one has the next.
        twist_timeout_s: after which a base stops by itself without commands; diff_drive's `cmd_vel_timeout`.
        silence_s: without commands after which the next episode begins.
        faults: that are switched on while it moves.
        fault_after_s: when they are, counted from the first command.
    """

    first_world: int = 0
    twist_timeout_s: float = 0.5
    silence_s: float = 0.5
    faults: tuple[FaultName, ...] = ()
    fault_after_s: float = 0.0
    fault_sizes: FaultSizes = field(default_factory=FaultSizes)
    drivers: DriverConfig = field(default_factory=DriverConfig)

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not 0 <= self.first_world < 2**32:
            raise UserError(f"first-world goes from 0 to {2**32 - 1}, got {self.first_world}")
        if not self.fault_after_s >= 0:
            raise UserError(f"fault-after-s may not be negative, got {self.fault_after_s}")
        if not (self.twist_timeout_s > 0 and self.silence_s > 0):
            raise UserError(
                f"twist-timeout-s and silence-s must be positive, got {self.twist_timeout_s} and {self.silence_s}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One that ended."""

    world: int
    success: bool
    metrics: dict[str, float]


class SimRobot:
    """Lives in one world. `advance` makes one physics step; `run` does so in real time.

    Attributes:
        episodes: that ended.
        faults: that are on.
        num_commands, num_rejected: received so far; `last_rejection` says why the last one was.
        lost_s: time that a busy machine could not simulate.
        rest_since_ns: monotonic time since when nothing of the robot has moved; None while it does.
        next_ns: when the next physics step is due.

    Raises:
        UserError: if the world holds another robot than the profile's.
    """

    def __init__(
        self,
        world: SimulatedWorld,
        profile: RobotProfile,
        transport: Transport,
        *,
        types: RosTypes,
        clock: Clock,
        config: SimRobotConfig,
    ) -> None:
        self.episodes: list[Episode] = []
        self.phase = Phase.WAITING
        self.faults = Faults(config.fault_sizes)
        self.num_commands = self.num_rejected = 0
        self.last_rejection = ""
        self.lost_s = 0.0
        self.rest_since_ns: int | None = None
        self._world, self._profile, self._types, self._clock, self._config = world, profile, types, clock, config
        self._controller = make_controller(profile, world.model, twist_timeout_s=config.twist_timeout_s)
        self._link = FaultyLink(transport, self.faults, clock, spared=(STATUS.name, CONTROL.name))
        self._index = config.first_world
        world.begin(self._index)
        self.drivers = Drivers(profile, world, types, self.faults, config.drivers)
        self._waiting_faults = config.faults
        self._begun_ns: int | None = None
        self._heard_ns: int | None = None
        self._next_status_ns = 0
        self._step_ns = round(world.step_s * 1e9)
        self.next_ns = clock.now_ns()
        self._connect()
        self._begin()

    def run(self, until: Callable[[], bool]) -> None:
        """Simulates in real time, until told to end."""
        self.next_ns = self._clock.now_ns()
        while not until():
            while (left_ns := self.next_ns - self._clock.now_ns()) > 0:
                self._link.spin_once(left_ns / 1e9)
            self.advance()

    def advance(self) -> None:
        """Hears, moves by one physics step, speaks."""
        self._link.spin_once(0.0)
        t_ns = self._clock.now_ns()
        if (lag_ns := t_ns - self.next_ns) > _GREATEST_LAG_NS:
            self.lost_s += lag_ns / 1e9
            self.next_ns = t_ns
        self.next_ns += self._step_ns
        self._switch_faults_on(t_ns)
        verdict = self._world.step(self._controller.ctrl(t_ns / 1e9), judged=self.phase is Phase.RUNNING)
        self._notice_rest(t_ns)
        if verdict is not None and verdict.over:
            self._end(verdict)
        elif self.phase is Phase.OVER and self._is_left_alone(t_ns):
            self.reset()
        for topic, message in self.drivers.due(t_ns, self._clock.wall_ns(), lambda name: self._link.peers(name) > 0):
            self._link.publish(topic, self._types.to_bytes(message))
        if t_ns >= self._next_status_ns:
            self._next_status_ns = t_ns + _STATUS_PERIOD_NS
            self._say(t_ns)

    def reset(self) -> None:
        """Begins the next world's episode; one that was not over is not counted."""
        self._index += 1
        self._begin()

    def silence_s(self, t_ns: int) -> float:
        """Returns how long no command has come."""
        return float("inf") if self._heard_ns is None else (t_ns - self._heard_ns) / 1e9

    def status(self, t_ns: int) -> dict[str, Any]:
        """Returns what the status topic says."""
        return {
            "t_ns": t_ns,
            "phase": self.phase.value,
            "world": self._index,
            "episodes": len(self.episodes),
            "successes": sum(episode.success for episode in self.episodes),
            "commands": self.num_commands,
            "rejected": self.num_rejected,
            "last_command_ns": self._heard_ns,
            "speed": self._speed(),
            "rest_since_ns": self.rest_since_ns,
            "faults": dict(self.faults.since_ns),
        }

    def close(self) -> None:
        """Frees renderers and physics; the transport is its owner's."""
        self.drivers.close()
        self._world.close()

    def _connect(self) -> None:
        for topic in (*self.drivers.topics, STATUS):
            self._link.advertise(topic)
        output = self._profile.output
        self._link.subscribe(Topic(name=output.topic, type=output_type(output)), self._obey)
        self._link.subscribe(CONTROL, self._take_control)

    def _is_left_alone(self, t_ns: int) -> bool:
        """Tells whether no command comes any more, nor is one late: it would begin the next episode."""
        return self.silence_s(t_ns) >= self._config.silence_s and not self._link.is_awaited(self._profile.output.topic)

    def _begin(self) -> None:
        self._world.begin(self._index)
        self._controller.begin(np.array(self._world.engine.view("ctrl")[0], np.float64))
        self.drivers.begin()
        self.phase = Phase.WAITING

    def _end(self, verdict: Verdict) -> None:
        self.episodes.append(Episode(world=self._index, success=verdict.success, metrics=verdict.metrics))
        self.phase = Phase.OVER

    def _obey(self, data: bytes) -> None:
        t_ns = self._clock.now_ns()
        try:
            message = self._types.from_bytes(data, output_type(self._profile.output))
            self._controller.receive(message, t_ns / 1e9)
        except (RefusedMessageError, RejectedCommandError) as error:
            self.num_rejected += 1
            self.last_rejection = str(error)
            return
        self.num_commands += 1
        self._heard_ns = t_ns
        if self.phase is Phase.WAITING:
            self.phase = Phase.RUNNING
            self._begun_ns = t_ns if self._begun_ns is None else self._begun_ns

    def _take_control(self, data: bytes) -> None:
        """Does what a message on the control topic asks: {"reset": true}, or {"fault": NAME, "on": true or false}."""
        try:
            wish = json.loads(self._types.from_bytes(data, CONTROL.type).data)
            if wish.get("reset") is True:
                self.reset()
            if "fault" in wish:
                self.faults.switch(str(wish["fault"]), wish.get("on") is True, self._clock.now_ns())
        except (RefusedMessageError, UnknownNameError, AttributeError, ValueError, RecursionError) as error:
            self.num_rejected += 1
            self.last_rejection = f"{CONTROL.name}: {error}"

    def _switch_faults_on(self, t_ns: int) -> None:
        if self._begun_ns is None or t_ns - self._begun_ns < self._config.fault_after_s * 1e9:
            return
        for name in self._waiting_faults:
            self.faults.switch(name, True, t_ns)
        self._waiting_faults = ()

    def _notice_rest(self, t_ns: int) -> None:
        if self._speed() > _REST:
            self.rest_since_ns = None
        elif self.rest_since_ns is None:
            self.rest_since_ns = t_ns

    def _speed(self) -> float:
        """Returns the greatest speed of the robot's own joints, rad/s, or of the base, m/s and rad/s."""
        limits = self._profile.limits
        if isinstance(limits, ArmLimits):
            return max(abs(self._world.joint(joint.model)[1]) for joint in limits.joints)
        motion = self._world.body(base_body(self._world.model))
        return max(float(np.hypot(*motion.linear_b_m_s[:2])), abs(float(motion.angular_b_rad_s[2])))

    def _say(self, t_ns: int) -> None:
        text = json.dumps(self.status(t_ns))
        self._link.publish(STATUS.name, self._types.to_bytes(self._types.make(STATUS.type, data=text)))
