from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from deploy_robots import PERIOD_S, arm, base
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.deploy.arm_motion import ArmMotion
from robossl.deploy.base_motion import BaseMotion
from robossl.deploy.clearance import HEADINGS_RAD
from robossl.deploy.guard import Decision, GuardConfig, SafetyGuard
from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import missing
from robossl.deploy.motion import Fault, Measured
from robossl.deploy.trips import Trip

Vector = NDArray[np.float64]
CONFIG = GuardConfig(period_s=PERIOD_S, max_period_s=0.05, blend_s=0.0, speed=1.0, slow_from=0.25, stop_at=1.0)
CLEAR = (10.0, 10.0)
ANY = st.floats(width=64)


def at(*position: float, velocity: Vector | None = None) -> Measured:
    return Measured(position=np.array(position), velocity=np.zeros(len(position)) if velocity is None else velocity)


def driving(speed: float = 0.0, turn: float = 0.0, clearance: tuple[float, float] | None = CLEAR) -> Measured:
    ways = None if clearance is None else np.repeat(np.array(clearance)[:, None], len(HEADINGS_RAD), axis=1)
    return Measured(position=np.zeros(0), velocity=np.array([speed, turn]), clearance_m=ways)


def started(motion: ArmMotion | BaseMotion, measured: Measured, config: GuardConfig = CONFIG) -> SafetyGuard:
    guard = SafetyGuard(motion, config)
    guard.start(measured, 0.0)
    return guard


def arm_guard(config: GuardConfig = CONFIG, *, tool: bool = False) -> SafetyGuard:
    return started(ArmMotion(arm(tool=tool), period_s=PERIOD_S), at(0.0, 0.0), config)


def base_guard(config: GuardConfig = CONFIG) -> SafetyGuard:
    return started(BaseMotion(base(), period_s=PERIOD_S), driving(), config)


def names(decision: Decision) -> list[Trip]:
    return [record.trip for record in decision.trips]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wanted=st.lists(st.tuples(ANY, ANY), min_size=5, max_size=60),
    lags=st.lists(st.tuples(ANY, ANY, st.sampled_from([0.0, 0.01, 0.5])), min_size=5, max_size=60),
    unfamiliarity=st.lists(st.one_of(st.just(0.0), ANY), min_size=5, max_size=60),
    tool=st.booleans(),
)
def test_whatever_comes_in_an_arm_command_stays_inside_every_limit(
    wanted: list[tuple[float, float]],
    lags: list[tuple[float, float, float]],
    unfamiliarity: list[float],
    tool: bool,
) -> None:
    limits, guard = arm(tool=tool).joints, arm_guard(tool=tool)
    kinematics = ToolKinematics(arm(tool=True).tool)  # type: ignore[arg-type]
    command, velocity = np.zeros(2), np.zeros(2)
    for k, (target, lag, score) in enumerate(zip(wanted, lags, unfamiliarity, strict=False)):
        measured = at(*(command + np.nan_to_num(np.array(lag[:2])) * lag[2]))
        decision = guard.decide(np.array(target), measured, k * PERIOD_S, unfamiliarity=score)
        moved = (decision.command - command) / PERIOD_S
        for i, limit in enumerate(limits):
            assert limit.min_rad <= decision.command[i] <= limit.max_rad  # type: ignore[operator]
            assert abs(moved[i]) <= limit.velocity_rad_s * (1 + 1e-9)  # type: ignore[operator]
            assert abs(moved[i] - velocity[i]) <= limit.acceleration_rad_s2 * PERIOD_S * (1 + 1e-6)  # type: ignore[operator]
        if tool:
            assert kinematics.positions(decision.command[None])[0, 0] >= 0.2
        command, velocity = decision.command, moved


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wanted=st.lists(st.tuples(ANY, ANY), min_size=5, max_size=60),
    clearance=st.lists(st.one_of(st.just(10.0), ANY), min_size=5, max_size=60),
)
def test_whatever_comes_in_a_base_command_stays_inside_every_limit_or_is_zero(
    wanted: list[tuple[float, float]], clearance: list[float]
) -> None:
    guard, command, acceleration = base_guard(), np.zeros(2), np.zeros(2)
    greatest = np.array([1.0, 3.0])
    for k, (target, ahead) in enumerate(zip(wanted, clearance, strict=False)):
        decision = guard.decide(np.array(target), driving(*command, (ahead, ahead)), k * PERIOD_S)
        if guard.tripped:
            assert not decision.command.any()
            return
        change = (decision.command - command) / PERIOD_S
        assert (decision.command >= [-0.2, -1.5]).all()
        assert (decision.command <= [0.8, 1.5]).all()
        assert (np.abs(change) <= greatest * (1 + 1e-9)).all()
        assert (np.abs(change - acceleration) <= 10 * greatest * PERIOD_S * (1 + 1e-6)).all()
        command, acceleration = decision.command, change


def test_an_obedient_robot_goes_where_the_policy_wants() -> None:
    guard, command = arm_guard(), np.zeros(2)
    for k in range(200):
        command = guard.decide(np.array([0.8, -0.6]), at(*command), k * PERIOD_S).command
    np.testing.assert_allclose(command, [0.8, -0.6], atol=1e-12)
    assert not guard.tripped


def overspeed() -> Measured:
    return at(0.0, 0.0, velocity=np.array([0.0, -4.5]))


@pytest.mark.parametrize(
    ("trip", "decide"),
    [
        (Trip.NON_FINITE_ACTION, lambda g: g.decide(np.array([0.0, np.nan]), at(0.0, 0.0), 0.02)),
        (Trip.NON_FINITE_INPUT, lambda g: g.decide(np.zeros(2), at(0.0, np.inf), 0.02)),
        (Trip.OVERRUN, lambda g: g.decide(None, at(0.0, 0.0), 0.02)),
        (Trip.OVERRUN, lambda g: g.decide(np.zeros(2), at(0.0, 0.0), 0.06)),
        (Trip.OVERRUN, lambda g: g.decide(np.zeros(2), at(0.0, 0.0), -0.01)),
        (Trip.STALE_INPUT, lambda g: g.decide(np.zeros(2), None, 0.02)),
        (Trip.MEASURED_SPEED, lambda g: g.decide(np.zeros(2), overspeed(), 0.02)),
        (Trip.TRACKING_ERROR, lambda g: g.decide(np.zeros(2), at(0.7, 0.0), 0.02)),
        (Trip.UNFAMILIAR_INPUT, lambda g: g.decide(np.zeros(2), at(0.0, 0.0), 0.02, unfamiliarity=1.1)),
        (Trip.UNFAMILIAR_INPUT, lambda g: g.decide(np.zeros(2), at(0.0, 0.0), 0.02, unfamiliarity=np.nan)),
        (Trip.LOST_PEER, lambda g: g.decide(np.zeros(2), at(0.0, 0.0), 0.02, faults=[LOST])),
    ],
)
def test_each_trip_has_its_name_and_is_latched(trip: Trip, decide: Callable[[SafetyGuard], Decision]) -> None:
    guard = arm_guard()
    decision = decide(guard)
    assert names(decision) == [trip]
    later = guard.decide(np.ones(2), at(0.0, 0.0), 0.07)
    assert not later.command.any()
    assert [record.trip for record in guard.tripped] == [trip]


LOST = Fault(trip=Trip.LOST_PEER, what="/joint_states")


def test_a_position_outside_its_range_trips_by_that_name() -> None:
    guard = arm_guard()
    assert Trip.MEASURED_POSITION in names(guard.decide(np.zeros(2), at(2.7, 0.0), 0.02))


def test_a_stop_begins_at_once_and_brakes_at_the_limit() -> None:
    guard, command = arm_guard(), np.zeros(2)
    for k in range(30):
        before, command = command, guard.decide(np.array([2.0, 2.0]), at(*command), k * PERIOD_S).command
    speed, commands = (command - before) / PERIOD_S, [command]
    while not guard.at_rest:
        commands.append(guard.decide(None, None, (29 + len(commands)) * PERIOD_S).command)
    speeds = np.diff(commands, axis=0) / PERIOD_S
    braking = np.array([joint.acceleration_rad_s2 for joint in arm().joints]) * PERIOD_S
    np.testing.assert_allclose(speeds[0], speed - braking, atol=1e-9)
    assert len(speeds) == np.ceil(speed / braking).max()


def test_a_base_is_told_to_stand_in_the_period_of_the_trip() -> None:
    guard = base_guard()
    for k in range(40):
        decision = guard.decide(np.array([0.8, 1.0]), driving(), k * PERIOD_S)
    assert decision.command[0] > 0.5
    assert not guard.decide(None, None, 40 * PERIOD_S).command.any()


def test_speed_blends_in_and_a_share_of_it_is_never_exceeded() -> None:
    guard, command = arm_guard(replace(CONFIG, blend_s=1.0, speed=0.1)), np.zeros(2)
    speeds = []
    for k in range(100):
        new = guard.decide(np.array([2.0, 2.0]), at(*command), k * PERIOD_S).command
        speeds.append(np.abs(new - command) / PERIOD_S)
        command = new
    assert np.max(speeds[:25], axis=0) == pytest.approx([0.1 * 1.5 * 0.48, 0.1 * 2.0 * 0.48])
    assert np.max(speeds, axis=0) == pytest.approx([0.15, 0.2])


def test_unfamiliar_inputs_slow_the_robot_down() -> None:
    guard = arm_guard()
    assert guard.decide(np.ones(2), at(0.0, 0.0), 0.02, unfamiliarity=0.2).scale == 1.0
    assert guard.decide(np.ones(2), at(0.0, 0.0), 0.04, unfamiliarity=0.625).scale == pytest.approx(0.5)


def test_the_tool_stays_in_its_box_without_a_trip() -> None:
    guard, command = arm_guard(tool=True), np.zeros(2)
    kinematics = ToolKinematics(arm(tool=True).tool)  # type: ignore[arg-type]
    for k in range(150):
        command = guard.decide(np.array([0.0, 2.4]), at(*command), k * PERIOD_S).command
        assert kinematics.positions(command[None])[0, 1] <= 0.9
    guard.decide(np.array([1.5, 2.4]), at(*command), 150 * PERIOD_S)
    for k in range(151, 300):
        command = guard.decide(np.array([1.5, 2.4]), at(*command), k * PERIOD_S).command
        assert kinematics.positions(command[None])[0, 0] >= 0.2
    assert not guard.tripped


def test_a_command_waits_for_a_robot_that_lags() -> None:
    guard, command = arm_guard(), np.zeros(2)
    for k in range(100):
        command = guard.decide(np.array([1.5, 1.5]), at(0.0, 0.0), k * PERIOD_S).command
    assert (command <= 0.3 + 1e-12).all()
    assert (command > 0.2).all()
    assert not guard.tripped


@pytest.mark.parametrize("position", [[2.1, 0.0], [np.nan, 0.0], [1.4, 2.4]])
def test_a_start_outside_limits_or_box_is_refused(position: list[float]) -> None:
    motion = ArmMotion(arm(tool=True), period_s=PERIOD_S)
    guard = SafetyGuard(motion, CONFIG)
    with pytest.raises(ValueError, match=r"outside|finite"):
        guard.start(at(*position), 0.0)
    with pytest.raises(RuntimeError, match="started"):
        guard.decide(np.zeros(2), at(0.0, 0.0), 0.0)


def test_the_first_command_goes_on_from_what_little_moves() -> None:
    creeping = at(0.1, 0.2, velocity=np.array([0.04, 0.0]))
    guard = started(ArmMotion(arm(tool=True), period_s=PERIOD_S), creeping)
    first = guard.decide(np.array([1.0, 0.2]), creeping, PERIOD_S).command
    assert (first[0] - 0.1) / PERIOD_S == pytest.approx(0.04 + arm().joints[0].acceleration_rad_s2 * PERIOD_S)
    rolling = driving(0.015)
    guard = started(BaseMotion(base(), period_s=PERIOD_S), rolling)
    first = guard.decide(np.array([0.8, 0.0]), rolling, PERIOD_S).command
    assert first[0] == pytest.approx(0.015 + base().linear.jerk * PERIOD_S**2)


def test_a_base_stops_short_of_a_wall_without_a_trip() -> None:
    guard, way, speed = base_guard(), 2.0, 0.0
    stop_m = base().obstacle.stop_m  # type: ignore[union-attr]
    for k in range(600):
        decision = guard.decide(np.array([0.8, 0.0]), driving(speed, 0.0, (way, 10.0)), k * PERIOD_S)
        speed = decision.command[0]
        way -= speed * PERIOD_S
    assert not guard.tripped
    assert stop_m <= way < stop_m + 0.05


@pytest.mark.parametrize(("wanted", "clearance"), [(0.8, (0.3, 10.0)), (-0.2, (10.0, 0.05))])
def test_an_obstacle_that_appears_too_near_to_brake_for_trips_and_stops(
    wanted: float, clearance: tuple[float, float]
) -> None:
    guard, command = base_guard(), np.zeros(2)
    for k in range(80):
        command = guard.decide(np.array([wanted, 0.0]), driving(*command), k * PERIOD_S).command
    decision = guard.decide(np.array([wanted, 0.0]), driving(*command, clearance), 80 * PERIOD_S)
    assert names(decision) == [Trip.OBSTACLE]
    assert not decision.command.any()
    assert decision.trips[0].limit == pytest.approx(
        abs(command[0]) * (0.1 + 2 * 1.0 / 10.0) + command[0] ** 2 / (2 * 1.0)  # latency, build-up; braking
    )


def test_a_base_that_rolls_towards_something_by_itself_trips() -> None:
    decision = base_guard().decide(np.zeros(2), driving(0.3, 0.0, (0.1, 10.0)), PERIOD_S)
    assert names(decision) == [Trip.OBSTACLE]


def test_a_slow_base_near_something_brakes_without_a_trip_and_turns_on_the_spot() -> None:
    guard, rng, command = base_guard(), np.random.default_rng(0), np.zeros(2)
    for k in range(200):
        noisy = base().obstacle.stop_m + rng.normal(0.0, 0.01)  # type: ignore[union-attr]
        way = 10.0 if k < 30 else noisy
        wanted = np.array([0.1 if k < 30 else 0.8, 1.0])
        command = guard.decide(wanted, driving(*command, (way, 10.0)), k * PERIOD_S).command
        assert k < 60 or command[0] < 0.1
    assert not guard.tripped
    assert command[1] == pytest.approx(1.0)
    for k in range(200, 260):  # and the way back is free
        command = guard.decide(np.array([-0.2, 0.0]), driving(*command, (0.0, 10.0)), k * PERIOD_S).command
    assert command[0] == pytest.approx(-0.2)


@pytest.mark.parametrize("turn", [1.5, -1.5])
def test_what_a_base_turns_towards_slows_it_down_before_it_is_in_its_way(turn: float) -> None:
    at_left = np.full((2, len(HEADINGS_RAD)), 10.0)
    at_left[0, np.radians(7.0) < HEADINGS_RAD] = base().obstacle.stop_m  # type: ignore[union-attr]
    guard, command = base_guard(), np.zeros(2)
    for k in range(100):
        measured = replace(driving(*command), clearance_m=at_left)
        command = guard.decide(np.array([0.8, turn]), measured, k * PERIOD_S).command
    assert not guard.tripped
    assert command == pytest.approx([0.0 if turn > 0 else 0.8, turn], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "wanted", "odometry"),
    [
        ("linear", (0.8, 0.0), (0.0, 0.0)),  # frozen while it stood
        ("linear", (0.0, 0.0), (0.5, 0.0)),  # frozen while it drove
        ("angular", (0.0, -1.5), (0.0, 0.0)),
    ],
)
def test_a_base_whose_odometry_does_not_follow_its_commands_trips(
    name: str, wanted: tuple[float, float], odometry: tuple[float, float]
) -> None:
    guard = started(BaseMotion(base(), period_s=PERIOD_S), driving(*odometry))
    for k in range(100):
        decision = guard.decide(np.array(wanted), driving(*odometry), k * PERIOD_S)
        if decision.trips:
            break
    assert [(record.trip, record.what) for record in decision.trips] == [(Trip.TRACKING_ERROR, name)]
    assert 1.0 < k * PERIOD_S < 1.7  # tracking_s, and the time to get up to speed
    assert not decision.command.any()


def test_a_base_that_is_told_to_stand_or_follows_late_does_not_trip() -> None:
    guard, late = base_guard(), [np.zeros(2)] * 10
    for k in range(300):
        wanted = np.zeros(2) if k < 100 else np.array([0.8, 1.5]) * np.sign(np.sin(0.05 * k))
        late = [*late[1:], guard.decide(wanted, driving(*late[0]), k * PERIOD_S).command]
    assert not guard.tripped


def test_a_base_that_somebody_else_drives_does_not_trip() -> None:
    guard = base_guard()
    for k in range(100):
        guard.follow(driving(0.5, 1.0))
        guard.decide(np.zeros(2), driving(0.5, 1.0), k * PERIOD_S)
    assert not guard.tripped


def test_a_base_that_sees_nothing_does_not_drive() -> None:
    assert names(base_guard().decide(np.ones(2), driving(clearance=None), 0.02)) == [Trip.OBSTACLE]


def test_what_must_not_be_missing_when_live_is_named() -> None:
    assert missing(arm(tool=True)) is None
    assert missing(base()) is None
    assert str(missing(arm())).startswith("limits.tool")
    assert str(missing(replace(base(), obstacle=None))).startswith("limits.obstacle")


@pytest.mark.parametrize(
    "changes", [{"max_period_s": 0.01}, {"speed": 0.0}, {"speed": 1.1}, {"stop_at": 0.1}, {"blend_s": -1.0}]
)
def test_a_guard_cannot_be_tuned_to_nonsense(changes: dict[str, float]) -> None:
    with pytest.raises(UserError):
        replace(CONFIG, **changes)


def test_where_the_fast_way_would_leave_the_box_the_arm_creeps_along_the_straight_one() -> None:
    start, goal = np.array([-0.65, -1.29]), np.array([-0.8, 1.15])  # and the straight way between them is inside
    guard, command = started(ArmMotion(arm(tool=True), period_s=PERIOD_S), at(*start)), start
    kinematics = ToolKinematics(arm(tool=True).tool)  # type: ignore[arg-type]
    for k in range(400):
        command = guard.decide(goal, at(*command), k * PERIOD_S).command
        assert kinematics.positions(command[None])[0, 0] >= 0.2
    np.testing.assert_allclose(command, goal, atol=1e-3)
    assert not guard.tripped
