"""`robossl sim-robot`: a simulated robot behind the topics of a real one, for rehearsing `robossl bridge`."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np

from robossl.cli.arguments import FLAT, parse, split_positional
from robossl.cli.figures import print_summary
from robossl.cli.profiles import load_profile, profile_names
from robossl.cli.rehearse import demonstrate, play_episodes
from robossl.cli.settings import TEST_SEED_OFFSET, require_seed
from robossl.core import Bundle, Contract, UnknownNameError, UsageError, UserError
from robossl.core.contract import CameraInput
from robossl.deploy.app import ended_by_signals
from robossl.deploy.clock import MonotonicClock
from robossl.deploy.profile import RobotProfile
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.streams import is_unread
from robossl.deploy.transports.choice import open_transport
from robossl.envs.config import Difficulty, EnvConfig, RendererName
from robossl.rehearsal.sim_robot import CONTROL, STATUS, SimRobot, SimRobotConfig
from robossl.rehearsal.stage import BridgeTransport
from robossl.rehearsal.world import SimulatedWorld
from robossl.training.intervals import rate_interval
from robossl.training.progress import Progress

_NODE = "robossl_sim_robot"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimRobotCommand:
    """Runs a simulated robot.

    Attributes:
        env: the environment whose model it is.
        bundle: instead of `env`: the environment, renderer and picture size that its policy was trained with.
        difficulty: as in `env.difficulty`.
        engine: of the physics.
        renderer: of its cameras; the bundle's, or else raycast, where None.
        image_size: width and height of its cameras' pictures; the bundle's, or else the task's, where None.
        seed: of the worlds; as `eval`'s of a run with seed 0 where None.
        network: on which it speaks: simulated is DDS on this machine alone, in a domain of its own, where the bridge
            finds it with `--network simulated`; profile is the real robot's, as the profile says.
        robot: how it behaves, and what goes wrong with it.
        episodes: ends after so many; where None, and `seconds` too, once nobody reads any more what it tells.
        with_bridge: plays the episodes with `bundle`: runs the bridge in another process, live and at full speed, and
            arms, holds and resets it.
        bridge_transport: over which that bridge, or the one of `demo`, finds the robot: rclpy goes through the ROS 2
            that is sourced, the robot itself is on DDS.
        seconds: ends after this time.
        demo: shows what it is for: to success, then faults with the times to a safe stop, with `bundle` on the
            profile's robot, or, without both, with the bundles that come with robossl.
        json: print one JSON object as the last line.
    """

    env: str | None = None
    bundle: Path | None = None
    difficulty: Difficulty | None = None
    engine: Literal["mujoco", "bullet"] = "mujoco"
    renderer: RendererName | None = None
    image_size: tuple[int, int] | None = None
    seed: int | None = None
    network: Literal["simulated", "profile"] = "simulated"
    robot: Annotated[SimRobotConfig, FLAT] = field(default_factory=SimRobotConfig)
    episodes: int | None = None
    seconds: float | None = None
    with_bridge: bool = False
    bridge_transport: BridgeTransport = "dds"
    demo: bool = False
    json: bool = False

    def __post_init__(self) -> None:
        """Checks the numbers."""
        require_seed(self.seed)
        if self.episodes is not None and self.episodes < 1:
            raise UserError(f"episodes must be at least 1, got {self.episodes}")
        if self.seconds is not None and not self.seconds > 0:
            raise UserError(f"seconds must be positive, got {self.seconds}")
        if self.network == "profile" and (self.with_bridge or self.demo):
            raise UsageError(
                "--network profile is for a robot by itself: --with-bridge and --demo have one of their own"
            )
        if self.bridge_transport != "dds" and not (self.with_bridge or self.demo):
            raise UsageError("--bridge-transport is of the bridge that --with-bridge or --demo runs")


def run(arguments: list[str]) -> int:
    """Runs the robot until it is told to end; prints what its episodes came to."""
    name, rest = split_positional(arguments)
    command = parse(
        SimRobotCommand(),
        rest,
        usage="robossl sim-robot PROFILE",
        description="A simulated robot behind the topics of the profile's real one, in real time: what"
        " `robossl bridge` is rehearsed with. An episode begins with the first command. What the robot notices is on"
        f" {STATUS.name}; tell it on {CONTROL.name} what to do. Both are std_msgs/String with JSON, as in"
        ' {"reset": true} and {"fault": "nan", "on": true}.',
    )
    if command.demo:
        demonstrate(name, command.bundle, as_json=command.json, bridge_transport=command.bridge_transport)
        return 0
    if name is None:
        raise UsageError(f"give a profile: {', '.join(profile_names())}, or a file's path")
    profile = load_profile(name)
    if command.network == "simulated":
        profile = replace(profile, ros=profile.ros.simulated())
    if command.with_bridge:
        figures = play_episodes(
            profile, command.bundle, command.episodes or 1, words=rest, bridge_transport=command.bridge_transport
        )
        print_summary(figures, as_json=command.json)
    else:
        print_summary(_alone(command, profile), as_json=command.json)
    return 0


def _alone(command: SimRobotCommand, profile: RobotProfile) -> dict[str, Any]:
    """Runs the robot; returns what its episodes came to."""
    if (command.env is None) == (command.bundle is None):
        raise UsageError("give one of --env ID and --bundle FOLDER: whose model is the robot?")
    config = _env_config(command, Bundle(command.bundle).contract if command.bundle else None)
    seed = TEST_SEED_OFFSET if command.seed is None else command.seed
    types, clock = RosTypes(profile.ros.distro), MonotonicClock()
    world = SimulatedWorld(config, seed=seed)
    try:
        transport = open_transport(replace(profile.ros, node=_NODE), types)  # the bridge has the profile's own name
        try:
            robot = SimRobot(world, profile, transport, types=types, clock=clock, config=command.robot)
            seconds = _live(robot, command)
            robot.close()
        finally:
            transport.close()
    finally:
        world.close()
    return {"profile": profile.name, "env": config.id, "seed": seed, "seconds": seconds, **_figures(robot)}


def _env_config(command: SimRobotCommand, contract: Contract | None) -> EnvConfig:
    """Returns the environment that was asked for, or that a policy was trained in."""
    render = contract.trained_on.render if contract else None
    return EnvConfig(
        id=contract.trained_on.env if contract else command.env or "",
        difficulty=command.difficulty,
        num_worlds=1,
        image_size=command.image_size or (_picture_size(contract) if contract else None),
        renderer=command.renderer or _renderer(render.renderer if render else "raycast"),
        engine=command.engine,
        num_threads=1,
    )


def _renderer(name: str) -> RendererName:
    """Returns a renderer by the name that a bundle has for it."""
    known: tuple[RendererName, ...] = get_args(RendererName)
    found = next((known_name for known_name in known if known_name == name), None)
    if found is None:
        raise UnknownNameError("renderer", name, known)
    return found


def _picture_size(contract: Contract) -> tuple[int, int] | None:
    """Returns width and height of a policy's first camera."""
    shape = next((spec.shape for spec in contract.inputs if isinstance(spec, CameraInput)), None)
    return None if shape is None else (shape[2], shape[1])


def _live(robot: SimRobot, command: SimRobotCommand) -> float:
    """Runs until the episodes or the seconds are over, or a signal comes; returns the seconds."""
    begun_s, ended = time.monotonic(), False

    def end() -> None:
        nonlocal ended
        ended = True

    with ended_by_signals(end), Progress("sim-robot", command.episodes or 0, "episodes") as progress:
        for topic, reason in robot.drivers.absent.items():
            progress.say(f"{topic} is silent: {reason}")
        progress.say(f"speaks on {', '.join(topic.name for topic in robot.drivers.topics)}")
        if command.network == "simulated":
            progress.say("on this machine alone: `robossl bridge` hears it with --network simulated")
        robot.run(_watched(robot, command, progress, lambda: ended, begun_s))
    return time.monotonic() - begun_s


def _watched(
    robot: SimRobot, command: SimRobotCommand, progress: Progress, ended: Callable[[], bool], begun_s: float
) -> Callable[[], bool]:
    """Returns what tells whether the run is over, and keeps the progress line up to date."""
    counted = 0
    endless = command.episodes is None and command.seconds is None

    def over() -> bool:
        nonlocal counted
        if len(robot.episodes) > counted:
            counted = len(robot.episodes)
            progress.show(success=sum(episode.success for episode in robot.episodes) / counted)
            progress.to(counted)
        if endless and (is_unread(sys.stdout) or is_unread(sys.stderr)):  # nobody else would ever end it
            progress.say("stopped: nobody reads any more what the robot tells")
            return True
        timed_out = command.seconds is not None and time.monotonic() - begun_s >= command.seconds
        return ended() or timed_out or (command.episodes is not None and counted >= command.episodes)

    return over


def _figures(robot: SimRobot) -> dict[str, Any]:
    """Returns JSON values: success with its interval, as `eval` has it, and what the robot noticed."""
    success = np.array([episode.success for episode in robot.episodes], float)
    figures: dict[str, Any] = {"episodes": len(success)}
    if len(success):
        figures |= {"success_rate": float(success.mean()), "success_rate_ci": list(rate_interval(success))}
        for name in robot.episodes[0].metrics:
            figures[f"{name}_mean"] = float(np.mean([episode.metrics[name] for episode in robot.episodes]))
    figures |= {"commands": robot.num_commands, "rejected": robot.num_rejected, "lost_s": robot.lost_s}
    if robot.last_rejection:
        figures["last_rejection"] = robot.last_rejection
    return figures
