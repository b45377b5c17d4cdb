"""A demonstration with a bundle: to success, then what can go wrong on purpose, with the times to a safe stop.

Simulated robot and bridge are two processes that know each other through DDS on loopback alone; this one types what an
operator would. Times to a stop are counted from the moment when something breaks to the moment when the robot stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robossl.core import Contract, UserError
from robossl.core.contract import CameraInput
from robossl.deploy.clock import now_s
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.rehearsal.stage import BridgeTransport, Stage, run_episodes

_EPISODES = 3
_DRIVE_S = 4.0
_STOP_S = 20.0
_MOVING = 0.1
"""In rad/s or m/s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One bundle on one robot.

    Attributes:
        succeeds: whether the task is also done; else the robot is only made to move.
    """

    bundle: Path
    contract: Contract
    profile: RobotProfile
    succeeds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How a robot came to rest.

    Attributes:
        cause: what was done to it.
        named: what the bridge said; what stopped the robot instead where there was no bridge.
        named_s: when it said so, after the cause; None where nobody did.
        rest_s: when the robot stood.
    """

    profile: str
    cause: str
    named: str
    named_s: float | None
    rest_s: float

    def __str__(self) -> str:
        named = "-" if self.named_s is None else f"{self.named_s * 1e3:.0f} ms"
        return f"{self.cause:<20} {named:>12} {self.rest_s * 1e3:>11.0f} ms  {self.named}"


def run_demo(acts: list[Act], say: Callable[[str], None], *, bridge_transport: BridgeTransport = "dds") -> list[Stop]:
    """Plays all acts; returns the stops.

    Raises:
        UserError: if something does not happen in time, or a robot does not do its task.
    """
    stops: list[Stop] = []
    for act in acts:
        say(f"# {act.profile.name}: {act.bundle.name}, trained in {act.contract.trained_on.env}")
        begun_s = now_s()
        with Stage(
            act.bundle, act.profile, bridge_words=["--speed", "1.0"], bridge_transport=bridge_transport
        ) as stage:
            say(f"simulated robot and bridge found each other after {now_s() - begun_s:.1f} s")
            if act.succeeds:
                _do_task(stage, say)
            say(f"{'what happens':<20} {'named after':>12} {'at rest after':>14}  what stopped it")
            for scene in (_operator_holds, _inputs_die, _bridge_dies):
                stops.append(scene(stage, act))
                say(str(stops[-1]))
            _take_over(stage, say)
    return stops


def _do_task(stage: Stage, say: Callable[[str], None]) -> None:
    trips = run_episodes(stage, _EPISODES, progress=lambda done, success: None)
    successes = int(stage.watch.status["successes"])
    say(f"{successes} of {_EPISODES} episodes succeeded" + (f"; the guard stopped it: {trips}" if trips else ""))
    if not successes:
        raise UserError("the robot did not do its task once: is this bundle of its environment?")


def _operator_holds(stage: Stage, act: Act) -> Stop:
    _move(stage)
    asked_s = now_s()
    stage.bridge.say("hold")
    _, named_s, _ = stage.bridge.wait_state("hold", timeout_s=_STOP_S, after_s=asked_s)
    rest_s = stage.watch.rest_after(asked_s, timeout_s=_STOP_S)
    stage.restart()
    return _stop(stage, "operator types hold", "bridge: hold", named_s - asked_s, rest_s)


def _inputs_die(stage: Stage, act: Act) -> Stop:
    """Takes away the pictures, or everything where the policy sees none, and gives them back after the stop."""
    has_camera = any(isinstance(spec, CameraInput) for spec in act.contract.inputs)
    fault, cause = ("camera_dropped", "camera dies") if has_camera else ("lost_link", "link is lost")
    _move(stage)
    broken_s = stage.watch.switch(fault, on=True)["faults"][fault] / 1e9
    _, named_s, why = stage.bridge.wait_state("fault", timeout_s=_STOP_S, after_s=broken_s)
    rest_s = stage.watch.rest_after(broken_s, timeout_s=_STOP_S)
    stage.watch.switch(fault, on=False)
    stage.restart()
    return _stop(stage, cause, f"bridge: {why}", named_s - broken_s, rest_s)


def _bridge_dies(stage: Stage, act: Act) -> Stop:
    _move(stage)
    killed_s = stage.bridge.kill()
    rest_s = stage.watch.rest_after(killed_s, timeout_s=_STOP_S)
    own = "end of its trajectory" if isinstance(stage.profile.limits, ArmLimits) else "own time-out"
    return _stop(stage, "SIGKILL of bridge", f"robot: {own}", None, rest_s)


def _take_over(stage: Stage, say: Callable[[str], None]) -> None:
    """Starts another bridge, which moves the robot again."""
    restarted_s = now_s()
    stage.start_bridge()
    stage.begin()
    status = stage.watch.wait(lambda status: status["speed"] > _MOVING, timeout_s=_STOP_S, what="moving again")
    say(f"a new bridge moves the robot {status['t_ns'] / 1e9 - restarted_s:.1f} s after its start")


def _move(stage: Stage) -> None:
    """Arms the bridge and waits until the robot is well under way, but not at its goal."""
    stage.begin()
    stage.watch.wait(lambda status: status["speed"] > _MOVING, timeout_s=_STOP_S, what="moving")
    if not isinstance(stage.profile.limits, ArmLimits):
        stage.watch.listen(_DRIVE_S)


def _stop(stage: Stage, cause: str, named: str, named_s: float | None, rest_s: float) -> Stop:
    return Stop(profile=stage.profile.name, cause=cause, named=named, named_s=named_s, rest_s=rest_s)
