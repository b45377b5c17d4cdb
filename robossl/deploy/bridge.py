"""The state machine between robot and policy, without clock, thread or socket: time and messages are arguments.

WAIT --inputs fresh, robot stands--> READY --arm--> ARMED --> RUN --hold--> HOLD
  ^                                                            | trip        |
  |                                                            v             |
  +--------------------- reset ----------------------- FAULT (latched)       |
  +--------------------- reset ----------------------------------------------+
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import Contract
from robossl.deploy.arm_motion import ArmMotion
from robossl.deploy.base_motion import BaseMotion
from robossl.deploy.guard import SafetyGuard
from robossl.deploy.limits import ArmLimits
from robossl.deploy.motion import Fault
from robossl.deploy.observation import Observation, ObservationBuilder
from robossl.deploy.profile import RobotProfile
from robossl.deploy.targets import make_targets
from robossl.deploy.trips import Trip, TripRecord

Vector = NDArray[np.float64]


class State(Enum):
    """Where the bridge stands."""

    WAIT = "wait"
    READY = "ready"
    ARMED = "armed"
    RUN = "run"
    HOLD = "hold"
    FAULT = "fault"


class Event(Enum):
    """What an operator asks for."""

    ARM = "arm"
    HOLD = "hold"
    RESET = "reset"


class Commander(Protocol):
    """A policy, as the bridge sees it."""

    contract: Contract

    def reset(self) -> None:
        """Begins an episode."""

    def command(self, inputs: Mapping[str, NDArray[Any]]) -> Vector | None:
        """Returns commands [C] in SI units for one observation {name: [1, ...]}; None where they are late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What happened in one control period.

    Attributes:
        state: after it.
        waiting_for: why it is not ready, in WAIT.
        proposed: [C] what the policy commanded; None where it was not asked, or late.
        wanted: [D] what that means for the robot.
        command: [D] what the guard lets through; None where nothing is to be sent.
        late: the policy was asked and did not answer in time.
    """

    t_s: float
    state: State
    waiting_for: tuple[str, ...] = ()
    proposed: Vector | None = None
    wanted: Vector | None = None
    command: Vector | None = None
    scale: float = 0.0
    trips: tuple[TripRecord, ...] = ()
    unfamiliarity: float = 0.0
    age_s: float = 0.0
    late: bool = False


class Bridge:
    """Runs a policy on a robot's messages, one `tick` per control period.

    Args:
        policy: what it runs.
        profile: of the robot.
        speed: share of the speed limits that is used.
        obeyed: whether the robot is told the commands; else the guard goes on from the measured motion.

    Raises:
        UserError: if profile and contract do not fit.
    """

    def __init__(self, policy: Commander, profile: RobotProfile, *, speed: float, obeyed: bool) -> None:
        period_s = policy.contract.period_s
        motion = (
            ArmMotion(profile.limits, period_s=period_s)
            if isinstance(profile.limits, ArmLimits)
            else BaseMotion(profile.limits, period_s=period_s)
        )
        self.state = State.WAIT
        self.profile = profile
        self.guard = SafetyGuard(motion, profile.safety.guard(period_s, speed=speed))
        self.observations = ObservationBuilder(policy.contract, profile)
        self._policy, self._obeyed = policy, obeyed
        self._targets = make_targets(policy.contract, profile)
        self._stops_left = 0

    def receive(self, topic: str, message: Any, t_s: float) -> None:
        """Takes a message of an input topic."""
        self.observations.receive(topic, message, t_s)

    def refuse(self, topic: str, trip: Trip, text: str) -> None:
        """Takes note of a message that could not be read."""
        self.observations.mailboxes[topic].refuse(trip, text)

    def handle(self, event: Event) -> None:
        """Does what the operator asks, where the state allows it."""
        if event is Event.ARM and self.state is State.READY:
            self.state = State.ARMED
        elif event is Event.HOLD and self.state in (State.ARMED, State.RUN):
            self.state = State.HOLD if self.state is State.RUN else State.READY
            self._stops_left = self.profile.safety.stop_repeats
        elif event is Event.RESET and self._may_reset:
            self.state = State.WAIT
            self.observations.clear()  # in WAIT: a clock that was set back a little looks like a slow network

    def tick(self, t_s: float, faults: Sequence[Fault] = ()) -> Tick:
        """Runs one control period.

        Args:
            t_s: now, on the clock that messages are received by.
            faults: what is wrong with the connection.
        """
        if self.state in (State.HOLD, State.FAULT):
            return self._stop(t_s)  # whatever may be wrong with the inputs
        observation = self.observations.build(t_s)
        found = (*faults, *observation.faults)
        if self._obeyed and self.state is not State.RUN:  # a robot that somebody else commands may move as it likes
            found += self.guard.moving(observation.measured)
        if self.state in (State.WAIT, State.READY):
            return self._wait(observation, found, t_s)
        if self.state is State.ARMED:
            refusal = self._begin(observation, found, t_s)
            if refusal:
                self.state = State.WAIT
                return Tick(t_s=t_s, state=self.state, waiting_for=(refusal,), age_s=observation.age_s)
        return self._run(observation, found, t_s)

    @property
    def _may_reset(self) -> bool:
        if self.state in (State.FAULT, State.HOLD):
            return not self._is_stopping
        return self.state in (State.WAIT, State.READY)

    @property
    def _is_stopping(self) -> bool:
        return self._stops_left > 0

    def _wait(self, observation: Observation, faults: Sequence[Fault], t_s: float) -> Tick:
        reasons = [f"{fault.trip.value}: {fault.what}" for fault in faults]
        if any(fault.trip is Trip.OUT_OF_ORDER for fault in faults):
            self.observations.clear()  # a clock was set back, or a stamp lay in the future: nothing would ever be newer
        if not reasons and (observation.inputs is None or observation.measured is None):
            reasons = ["inputs are incomplete"]
        if not reasons and observation.unfamiliarity > self.guard.config.stop_at:
            reasons = [f"{Trip.UNFAMILIAR_INPUT.value}: {observation.strangest} {observation.unfamiliarity:.3g}"]
        self.state = State.WAIT if reasons else State.READY
        return Tick(
            t_s=t_s,
            state=self.state,
            waiting_for=tuple(reasons),
            unfamiliarity=observation.unfamiliarity,
            age_s=observation.age_s,
        )

    def _begin(self, observation: Observation, faults: Sequence[Fault], t_s: float) -> str | None:
        """Starts the episode, or says why it cannot."""
        if faults or observation.measured is None or observation.inputs is None:
            return "; ".join(f"{fault.trip.value}: {fault.what}" for fault in faults) or "inputs are incomplete"
        try:
            self.guard.start(observation.measured, t_s)
        except ValueError as error:
            return str(error)
        self._policy.reset()
        self._targets.start(observation.values)
        self.state = State.RUN
        return None

    def _run(self, observation: Observation, faults: Sequence[Fault], t_s: float) -> Tick:
        proposed = wanted = None
        inputs, measured = observation.inputs, observation.measured
        asked = inputs is not None and not faults
        if inputs is not None and measured is not None and not faults:
            proposed = self._policy.command(inputs)
            if proposed is not None:
                wanted = self._targets.wanted(proposed, observation.values, measured)
        if not self._obeyed:
            self.guard.follow(measured)
        decision = self.guard.decide(
            wanted,
            measured,
            t_s,
            faults=faults,
            unfamiliarity=observation.unfamiliarity,
            strangest=observation.strangest,
        )
        if decision.trips:
            self.state, self._stops_left = State.FAULT, self.profile.safety.stop_repeats
        return Tick(
            t_s=t_s,
            state=self.state,
            proposed=proposed,
            wanted=wanted,
            command=decision.command,
            scale=decision.scale,
            trips=decision.trips,
            unfamiliarity=observation.unfamiliarity,
            age_s=observation.age_s,
            late=asked and proposed is None,
        )

    def _stop(self, t_s: float) -> Tick:
        """Brakes, repeats the last command of the stop some times, then is silent."""
        if not self._is_stopping:
            return Tick(t_s=t_s, state=self.state)
        decision = self.guard.stop(t_s)
        self._stops_left -= self.guard.at_rest
        return Tick(t_s=t_s, state=self.state, command=decision.command)
