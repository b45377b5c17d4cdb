"""What a bridge sees of the simulated robot is what the environment shows its agent."""

from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
import pytest
from stage import RING, RING_KEYS, TYPES, arm_profile, base_profile, contract_of

from robossl.core import Stream
from robossl.deploy.clearance import STRAIGHT, scan_clearance
from robossl.deploy.observation import ObservationBuilder
from robossl.deploy.pictures import decode_picture
from robossl.deploy.profile import RobotProfile
from robossl.deploy.topics import CameraTopic, DepthView, JointsInput, ScanInput, ValuesInput
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.make import make_env
from robossl.envs.sensors.lidar import Lidar
from robossl.rehearsal.drivers import DriverConfig, Drivers
from robossl.rehearsal.faults import Faults, FaultSizes
from robossl.rehearsal.messages import Messages, encode_picture
from robossl.rehearsal.world import SimulatedWorld

SEED, WORLD = 5, 11
PUSH, PUSH_KEYS = "robossl/ArmPush-v0", ("rgb_static", "proprio", "object", "goal")
QUIET = DriverConfig(camera_noise=0.0, scan_noise_m=0.0)


def make_world(env_id: str) -> SimulatedWorld:
    world = SimulatedWorld(EnvConfig(id=env_id, num_worlds=1, num_threads=1), seed=SEED)
    world.begin(WORLD)
    return world


def what_the_bridge_sees(world: SimulatedWorld, profile: RobotProfile, keys: tuple[str, ...]) -> Any:
    """Passes one message of every driver through the wire's bytes to the builder of observations."""
    builder = ObservationBuilder(contract_of(world.config.id, keys), profile)
    drivers = Drivers(profile, world, TYPES, Faults(FaultSizes()), QUIET)
    for topic, message in drivers.due(1, 2, lambda name: name in builder.mailboxes):
        builder.receive(topic, TYPES.from_bytes(TYPES.to_bytes(message), TYPES.type_of(message)), 0.0)
    observation = builder.build(0.01)
    drivers.close()
    assert not observation.faults
    return observation


def test_an_episode_begins_with_the_environments_own_observation() -> None:
    config = EnvConfig(id=PUSH, num_worlds=1, num_threads=1, observations=PUSH_KEYS)
    env = make_env(config, WorldSeed(seed=SEED, stream=Stream.EVAL))
    expected = env.reset(first_world=WORLD)
    env.close()
    world = make_world(PUSH)
    inputs = what_the_bridge_sees(world, arm_profile(), PUSH_KEYS).inputs
    np.testing.assert_array_equal(inputs["rgb_static"][0, 0], expected["rgb_static"][0])
    for key in ("proprio", "object", "goal"):
        np.testing.assert_allclose(inputs[key], expected[key], atol=2e-6, err_msg=key)
    world.close()


def test_a_moving_arm_and_a_sliding_turning_block_are_seen_as_the_task_sees_them() -> None:
    world, everyone = make_world(PUSH), np.zeros(1, np.int64)
    qvel = np.zeros((1, world.model.nv))
    qvel[0, :7] = np.linspace(-0.4, 0.5, 7)
    qvel[0, 7:] = [0.3, -0.2, 0.0, 0.0, 0.0, 1.5]
    world.engine.write("qvel", qvel, everyone)
    world.engine.forward(everyone)
    for _ in range(3):
        world.step(np.array(world.engine.view("ctrl")[0]), judged=True)
    expected = world.task.observe(world.engine, world.task.new_memory(1))
    inputs = what_the_bridge_sees(world, arm_profile(), PUSH_KEYS).inputs
    assert abs(expected["object"][0, 3]) > 0.01
    for key in ("proprio", "object", "goal"):
        np.testing.assert_allclose(inputs[key], expected[key], atol=2e-5, err_msg=key)
    world.close()


def test_a_base_tells_its_speeds_in_its_own_frame_and_where_it_is() -> None:
    world = make_world(RING)
    for _ in range(30):
        world.step(np.array([0.8, 0.0, 0.5]), judged=False)
    observation = what_the_bridge_sees(world, base_profile(), RING_KEYS)
    np.testing.assert_allclose(observation.inputs["proprio"], [[0.8, 0.5]], atol=2e-3)
    pose = world.engine.read("qpos")[0]
    values = observation.values
    np.testing.assert_allclose([values["base_x_w_m"], values["base_y_w_m"]], pose[:2], atol=1e-6)
    np.testing.assert_allclose([values["base_sin_yaw"], values["base_cos_yaw"]], [np.sin(pose[2]), np.cos(pose[2])])
    world.close()


def test_numbers_that_no_driver_measures_come_by_their_names() -> None:
    names = ("tool_to_block_x_m", "block_vx_w_m_s")
    source = ValuesInput(topic="/estimate", max_age_s=0.1, names=names)
    profile = arm_profile(inputs=(*arm_profile().inputs, source))
    world = make_world(PUSH)
    drivers = Drivers(profile, world, TYPES, Faults(FaultSizes()), QUIET)
    ((_, message),) = drivers.due(1, 2, lambda name: name == "/estimate")
    known = world.named_values()
    assert message.data.tolist() == [known[name] for name in names]
    drivers.close()
    world.close()


def test_a_scan_begins_behind_on_the_right_and_turns_left_as_its_angles_say() -> None:
    world = make_world(RING)
    lidar = next(sensor for sensor in world.task.spec.sensors.values() if isinstance(sensor, Lidar))
    ranges = lidar.read(world.engine, {}, {}, np.zeros(1, np.int64))[0]
    message = Messages(TYPES).scan(1, lidar, ranges)
    angle = message.angle_min + message.angle_increment * np.arange(len(ranges))
    np.testing.assert_allclose(np.stack([np.cos(angle), np.sin(angle)], 1), lidar.directions()[:, :2], atol=1e-9)
    assert np.isinf(message.ranges[ranges >= lidar.max_m]).all()
    np.testing.assert_array_equal(message.ranges[ranges < lidar.max_m], ranges[ranges < lidar.max_m])
    world.close()


def test_the_guards_clearance_is_read_from_the_scan() -> None:
    from robossl.cli.profiles import load_profile

    world = make_world(RING)
    profile = load_profile("diff_drive")
    keys = ("rgb_front", "proprio")
    measured = what_the_bridge_sees(world, profile, keys).measured
    assert measured is not None
    assert measured.clearance_m is not None
    lidar = next(sensor for sensor in world.task.spec.sensors.values() if isinstance(sensor, Lidar))
    ahead = lidar.read(world.engine, {}, {}, np.zeros(1, np.int64))[0, lidar.num_beams // 2]
    front_m = profile.limits.obstacle.front_m  # type: ignore[union-attr]
    assert 0 < measured.clearance_m[0, STRAIGHT] <= ahead - front_m + 1e-5
    world.close()


def test_a_depth_camera_sees_the_way_ahead_as_a_dense_scanner_at_its_height_does() -> None:
    from robossl.cli.profiles import load_profile

    profile = load_profile("diff_drive")
    obstacle = replace(profile.limits.obstacle, half_width_m=0.3)  # type: ignore[type-var,union-attr]
    world = make_world(RING)
    camera, rotation = world.model.camera("front"), np.zeros(9)
    mujoco.mju_quat2Mat(rotation, camera.quat)
    view = DepthView(
        fov_y_rad=float(np.deg2rad(camera.fovy[0])),
        forward_m=float(camera.pos[0]),
        left_m=float(camera.pos[1]),
        height_m=float(camera.pos[2]),
        pitch_rad=float(np.arcsin(rotation[8])),  # its z axis looks back
        low_m=0.3,
        high_m=0.4,  # the scanner is at 0.35 m
        far_m=4.0,
        min_pixels=1,
        max_failed=0.1,
    )
    topic = CameraTopic(topic="/depth", max_age_s=1.0, sensor="front", encoding="32FC1", obstacles=view)
    scanner = next(source for source in profile.inputs if isinstance(source, ScanInput))
    inputs = (*(source for source in profile.inputs if not isinstance(source, (CameraTopic, ScanInput))), topic)
    watched = replace(profile, inputs=inputs, limits=replace(profile.limits, obstacle=obstacle))
    lidar = next(sensor for sensor in world.task.spec.sensors.values() if isinstance(sensor, Lidar))
    dense, ways = replace(lidar, num_beams=3600), []
    for index in range(WORLD, WORLD + 4):
        world.begin(index)
        measured = what_the_bridge_sees(world, watched, ("proprio",)).measured
        assert measured is not None
        assert measured.clearance_m is not None
        ranges = dense.read(world.engine, {}, {}, np.zeros(1, np.int64))[0]
        expected = scan_clearance(Messages(TYPES).scan(1, dense, ranges), scanner, obstacle)[0]
        ways.append((measured.clearance_m[0], np.minimum(expected, view.far_m - obstacle.front_m)))
    found, expected_m = np.array(ways).swapaxes(0, 1)
    shown = found[0] != 0.0  # at other headings the corridor is not wholly in the picture
    assert shown[STRAIGHT]
    assert 3 <= shown.sum() < len(shown)
    near = np.abs(found - expected_m) < 0.08  # a pixel at the farthest is that wide
    assert near[:, STRAIGHT].all()
    assert near[:, shown].mean() > 0.75  # by less than a pixel, an edge is in the corridor or not
    assert np.ptp(expected_m) > 0.5
    world.close()


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_colours_survive_every_encoding(encoding: Any) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    message = Messages(TYPES).picture(1, "camera", picture, encoding)
    back = TYPES.from_bytes(TYPES.to_bytes(message), "sensor_msgs/msg/Image")
    np.testing.assert_array_equal(decode_picture(back, encoding), picture)


@pytest.mark.parametrize(("encoding", "atol"), [("32FC1", 0.0), ("16UC1", 5e-4)])
def test_distances_survive_every_encoding(encoding: Any, atol: float) -> None:
    picture = np.random.default_rng(0).uniform(0, 8, (4, 6, 1)).astype(np.float32)
    message = Messages(TYPES).picture(1, "camera", picture, encoding)
    back = TYPES.from_bytes(TYPES.to_bytes(message), "sensor_msgs/msg/Image")
    np.testing.assert_allclose(decode_picture(back, encoding), picture, atol=atol)
    assert encode_picture(picture * 1e6, "16UC1").max() == 65535


def test_drivers_keep_their_rates_and_nobody_is_told_what_nobody_hears() -> None:
    world = make_world(PUSH)
    drivers = Drivers(arm_profile(), world, TYPES, Faults(FaultSizes()), replace(QUIET, camera_hz=20.0, state_hz=50.0))
    counts: dict[str, int] = {}
    for t_ns in range(0, 1_000_000_000, 5_000_000):
        for topic, _ in drivers.due(t_ns, t_ns, lambda name: "wrist" not in name):
            counts[topic] = counts.get(topic, 0) + 1
    assert counts["/static_camera/image_raw"] == 20
    joints = next(source.topic for source in arm_profile().inputs if isinstance(source, JointsInput))
    assert counts[joints] == 50
    assert "/wrist_camera/image_raw" not in counts
    drivers.close()
    world.close()
