"""How long messages of a robot's types and sizes take on its transport, measured with an echo in a second process."""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np

from robossl.core import Contract
from robossl.core.strict_json import to_json
from robossl.deploy.bridge import Commander
from robossl.deploy.clock import now_s
from robossl.deploy.encoder import CommandEncoder
from robossl.deploy.latency_echo import HEARD, command_topic, probed, sent_s, sources
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.topics import InputTopic
from robossl.deploy.transports import Transport

_END_S = 5.0
_POLICY_RUNS = 200


class Probe:
    """The bridge's end.

    Attributes:
        latencies_s: {leg: seconds}.

    Args:
        topics: of the inputs that are looked at.
    """

    def __init__(
        self, transport: Transport, types: RosTypes, contract: Contract, profile: RobotProfile, topics: list[str]
    ) -> None:
        self.latencies_s: Mapping[str, list[float]] = defaultdict(list)
        self._transport, self._types = transport, types
        self._encoder = CommandEncoder(profile, types, period_s=contract.period_s)
        self._command = command_topic(profile)
        self._num_axes = len(profile.limits.joints) if isinstance(profile.limits, ArmLimits) else 2
        for source in sources(profile, topics):
            transport.subscribe(probed(source), self._timed(source, probed(source).type))
        transport.advertise(self._command)
        transport.subscribe(HEARD, self._note)
        told = {"profile": to_json(profile), "contract": to_json(contract), "topics": topics}
        self._echo = subprocess.Popen(
            [sys.executable, "-m", "robossl.deploy.latency_echo"], stdin=subprocess.PIPE, text=True
        )
        assert self._echo.stdin is not None
        self._echo.stdin.write(json.dumps(told) + "\n")
        self._echo.stdin.flush()

    def send(self) -> None:
        """Sends one command with the time in it; nobody but the echo hears it."""
        sent_at_s = now_s()
        command = self._encoder.encode(np.full(self._num_axes, sent_at_s), round(sent_at_s * 1e9))
        self._transport.publish(self._command.name, self._types.to_bytes(command))

    def close(self) -> None:
        """Ends the echo, which ends with its input."""
        assert self._echo.stdin is not None
        self._echo.stdin.close()
        try:
            self._echo.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._echo.kill()
            self._echo.wait()

    def _timed(self, source: InputTopic, kind: str) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            sent = sent_s(self._types.from_bytes(data, kind))
            self.latencies_s[f"{source.topic} to bridge"].append(now_s() - sent)

        return receive

    def _note(self, data: bytes) -> None:
        sent, heard = self._types.from_bytes(data, HEARD.type).data
        self.latencies_s["bridge to robot"].append(float(heard - sent))


def policy_alone_s(policy: Commander) -> list[float]:
    """Returns how long a policy takes for observations of zeros."""
    nothing = {spec.name: np.zeros((1, *spec.shape), spec.dtype) for spec in policy.contract.inputs}
    found = []
    for _ in range(_POLICY_RUNS):
        begun_s = time.perf_counter()
        policy.command(nothing)
        found.append(time.perf_counter() - begun_s)
    policy.reset()
    return found


def delay_ms(legs: Mapping[str, Mapping[str, float]]) -> float | None:
    """Returns how late a command is at most, from sensor to robot, for 95 of 100: the sum of the legs' p95.

    Args:
        legs: {leg: figures} of a probe and of a session.

    Returns:
        None where the session had no robot to listen to.
    """
    if "input to command" not in legs or "bridge to robot" not in legs:
        return None
    slowest = max((figures["p95_ms"] for leg, figures in legs.items() if leg.endswith(" to bridge")), default=0.0)
    return slowest + legs["input to command"]["p95_ms"] + legs["bridge to robot"]["p95_ms"]
