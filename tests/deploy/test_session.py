import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deploy_robots import PERIOD_S, SAFETY, TYPES, Scripted, arm_contract
from loopback_session import PROFILE, arm_when_ready, make_session, recorded
from loopback_world import CAMERA, JOINTS, OUTPUT, STOP, World
from rosbags.rosbag2 import Reader

from robossl.core import UserError
from robossl.deploy.bridge import State, Tick
from robossl.deploy.observation import Observation, ObservationBuilder
from robossl.deploy.recorder import Recorder
from robossl.deploy.replay import replay
from robossl.deploy.session import Mode, Session, bag_name, is_over, percentiles
from robossl.deploy.session_record import decision_record
from robossl.deploy.topics import StopInput
from robossl.deploy.transports import Receive, Topic
from robossl.deploy.transports.loopback import LoopbackTransport
from robossl.deploy.trips import Trip

SESSION = {"bundle": "digest", "profile": PROFILE.name, "speed": 0.5, "mode": "live", "wall_offset_ns": 0}
TICK = {
    "t_ns": 1,
    "events": [],
    "faults": [],
    "late": False,
    "decision": decision_record(Tick(t_s=0.0, state=State.WAIT)),
}


def test_a_live_session_brings_the_arm_to_where_the_policy_wants_it() -> None:
    world = World()
    ticks = arm_when_ready(make_session(world), world, 2.0)
    np.testing.assert_allclose(world.position, [0.4, 0.3], atol=1e-12)
    times = np.diff([tick.t_s for tick in ticks])
    np.testing.assert_allclose(times, PERIOD_S, atol=0.0101)
    assert np.mean(times) == pytest.approx(PERIOD_S, rel=0.01)


@pytest.mark.parametrize("mode", [Mode.DRY_RUN, Mode.SHADOW])
def test_nothing_is_advertised_or_sent_unless_live(mode: Mode) -> None:
    world = World()
    session = make_session(world, mode)
    ticks = arm_when_ready(session, world, 0.5)
    assert ticks[-1].state is State.RUN
    assert not world.commands
    assert world.network.members[0].peers(OUTPUT.name) == 0


def test_a_stop_is_asked_for_as_what_may_not_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, bool] = {}

    def note(self: LoopbackTransport, topic: Topic, receive: Receive) -> None:
        asked[topic.name] = topic.sure

    world = World()
    monkeypatch.setattr(LoopbackTransport, "subscribe", note)
    make_session(world)
    assert asked == {JOINTS.name: False, CAMERA.name: False, STOP.name: True}


def test_a_robot_that_does_not_listen_is_never_ready() -> None:
    world = World(listens=False)
    ticks = arm_when_ready(make_session(world), world, 0.3)
    assert {tick.state for tick in ticks} == {State.WAIT}
    assert ticks[-1].waiting_for == (f"lost_peer: nobody listens to {OUTPUT.name}",)


def test_beside_another_commander_the_robot_is_not_armed_and_one_that_comes_stops_it() -> None:
    world = World()
    joystick = LoopbackTransport(world.network)
    joystick.advertise(OUTPUT)
    session = make_session(world)
    ticks = arm_when_ready(session, world, 0.3)
    assert ticks[-1].waiting_for == (f"second_commander: others speak on {OUTPUT.name}",)
    assert not world.commands
    joystick.close()
    assert arm_when_ready(session, world, 0.3)[-1].state is State.RUN
    LoopbackTransport(world.network).advertise(OUTPUT)
    tick = session.period()
    assert [record.trip for record in tick.trips] == [Trip.SECOND_COMMANDER]
    watched = make_session(world, Mode.SHADOW)  # beside whom a shadow is meant to be
    assert arm_when_ready(watched, world, 0.3)[-1].state is State.RUN


def test_a_stop_that_nobody_could_press_keeps_the_robot_from_starting() -> None:
    world = World(stop=False)
    session = make_session(world)
    missing = f"lost_peer: nobody speaks on {STOP.name}, and it was never heard"
    assert arm_when_ready(session, world, 0.3)[-1].waiting_for == (missing,)
    button = LoopbackTransport(world.network)
    button.advertise(STOP)
    button.publish(STOP.name, TYPES.to_bytes(TYPES.make(STOP.type, data=False)))
    button.close()  # as `ros2 topic pub --once`
    assert arm_when_ready(session, world, 0.3)[-1].state is State.RUN
    inputs = tuple(
        replace(part, unheard_because="a button in the supply") if isinstance(part, StopInput) else part
        for part in PROFILE.inputs
    )
    world = World(stop=False)
    session = make_session(world, profile=replace(PROFILE, inputs=inputs))
    assert arm_when_ready(session, world, 0.3)[-1].state is State.RUN


def test_a_camera_that_dies_stops_the_arm_and_the_commands_end() -> None:
    world = World(camera_dies_s=1.6)
    session = make_session(world)
    ticks = arm_when_ready(session, world, 2.0)
    tripped = next(tick for tick in ticks if tick.trips)
    assert [record.trip for record in tripped.trips] == [Trip.STALE_INPUT]
    assert tripped.t_s - 1.6 <= 0.1 + 2 * PERIOD_S
    assert is_over(ticks[-1])
    times, positions = zip(*world.commands, strict=True)
    np.testing.assert_array_equal(positions[-1], positions[-1 - SAFETY.stop_repeats])
    assert times[-1] < tripped.t_s + 0.3


def test_whatever_ends_a_run_the_arm_is_stopped() -> None:
    world = World()
    session = make_session(world)
    arm_when_ready(session, world, 0.3)
    before = len(world.commands)
    assert before > 5

    def explode(tick: Tick) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.run(explode)
    require_stop(session, world, before)


def require_stop(session: Session, world: World, before: int) -> None:
    """More than `before` commands came, and the last ones are those of an arm that has braked."""
    world.hear()
    assert len(world.commands) > before
    np.testing.assert_array_equal(world.commands[-1][1], world.commands[-2][1])
    assert session.last is not None
    assert session.last.command is None


def test_inputs_that_make_no_observation_do_not_keep_the_arm_from_being_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    session = make_session(world)
    arm_when_ready(session, world, 0.3)
    before = len(world.commands)

    def explode(self: ObservationBuilder, t_s: float) -> Observation:
        raise ZeroDivisionError

    monkeypatch.setattr(ObservationBuilder, "build", explode)
    with pytest.raises(ZeroDivisionError):
        session.run(is_over)
    require_stop(session, world, before)


def test_a_recording_holds_inputs_commands_and_decisions(tmp_path: Path) -> None:
    with Reader(recorded(tmp_path)) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
        ticks = [
            json.loads(TYPES.from_bytes(bytes(data), "std_msgs/msg/String").data)
            for connection, _, data in reader.messages()
            if connection.topic == "/robossl/tick"
        ]
    assert counts["/robossl/tick"] == len(ticks) > 50
    assert counts[OUTPUT.name] == sum(tick["sent"] for tick in ticks) > 20
    assert counts["/robossl/proposed"] == sum(tick["decision"]["proposed"] is not None for tick in ticks)
    assert counts["/joint_states"] > 100
    assert sum("stale_input" in trip["trip"] for tick in ticks for trip in tick["decision"]["trips"]) == 1


def test_a_replay_decides_the_same_to_the_last_bit(tmp_path: Path) -> None:
    found = replay(recorded(tmp_path), Scripted(arm_contract(), 0.4, 0.3), PROFILE, digest="digest")
    assert (found.different, found.first) == (0, None)
    assert found.periods > 50


def test_a_replay_of_another_policy_says_where_it_differs_first(tmp_path: Path) -> None:
    found = replay(recorded(tmp_path), Scripted(arm_contract(), 0.4, 0.31), PROFILE, digest="digest")
    assert found.different > 10
    assert str(found.first).startswith("period 1: proposed was [0.4, 0.3], is [0.4, 0.31]")


def test_recordings_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    bag, policy = recorded(tmp_path), Scripted(arm_contract(), 0.4, 0.3)
    with pytest.raises(UserError, match="another bundle or profile"):
        replay(bag, policy, PROFILE, digest="another")
    with pytest.raises(UserError, match="cannot be read"):
        replay(tmp_path, policy, PROFILE, digest="digest")
    with pytest.raises(UserError, match="cannot record"):
        Recorder(bag, TYPES)
    shutil.rmtree(bag)


@pytest.mark.parametrize(
    ("session", "tick", "wrong"),
    [
        ([], {}, "no JSON object"),
        ({"speed": "fast"}, {}, "without bundle, profile, speed, mode, wall_offset_ns"),
        ({**SESSION, "mode": "asleep"}, {}, "unknown mode, 'asleep'"),
        (SESSION, {}, "without t_ns, events, faults, late, decision"),
        (SESSION, {**TICK, "decision": {"state": "run"}}, "without trips, waiting_for, proposed"),
        (SESSION, {**TICK, "events": ["explode"]}, "'explode' is not a valid Event"),
        (SESSION, {**TICK, "faults": [{"trip": "overrun"}]}, "an event or a fault"),
    ],
)
def test_records_that_make_no_sense_are_refused_in_one_line(
    tmp_path: Path, session: object, tick: object, wrong: str
) -> None:
    recorder = Recorder(tmp_path / "bag", TYPES)
    recorder.record("/robossl/session", session, 0)
    recorder.record("/robossl/tick", tick, 1)
    recorder.close()
    with pytest.raises(UserError, match=wrong):
        replay(tmp_path / "bag", Scripted(arm_contract(), 0.4, 0.3), PROFILE, digest="digest")


def test_a_bag_has_the_time_of_day_in_its_name_and_legs_have_percentiles() -> None:
    assert bag_name(Path("r"), 1_700_000_000_123_000_000).name.endswith("-123")
    assert percentiles({"send": [0.001] * 99 + [0.1], "none": []})["send"]["p50_ms"] == pytest.approx(1.0)
