"""What a driving policy sees on the robot is what it saw in simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest
from deploy_robots import TYPES, base_contract, base_profile, element, odometry, scan, vector

from robossl.core import Stream, UserError
from robossl.deploy.beams import beam_values
from robossl.deploy.observation import ObservationBuilder
from robossl.deploy.topics import PoseInput, ScanBeams, ScanInput
from robossl.deploy.trips import RefusedMessageError, Trip
from robossl.envs import EnvConfig, WorldSeed, make_env

BEAMS = ScanBeams(num=36, min_m=0.12, max_m=3.5)
GOAL = ("goal_distance_m", "goal_cos_bearing", "goal_sin_bearing")


def goal_pose(x: float, y: float, stamp_ns: int = 1) -> object:
    none = TYPES.make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
    point = TYPES.make("geometry_msgs/msg/Point", x=x, y=y, z=0.0)
    pose = TYPES.make("geometry_msgs/msg/Pose", position=point, orientation=none)
    return TYPES.make("geometry_msgs/msg/PoseStamped", header=TYPES.header(stamp_ns, "odom"), pose=pose)


def driver() -> ObservationBuilder:
    """A builder for a policy that takes goal, lidar and its own speeds."""
    profile = base_profile()
    inputs = (
        profile.inputs[0],
        ScanInput(topic="/scan", max_age_s=0.1, beams=BEAMS),
        PoseInput(topic="/goal_pose", max_age_s=None, body="goal"),
    )
    contract = replace(
        base_contract(),
        inputs=(
            vector("goal", *map(element, GOAL)),
            vector("lidar", *(element(f"range_{i}_m") for i in range(BEAMS.num))),
            vector("proprio", element("forward_m_s"), element("yaw_rate_rad_s")),
        ),
    )
    return ObservationBuilder(contract, replace(profile, inputs=inputs))


def test_goal_and_beams_are_those_of_the_simulation() -> None:
    config = EnvConfig(id="robossl/RoomsPointGoal-v0", num_worlds=8, observations=("goal", "lidar"), num_threads=1)
    env = make_env(config, WorldSeed(seed=2, stream=Stream.EVAL))
    obs, truth = env.reset(), env.privileged()
    for world in range(8):
        x, y, yaw = (float(value) for value in truth["pose"][world])
        goal_x, goal_y = (float(value) for value in truth["goal_position"][world])
        builder = driver()
        builder.receive("/odom", odometry(1, 0.1, 0.2, yaw=yaw), 10.0)  # it tells (1, 2)
        builder.receive("/goal_pose", goal_pose(goal_x - x + 1.0, goal_y - y + 2.0), 9.0)
        ranges = obs["lidar"][world]
        builder.receive("/scan", scan(1, np.where(ranges >= BEAMS.max_m, np.inf, ranges)), 10.0)
        observation = builder.build(10.05)
        assert not observation.faults
        assert observation.inputs is not None
        np.testing.assert_allclose(observation.inputs["goal"][0], obs["goal"][world], atol=1e-5)
        np.testing.assert_array_equal(observation.inputs["lidar"][0], ranges)
        np.testing.assert_allclose(observation.inputs["proprio"], [[0.1, 0.2]])
        assert observation.age_s == pytest.approx(0.05)  # a goal holds


def test_without_a_goal_there_is_nothing_to_decide() -> None:
    builder = driver()
    builder.receive("/odom", odometry(1, 0.1), 10.0)
    builder.receive("/scan", scan(1, np.full(36, 2.0)), 10.0)
    observation = builder.build(10.01)
    assert observation.inputs is None
    assert [fault.what for fault in observation.faults] == ["/goal_pose: nothing came"]


def test_a_beam_is_the_nearest_ray_that_did_not_fail() -> None:
    ranges = np.full(360, 2.0)
    ranges[[90, 91, 89]] = [np.nan, 1.0, np.nan]  # beam 9 looks to the right, -pi / 2
    ranges[180] = np.inf  # ahead: beam 18
    ranges[270] = 0.01  # to the left: beam 27
    values = beam_values(scan(1, ranges), BEAMS)
    assert list(values) == [f"range_{i}_m" for i in range(36)]
    assert [values[f"range_{i}_m"] for i in (0, 9, 18, 27)] == [2.0, 1.0, 3.5, 0.12]


def test_rays_may_turn_either_way_from_anywhere() -> None:
    bearing = np.arange(360) * math.radians(1.0)
    ranges = 1.0 + np.mod(bearing + np.pi, 2 * np.pi) / 10  # grows anticlockwise from behind
    message = scan(1, ranges)
    message.angle_min, message.angle_increment = 0.0, math.radians(1.0)
    straight = beam_values(message, BEAMS)
    message.ranges = np.roll(ranges[::-1], 1).astype(np.float32)
    message.angle_increment = -math.radians(1.0)
    assert beam_values(message, BEAMS) == pytest.approx(straight)
    assert straight["range_9_m"] == pytest.approx(1.0 + (np.pi / 2) / 10, abs=1e-3)


@pytest.mark.parametrize("ranges", [np.full(360, np.nan), np.zeros(0), np.full(12, 1.0)])
def test_a_scan_that_does_not_look_everywhere_is_refused(ranges: np.ndarray) -> None:
    message = scan(1, np.ones(1))
    message.ranges = np.asarray(ranges, np.float32)
    message.angle_increment = 2 * math.pi / max(len(ranges), 1)
    with pytest.raises(RefusedMessageError, match="no ray looks where one of 36 does") as caught:
        beam_values(message, BEAMS)
    assert caught.value.trip == Trip.MALFORMED_INPUT


def test_impossible_beams_are_refused() -> None:
    with pytest.raises(UserError, match=r"cannot have 0 beams from 0\.1 to 3 m"):
        ScanBeams(num=0, min_m=0.1, max_m=3)
    with pytest.raises(UserError, match="cannot have 4 beams from 3 to 1 m"):
        ScanBeams(num=4, min_m=3, max_m=1)
