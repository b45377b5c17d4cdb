"""`robossl sim-robot --with-bridge` and `--demo`: robot and bridge in processes of their own, operated from here."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from robossl.cli.arguments import take_option
from robossl.cli.figures import print_json
from robossl.cli.profiles import load_profile
from robossl.core import Bundle, UsageError
from robossl.deploy.bridge import Bridge
from robossl.deploy.policy import OnnxPolicy
from robossl.deploy.profile import RobotProfile
from robossl.deploy.training_limits import tighter_limits
from robossl.rehearsal.demo import Act, run_demo
from robossl.rehearsal.stage import BridgeTransport, Stage, run_episodes
from robossl.training.progress import Progress

SHIPPED = (("panda", "arm_reach", True), ("ring_car", "ring_corridor", False))
"""Profile, bundle in robossl.assets, and whether the demo waits for success: round the ring takes a minute."""
_FULL_SPEED = ("--speed", "1.0")


def play_episodes(
    profile: RobotProfile,
    bundle: Path | None,
    episodes: int,
    *,
    words: list[str],
    bridge_transport: BridgeTransport = "dds",
) -> dict[str, Any]:
    """Plays episodes through a bridge; returns the robot's figures and the bridge's latencies and trips.

    Args:
        profile: of the robot.
        bundle: whose policy plays.
        episodes: how many.
        words: all options of `robossl sim-robot`.
        bridge_transport: see `Stage`.

    Raises:
        UserError: if bundle or profile do not do.
    """
    if bundle is None:
        raise UsageError("--with-bridge needs --bundle FOLDER: whose policy is to play?")
    trained = _fitting(bundle, profile).contract.trained_on
    if tighter := tighter_limits(profile, trained.motion):
        _say(tighter)
    for flag in ("--bundle", "--episodes", "--bridge-transport"):
        _, words = take_option(words, flag)
    words = [word for word in words if word not in ("--with-bridge", "--json")]
    with (
        _ended_by_sigterm(),
        Stage(bundle, profile, robot_words=words, bridge_words=_FULL_SPEED, bridge_transport=bridge_transport) as stage,
        Progress("rehearse", episodes, "episodes") as progress,
    ):

        def show(done: int, success: float) -> None:
            progress.show(success=success)
            progress.to(done)

        trips = run_episodes(stage, episodes, progress=show)
        robot, bridge = stage.end()
    return {**robot, "trips": trips, "latency": bridge.get("latency")}


def demonstrate(
    name: str | None, bundle: Path | None, *, as_json: bool, bridge_transport: BridgeTransport = "dds"
) -> None:
    """Plays the demonstration of a bundle on a profile's robot, or of those that come with robossl, and prints it.

    Raises:
        UserError: if it does not come to its end.
    """
    if (name is None) != (bundle is None):
        raise UsageError("a demo takes a profile and --bundle FOLDER, or neither of them")
    begun_s = time.monotonic()
    with ExitStack() as stack, _ended_by_sigterm():
        if name is not None and bundle is not None:
            acts = [_act(name, bundle, succeeds=True)]
        else:
            shipped = stack.enter_context(as_file(files("robossl.assets").joinpath("bundles")))
            acts = [_act(robot, shipped / folder, succeeds=succeeds) for robot, folder, succeeds in SHIPPED]
        stops = run_demo(acts, _say, bridge_transport=bridge_transport)
    seconds = time.monotonic() - begun_s
    _say(f"{seconds:.0f} s in all")
    if as_json:
        print_json({"seconds": seconds, "stops": [asdict(stop) for stop in stops]})


def _act(name: str, bundle: Path, *, succeeds: bool) -> Act:
    profile = load_profile(name)
    return Act(bundle=bundle, contract=_fitting(bundle, profile).contract, profile=profile, succeeds=succeeds)


def _fitting(folder: Path, profile: RobotProfile) -> Bundle:
    """Reads a bundle and checks, before any process is started, what the bridge will check."""
    profile.require_live()
    bundle = Bundle(folder)
    Bridge(OnnxPolicy(bundle), profile, speed=1.0, obeyed=True)
    return bundle


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Makes SIGTERM end the other processes, too, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
