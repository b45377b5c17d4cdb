"""The bridge and the simulated robot as an operator has them: one to type to, one to watch."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from robossl.core import UserError
from robossl.deploy.clock import now_s
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.transports import Transport
from robossl.deploy.trips import RefusedMessageError
from robossl.rehearsal.child import Child
from robossl.rehearsal.sim_robot import CONTROL, STATUS

_STATE = re.compile(r"\s*\d+\.\d+ s  (wait|ready|armed|run|hold|fault)\b(.*)")
_POLL_S, _RETRY_S, _RESET_S = 0.02, 0.2, 20.0
Status = dict[str, Any]


class BridgeChild(Child):
    """`python -m robossl.deploy`, live, with an operator at its keyboard: what a robot's computer runs.

    Args:
        bundle: folder.
        profile_file: JSON.
        profile: the same.
        words: more options.
    """

    def __init__(self, bundle: Path, profile_file: Path, profile: RobotProfile, words: Sequence[str]) -> None:
        live = ["--live", "--confirm", profile.name, "--json"]
        super().__init__(
            "the bridge", ["-m", "robossl.deploy", str(bundle), "--profile", str(profile_file), *live, *words]
        )

    def state(self) -> tuple[str, float, str]:
        """Returns the last state that it told, when, and why."""
        for at_s, line in reversed(self.lines):
            if found := _STATE.match(line):
                return found[1], at_s, found[2].strip()
        return "", 0.0, ""

    def wait_state(self, *names: str, timeout_s: float, after_s: float = 0.0) -> tuple[str, float, str]:
        """Waits for one of the states, told after a time; returns it, when it was told, and why.

        Raises:
            UserError: if it does not come in time, or the bridge ends.
        """
        deadline_s = now_s() + timeout_s
        while True:
            state, at_s, why = self.state()
            if state in names and at_s >= after_s:
                return state, at_s, why
            if now_s() > deadline_s:
                raise UserError(f"the bridge is not {' or '.join(names)} after {timeout_s:g} s, but {state}: {why}")
            self.require_alive()
            self.wait_line(_POLL_S)

    def reset(self) -> None:
        """Has it forget a hold or a fault, as soon as it has sent the end of its stop.

        Raises:
            UserError: if it does not.
        """
        deadline_s = now_s() + _RESET_S
        while self.state()[0] in ("hold", "fault"):
            if now_s() > deadline_s:
                raise UserError(f"the bridge is still in {self.state()[0]} {_RESET_S:g} s after a reset")
            self.require_alive()
            self.say("reset")
            self.wait_line(_RETRY_S)


class RobotWatch:
    """Hears a simulated robot's status, and tells it what to do.

    Attributes:
        status: the last one; empty before the first.
    """

    def __init__(self, transport: Transport, types: RosTypes, robot: Child) -> None:
        self.status: Status = {}
        self._transport, self._types, self._robot = transport, types, robot
        transport.subscribe(STATUS, self._hear)
        transport.advertise(CONTROL)

    def wait(self, condition: Callable[[Status], bool], *, timeout_s: float, what: str) -> Status:
        """Waits until a status from now on fulfils a condition, and returns it.

        Raises:
            UserError: if none does in time, or the robot ends.
        """
        begun_s = now_s()
        deadline_s = begun_s + timeout_s
        while not (self.status and self.status["t_ns"] >= begun_s * 1e9 and condition(self.status)):
            if now_s() > deadline_s:
                raise UserError(f"the simulated robot: {what} did not happen within {timeout_s:g} s")
            self._robot.require_alive()
            self._transport.spin_once(_POLL_S)
        return self.status

    def switch(self, fault: str, on: bool) -> Status:
        """Switches a fault, and returns the status that says so."""

        def told(status: Status) -> bool:
            if (fault in status["faults"]) == on:
                return True
            self._tell({"fault": fault, "on": on})
            return False

        return self.wait(told, timeout_s=5.0, what=f"fault {fault} {'on' if on else 'off'}")

    def reset(self) -> None:
        """Has it begin the next episode."""
        before = self.status["world"]
        self._tell({"reset": True})
        self.wait(lambda status: status["world"] > before, timeout_s=5.0, what="the next episode")

    def listen(self, seconds: float) -> None:
        """Lets time pass."""
        deadline_s = now_s() + seconds
        while (left_s := deadline_s - now_s()) > 0:
            self._robot.require_alive()
            self._transport.spin_once(min(left_s, _POLL_S))

    def rest_after(self, since_s: float, *, timeout_s: float) -> float:
        """Waits until the robot has been at rest for a moment, and returns when it came to rest, in s after `since_s`.

        A robot that stood already came to rest at once.
        """

        def stands(status: Status) -> bool:
            rest_ns, t_ns = status["rest_since_ns"], status["t_ns"]
            return rest_ns is not None and t_ns - rest_ns > 0.3e9 and t_ns > since_s * 1e9

        status = self.wait(stands, timeout_s=timeout_s, what="coming to rest")
        return max(0.0, float(status["rest_since_ns"] / 1e9 - since_s))

    def _tell(self, wish: dict[str, Any]) -> None:
        text = self._types.make(CONTROL.type, data=json.dumps(wish))
        self._transport.publish(CONTROL.name, self._types.to_bytes(text))

    def _hear(self, data: bytes) -> None:
        try:
            self.status = json.loads(self._types.from_bytes(data, STATUS.type).data)
        except (RefusedMessageError, ValueError):
            return
