"""Each sensor against a value known beforehand."""

import copy
import re
from typing import Any

import mujoco
import numpy as np
import pytest

from robossl.core import Draws, Stream, UnknownNameError, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.engines import make_engine
from robossl.envs.host import for_sensors, on_host, together_on_host
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import model_default
from robossl.envs.mujoco_model import load_model
from robossl.envs.sensors import ContactFlags, ForceTorque, Imu, JointState, Lidar, Odometry, Sensor, Touch
from robossl.envs.sensors.load import load_beyond
from robossl.envs.sensors.quiet import switch_off_unused
from robossl.envs.sensors.sensor import sensor_columns
from robossl.envs.sensors.suite import SensorSuite

SUBSTEPS = 5
G = 9.81

BOX = f"""
<mujoco>
  <option timestep="0.002" gravity="0 0 -{G}"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="box" pos="0 0 0.1">
      <freejoint name="free"/>
      <geom name="box" type="box" size="0.1 0.1 0.1" mass="2"/>
      <site name="centre"/>
      <site name="pad" type="box" size="0.11 0.11 0.02" pos="0 0 -0.1"/>
    </body>
    <body name="plate" pos="2 0 1">
      <geom name="plate" type="box" size="0.1 0.1 0.01" mass="0.5"/>
      <site name="flange" pos="0 0 -0.01"/>
      <site name="tilted" pos="0 0 -0.01" euler="90 0 0"/>
      <body name="load" pos="0.05 0 0.1">
        <geom name="load" size="0.02" mass="3"/>
      </body>
    </body>
    <body name="hinge" pos="-2 0 1">
      <joint name="hinge" type="hinge" axis="0 0 1"/>
      <geom name="arm" type="capsule" fromto="0 0 0 0.3 0 0" size="0.02" mass="1"/>
      <body name="slide" pos="0.3 0 0">
        <joint name="slide" type="slide" axis="1 0 0"/>
        <geom name="tip" size="0.02" mass="0.1"/>
        <site name="tip"/>
      </body>
    </body>
  </worldbody>
  <sensor>
    <gyro name="gyro" site="centre"/>
    <velocimeter name="velocity" site="centre"/>
    <gyro name="tip_gyro" site="tip"/>
    <velocimeter name="tip_velocity" site="tip"/>
    <touch name="touch" site="pad"/>
    <force name="force" site="flange"/>
    <torque name="torque" site="flange"/>
    <force name="tilted_force" site="tilted"/>
    <torque name="tilted_torque" site="tilted"/>
    <contact name="on_floor" geom1="box" geom2="floor" num="1" data="found"/>
    <contact name="on_load" geom1="box" geom2="load" num="1" data="found"/>
  </sensor>
</mujoco>
"""

_MOTION = ("framelinvel", "frameangvel", "framelinacc", "frameangacc", "framequat")


def with_motion(xml: str, *sites: str) -> str:
    """Adds what a force sensor needs to know of its site's motion."""
    lines = (f'<{kind} objtype="site" objname="{site}"/>' for site in sites for kind in _MOTION)
    return xml.replace("</sensor>", f"{''.join(lines)}</sensor>")


BOX = with_motion(BOX, "flange", "tilted")
SERVO = with_motion(
    """
<mujoco>
  <option timestep="0.005" integrator="implicitfast"/>
  <worldbody>
    <body name="boom">
      <joint name="boom" axis="0 0 1" armature="0.1"/>
      <geom name="boom" type="capsule" fromto="0 0 0 0.5 0 0" size="0.02" mass="1"/>
      <body name="hand" pos="0.5 0 0" euler="0 0 30">
        <geom name="hand" type="box" size="0.05 0.02 0.01" mass="0.7"/>
        <site name="wrist" pos="0.01 0.02 0" euler="20 0 40"/>
        <body name="tool" pos="0.1 0.02 0.05" euler="10 20 30">
          <geom name="tool" type="box" size="0.02 0.03 0.04" pos="0.01 0 0" mass="0.4"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator><position name="servo" joint="boom" kp="2000" kv="200"/></actuator>
  <sensor><force site="wrist"/><torque site="wrist"/></sensor>
</mujoco>
""",
    "wrist",
)

LANDING = with_motion(
    """
<mujoco>
  <option timestep="0.005" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="lift" pos="0 0 0.25">
      <joint name="lift" type="slide" axis="0 0 1"/>
      <geom name="lift" type="box" size="0.02 0.02 0.02" mass="2"/>
      <body name="foot" pos="0 0 -0.2">
        <geom name="foot" type="sphere" size="0.04" mass="0.7"/>
        <site name="ankle" pos="0 0 0.1"/>
      </body>
    </body>
  </worldbody>
  <sensor><force site="ankle"/><torque site="ankle"/></sensor>
</mujoco>
""",
    "ankle",
)

ROOM = """
<mujoco>
  <worldbody>
    <geom name="east" type="box" pos="3 0 0" size="0.5 5 2"/>
    <geom name="west" type="box" pos="-2.5 0 0" size="0.5 5 2"/>
    <geom name="north" type="box" pos="0 4.5 0" size="5 0.5 2"/>
    <geom name="south" type="box" pos="0 -1.5 0" size="5 0.5 2"/>
    <geom name="floor" type="plane" pos="0 0 -0.5" size="9 9 1"/>
    <geom name="ghost" type="sphere" pos="1 0 0" size="0.2" group="3"/>
    <body name="robot">
      <joint name="turn" axis="0 0 1"/>
      <geom name="shell" type="cylinder" size="0.2 0.1" mass="1"/>
      <site name="laser"/>
      <body name="wheel" pos="0 0.25 0">
        <geom name="wheel" size="0.03" mass="0.1"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


class Bench:
    """An engine and one sensor, stepped by hand."""

    def __init__(self, sensor: Sensor, xml: str = BOX, num_worlds: int = 2, engine: str = "mujoco") -> None:
        self.engine = make_engine(engine, load_model(xml), num_worlds, 1)
        self.suite = SensorSuite(for_sensors(self.engine), {"it": sensor}, SUBSTEPS)
        self.everyone = np.arange(num_worlds)
        self.decisions = np.zeros(num_worlds, np.int64)
        self.engine.reset(self.everyone)

    def begin(self, **state: Any) -> np.ndarray:
        for name, value in state.items():
            self.engine.write(name, np.broadcast_to(value, self.engine.read(name).shape), self.everyone)
        self.engine.forward()
        self.decisions[:] = 0
        self.suite.begin(self.everyone, self.draws())
        return self.read()

    def step(self, num_steps: int = 1, ctrl: tuple[float, ...] = ()) -> np.ndarray:
        for _ in range(num_steps):
            self.decisions += 1
            controls = np.broadcast_to(ctrl, (len(self.everyone), len(ctrl)))
            recorded = together_on_host(self.engine.step(controls, SUBSTEPS, self.suite.record))
            self.suite.advance(recorded, self.draws(), self.decisions)
        return self.read()

    def read(self) -> np.ndarray:
        reading = self.suite.read(self.everyone)["it"]
        spec = self.suite.specs["it"]
        assert reading.shape == (len(self.everyone), *spec.shape)
        assert reading.dtype == np.float32
        return np.asarray(reading)

    def draws(self) -> Draws:
        return Draws(3, Stream.TRAIN, self.everyone, np.zeros_like(self.everyone))


def at(**values: list[float]) -> np.ndarray:
    """Returns a position vector of the model BOX: the free box, then hinge and slide."""
    return np.array([*values.get("box", [0, 0, 0.1]), 1, 0, 0, 0, *values.get("joints", [0, 0])])


def test_an_imu_in_free_fall_reads_nothing_and_at_rest_gravity() -> None:
    bench = Bench(Imu(site="centre"))
    bench.begin(qpos=at(box=[0, 0, 2]))
    np.testing.assert_allclose(bench.step(), 0, atol=1e-4)
    np.testing.assert_allclose(bench.begin(qpos=at(), qvel=0), [[0, 0, 0, 0, 0, G]] * 2, atol=1e-4)
    np.testing.assert_allclose(bench.step(100), [[0, 0, 0, 0, 0, G]] * 2, atol=0.02)


def test_a_turning_imu_feels_its_centripetal_acceleration() -> None:
    bench = Bench(Imu(site="tip"))
    bench.begin(qvel=[0, 0, 0, 0, 0, 0, 3.0, 0])
    reading = bench.step()
    np.testing.assert_allclose(reading[0, :3], [0, 0, 3], atol=0.01)
    # The slide is free: no force along x keeps the tip in its circle. As it leaves, the arm takes it round.
    np.testing.assert_allclose(reading[0, [3, 5]], [0, G], atol=1e-3)
    assert 0 < reading[0, 4] < 2 * 3.0 * (3.0**2 * 0.3 * SUBSTEPS * 0.002)  # Coriolis, twice the turn times the speed


@pytest.mark.parametrize("env_id", ["robossl/RingCorridor-v0", "robossl/RoomsPointGoal-v0"])
@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
def test_a_car_in_a_curve_feels_speed_times_yaw_rate(env_id: str, engine: Any) -> None:
    config = EnvConfig(
        id=env_id, num_worlds=1, num_threads=1, engine=engine, observations=("imu", "proprio", "contact")
    )
    env = make_env(config, WorldSeed(seed=2))
    env.reset()
    for _ in range(4):
        action = np.ones((1, *env.spec.action.shape), np.float32) * np.float32(0.3)
        batch = env.step(action)
    assert batch.obs["contact"] == 0
    speed, yaw_rate = batch.obs["proprio"][0]
    assert speed * yaw_rate > 0.02
    np.testing.assert_allclose(
        batch.obs["imu"][0], [0, 0, yaw_rate, 0, speed * yaw_rate, 0], atol=0.05 * speed * yaw_rate
    )


def test_an_imu_in_a_world_that_diverges_shows_the_motion_before_it() -> None:
    env = make_env(EnvConfig(num_worlds=2, num_threads=1, observations=("imu",)), WorldSeed())
    env.reset()
    expected = env.step(np.zeros((2, 1), np.float32)).obs["imu"]
    broken = env.engine.read("qvel")[:1]  # type: ignore[attr-defined]
    env.engine.write("qvel", np.full_like(broken, np.nan), np.array([0]))  # type: ignore[attr-defined]
    batch = env.step(np.zeros((2, 1), np.float32))
    assert batch.final_ids.tolist() == [0]
    assert np.isfinite(batch.final_obs["imu"]).all()
    np.testing.assert_allclose(batch.final_obs["imu"], 0, atol=1e-3)
    np.testing.assert_allclose(batch.obs["imu"][1], expected[1], atol=1e-3)


def test_joints_are_read_at_their_places() -> None:
    bench = Bench(JointState(joints=("slide", "hinge")))
    assert bench.suite.specs["it"].names == ("slide_m", "hinge_rad", "slide_m_s", "hinge_rad_s")
    reading = bench.begin(qpos=at(joints=[0.7, 0.1]), qvel=[0, 0, 0, 0, 0, 0, 3.0, -2.0])
    np.testing.assert_allclose(reading, [[0.1, 0.7, -2.0, 3.0]] * 2, rtol=1e-6)
    with pytest.raises(UserError, match="'free' is neither a hinge nor a slide"):
        Bench(JointState(joints=("free",)))


def test_a_wrist_carries_the_weight_and_the_moment_of_its_load() -> None:
    bench = Bench(ForceTorque(site="flange"))
    assert bench.suite.specs["it"].shape == (SUBSTEPS, 6)
    bench.begin()
    window = bench.step()
    # 3.5 kg in all; the load hangs 0.05 m along x: its weight turns the plate about +y, the wrist holds against it.
    np.testing.assert_allclose(window[1], [[0, 0, 3.5 * G, 0, -3 * G * 0.05, 0]] * SUBSTEPS, atol=1e-4)
    tilted = Bench(ForceTorque(site="tilted"))
    np.testing.assert_allclose(tilted.begin()[0, 0], [0, 3.5 * G, 0, 0, 0, 3 * G * 0.05], atol=1e-4)


def test_a_force_window_has_one_row_for_every_substep() -> None:
    bench = Bench(ForceTorque(site="flange"))
    bench.begin()
    columns = bench.engine.model.sensor("force").adr[0] + 2
    recorded = bench.engine.step(np.zeros((2, 0)), SUBSTEPS, ("sensordata",))["sensordata"]
    bench.suite.advance({"sensordata": recorded}, bench.draws(), bench.decisions)
    np.testing.assert_allclose(bench.read()[:, :, 2], recorded[:, :, columns], atol=1e-4)


def moved_load(model: Any, qpos: np.ndarray, qvel: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns what MuJoCo's inverse dynamics make of a substep's change of velocity, in the site's frame."""
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(model, data)
    data.qacc[:] = (after - qvel) / model.opt.timestep
    mujoco.mj_rnePostConstraint(model, data)
    mujoco.mj_sensorAcc(model, data)
    return data.sensordata[:6].copy()


def test_the_force_that_moves_a_load_is_that_of_its_motion() -> None:
    bench = Bench(ForceTorque(site="wrist"), SERVO)
    model = bench.engine.model
    bench.begin()
    window = bench.step(2, (0.05,))[1]
    data = mujoco.MjData(model)
    data.ctrl[:] = 0.05
    expected, of_mujoco = [], []
    for _ in range(2 * SUBSTEPS):
        before = data.qpos.copy(), data.qvel.copy()
        mujoco.mj_step(model, data)
        expected.append(moved_load(model, *before, data.qvel))
        current = copy.copy(data)
        mujoco.mj_forward(model, current)
        of_mujoco.append(current.sensordata[:6].copy())
    np.testing.assert_allclose(window, expected[SUBSTEPS:], rtol=0, atol=0.02)
    assert np.abs(np.array(of_mujoco) - expected)[SUBSTEPS:].max() > 1.0  # N: what would be read otherwise


@pytest.mark.parametrize("engine", ["mujoco", "bullet", "warp"])
def test_what_a_load_touches_is_felt_in_the_substep_that_it_stops_in(engine: str) -> None:
    if engine == "warp":
        pytest.importorskip("mujoco_warp")
    bench = Bench(ForceTorque(site="ankle"), LANDING, engine=engine)
    bench.begin()
    hardest = 0.0
    for _ in range(8):
        recorded = bench.engine.step(np.zeros((2, 0)), SUBSTEPS, ("sensordata", "qvel"))
        felt = {name: on_host(values) for name, values in recorded.items()}
        bench.suite.advance(felt, bench.draws(), bench.decisions)
        speed = np.concatenate([felt["qvel"][0, :, 0], on_host(bench.engine.read("qvel"))[0]])
        # Whatever the floor does, of the lift the foot is all that holds it.
        expected = -2 * (np.diff(speed) / 0.005 + G)
        np.testing.assert_allclose(bench.read()[0, :, 2], expected, rtol=2e-3, atol=0.02)
        hardest = max(hardest, np.abs(expected).max())
    assert hardest > 100  # N: it has come down


@pytest.mark.parametrize("field", ["body_mass", "body_inertia", "body_ipos", "body_pos", "body_quat", "opt.gravity"])
def test_a_load_that_differs_between_worlds_is_felt_as_it_is(field: str) -> None:
    bench = Bench(ForceTorque(site="wrist"), SERVO)
    model = bench.engine.model
    values = model_default(model, field).copy()
    if field == "opt.gravity":
        values[:] = 1.0, 2.0, -3.0
    elif field == "body_quat":
        values[model.body("tool").id] = 0.6, 0.0, 1.6, 0.0  # twice as long as it should be
    else:
        values[model.body("tool").id] *= 30 if field == "body_inertia" else 3
    bench.engine.randomise(field, values[None], np.array([1]))
    bench.begin()
    windows = bench.step(2, (0.05,))
    own = bench.engine.batch.get_model(1)
    data = mujoco.MjData(own)
    data.ctrl[:] = 0.05
    for _ in range(2 * SUBSTEPS):
        before = data.qpos.copy(), data.qvel.copy()
        mujoco.mj_step(own, data)
    np.testing.assert_allclose(windows[1, -1], moved_load(own, *before, data.qvel), rtol=0, atol=0.02)
    assert np.abs(windows[1, -1] - windows[0, -1]).max() > 0.005


@pytest.mark.parametrize("engine", ["mujoco", "bullet", "warp"])
def test_a_wrist_carries_the_weight_that_motors_compensate(engine: str) -> None:
    if engine != "mujoco":
        pytest.importorskip({"bullet": "pybullet", "warp": "mujoco_warp"}[engine])
    swing = SERVO.replace('axis="0 0 1"', 'axis="0 1 0"')
    held = swing.replace('name="hand" pos', 'name="hand" gravcomp="0.5" pos')
    held = held.replace('name="tool" pos', 'name="tool" gravcomp="2" pos')
    bench, twin = (Bench(ForceTorque(site="wrist"), xml, engine=engine) for xml in (swing, held))
    bench.engine.randomise("body_gravcomp", twin.engine.model.body_gravcomp[None], np.array([1]))
    at_rest = moved_load(load_model(held), np.zeros(1), np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(np.linalg.norm(at_rest[:3]), 1.1 * G, rtol=1e-6)  # MuJoCo's own
    np.testing.assert_allclose(bench.begin()[:, 0], [at_rest] * 2, atol=1e-4)
    twin.begin()
    windows, expected = bench.step(2, (0.05,)), twin.step(2, (0.05,))
    np.testing.assert_allclose(windows[1], expected[1], atol=1e-4)
    assert np.abs(windows[1] - windows[0]).max() > 0.01  # it moves otherwise


def test_where_a_loads_own_body_is_on_the_robot_is_no_matter_of_the_load() -> None:
    bench = Bench(ForceTorque(site="wrist"), SERVO)
    values = bench.engine.model.body_pos.copy()
    values[bench.engine.model.body("hand").id] *= 2
    bench.engine.randomise("body_pos", values[None], np.array([1]))
    assert load_beyond(bench.engine, "wrist", np.arange(2)).mass.shape == (1,)  # one for all worlds


def test_without_gravity_a_load_at_rest_weighs_nothing() -> None:
    bench = Bench(
        ForceTorque(site="wrist"), SERVO.replace("<option", '<option><flag gravity="disable"/></option><option')
    )
    np.testing.assert_allclose(bench.begin(), 0, atol=1e-6)
    np.testing.assert_allclose(bench.step(2, (0.0,)), 0, atol=1e-6)


def test_a_sensor_that_tells_of_another_frame_is_passed_over() -> None:
    other = '<sensor><framelinvel objtype="site" objname="wrist" reftype="body" refname="boom"/>'
    plain, mixed = (Bench(ForceTorque(site="wrist"), xml) for xml in (SERVO, SERVO.replace("<sensor>", other)))
    for bench in (plain, mixed):
        bench.begin()
    np.testing.assert_array_equal(plain.step(2, (0.05,)), mixed.step(2, (0.05,)))


def test_touch_reads_a_weight_and_nothing_in_the_air() -> None:
    bench = Bench(Touch(site="pad"))
    np.testing.assert_array_equal(bench.begin(qpos=at(box=[0, 0, 1])), 0)
    bench.begin(qpos=at())
    np.testing.assert_allclose(bench.step(100), 2 * G, rtol=2e-3)


def test_a_contact_between_two_decisions_is_not_missed() -> None:
    bench = Bench(ContactFlags(sensors=("on_floor", "on_load")), BOX.replace('mass="2"', 'mass="2" solref="-9000 -1"'))
    assert bench.begin(qpos=at(box=[0, 0, 0.11]), qvel=[0, 0, -9, 0, 0, 0, 0, 0]).tolist() == [[0, 0]] * 2
    assert bench.step().tolist() == [[1, 0]] * 2
    bench.begin(qpos=at(box=[0, 0, 0.5]), qvel=0)
    assert bench.step().tolist() == [[0, 0]] * 2


def test_the_beams_of_a_lidar_meet_the_walls_of_a_room() -> None:
    bench = Bench(Lidar(site="laser", num_beams=4, max_m=3.5, min_m=0.3), ROOM)
    ahead, left, behind, right = 2.5, 3.5, 2.0, 1.0  # north is 4 m away, too far
    np.testing.assert_allclose(bench.begin(), [[behind, right, ahead, left]] * 2, rtol=1e-5)
    bench.engine.write("qpos", np.array([[np.pi / 2]]), np.array([1]))
    bench.engine.forward()
    np.testing.assert_allclose(bench.read()[1], [right, ahead, left, behind], rtol=1e-5)


def test_slanted_beams_are_longer_and_rings_look_up_and_down() -> None:
    lidar = Lidar(site="laser", num_beams=3, max_m=9, min_m=0.3, fov_rad=np.pi / 2, elevations_rad=(0.0, -0.5))
    reading = Bench(lidar, ROOM).begin()[0]
    np.testing.assert_allclose(reading[:3], [np.sqrt(2), 2.5, 2.5 * np.sqrt(2)], rtol=1e-5)
    np.testing.assert_allclose(reading[3:], 0.5 / np.sin(0.5), rtol=1e-5)  # the floor is nearer than any wall


def test_a_lidar_does_not_see_its_own_body_and_nothing_nearer_than_it_can() -> None:
    near, far = (Bench(Lidar(site="laser", num_beams=1, max_m=9, fov_rad=1e-9, min_m=m), ROOM) for m in (0.0, 0.3))
    for bench in (near, far):
        bench.engine.write("qpos", np.full((2, 1), np.pi / 2), bench.everyone)
        bench.engine.forward()
    np.testing.assert_allclose(near.read(), 4.0, rtol=1e-5)
    blocked = ROOM.replace('pos="0 0.25 0"', 'pos="0.25 0 0"')
    np.testing.assert_allclose(Bench(Lidar(site="laser", num_beams=1, max_m=9, fov_rad=1e-9), blocked).begin(), 0.22)
    clear = Bench(Lidar(site="laser", num_beams=1, max_m=9, fov_rad=1e-9, min_m=0.3), blocked)
    np.testing.assert_allclose(clear.begin(), 2.5, rtol=1e-5)


def test_what_touches_a_robot_is_as_near_as_its_lidar_can_see() -> None:
    alone = re.sub(r'<body name="wheel".*?</body>', "", ROOM, flags=re.DOTALL)
    alone = alone.replace('<body name="robot">', '<body name="robot" pos="2.4 0 0">')  # in the eastern wall, by half
    lidar = Lidar(site="laser", num_beams=1, max_m=9, fov_rad=1e-9, min_m=0.12)
    np.testing.assert_allclose(Bench(lidar, alone).begin(), 0.12, rtol=1e-6)


def drive(sensor: Odometry) -> tuple[np.ndarray, np.ndarray]:
    """Drives the box of BOX a curve without gravity; returns the readings and the true planar poses."""
    bench = Bench(sensor, BOX.replace(f"0 0 -{G}", "0 0 0"))
    readings = [bench.begin(qpos=[1, 2, 1, np.cos(0.4), 0, 0, np.sin(0.4), 0, 0], qvel=[1, 0.5, 0, 0, 0, 2, 0, 0])]
    poses = []
    for _ in range(200):
        readings.append(bench.step())
        qpos = bench.engine.read("qpos")[0].astype(np.float64)
        poses.append([qpos[0], qpos[1], 2 * np.arctan2(qpos[6], qpos[3])])
    return np.array(readings), np.array(poses)


def test_odometry_without_errors_adds_up_to_the_true_pose() -> None:
    readings, poses = drive(Odometry(body="box"))
    np.testing.assert_array_equal(readings[0], [[0, 0, 0, 0, 0, 0, 1]] * 2)
    offset, start = poses[:, :2] - [1, 2], 0.8
    x = np.cos(start) * offset[:, 0] + np.sin(start) * offset[:, 1]
    y = np.cos(start) * offset[:, 1] - np.sin(start) * offset[:, 0]
    np.testing.assert_allclose(readings[1:, 0, 3], x, atol=2e-4)
    np.testing.assert_allclose(readings[1:, 0, 4], y, atol=2e-4)
    np.testing.assert_allclose(readings[1:, 0, 2], 2 * SUBSTEPS * 0.002, atol=1e-5)
    np.testing.assert_allclose(readings[1:, 0, 6], np.cos(poses[:, 2] - start), atol=1e-4)


def test_odometry_drifts_by_its_scale_and_scatters_by_its_noise() -> None:
    truth, _ = drive(Odometry(body="box"))
    scaled, _ = drive(Odometry(body="box", scale_std=0.1))
    ratio = scaled[1:, :, :3] / truth[1:, :, :3]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1], ratio.shape), rtol=2e-2)
    np.testing.assert_allclose(ratio[..., 0], ratio[..., 1], rtol=2e-2)
    assert (np.abs(ratio[0] - 1) > 1e-3).all()
    assert (np.abs(ratio[0, 0] - ratio[0, 1])[[0, 2]] > 1e-3).all()
    noisy, _ = drive(Odometry(body="box", noise_std=0.1))
    scatter = noisy[1:, :, 2] / truth[1:, :, 2] - 1
    assert abs(scatter.mean()) < 0.02
    assert 0.09 < scatter.std() < 0.11


def test_what_is_missing_in_a_model_is_named() -> None:
    with pytest.raises(UserError, match="no <force site='centre'/>"):
        Bench(ForceTorque(site="centre"))
    with pytest.raises(UnknownNameError, match="site of the model 'centr'; did you mean 'centre'"):
        Bench(Imu(site="centr"))
    with pytest.raises(UnknownNameError, match="did you mean 'on_floor'"):
        Bench(ContactFlags(sensors=("on_flor",)))
    with pytest.raises(UserError, match="sensor 'velocity' is no <contact"):
        Bench(ContactFlags(sensors=("on_floor", "velocity")))
    with pytest.raises(UserError, match="sensor 'on_floor' is no <contact"):
        Bench(ContactFlags(sensors=("on_floor",)), BOX.replace('num="1" data="found"', 'num="1" data="dist"'))
    with pytest.raises(UserError, match="cannot see from 2"):
        Lidar(site="laser", num_beams=4, max_m=1, min_m=2)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Lidar, {"num_beams": 2.5}, "a lidar's num_beams must be a whole number, got 2.5"),
        (Lidar, {"elevations_rad": 0.1}, "a lidar's elevations_rad must be a list of numbers, got 0.1"),
        (Lidar, {"elevations_rad": (np.nan,)}, "a lidar's rings need finite elevations"),
        (Odometry, {"scale_std": -1}, "odometry's scale_std must be finite and not negative, got -1"),
        (Odometry, {"noise_std": np.nan}, "odometry's noise_std must be finite and not negative, got nan"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused_when_it_is_declared(
    kind: Any, fields: dict[str, Any], message: str
) -> None:
    right = {"site": "laser", "num_beams": 4, "max_m": 5.0} if kind is Lidar else {"body": "box"}
    with pytest.raises(UserError, match=message):
        kind(**{**right, **fields})


@pytest.mark.parametrize("altered", ['cutoff="0.05"', 'interval="0.02" nsample="2"', 'delay="0.02" nsample="4"'])
def test_what_is_computed_from_readings_that_the_model_alters_is_refused(altered: str) -> None:
    xml = BOX.replace('name="velocity"', altered).replace('name="force"', altered)
    with pytest.raises(UserError, match="<velocimeter site='centre'/> has a cutoff, delay or interval"):
        Imu(site="centre").spec(load_model(xml), 5)
    with pytest.raises(UserError, match="<force site='flange'/> has a cutoff, delay or interval"):
        ForceTorque(site="flange").spec(load_model(xml), 5)
    ForceTorque(site="tilted").spec(load_model(xml), 5)


def test_sensors_of_the_model_that_nobody_reads_are_off_and_keep_their_columns() -> None:
    model, untouched = load_model(BOX), load_model(BOX)
    switch_off_unused(model, [Imu(site="centre")])
    engine, reference = MujocoEngine(model, 1, 1), MujocoEngine(untouched, 1, 1)
    for each in (engine, reference):
        each.read("sensordata")
        each.step(np.zeros((1, 0)), 100)
    read, expected = engine.read("sensordata")[0], reference.read("sensordata")[0]
    for name in ("gyro", "velocity", "on_floor"):
        columns = sensor_columns(untouched, name)
        np.testing.assert_array_equal(read[columns], expected[columns])
        assert name == "gyro" or read[columns].any()
    for name in ("force", "torque", "touch", "tip_gyro"):
        assert not read[sensor_columns(untouched, name)].any()
    assert expected[sensor_columns(untouched, "force")].any()
    np.testing.assert_array_equal(engine.get_state(), reference.get_state())


@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
@pytest.mark.parametrize("late", ["delay='0.02' nsample='4'", "interval='0.02' nsample='4'"])
def test_late_sensors_of_the_model_that_nobody_reads_are_off(late: str, engine: str) -> None:
    heights_m = []
    for xml in (BOX, BOX.replace("<gyro ", f"<gyro {late} ")):
        model = load_model(xml)
        switch_off_unused(model, ())
        physics = make_engine(engine, model, 2, 1)
        physics.step(np.zeros((2, 0)), 20)
        assert not physics.diverged.any()
        heights_m.append(physics.read("qpos")[:, 2])
    np.testing.assert_array_equal(*heights_m)
