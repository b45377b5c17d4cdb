"""A bridge and a simulated robot in one process: the way to success, and every fault to its named stop."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from stage import Rammer, Reacher, Roamer, Stage, arm_profile, base_profile, load_profile, watching_for_frost

from robossl.core import UserError
from robossl.deploy.bridge import Event, State
from robossl.deploy.clearance import STRAIGHT
from robossl.deploy.limits import ArmLimits, BaseLimits, ObstacleLimit
from robossl.deploy.session import is_over
from robossl.deploy.topics import CameraTopic
from robossl.deploy.trips import Trip
from robossl.rehearsal.faults import FAULTS, FaultName, FaultSizes
from robossl.rehearsal.sim_robot import Phase, SimRobotConfig

NAMED: dict[FaultName, set[Trip]] = {
    "camera_dropped": {Trip.STALE_INPUT},
    "camera_frozen": {Trip.FROZEN_INPUT},
    "delayed": {Trip.STALE_INPUT},
    "reordered": {Trip.OUT_OF_ORDER, Trip.STALE_INPUT},
    "lost_link": {Trip.STALE_INPUT},
    "slow_network": {Trip.STALE_INPUT},
    "joint_order": {Trip.MEASURED_POSITION, Trip.TRACKING_ERROR},
    "nan": {Trip.NON_FINITE_INPUT},
    "encoder_drift": {Trip.TRACKING_ERROR},
    "stop_pressed": {Trip.EMERGENCY_STOP},
}
BASE_NAMED: dict[FaultName, set[Trip]] = {
    **NAMED,
    "odometry_frozen": {Trip.FROZEN_INPUT},
    "encoder_drift": {Trip.MEASURED_SPEED, Trip.TRACKING_ERROR},
    "nan": {Trip.NON_FINITE_INPUT, Trip.STALE_INPUT},  # at 4 Hz what was refused is soon missed, too
}
BASE_NAMED.pop("joint_order")  # a base has no joints; sideways speed is no motion that it commands


@pytest.fixture
def staged() -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(*arguments: object, **options: object) -> Stage:
        stages.append(Stage(*arguments, **options))  # type: ignore[arg-type]
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


def with_fault(name: FaultName, after_s: float) -> SimRobotConfig:
    return SimRobotConfig(faults=(name,), fault_after_s=after_s, fault_sizes=FaultSizes(drift_per_s=1.5))


def test_the_arm_is_led_to_success_and_the_next_episode_waits_for_silence(staged: Callable[..., Stage]) -> None:
    stage = staged(Reacher(), arm_profile())
    ticks = stage.play(3.0)
    assert not [tick.trips for tick in ticks if tick.trips]
    assert [episode.success for episode in stage.robot.episodes] == [True]
    assert stage.robot.phase is Phase.OVER
    stage.session.ask(Event.HOLD)
    assert stage.play(2.0)[-1].state is State.HOLD
    assert stage.robot.phase is Phase.WAITING
    stage.session.ask(Event.RESET)
    stage.play(4.0)
    assert [(episode.world, episode.success) for episode in stage.robot.episodes] == [(0, True), (1, True)]


def test_an_episode_without_motion_fails_when_its_time_is_up(staged: Callable[..., Stage]) -> None:
    policy = Reacher()
    stage = staged(policy, arm_profile())
    policy.command = lambda inputs: np.zeros(3)  # type: ignore[method-assign]
    stage.play(1.5)
    assert stage.robot.phase is Phase.RUNNING
    stage.play(1.5)
    assert [episode.success for episode in stage.robot.episodes] == [False]


@pytest.mark.parametrize("name", NAMED)
def test_every_fault_of_an_arm_is_named_and_stops_it(name: FaultName, staged: Callable[..., Stage]) -> None:
    stage = staged(Reacher(), watching_for_frost(arm_profile()), with_fault(name, 0.5))
    ticks = stage.play(3.0)
    require_safe_stop(stage, ticks, NAMED[name])
    limits = stage.profile.limits
    assert isinstance(limits, ArmLimits)
    positions = np.array([command for _, command in stage.sent])
    assert (positions >= [joint.min_rad for joint in limits.joints]).all()
    assert (positions <= [joint.max_rad for joint in limits.joints]).all()
    speed = np.abs(np.diff(positions, axis=0)) / stage.policy.contract.period_s
    assert (speed <= np.array([joint.velocity_rad_s for joint in limits.joints]) + 1e-9).all()


@pytest.mark.parametrize("name", BASE_NAMED)
def test_every_fault_of_a_base_is_named_and_stops_it(name: FaultName, staged: Callable[..., Stage]) -> None:
    stage = staged(Roamer(), watching_for_frost(base_profile()), with_fault(name, 1.5))
    ticks = stage.play(7.0)
    require_safe_stop(stage, ticks, BASE_NAMED[name])


def test_every_fault_is_rehearsed() -> None:
    assert {*NAMED, *BASE_NAMED} == set(FAULTS)


def test_an_odometry_that_froze_while_the_base_stood_is_named_and_stops_it(staged: Callable[..., Stage]) -> None:
    stage = staged(Roamer(), watching_for_frost(base_profile()), with_fault("odometry_frozen", 0.0))
    ticks = stage.play(5.0)
    require_safe_stop(stage, ticks, {Trip.TRACKING_ERROR})
    tripped = next(tick for tick in ticks if tick.trips)
    assert tripped.t_s - next(tick.t_s for tick in ticks if tick.state is State.RUN) < 3.0


def require_safe_stop(stage: Stage, ticks: list, trips: set[Trip]) -> None:  # type: ignore[type-arg]
    """The robot moved, then one named trip stopped it: commands end, it stands, and nothing moves it again."""
    tripped = [record.trip for tick in ticks for record in tick.trips]
    assert tripped, "nothing stopped it"
    assert set(tripped) <= trips
    assert any(tick.state is State.RUN for tick in ticks)
    assert is_over(ticks[-1])
    first_s = next(tick.t_s for tick in ticks if tick.trips)
    assert stage.robot.rest_since_ns is not None
    assert stage.robot.rest_since_ns / 1e9 < first_s + 1.5


def test_a_base_that_sees_depth_alone_stands_before_what_is_in_its_way(staged: Callable[..., Stage]) -> None:
    policy, profile = Rammer(), load_profile("depth_base")
    stage = staged(policy, profile)
    ticks = stage.play(30.0)
    assert not [tick.trips for tick in ticks if tick.trips]
    assert ticks[-1].state is State.RUN
    assert max(command[0] for _, command in stage.sent) == pytest.approx(0.22)
    assert abs(stage.sent[-1][1][0]) < 0.01
    camera = next(box for box in stage.bridge.observations.mailboxes.values() if box.source.topic.endswith("rect_raw"))
    assert camera.reading is not None
    assert camera.reading.ways is not None
    limits = profile.limits
    assert isinstance(limits, BaseLimits)
    assert isinstance(limits.obstacle, ObstacleLimit)
    assert camera.reading.ways[0, STRAIGHT] == pytest.approx(limits.obstacle.stop_m, abs=0.03)
    seen_m = policy.seen[-1]["depth_front"]
    assert seen_m.shape == (1, 1, *camera.reading.picture.shape)
    assert seen_m.dtype == np.float32
    assert 0.0 < seen_m.min() < 0.5  # metres, of a camera that speaks in millimetres
    policy.speed_m_s = -0.11
    stage.play(2.0)
    assert abs(stage.sent[-1][1][0]) < 0.01  # nothing looks behind


@pytest.mark.parametrize("name", ["camera_dropped", "camera_frozen"])
def test_a_depth_camera_that_fails_is_named_and_stops_the_base(name: FaultName, staged: Callable[..., Stage]) -> None:
    stage = staged(Rammer(), load_profile("depth_base"), with_fault(name, 1.5))
    require_safe_stop(stage, stage.play(5.0), NAMED[name])


def test_a_killed_bridge_leaves_an_arm_at_the_end_of_its_trajectory(staged: Callable[..., Stage]) -> None:
    stage = staged(Reacher(), arm_profile())
    stage.play(0.9)
    killed_ns = stage.t_ns
    stage.wait(1.0)
    assert stage.robot.rest_since_ns is not None
    assert 0 < stage.robot.rest_since_ns - killed_ns < 0.5e9


def test_a_killed_bridge_leaves_a_base_to_its_own_time_out(staged: Callable[..., Stage]) -> None:
    stage = staged(Roamer(), base_profile(), SimRobotConfig(twist_timeout_s=0.4))
    stage.play(4.0)
    last_s = stage.sent[-1][0]
    stage.wait(1.0)
    assert stage.robot.rest_since_ns is not None
    assert 0.4 <= stage.robot.rest_since_ns / 1e9 - last_s <= 0.4 + 3 * 0.05


def test_faults_come_and_go_on_the_control_topic(staged: Callable[..., Stage]) -> None:
    stage = staged(Reacher(), arm_profile())
    stage.tell('{"fault": "camera_dropped", "on": true}')
    waiting = stage.play(1.0)[-1].waiting_for
    assert "/static_camera/image_raw" in waiting[0]
    stage.tell('{"fault": "camera_dropped", "on": false}')
    stage.play(3.0)
    assert [episode.success for episode in stage.robot.episodes] == [True]
    stage.tell('{"reset": true}')
    stage.wait(0.1)
    assert stage.robot.phase is Phase.WAITING


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"fault": "sabotage", "on": true}', '{"fault": 3}', "null", "[" * 100_000],
    ids=lambda text: text[:12],
)
def test_what_makes_no_sense_on_the_control_topic_is_counted_and_nothing_else(
    text: str, staged: Callable[..., Stage]
) -> None:
    stage = staged(Reacher(), arm_profile())
    stage.tell(text)
    stage.wait(0.05)
    assert stage.robot.num_rejected == 1
    assert not stage.robot.faults.since_ns
    assert stage.robot.phase is Phase.WAITING


def test_a_stopped_robot_in_a_dry_run_never_moves(staged: Callable[..., Stage]) -> None:
    stage = staged(Reacher(), arm_profile(), obeyed=False)
    assert stage.play(2.0)[-1].state is State.RUN
    assert not stage.sent
    assert stage.robot.phase is Phase.WAITING


def test_a_profile_of_another_robot_is_refused(staged: Callable[..., Stage]) -> None:
    ur5e = replace(base_profile(), name="base")
    with pytest.raises(UserError, match="it is another robot"):
        staged(Reacher(), ur5e)


def test_topics_that_the_world_lacks_are_named(staged: Callable[..., Stage]) -> None:
    stage = staged(Reacher(), arm_profile())
    assert list(stage.robot.drivers.absent) == ["/block/odometry"]
    assert "block" in stage.robot.drivers.absent["/block/odometry"]


def test_cameras_differ_from_frame_to_frame_even_at_rest(staged: Callable[..., Stage]) -> None:
    profile = watching_for_frost(arm_profile())
    assert any(isinstance(source, CameraTopic) and source.max_identical == 3 for source in profile.inputs)
    stage = staged(Reacher(), profile)
    assert stage.play(2.0, arms=False)[-1].state is State.READY


@pytest.mark.parametrize("world", [-1, 2**32])
def test_a_first_world_that_there_is_not_is_refused(world):
    with pytest.raises(UserError, match=f"first-world goes from 0 to 4294967295, got {world}"):
        SimRobotConfig(first_world=world)
