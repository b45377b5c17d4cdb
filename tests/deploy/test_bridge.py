from dataclasses import replace
from typing import Any

import numpy as np
from deploy_robots import (
    PERIOD_S,
    SAFETY,
    TYPES,
    Scripted,
    arm_contract,
    arm_profile,
    base_contract,
    base_profile,
    image,
    joint_state,
    odometry,
    scan,
)

from robossl.deploy.bridge import Bridge, Event, State, Tick
from robossl.deploy.motion import Fault
from robossl.deploy.trips import Trip

GREY = np.full((4, 6, 3), 100, np.uint8)


class Rehearsal:
    """An arm that does what it is told, and a bridge that runs it; periods pass without sleeping."""

    def __init__(self, *command: float, obeyed: bool = True, **safety: Any) -> None:
        self.policy = Scripted(arm_contract(), *command)
        profile = arm_profile(safety=replace(SAFETY, **safety))
        self.bridge = Bridge(self.policy, profile, speed=1.0, obeyed=obeyed)
        self.position = np.zeros(2)
        self.period = self.stamp_offset_ns = 0

    def feed(self, camera: bool = True, joints: bool = True) -> None:
        stamp_ns = 1 + round(self.t_s * 1e9) + self.stamp_offset_ns
        if joints:
            self.bridge.receive("/joint_states", joint_state(stamp_ns, self.position.tolist()), self.t_s)
        if camera:
            self.bridge.receive("/camera/image_raw", image(stamp_ns, GREY), self.t_s)

    @property
    def t_s(self) -> float:
        return self.period * PERIOD_S

    def step(self, *, faults: tuple[Fault, ...] = (), **fed: bool) -> Tick:
        self.period += 1
        self.feed(**fed)
        tick = self.bridge.tick(self.t_s, faults)
        if tick.command is not None:
            self.position = tick.command
        return tick

    def run(self, periods: int) -> Tick:
        """Arms, and lets some periods pass."""
        assert self.step().state is State.READY
        self.bridge.handle(Event.ARM)
        for _ in range(periods):
            tick = self.step()
        return tick


def test_nothing_is_commanded_before_an_operator_arms() -> None:
    arm = Rehearsal(0.3, 0.2)
    first = arm.step(camera=False)
    assert first.state is State.WAIT
    assert first.waiting_for == ("stale_input: /camera/image_raw: nothing came",)
    for _ in range(3):
        tick = arm.step()
        assert (tick.state, tick.command) == (State.READY, None)
    assert not arm.policy.seen
    arm.bridge.handle(Event.ARM)
    assert arm.bridge.state is State.ARMED
    assert arm.step().state is State.RUN
    assert arm.policy.num_resets == 1


def test_one_stamp_from_the_future_does_not_lock_a_waiting_robot_out() -> None:
    rehearsal = Rehearsal(0.0, 0.0)
    rehearsal.bridge.receive("/joint_states", joint_state(10**15, (0.0, 0.0)), rehearsal.t_s)
    states = [rehearsal.step().state for _ in range(SAFETY.max_reordered + 3)]
    assert State.WAIT in states
    assert states[-1] is State.READY


def test_an_operators_reset_forgets_the_clock_before_it_was_set_back_a_little() -> None:
    arm = Rehearsal(0.3, 0.2)
    arm.stamp_offset_ns = 1_000_000_000
    assert arm.step().state is State.READY
    for _ in range(3):  # each too little to be out of order for long; together they look like a slow network
        arm.stamp_offset_ns -= 50_000_000
        for _ in range(10):
            tick = arm.step()
    assert tick.waiting_for[0].startswith("stale_input: /joint_states")
    arm.bridge.handle(Event.RESET)
    assert arm.step().state is State.READY


def test_an_armed_bridge_brings_the_robot_to_where_the_policy_wants_it() -> None:
    tick = Rehearsal(0.3, 0.2).run(60)
    assert tick.state is State.RUN
    np.testing.assert_allclose(tick.command, [0.3, 0.2], atol=1e-12)  # type: ignore[arg-type]


def test_a_dead_camera_stops_the_robot_within_two_periods_of_silence() -> None:
    arm = Rehearsal(1.0, 1.0)
    arm.run(20)
    max_age_s, silent_from_s = 0.1, arm.t_s
    ticks = [arm.step(camera=False) for _ in range(12)]
    stopped = next(tick for tick in ticks if tick.state is State.FAULT)
    assert [record.trip for record in stopped.trips] == [Trip.STALE_INPUT]
    assert stopped.trips[0].what == "/camera/image_raw"
    assert stopped.t_s - (silent_from_s + max_age_s) <= 2 * PERIOD_S


def test_a_fault_brakes_repeats_its_last_command_and_is_then_silent() -> None:
    arm = Rehearsal(1.0, 1.0)
    arm.run(20)
    lost = Fault(trip=Trip.LOST_PEER, what="/joint_states")
    commands = [arm.step(faults=(lost,)).command]
    while commands[-1] is not None:
        commands.append(arm.step().command)
    *braking, last, repeat, again, silence = commands
    assert len(braking) > 2
    np.testing.assert_array_equal(last, repeat)  # type: ignore[arg-type]
    np.testing.assert_array_equal(repeat, again)  # type: ignore[arg-type]
    assert silence is None
    assert arm.bridge.state is State.FAULT


def test_a_fault_is_latched_until_the_operator_resets_it() -> None:
    arm = Rehearsal(0.1, 0.1)
    arm.run(30)
    arm.step(faults=(Fault(trip=Trip.LOST_PEER, what="x"),))
    arm.bridge.handle(Event.RESET)
    arm.bridge.handle(Event.ARM)
    assert arm.step().state is State.FAULT  # not while the stop is still being sent
    for _ in range(5):
        arm.step()
    arm.bridge.handle(Event.ARM)
    assert arm.bridge.state is State.FAULT
    arm.bridge.handle(Event.RESET)
    assert arm.step().state is State.READY
    assert arm.run(5).state is State.RUN


def test_hold_brakes_without_a_fault() -> None:
    arm = Rehearsal(0.8, 0.8)
    moving = arm.run(20).command
    arm.bridge.handle(Event.HOLD)
    ticks = [arm.step() for _ in range(20)]
    assert {tick.state for tick in ticks} == {State.HOLD}
    assert not any(tick.trips for tick in ticks)
    assert ticks[0].command is not None
    assert (ticks[0].command > moving).all()
    assert ticks[-1].command is None


def test_a_policy_that_is_late_trips_an_overrun() -> None:
    arm = Rehearsal()
    tick = arm.run(1)
    assert (tick.state, tick.late) == (State.FAULT, True)
    assert [record.trip for record in tick.trips] == [Trip.OVERRUN]


def test_a_policy_that_gives_no_number_trips() -> None:
    arm = Rehearsal(0.0, np.nan)
    tick = arm.run(1)
    assert [record.trip for record in tick.trips] == [Trip.NON_FINITE_ACTION]
    np.testing.assert_array_equal(tick.command, [0.0, 0.0])  # type: ignore[arg-type]


def test_an_emergency_stop_is_a_trip_of_its_own() -> None:
    arm = Rehearsal(0.5, 0.5)
    arm.run(10)
    arm.bridge.receive("/stop", TYPES.make("std_msgs/msg/Bool", data=True), arm.t_s)
    assert [record.trip for record in arm.step().trips] == [Trip.EMERGENCY_STOP]


def test_a_reset_does_not_release_the_emergency_stop() -> None:
    arm = Rehearsal(0.5, 0.5)
    arm.run(10)
    arm.bridge.receive("/stop", TYPES.make("std_msgs/msg/Bool", data=True), arm.t_s)
    while arm.step().command is not None:
        pass
    arm.bridge.handle(Event.RESET)
    assert arm.step().waiting_for == ("emergency_stop: it is pressed",)
    arm.bridge.handle(Event.ARM)
    assert arm.step().state is State.WAIT
    arm.bridge.receive("/stop", TYPES.make("std_msgs/msg/Bool", data=False), arm.t_s)
    assert arm.step().state is State.READY


def test_messages_that_cannot_be_read_stop_a_running_robot() -> None:
    arm = Rehearsal(0.5, 0.5)
    arm.run(10)
    arm.bridge.refuse("/joint_states", Trip.MALFORMED_INPUT, "17 bytes")
    assert [record.trip for record in arm.step().trips] == [Trip.MALFORMED_INPUT]


def test_a_robot_outside_its_limits_is_not_started() -> None:
    arm = Rehearsal(0.0, 0.0)
    arm.position = np.array([2.2, 0.0])
    arm.step()
    arm.bridge.handle(Event.ARM)
    tick = arm.step()
    assert tick.state is State.WAIT
    assert "outside" in tick.waiting_for[0]
    assert tick.command is None


def test_a_moving_arm_is_not_armed_and_an_armed_one_that_moves_goes_back_to_waiting() -> None:
    arm = Rehearsal(0.5, 0.5)
    assert arm.step().state is State.READY
    arm.bridge.handle(Event.ARM)
    moving = joint_state(2 + round((arm.t_s + PERIOD_S) * 1e9), (0.0, 0.0), (0.0, 0.06))
    arm.period += 1
    arm.bridge.receive("/joint_states", moving, arm.t_s)
    arm.bridge.receive("/camera/image_raw", image(round(arm.t_s * 1e9), GREY), arm.t_s)
    for _ in range(2):
        tick = arm.bridge.tick(arm.t_s)
        assert (tick.state, tick.command) == (State.WAIT, None)
        assert tick.waiting_for == ("measured_speed: robot_joint2 is moving",)
        arm.bridge.handle(Event.ARM)
    assert arm.step().state is State.READY


def test_a_rolling_base_is_not_armed_unless_somebody_else_drives_it() -> None:
    for obeyed, state in ((True, State.WAIT), (False, State.READY)):
        bridge = Bridge(Scripted(base_contract(), 2.0, 0.5), base_profile(), speed=1.0, obeyed=obeyed)
        bridge.receive("/odom", odometry(1, 0.0, -0.06), 0.0)
        bridge.receive("/scan", scan(1, np.full(36, 9.0)), 0.0)
        assert bridge.tick(0.0).state is state


def test_a_lens_cap_keeps_the_robot_from_starting() -> None:
    arm = Rehearsal(0.0, 0.0)
    arm.period += 1
    arm.bridge.receive("/joint_states", joint_state(9, (0.0, 0.0)), arm.t_s)
    arm.bridge.receive("/camera/image_raw", image(9, np.zeros_like(GREY)), arm.t_s)
    tick = arm.bridge.tick(arm.t_s)
    assert (tick.state, tick.waiting_for) == (State.WAIT, ("unfamiliar_input: rgb_front 2.04",))


def test_a_robot_that_is_not_told_is_watched_from_where_it_is() -> None:
    arm = Rehearsal(1.0, 1.0, obeyed=False)
    arm.step()
    arm.bridge.handle(Event.ARM)
    for k in range(60):
        arm.position = np.array([0.02 * k, 0.0])  # somebody else moves it, far away in the end
        arm.period += 1
        arm.feed()
        tick = arm.bridge.tick(arm.t_s)
        assert tick.command is not None
        assert np.abs(tick.command - arm.position).max() < 0.05
    assert tick.state is State.RUN


def test_a_base_stops_at_once_when_its_scanner_dies() -> None:
    bridge = Bridge(Scripted(base_contract(), 2.0, 0.5), base_profile(), speed=1.0, obeyed=True)
    command, ticks = np.zeros(2), []
    for k in range(60):
        t_s = k * PERIOD_S
        bridge.receive("/odom", odometry(1 + round(t_s * 1e9), float(command[0]), float(command[1])), t_s)
        if k < 40:
            bridge.receive("/scan", scan(1 + round(t_s * 1e9), np.full(36, 9.0)), t_s)
        ticks.append(bridge.tick(t_s))
        bridge.handle(Event.ARM)
        command = ticks[-1].command if ticks[-1].command is not None else np.zeros(2)
    running = [tick for tick in ticks if tick.state is State.RUN]
    assert running[-1].command is not None
    np.testing.assert_allclose(running[-1].command, [0.8, 0.5], atol=1e-9)
    stopped = ticks[len(running) + 1 :]
    assert 0 < stopped[0].t_s - (39 * PERIOD_S + 0.1) <= 2 * PERIOD_S
    assert [record.trip for record in stopped[0].trips] == [Trip.STALE_INPUT]
    sent = [tick.command for tick in stopped if tick.command is not None]
    assert len(sent) == 1 + SAFETY.stop_repeats
    assert not np.any(sent)
