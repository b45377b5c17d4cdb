"""`robossl bridge` and `python -m robossl.deploy`: one run of a bridge from options to exit code."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO

from robossl.core import Bundle, UserError
from robossl.deploy.bridge import Bridge
from robossl.deploy.clock import Clock, MonotonicClock
from robossl.deploy.latency import Probe, delay_ms, policy_alone_s
from robossl.deploy.policy import OnnxPolicy
from robossl.deploy.profile import RobotProfile
from robossl.deploy.recorder import Recorder
from robossl.deploy.replay import replay
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.session import Mode, Session, bag_name, percentiles
from robossl.deploy.timed_policy import TimedPolicy
from robossl.deploy.training_limits import tighter_limits
from robossl.deploy.transports import Transport
from robossl.deploy.transports.bag import BagTransport
from robossl.deploy.transports.choice import open_transport
from robossl.deploy.watch import Watch

FAULT_EXIT = 3
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOptions:
    """Runs a bundle's policy on a robot, or beside it.

    Attributes:
        profile: the robot's; needed.
        network: where the robot is: as the profile says, or simulated, by `robossl sim-robot` on this machine.
        mode: what becomes of commands without --live: in a dry run nothing is advertised, beside a shadow whatever
            else commands the robot is recorded too.
        live: send commands; the profile's name must be typed, too.
        confirm: the profile's name, typed beforehand.
        arm: arm as soon as the robot is ready, without asking; always so unless live.
        speed: share of the profile's speed limits.
        seconds: ends the run after this time.
        record: folder of recordings; nothing is recorded where None.
        bag: plays a bag, of any recorder, instead of listening to a robot; as fast as it can be decided.
        replay: a recording of this bundle that is decided again, period by period, and compared.
        latency_test: run dry for this many seconds and print how long each leg takes, the transport's with an echo in
            a second process of this machine.
        json: print one JSON object as the last line.
    """

    profile: str
    network: Literal["profile", "simulated"] = "profile"
    mode: Literal["dry-run", "shadow"] = "dry-run"
    live: bool = False
    confirm: str | None = None
    arm: bool = False
    speed: float = 0.1
    seconds: float | None = None
    record: Path | None = Path("recordings")
    bag: Path | None = None
    replay: Path | None = None
    latency_test: float | None = None
    json: bool = False

    def __post_init__(self) -> None:
        """Checks that the options do not contradict each other."""
        if self.mode not in (Mode.DRY_RUN.value, Mode.SHADOW.value):
            raise UserError(f"mode must be dry-run or shadow, got {self.mode!r}; commands are sent with --live alone")
        if self.network not in ("profile", "simulated"):
            raise UserError(f"network must be profile or simulated, got {self.network!r}")
        if self.live and (self.mode != "dry-run" or self.bag or self.replay or self.latency_test):
            raise UserError("--live excludes --mode, --bag, --replay and --latency-test")
        if sum(map(bool, (self.bag, self.replay, self.latency_test))) > 1:
            raise UserError("--bag, --replay and --latency-test exclude each other")
        if not 0 < self.speed <= 1:
            raise UserError(f"speed must be above 0 and at most 1, got {self.speed}")

    @property
    def effective_mode(self) -> Mode:
        """Returns what becomes of commands."""
        return Mode.LIVE if self.live else Mode(self.mode)


def run(
    bundle: Bundle,
    profile: RobotProfile,
    options: BridgeOptions,
    *,
    out: TextIO,
    typed: TextIO,
    recorded: Callable[[Path], None] | None = None,
) -> int:
    """Runs, replays or measures; returns the exit code.

    Args:
        bundle: the policy.
        profile: of the robot.
        options: what is done.
        out: where everything is told.
        typed: what an operator types.
        recorded: is called with the recording, once it is whole.

    Raises:
        UserError: in one line, before the first command, whatever does not fit.
    """
    if options.network == "simulated":
        profile = replace(profile, ros=profile.ros.simulated())
    if options.replay:
        return _replay(bundle, profile, options, out)
    if options.live:
        profile.require_live()
        _require_confirmed(profile, options, out, typed)
    policy = TimedPolicy(OnnxPolicy(bundle), budget_s=0.8 * bundle.contract.period_s)
    mode = options.effective_mode
    bridge = Bridge(policy, profile, speed=options.speed, obeyed=mode is Mode.LIVE)
    if tighter := tighter_limits(profile, bundle.contract.trained_on.motion):
        print(tighter, file=out, flush=True)
    types = RosTypes(profile.ros.distro)
    bag = BagTransport(options.bag) if options.bag else None
    transport: Transport = bag or open_transport(profile.ros, types)
    clock: Clock = bag or MonotonicClock()
    if bag and bag.lost:
        print(bag.lost, file=out)
    folder = bag_name(options.record, time.time_ns()) if options.record else None
    recorder = Recorder(folder, types, waits=bag is not None) if folder else None
    probe = None
    try:
        session = Session(
            bridge,
            transport,
            types=types,
            clock=clock,
            mode=mode,
            period_s=bundle.contract.period_s,
            recorder=recorder,
        )
        session.describe(bundle=bundle.digest, profile=profile.name, speed=options.speed)
        if options.latency_test:
            probe = Probe(transport, types, bundle.contract, profile, list(bridge.observations.mailboxes))
        watch = Watch(
            session,
            policy,
            out=out,
            typed=typed,
            arms=options.arm or not options.live,
            interactive=options.live and not options.arm,
            seconds=options.latency_test or _least(options.seconds, bag.seconds if bag else None),
            each=probe.send if probe else _nothing,
        )
        with ended_by_signals(watch.end):
            session.run(watch)
    finally:
        if probe:
            probe.close()
        policy.close()
        transport.close()
        if recorder:
            recorder.close()
    latencies_s: dict[str, Sequence[float]] = {}
    if probe:
        latencies_s = {**probe.latencies_s, "policy alone": policy_alone_s(OnnxPolicy(bundle))}
    legs = percentiles(latencies_s | session.latencies_s)
    if folder and recorder and recorded and not recorder.failure:
        recorded(folder)
    return _finish(session, watch, options, legs, folder, recorder, out)


def _require_confirmed(profile: RobotProfile, options: BridgeOptions, out: TextIO, typed: TextIO) -> None:
    name = options.confirm
    if name is None:
        print(f"The robot of profile {profile.name} will move. Type the profile's name to go live: ", end="", file=out)
        out.flush()
        name = typed.readline().strip()
    if name != profile.name:
        raise UserError(f"not live: {name!r} is not the name of the profile, {profile.name!r}")


def _replay(bundle: Bundle, profile: RobotProfile, options: BridgeOptions, out: TextIO) -> int:
    assert options.replay is not None
    found = replay(options.replay, OnnxPolicy(bundle), profile, digest=bundle.digest)
    print(f"{found.periods} periods decided again, {found.different} of them differently", file=out)
    if found.lost:
        print(found.lost, file=out)
    if found.first:
        print(f"first: {found.first}", file=out)
    if options.json:
        print(json.dumps({"periods": found.periods, "different": found.different}), file=out)
    return 1 if found.different else 0


def _finish(
    session: Session,
    watch: Watch,
    options: BridgeOptions,
    legs: dict[str, dict[str, float]],
    folder: Path | None,
    recorder: Recorder | None,
    out: TextIO,
) -> int:
    width = max(map(len, legs), default=0)
    for leg, figures in legs.items():
        print(
            f"{leg:<{width}}  " + "  ".join(f"{name[:-3]} {value:.2f} ms" for name, value in figures.items()), file=out
        )
    delay = delay_ms(legs) if options.latency_test else None
    if delay is not None:
        print(f"from sensor to robot at most {delay:.1f} ms (sum of p95)", file=out)
    elif options.latency_test:
        remedy = f"`robossl sim-robot {options.profile} --bundle BUNDLE` beside it and --network simulated here"
        print(f"the loop's own legs need a robot, e.g. {remedy}: none was heard", file=out)
    if folder and recorder:
        lost = f" ({recorder.num_dropped} messages were dropped)" if recorder.num_dropped else ""
        print(f"recorded {folder}{lost}", file=out)
        if recorder.failure:
            print(f"the recording is not whole: {recorder.failure}", file=out)
    state = session.last.state.value if session.last else None
    if options.json:
        summary = {"state": state, "trips": watch.trips, "latency": legs, "recording": str(folder) if folder else None}
        print(json.dumps({**summary, "delay_ms": delay} if options.latency_test else summary), file=out)
    return FAULT_EXIT if watch.trips else 0


def _nothing() -> None:
    pass


def _least(*numbers: float | None) -> float | None:
    """Returns the least of the numbers that there are."""
    return min((number for number in numbers if number is not None), default=None)


@contextmanager
def ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Makes Ctrl-C, SIGTERM and the loss of the terminal end the run by a stop instead of at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: end()) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
