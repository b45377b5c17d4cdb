"""What `RoomsPointGoal` declares: how the robot drives, what it senses, what may differ between episodes."""

from robossl.core import ArraySpec, CameraSpec, CommandSpec
from robossl.envs.randomisation import ActionDelay, AnyRandomisation, Push, Randomisation
from robossl.envs.sensors import ContactFlags, Imu, Lidar, Odometry, Sensor, stereo
from robossl.envs.task import TaskSpec
from robossl.envs.tasks.house_plan import NUM_PLUGS, NUM_WALLS
from robossl.envs.tasks.rooms_geometry import NUM_FURNITURE
from robossl.envs.tasks.scene_ranges import scene_ranges
from robossl.envs.tasks.units import vector

CONTROL_HZ = 4.0
NUM_SUBSTEPS = 5
FORWARD_M_S, BACKWARD_M_S, YAW_RATE_RAD_S = 0.22, 0.11, 1.5
FORWARD_STEP_M_S, TURN_STEP_RAD_S = 0.5 / CONTROL_HZ, 3.2 / CONTROL_HZ
"""How far the set-points of the wheels' controllers move in a decision."""
LOOK_AHEAD_M = 0.26

_OUTER_WALLS = tuple(f"wall_{side}" for side in ("east", "north", "west", "south"))
_INNER_WALLS = (
    *(f"wall_{wall:02d}_{piece}" for wall in range(NUM_WALLS) for piece in ("short", "long")),
    *(f"wall_plug_{plug}" for plug in range(NUM_PLUGS)),
)
_FURNITURE = tuple(f"furniture_{piece:02d}" for piece in range(NUM_FURNITURE))

RANDOMISATIONS: dict[str, AnyRandomisation] = {
    "mass": Randomisation(field="body_mass", elements=("robot",), low=0.7, high=1.5),
    "friction": Randomisation(field="geom_friction", elements=("robot_bumper",), columns=(0,), low=0.4, high=1.6),
    "gains": Randomisation(field=("actuator_gainprm", "actuator_biasprm"), low=0.5, high=1.2),
    "action_delay": ActionDelay(high=0.25),
    "push": Push(body="robot", high=10.0),
    **scene_ranges(sized=_FURNITURE, widest=1.0, papered=("floor", *_OUTER_WALLS, *_INNER_WALLS), camera_shift_m=0.01),
}
SENSORS: dict[str, Sensor] = {
    "lidar": Lidar(site="lidar", num_beams=36, min_m=0.12, max_m=3.5),
    "imu": Imu(site="robot"),
    "odometry": Odometry(body="robot", scale_std=0.02, noise_std=0.05),
    "contact": ContactFlags(sensors=("collision",)),
}
METRICS = {
    "spl": "success weighted by path length, from 0 to 1",
    "soft_spl": "the same with the progress made in place of success, from 0 to 1",
    "collisions": "decisions with a contact so far",
    "distance_to_goal": "length of the shortest path that is left, m",
    "path_length": "of the way driven, m",
}
_TRUTH = {
    "pose": "where the robot's middle is and how it is turned, in the world's frame",
    "goal_position": "the goal's middle",
    "way": f"a point of the shortest path, {LOOK_AHEAD_M:g} m ahead; the goal where that is nearer",
    "geodesic": "length of the shortest path that is left to the goal",
    "gap": "from the robot's side to the nearest wall or piece of furniture",
}


def rooms_spec(
    *,
    success_radius_m: float,
    max_episode_steps: int,
    reward_weights: dict[str, float],
    random_fields: tuple[str, ...],
    ends_at_collision: bool,
) -> TaskSpec:
    """Returns the task's spec."""
    return TaskSpec(
        control_hz=CONTROL_HZ,
        num_substeps=NUM_SUBSTEPS,
        max_episode_steps=max_episode_steps,
        action=ArraySpec(shape=(2,), low=-1.0, high=1.0, names=("forward", "turn")),
        commands=(
            _command("speed_m_s", "m/s", 0, low=-BACKWARD_M_S, high=FORWARD_M_S),
            _command("yaw_rate_rad_s", "rad/s", 1, low=-YAW_RATE_RAD_S, high=YAW_RATE_RAD_S),
        ),
        command_texts={
            "speed_m_s": f"changes by at most {FORWARD_STEP_M_S:g} m/s a decision",
            "yaw_rate_rad_s": f"changes by at most {TURN_STEP_RAD_S:g} rad/s a decision",
        },
        vectors={
            "goal": vector(("goal_distance_m", "goal_cos_bearing", "goal_sin_bearing")),
            "proprio": vector(("forward_m_s", "yaw_rate_rad_s")),
        },
        mjcf_sensors=("collision",),
        sensors=SENSORS,
        cameras=(
            CameraSpec(name="front", width=64, height=36),
            CameraSpec(name="top", width=96, height=96),
            *stereo("front", width=64, height=36, baseline_m=0.05),
        ),
        default_observation=("goal", "lidar", "proprio"),
        privileged={
            "pose": vector(("x_m", "y_m", "yaw_rad")),
            "goal_position": vector(("goal_x_w_m", "goal_y_w_m")),
            "way": vector(("way_x_w_m", "way_y_w_m")),
            "geodesic": vector(("left_m",)),
            "gap": vector(("gap_m",)),
        },
        reward_weights=reward_weights,
        metrics=tuple(METRICS),
        metric_texts=METRICS,
        privileged_texts=_TRUTH,
        viewer_camera="top",
        record=("sensordata",),
        is_recordable=True,
        randomisations=RANDOMISATIONS,
        random_fields=random_fields,
        description="A robot with two wheels drives to a point in a house of nine rooms; lidar and camera in front.",
        success=f"the robot's middle came within {success_radius_m} m of the goal at the end of any decision",
        ends_early="at the goal" + (", or at the first contact" if ends_at_collision else ""),
    )


def _command(name: str, unit: str, source: int, *, low: float, high: float) -> CommandSpec:
    return CommandSpec(name=name, unit=unit, source=source, scale=high, offset=0.0, low=low, high=high)
