from dataclasses import replace

import numpy as np
import pytest
from deploy_robots import (
    TYPES,
    arm_contract,
    arm_profile,
    base,
    base_contract,
    base_profile,
    element,
    image,
    joint_state,
    odometry,
    scan,
    vector,
)

from robossl.core import UserError
from robossl.deploy.clearance import STRAIGHT
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.observation import Observation, ObservationBuilder
from robossl.deploy.readings import MAX_RAYS
from robossl.deploy.topics import CameraTopic, OdometryInput, PoseInput, ScanBeams, ScanInput, StopInput, ValuesInput
from robossl.deploy.trips import Trip


def grey(level: int) -> np.ndarray:
    return np.full((4, 6, 3), level, np.uint8)


def fed_arm() -> ObservationBuilder:
    builder = ObservationBuilder(arm_contract(), arm_profile())
    builder.receive("/joint_states", joint_state(1, (0.1, 0.2), (0.3, 0.4)), 10.0)
    builder.receive("/camera/image_raw", image(1, grey(50)), 10.0)
    return builder


def trips(observation: Observation) -> list[Trip]:
    return [fault.trip for fault in observation.faults]


def test_joints_are_found_by_name() -> None:
    observation = fed_arm().build(10.01)
    assert observation.inputs is not None
    assert observation.measured is not None
    np.testing.assert_array_equal(observation.inputs["proprio"], np.array([[0.1, 0.2, 0.3, 0.4]], np.float32))
    np.testing.assert_array_equal(observation.measured.position, [0.1, 0.2])
    np.testing.assert_array_equal(observation.measured.velocity, [0.3, 0.4])
    assert not observation.faults


def test_frames_stack_one_per_period_and_begin_with_the_first() -> None:
    builder = fed_arm()

    def stack(t_s: float) -> list[int]:
        inputs = builder.build(t_s).inputs
        assert inputs is not None
        assert inputs["rgb_front"].shape == (1, 2, 4, 6, 3)
        return inputs["rgb_front"][0, :, 0, 0, 0].tolist()

    assert stack(10.01) == [50, 50]
    builder.receive("/camera/image_raw", image(2, grey(60)), 10.02)
    builder.receive("/camera/image_raw", image(3, grey(70)), 10.025)
    assert stack(10.03) == [50, 70]
    assert stack(10.05) == [70, 70]
    builder.restart()
    assert stack(10.06) == [70, 70]


def test_silence_makes_an_input_stale() -> None:
    builder = fed_arm()
    assert not builder.build(10.1).faults
    assert trips(builder.build(10.11)) == [Trip.STALE_INPUT, Trip.STALE_INPUT]


def test_a_clock_that_goes_back_makes_an_input_stale() -> None:
    assert trips(fed_arm().build(9.99)) == [Trip.STALE_INPUT, Trip.STALE_INPUT]


def test_the_contract_may_ask_for_younger_inputs_than_the_profile() -> None:
    contract = arm_contract()
    proprio, camera = contract.inputs
    builder = ObservationBuilder(replace(contract, inputs=(proprio, replace(camera, max_age_s=0.03))), arm_profile())
    builder.receive("/joint_states", joint_state(1, (0.1, 0.2)), 10.0)
    builder.receive("/camera/image_raw", image(1, grey(50)), 10.0)
    assert [fault.what for fault in builder.build(10.05).faults] == ["/camera/image_raw"]


def test_a_frozen_stamp_ages_and_then_counts_as_out_of_order() -> None:
    builder = fed_arm()
    for k in range(2):
        builder.receive("/camera/image_raw", image(1, grey(50)), 10.05 + 0.02 * k)
    assert not builder.build(10.1).faults
    builder.receive("/camera/image_raw", image(1, grey(50)), 10.1)
    assert trips(builder.build(10.1)) == [Trip.OUT_OF_ORDER]


def test_a_late_message_is_not_used() -> None:
    builder = fed_arm()
    builder.receive("/joint_states", joint_state(5, (0.5, 0.5)), 10.01)
    builder.receive("/joint_states", joint_state(4, (0.9, 0.9)), 10.02)
    measured = builder.build(10.03).measured
    assert measured is not None
    np.testing.assert_array_equal(measured.position, [0.5, 0.5])


def test_a_refused_message_is_told_once_and_changes_nothing() -> None:
    builder = fed_arm()
    bad = joint_state(2, (np.nan, 0.0))
    builder.receive("/joint_states", bad, 10.01)
    observation = builder.build(10.02)
    assert trips(observation) == [Trip.NON_FINITE_INPUT]
    assert observation.measured is not None
    np.testing.assert_array_equal(observation.measured.position, [0.1, 0.2])
    assert not builder.build(10.03).faults


def test_a_missing_joint_has_its_own_name() -> None:
    builder, message = fed_arm(), joint_state(2, (0.0, 0.0))
    message.name[0] = "elbow"
    builder.receive("/joint_states", message, 10.01)
    assert [(fault.trip, fault.what) for fault in builder.build(10.02).faults] == [
        (Trip.MISSING_JOINT, "/joint_states: robot_joint2")
    ]


@pytest.mark.parametrize("names", [["robot_joint1"] * 3, ["robot_joint1", "robot_joint2"] * 600])
def test_names_that_are_no_joints_are_refused(names: list[str]) -> None:
    builder, message = fed_arm(), joint_state(2, (0.0, 0.0))
    message.name = names
    builder.receive("/joint_states", message, 10.01)
    assert trips(builder.build(10.02)) == [Trip.MALFORMED_INPUT]


def test_joints_without_velocities_are_refused() -> None:
    builder, message = fed_arm(), joint_state(2, (0.0, 0.0))
    message.velocity = np.zeros(0)
    builder.receive("/joint_states", message, 10.01)
    assert trips(builder.build(10.02)) == [Trip.MISSING_JOINT]


def test_the_emergency_stop_counts_as_long_as_it_is_pressed() -> None:
    builder = fed_arm()
    builder.receive("/stop", TYPES.make("std_msgs/msg/Bool", data=True), 10.0)
    assert trips(builder.build(10.01)) == trips(builder.build(10.02)) == [Trip.EMERGENCY_STOP]
    builder.receive("/stop", TYPES.make("std_msgs/msg/Bool", data=False), 10.03)
    assert not builder.build(10.04).faults


def test_a_stop_that_was_let_go_at_once_is_told_all_the_same() -> None:
    builder = fed_arm()
    for pressed in (True, False):
        builder.receive("/stop", TYPES.make("std_msgs/msg/Bool", data=pressed), 10.0)
    assert trips(builder.build(10.01)) == [Trip.EMERGENCY_STOP]
    assert not builder.build(10.02).faults


def test_either_of_two_stop_buttons_stops() -> None:
    profile = arm_profile(inputs=(*arm_profile().inputs, StopInput(topic="/other_stop", max_age_s=None)))
    for pressed, other in (("/stop", "/other_stop"), ("/other_stop", "/stop")):
        builder = ObservationBuilder(arm_contract(), profile)
        builder.receive("/joint_states", joint_state(1, (0.1, 0.2)), 10.0)
        builder.receive("/camera/image_raw", image(1, grey(50)), 10.0)
        builder.receive(pressed, TYPES.make("std_msgs/msg/Bool", data=True), 10.0)
        builder.receive(other, TYPES.make("std_msgs/msg/Bool", data=False), 10.0)
        assert trips(builder.build(10.01)) == [Trip.EMERGENCY_STOP]


def test_a_number_that_two_inputs_give_is_refused() -> None:
    spoofed = ValuesInput(topic="/gap", max_age_s=0.1, names=("gap_m", "position:joint1"))
    with pytest.raises(UserError, match=r"profile two_joints: 'position:joint1' comes from two inputs"):
        ObservationBuilder(arm_contract(), arm_profile(inputs=(*arm_profile().inputs, spoofed)))


def test_a_base_measures_itself_and_the_way_ahead() -> None:
    builder = ObservationBuilder(base_contract(), base_profile())
    builder.receive("/odom", odometry(1, -0.3, 0.2, side=0.4), 10.0)
    ranges = np.full(360, 5.0)
    ranges[180] = 1.2  # straight ahead
    ranges[0] = 0.9  # straight back
    ranges[270] = 0.1  # at the side, too near to the sensor to be beside the base
    builder.receive("/scan", scan(1, ranges), 10.0)
    observation = builder.build(10.01)
    assert observation.inputs is not None
    assert observation.measured is not None
    np.testing.assert_allclose(observation.inputs["proprio"], [[0.5, 0.2]])
    np.testing.assert_allclose(observation.measured.velocity, [-0.3, 0.2])
    assert observation.measured.clearance_m is not None
    assert observation.measured.clearance_m[:, STRAIGHT].min() < 0.0  # the ray at the side hits inside the corridor
    builder.receive("/scan", scan(2, np.where(ranges == 0.1, 5.0, ranges)), 10.0)
    measured = builder.build(10.02).measured
    assert measured is not None
    np.testing.assert_allclose(measured.clearance_m[:, STRAIGHT], (1.0, 0.7), atol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ranges", "ahead"),
    [([np.inf] * 40, np.inf), ([-np.inf] * 40, -0.2), ([0.01] * 40, -0.2), ([np.nan] * 15 + [9.0] * 25, 8.8)],
)
def test_echoes_mean_what_rep_117_says(ranges: list[float], ahead: float) -> None:
    builder = ObservationBuilder(base_contract(), base_profile())
    builder.receive("/odom", odometry(1, 0.0), 10.0)
    builder.receive("/scan", scan(1, np.array(ranges)), 10.0)
    measured = builder.build(10.01).measured
    assert measured is not None
    assert measured.clearance_m is not None
    assert measured.clearance_m[0, STRAIGHT] == pytest.approx(ahead, abs=1e-6)


@pytest.mark.parametrize("ranges", [[], [np.nan] * 5 + [9.0] * 3])
def test_a_blind_scan_is_refused(ranges: list[float]) -> None:
    builder = ObservationBuilder(base_contract(), base_profile())
    builder.receive("/scan", scan(1, np.array(ranges)) if ranges else _empty_scan(), 10.0)
    assert Trip.MALFORMED_INPUT in trips(builder.build(10.01))


@pytest.mark.parametrize(("side", "way"), [(1.0, 0), (-1.0, 1)])
def test_a_way_that_the_scanner_is_blind_to_is_not_free(side: float, way: int) -> None:
    builder = ObservationBuilder(base_contract(), base_profile())
    builder.receive("/odom", odometry(1, 0.0), 10.0)
    looking = side * np.cos(-np.pi + np.arange(360) * 2 * np.pi / 360)
    for stamp, blind in ((1, looking > 0.7), (2, (looking > 0.7) & (np.arange(360) % 3 > 0))):
        builder.receive("/scan", scan(stamp, np.where(blind, np.nan, 9.0)), 10.0)
        observation = builder.build(10.01)
        assert not observation.faults  # a quarter of the rays have failed, not half
        assert observation.measured is not None
        assert observation.measured.clearance_m is not None
        assert observation.measured.clearance_m[way, STRAIGHT] == 0.0
        assert observation.measured.clearance_m[1 - way, STRAIGHT] == pytest.approx(8.8, abs=0.01)


@pytest.mark.parametrize(("num_rays", "ahead"), [(4, 0.0), (24, 0.0), (36, 8.8)])
def test_a_way_that_too_few_rays_look_at_is_not_free(num_rays: int, ahead: float) -> None:
    builder = ObservationBuilder(base_contract(), base_profile())
    builder.receive("/odom", odometry(1, 0.0), 10.0)
    builder.receive("/scan", scan(1, np.full(num_rays, 9.0)), 10.0)
    measured = builder.build(10.01).measured
    assert measured is not None
    assert measured.clearance_m is not None
    assert measured.clearance_m[0, STRAIGHT] == pytest.approx(ahead, abs=1e-6)


def test_a_scan_of_too_many_rays_is_refused_whoever_looks_at_it() -> None:
    scanner = ScanInput(topic="/scan", max_age_s=0.1, beams=ScanBeams(num=4, min_m=0.1, max_m=3.0))
    limits = replace(base(), obstacle=NoObstacleSensing(because="a test"))
    profile = base_profile(inputs=(base_profile().inputs[0], scanner), limits=limits)
    builder = ObservationBuilder(base_contract(), profile)
    builder.receive("/scan", scan(1, np.ones(MAX_RAYS + 1)), 10.0)
    assert Trip.MALFORMED_INPUT in trips(builder.build(10.01))


def _empty_scan() -> object:
    message = scan(1, np.ones(1))
    message.ranges = np.zeros(0, np.float32)
    return message


def test_bodies_tools_and_differences_go_by_the_contracts_names() -> None:
    names = ("tool_x_w_m", "block_y_w_m", "block_vx_w_m_s", "block_sin_yaw", "tool_to_block_x_m", "gap_m")
    contract = arm_contract(inputs=(vector("object", *(element(name, "m") for name in names)),))
    tracked = OdometryInput(topic="/block", max_age_s=0.1, body="block")
    profile = arm_profile(
        inputs=(arm_profile().inputs[0], tracked, ValuesInput(topic="/gap", max_age_s=0.1, names=("gap_m",)))
    )
    builder = ObservationBuilder(contract, profile)
    builder.receive("/joint_states", joint_state(1, (0.0, 0.0)), 10.0)
    builder.receive("/block", odometry(1, 0.5, yaw=np.pi / 2), 10.0)
    builder.receive("/gap", TYPES.values([0.07]), 10.0)
    observation = builder.build(10.01)
    assert observation.inputs is not None
    np.testing.assert_allclose(observation.inputs["object"], [[1.0, 2.0, 0.0, 1.0, 0.0, 0.07]], atol=1e-7)
    assert observation.values["block_vy_w_m_s"] == pytest.approx(0.5)


def test_what_the_profile_cannot_give_is_named() -> None:
    contract = arm_contract(inputs=(vector("object", element("blok_x_w_m", "m")),))
    profile = arm_profile(inputs=(*arm_profile().inputs, PoseInput(topic="/block", max_age_s=0.1, body="block")))
    with pytest.raises(UserError, match=r"no input gives 'blok_x_w_m', .* did you mean 'block_x_w_m'\?"):
        ObservationBuilder(contract, profile)


@pytest.mark.parametrize("camera", [{"sensor": "wrist"}, {"encoding": "32FC1"}])
def test_another_camera_is_refused(camera: dict[str, str]) -> None:
    joints, topic, stop = arm_profile().inputs
    assert isinstance(topic, CameraTopic)
    with pytest.raises(UserError, match="no camera 'front' gives rgb8"):
        ObservationBuilder(arm_contract(), arm_profile(inputs=(joints, replace(topic, **camera), stop)))


@pytest.mark.parametrize(("level", "score"), [(100, 0.0), (0, 0.98 / 0.48), (255, 0.98 / 0.48)])
def test_pictures_that_training_never_saw_score_high(level: int, score: float) -> None:
    builder = fed_arm()
    builder.receive("/camera/image_raw", image(2, grey(level)), 10.01)
    assert builder.build(10.02).unfamiliarity == pytest.approx(score)


def test_numbers_outside_their_training_range_score_by_its_width() -> None:
    builder = fed_arm()
    builder.receive("/joint_states", joint_state(2, (0.0, 0.0), (0.0, 6.0)), 10.01)
    assert builder.build(10.02).unfamiliarity == pytest.approx(0.5)


def test_a_message_that_was_long_on_its_way_counts_as_old() -> None:
    builder = fed_arm()
    stamp_ns = 1
    for k in range(1, 13):  # 20 ms apart at the robot, 30 ms apart here: a network that falls behind
        stamp_ns += 20_000_000
        builder.receive("/joint_states", joint_state(stamp_ns, (0.1, 0.2)), 10.0 + 0.03 * k)
        builder.receive("/camera/image_raw", image(stamp_ns, grey(50)), 10.0 + 0.02 * k)
    observation = builder.build(10.36)
    late = next(fault for fault in observation.faults if fault.what == "/joint_states")
    assert (late.trip, late.value) == (Trip.STALE_INPUT, pytest.approx(0.12, abs=1e-3))


def test_clocks_that_drift_apart_are_no_slow_network() -> None:
    builder = fed_arm()
    for k in range(1, 2000):
        t_s = 10.0 + 0.05 * k
        builder.receive("/joint_states", joint_state(round((t_s - 10.0) * (1 - 1e-4) * 1e9), (0.1, 0.2)), t_s)
    assert builder.mailboxes["/joint_states"].age_s(t_s) < 1e-3


def test_messages_without_a_stamp_are_taken_as_they_come() -> None:
    builder = fed_arm()
    for k in range(5):
        builder.receive("/joint_states", joint_state(0, (0.1 * k, 0.2)), 10.0 + 0.01 * k)
    measured = builder.build(10.05).measured
    assert measured is not None
    assert measured.position[0] == pytest.approx(0.4)


def test_a_frozen_picture_under_new_stamps_is_noticed_where_asked() -> None:
    joints, camera, stop = arm_profile().inputs
    assert isinstance(camera, CameraTopic)
    builder = ObservationBuilder(arm_contract(), arm_profile(inputs=(joints, replace(camera, max_identical=2), stop)))
    for k in range(1, 5):
        assert Trip.FROZEN_INPUT not in trips(builder.build(10.0))
        builder.receive("/camera/image_raw", image(k * 10_000_000, grey(50)), 10.0 + 0.01 * k)
    assert Trip.FROZEN_INPUT in trips(builder.build(10.05))
    assert Trip.FROZEN_INPUT in trips(builder.build(10.06))  # no picture has come since: it is no less frozen
    builder.receive("/camera/image_raw", image(50_000_000, grey(51)), 10.06)
    assert Trip.FROZEN_INPUT not in trips(builder.build(10.07))


def test_a_frozen_scan_under_new_stamps_is_noticed_where_asked() -> None:
    own, scanner = base_profile().inputs
    assert isinstance(scanner, ScanInput)
    builder = ObservationBuilder(base_contract(), base_profile(inputs=(own, replace(scanner, max_identical=2))))
    rng = np.random.default_rng(0)
    frozen = 2.0 + rng.normal(0.0, 0.01, 36)
    frozen[[3, 4]] = np.nan, np.inf  # a ray that always fails hides nothing
    for k in range(1, 5):
        assert Trip.FROZEN_INPUT not in trips(builder.build(10.0))
        builder.receive("/scan", scan(k * 10_000_000, frozen), 10.0)
    assert Trip.FROZEN_INPUT in trips(builder.build(10.0))
    for k in range(5, 9):
        builder.receive("/scan", scan(k * 10_000_000, frozen + rng.normal(0.0, 0.01, 36)), 10.0)
        assert Trip.FROZEN_INPUT not in trips(builder.build(10.0))
    for k in range(9, 19):  # in the open nothing echoes, which is no fault
        builder.receive("/scan", scan(k * 10_000_000, np.full(36, np.inf)), 10.0)
    assert Trip.FROZEN_INPUT not in trips(builder.build(10.0))


@pytest.mark.parametrize(("speed", "yaw", "is_frozen"), [(0.3, 0.0, True), (0.0, 0.0, False), (0.3, 1e-4, False)])
def test_a_pose_that_stays_while_it_says_that_it_moves_is_frozen(speed: float, yaw: float, is_frozen: bool) -> None:
    own, scanner = base_profile().inputs
    assert isinstance(own, OdometryInput)
    builder = ObservationBuilder(base_contract(), base_profile(inputs=(replace(own, max_identical=2), scanner)))
    for k in range(1, 6):
        builder.receive("/odom", odometry(k * 10_000_000, speed, yaw=k * yaw), 10.0)
    assert (Trip.FROZEN_INPUT in trips(builder.build(10.0))) == is_frozen
