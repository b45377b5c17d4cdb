"""A simulated robot and a bridge in processes of their own, and this one as their operator."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.profile import RobotProfile, RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.transports.choice import open_transport
from robossl.rehearsal.child import Child
from robossl.rehearsal.partners import BridgeChild, RobotWatch

_START_S = 90.0
"""Until a process on a busy machine has imported everything and found the others."""
_EPISODE_S = 600.0
BridgeTransport: TypeAlias = Literal["dds", "rclpy"]
_COMMAND_LINE = """
from robossl.cli.main import main
from robossl.rehearsal.child import end_with_operator
end_with_operator()
main()
"""


class Stage:
    """Both processes, on this machine alone, in a DDS domain of their own.

    Args:
        bundle: whose policy is run.
        profile: of the robot.
        robot_words: options of `robossl sim-robot`, without profile and bundle.
        bridge_words: options of the bridge.
        bridge_transport: of the bridge; the robot, and who watches it, are on DDS.
    """

    def __init__(
        self,
        bundle: Path,
        profile: RobotProfile,
        *,
        robot_words: Sequence[str] = (),
        bridge_words: Sequence[str] = (),
        bridge_transport: BridgeTransport = "dds",
    ) -> None:
        ros = replace(profile.ros.simulated(), domain_id=100 + os.getpid() % 100)
        self.bundle, self.profile = bundle, replace(profile, ros=ros)
        self._folder = tempfile.TemporaryDirectory(prefix="robossl-rehearsal-")
        self._bridge_words = ["--record", str(Path(self._folder.name) / "recordings"), *bridge_words]
        robots_file = self._write_profile("robot", ros)
        self._profile_file = self._write_profile("bridge", replace(ros, transport=bridge_transport))
        types = RosTypes(ros.distro)
        self._transport = open_transport(ros, types)
        words = ["sim-robot", str(robots_file), "--network", "profile", "--bundle", str(bundle), "--json"]
        self._robot = Child("the simulated robot", ["-c", _COMMAND_LINE, *words, *robot_words])
        self.watch = RobotWatch(self._transport, types, self._robot)
        self.bridge = self.start_bridge()

    def __enter__(self) -> "Stage":
        try:
            self.watch.wait(lambda status: True, timeout_s=_START_S, what="its first word")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._transport.close()
        self._folder.cleanup()

    def start_bridge(self) -> BridgeChild:
        """Starts a bridge; the one before must have ended."""
        self.bridge = BridgeChild(self.bundle, self._profile_file, self.profile, self._bridge_words)
        return self.bridge

    def begin(self) -> float:
        """Waits until the bridge is ready, and arms it; returns when it began to run."""
        _, ready_s, _ = self.bridge.wait_state("ready", timeout_s=_START_S)
        self.bridge.say("arm")
        return self.bridge.wait_state("run", timeout_s=10.0, after_s=ready_s)[1]

    def finish(self) -> None:
        """Holds the bridge, waits until the robot has begun its next episode, and resets the bridge."""
        self.bridge.say("hold")
        self.watch.wait(lambda status: status["phase"] == "waiting", timeout_s=_EPISODE_S, what="the next episode")
        self.bridge.reset()

    def restart(self) -> None:
        """Puts the robot into its next episode, and resets a bridge that has stopped it."""
        self.watch.reset()
        self.bridge.reset()

    def end(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Ends both processes, the bridge first, so that it stops the robot; returns their summaries."""
        bridge = self.bridge.end()
        return self._robot.end(), bridge

    def _write_profile(self, whose: str, ros: RosConfig) -> Path:
        path = Path(self._folder.name) / f"{whose}.json"
        write_json(path, to_json(replace(self.profile, ros=ros)))
        return path


def run_episodes(stage: Stage, episodes: int, *, progress: Callable[[int, float], None]) -> list[str]:
    """Lets the bridge play episodes; returns why it stopped by itself, where it did.

    Args:
        stage: both processes.
        episodes: how many.
        progress: is called with the number of episodes that have ended and the share of successes.
    """
    trips = []
    for done in range(1, episodes + 1):
        stage.begin()

        def is_over(status: dict[str, Any], done: int = done) -> bool:
            return bool(status["episodes"] >= done)

        status = stage.watch.wait(is_over, timeout_s=_EPISODE_S, what="the end of an episode")
        state, _, why = stage.bridge.state()
        if state == "fault":
            trips.append(why)
        progress(done, status["successes"] / done)
        stage.finish()
    return trips
