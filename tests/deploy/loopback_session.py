"""Sessions on the loopback network of `loopback_world`, and a recording of one."""

from pathlib import Path

from deploy_robots import PERIOD_S, TYPES, Scripted, arm_contract, arm_profile
from loopback_world import STOP, World

from robossl.deploy.bridge import Bridge, Event, State, Tick
from robossl.deploy.profile import RobotProfile
from robossl.deploy.recorder import Recorder
from robossl.deploy.session import Mode, Session
from robossl.deploy.transports.loopback import LoopbackTransport

PROFILE = arm_profile()


def make_session(
    world: World, mode: Mode = Mode.LIVE, recorder: Recorder | None = None, profile: RobotProfile = PROFILE
) -> Session:
    bridge = Bridge(Scripted(arm_contract(), 0.4, 0.3), profile, speed=0.5, obeyed=mode is Mode.LIVE)
    transport = LoopbackTransport(world.network)
    return Session(bridge, transport, types=TYPES, clock=world, mode=mode, period_s=PERIOD_S, recorder=recorder)


def arm_when_ready(session: Session, world: World, seconds: float) -> list[Tick]:
    """Runs for some time; the robot hears its commands after every period."""
    ticks: list[Tick] = []
    while not ticks or ticks[-1].t_s < ticks[0].t_s + seconds:
        ticks.append(session.period())
        world.hear()
        if ticks[-1].state is State.READY:
            session.ask(Event.ARM)
    return ticks


def recorded(
    folder: Path, *, camera_dies_s: float = 1.6, mode: Mode = Mode.LIVE, digest: str = "digest", later_s: int = 0
) -> Path:
    """Records a run that the death of the camera ends; returns the bag."""
    world, bag = World(camera_dies_s=camera_dies_s), folder / "bag"
    world.wall_offset_ns += later_s * 10**9
    recorder = Recorder(bag, TYPES)
    session = make_session(world, mode, recorder)
    session.describe(bundle=digest, profile=PROFILE.name, speed=0.5)
    arm_when_ready(session, world, 0.4)
    world.say(STOP, TYPES.make("std_msgs/msg/Bool", data=False))
    arm_when_ready(session, world, 0.8)
    recorder.close()
    assert recorder.num_dropped == 0
    return bag
