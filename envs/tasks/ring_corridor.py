"""Driving a square ring corridor with obstacles from a forward camera, after GCG (Kahn et al., arXiv:1709.10489).

The car labels its own collisions: contacts are recorded at every physics substep. Where a number of the scene comes
from stands in assets/ring_corridor/README.md.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from robossl.core import Array, ArraySpec, CameraSpec, CommandSpec, Draws, Obs, Policy, UserError
from robossl.envs.compiled import fused
from robossl.envs.engine import Engine
from robossl.envs.mujoco_model import load_model, scene_file
from robossl.envs.randomisation import ActionDelay, AnyRandomisation, Push, Randomisation
from robossl.envs.sensors import ContactFlags, Imu, Lidar, Odometry, stereo
from robossl.envs.task import Memory, Outcome, TaskSpec
from robossl.envs.tasks.columns import columns
from robossl.envs.tasks.ring_clutter import NUM_CLUTTER
from robossl.envs.tasks.ring_geometry import (
    CAR_RADIUS_M,
    OBSTACLE_NAMES,
    SIDE_M,
    arc_coordinate,
    arc_in_doubles,
    obstacle_distance,
    obstacle_table,
    outward_offset,
)
from robossl.envs.tasks.ring_judge import judge
from robossl.envs.tasks.ring_planner import Drive, RingPlanner
from robossl.envs.tasks.ring_scene import NUM_OBSTACLES, RingScene
from robossl.envs.tasks.scene_colours import RANDOM_FIELDS
from robossl.envs.tasks.scene_ranges import scene_ranges
from robossl.envs.tasks.units import series, vector

CONTROL_HZ = 4.0
NUM_SUBSTEPS = 5
DRIVE = Drive(speed_m_s=2.0, yaw_rate_rad_s=2.0, substep_s=0.05, num_substeps=NUM_SUBSTEPS)
NOMINAL_STEP_M = DRIVE.speed_m_s / CONTROL_HZ
SIGHT_M = 6.0
"""How far `privileged` looks for the nearest obstacle."""

_OBSTACLES_IN_REACH, _CLUTTER_IN_REACH = 4, 10  # of the planner's plans
_WALLS = tuple(f"outer_wall_{side}" for side in ("east", "north", "west", "south"))
_RANDOMISATIONS: dict[str, AnyRandomisation] = {
    "mass": Randomisation(field="body_mass", elements=("car",), low=0.7, high=1.5),
    "gains": Randomisation(field=("actuator_gainprm", "actuator_biasprm"), low=0.5, high=1.2),
    "action_delay": ActionDelay(high=0.25),
    "push": Push(body="car", high=500.0),
    **scene_ranges(
        sized=tuple(f"obstacle_{i:02d}" for i in range(NUM_OBSTACLES)),
        widest=1.25,
        papered=("floor", "inner_wall", *_WALLS),
        camera_shift_m=0.03,
    ),
}

_METRICS = {
    "distance": "how far it came along the ring, m; less where it turned back",
    "collision": "1 where the last decision touched anything, else 0",
}
_TRUTH = {
    "pose": "where the car's middle is and how it is turned, in the world's frame",
    "route": "1 where it is to drive anticlockwise, -1 where clockwise; its place along the ring, anticlockwise",
    "lane": "how far it is to the left of the corridor's middle, and its heading, both seen along its route",
    "nearest_obstacle": f"from the car's side to the nearest obstacle ahead, and the sine of its bearing, positive to "
    f"the left; {SIGHT_M:g} and 0 where none is nearer than {SIGHT_M:g} m",
    "obstacles": "of each, the middle and how it is turned in the world's frame; half the edges of a box, or the "
    "radius of a cylinder; those that do not stand in the ring wait far outside",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RingCorridorConfig:
    """What can be changed about the task.

    Attributes:
        max_decisions: the episode's length; one without contact is a success.
        min_obstacles: the fewest in a world.
        max_obstacles: the most.
        is_cluttered: whether smaller things stand along the walls, too.
        progress_weight: of the way made along the ring, as a share of what full speed makes in one decision.
        collision_weight: of having touched anything.
        is_recoloured: whether light, walls, floor and obstacles change colour with every episode.
    """

    max_decisions: int = 200
    min_obstacles: int = 8
    max_obstacles: int = NUM_OBSTACLES
    is_cluttered: bool = False
    progress_weight: float = 0.5
    collision_weight: float = -1.0
    is_recoloured: bool = True

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.max_decisions < 1:
            raise UserError(f"max_decisions must be at least 1, got {self.max_decisions}")
        for name in ("min_obstacles", "max_obstacles"):
            if not 0 <= getattr(self, name) <= NUM_OBSTACLES:
                raise UserError(f"{name} must be in 0..{NUM_OBSTACLES}, got {getattr(self, name)}")
        if self.min_obstacles > self.max_obstacles:
            raise UserError(
                f"min_obstacles must be at most max_obstacles, {self.max_obstacles}; got {self.min_obstacles}"
            )


class RingCorridor:
    """Implements `Task`: steers a car that drives at constant speed round the ring without touching anything."""

    levels: ClassVar[dict[str, RingCorridorConfig]] = {
        "easy": RingCorridorConfig(min_obstacles=3, max_obstacles=6),
        "medium": RingCorridorConfig(),
        "hard": RingCorridorConfig(min_obstacles=NUM_OBSTACLES, is_cluttered=True),
    }

    def __init__(self, config: RingCorridorConfig | None = None) -> None:
        self.config = config or RingCorridorConfig()
        self.spec = _make_spec(self.config)

    def build_model(self) -> Any:
        """Compiles assets/ring_corridor/ring_corridor.xml, or cluttered.xml."""
        name = "cluttered.xml" if self.config.is_cluttered else "ring_corridor.xml"
        return load_model(scene_file("ring_corridor", name))

    def new_memory(self, num_worlds: int) -> Memory:
        """Returns driving direction (+1 anticlockwise), arc coordinate, signed distance and number of decisions."""
        names = ("direction", "arc_m", "distance_m", "decisions")
        return {name: np.zeros(num_worlds, np.float32) for name in names}

    def layout(self, draws: Draws) -> dict[str, Array]:
        """Places obstacles and car anew, the car at full speed, and recolours the scene."""
        unit = self._scene.draw(draws)
        pose, direction = self._scene.start(unit["start"])
        qvel, ctrl = np.zeros((2, len(pose), 3))
        qvel[:, 0], qvel[:, 1] = DRIVE.speed_m_s * np.cos(pose[:, 2]), DRIVE.speed_m_s * np.sin(pose[:, 2])
        ctrl[:, 0] = DRIVE.speed_m_s  # else its IMU would feel it brake
        position, quat = self._scene.obstacles(unit["count"], unit["obstacles"])
        if self.config.is_cluttered:
            drawn = draws.sub("clutter").uniform(shape=(4, NUM_CLUTTER))
            more = self._scene.clutter(unit["start"], drawn)
            position, quat = (np.concatenate(parts, axis=1) for parts in zip((position, quat), more, strict=True))
        return {
            "direction": direction,
            "arc_m": arc_in_doubles(np, pose[:, 0], pose[:, 1]),
            "qpos": pose,
            "qvel": qvel,
            "ctrl": ctrl,
            "mocap_pos": position,
            "mocap_quat": quat,
            **(self._scene.looks.draw(unit["colour"], unit["light"]) if self.config.is_recoloured else {}),
        }

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """Maps steering to forward speed, sideways speed and yaw rate."""
        return _steer(engine.xp, action, DRIVE.speed_m_s, DRIVE.yaw_rate_rad_s)

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """Judges a decision: signed progress along the ring, and whether any substep touched anything."""
        xp = engine.xp
        pose, position, quat = engine.view("qpos"), engine.view("mocap_pos"), engine.view("mocap_quat")
        shapes, found = self._scene.shapes_in(engine), recorded["sensordata"][:, 1:, 0]
        nominal_m, slack_m = NOMINAL_STEP_M, engine.contact_slack_m
        verdict = judge(xp, pose, position, quat, shapes, found, memory, nominal_m, self.config.max_decisions, slack_m)
        progress, collision, collided, success, unsure = verdict
        if len(unsure):  # few worlds, and each costs a substep more
            collided[unsure] = engine.read("sensordata", unsure)[:, 0] > 0
            collision[unsure] = xp.astype(collided[unsure], xp.float32)
            success[unsure] &= ~collided[unsure]
        return Outcome(
            terms={"progress": progress, "collision": collision},
            terminated=collided,
            success=success,
            metrics={"distance": memory["distance_m"], "collision": collision},
        )

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """Returns `proprio` [N, 2]: speed and yaw rate."""
        return {"proprio": _speeds(engine.xp, engine.view("qvel"))}

    def privileged(self, engine: Engine, memory: Memory) -> Obs:
        """Returns the car's pose, its route and place in the lane, the nearest obstacle ahead, and all obstacles."""
        xp = engine.xp
        pose, direction = engine.read("qpos"), memory["direction"]
        x, y = pose[:, 0], pose[:, 1]
        arc = arc_coordinate(xp, x, y)
        heading = pose[:, 2] - (xp.floor(arc / SIDE_M) + 2 - direction) * (np.pi / 2)
        left = -direction * outward_offset(xp, x, y)
        shapes = self._scene.shapes_in(engine)
        obstacles = obstacle_table(xp, engine.read("mocap_pos"), engine.read("mocap_quat"), shapes)
        return {
            "pose": pose,
            "route": columns(xp, direction, arc),
            "lane": columns(xp, left, xp.cos(heading), xp.sin(heading)),
            "nearest_obstacle": nearest_ahead(xp, pose, obstacles),
            "obstacles": obstacles,
        }

    def expert(self) -> Policy:
        """Returns the planner."""
        return RingPlanner(DRIVE, num_nearest=_CLUTTER_IN_REACH if self.config.is_cluttered else _OBSTACLES_IN_REACH)

    @cached_property
    def _scene(self) -> RingScene:
        return RingScene(self.build_model(), self.config.min_obstacles, self.config.max_obstacles)


@fused
def _steer(xp: Any, action: Array, speed_m_s: float, yaw_rate_rad_s: float) -> Array:
    """Returns controls [N, 3]."""
    turn = yaw_rate_rad_s * action[:, 0]
    return xp.stack((xp.full_like(turn, speed_m_s), xp.zeros_like(turn), turn), axis=1)


@fused
def _speeds(xp: Any, velocity: Array) -> Array:
    """Returns speed and yaw rate [N, 2] of velocities [N, 3] along x, y and about z."""
    velocity = xp.asarray(velocity, dtype=xp.float32)
    forward, sideways = velocity[:, 0], velocity[:, 1]
    result = xp.empty_like(velocity[:, 1:])
    result[:, 0] = xp.sqrt(forward * forward + sideways * sideways)
    result[:, 1] = velocity[:, 2]
    return result


def nearest_ahead(xp: Any, pose: Array, obstacles: Array) -> Array:
    """Returns [N, 2]: the gap (m) to the nearest obstacle in front of the car and the sine of its bearing, left > 0.

    Where there is none within `SIGHT_M`, the gap is that and the bearing 0.
    """
    x, y, cos, sin = pose[:, 0:1], pose[:, 1:2], xp.cos(pose[:, 2:3]), xp.sin(pose[:, 2:3])
    dx, dy = obstacles[..., 0] - x, obstacles[..., 1] - y
    ahead, left = cos * dx + sin * dy, cos * dy - sin * dx
    gap = xp.clip(obstacle_distance(xp, x, y, obstacles) - CAR_RADIUS_M, None, SIGHT_M)
    gap = xp.where(ahead > 0, gap, xp.full_like(gap, SIGHT_M))
    least = xp.min(gap, axis=1, keepdims=True)
    sine = left / xp.sqrt(ahead * ahead + left * left)
    sine = xp.where((gap == least) & (gap < SIGHT_M), sine, xp.zeros_like(sine))
    return xp.concat([least, xp.sum(sine, axis=1, keepdims=True)], axis=1)


def _make_spec(config: RingCorridorConfig) -> TaskSpec:
    return TaskSpec(
        control_hz=CONTROL_HZ,
        num_substeps=NUM_SUBSTEPS,
        max_episode_steps=config.max_decisions,
        action=ArraySpec(shape=(1,), low=-1.0, high=1.0, names=("steering",)),
        commands=(
            _command("speed_m_s", "m/s", offset=DRIVE.speed_m_s),
            _command("yaw_rate_rad_s", "rad/s", scale=DRIVE.yaw_rate_rad_s),
        ),
        vectors={"proprio": vector(("speed_m_s", "yaw_rate_rad_s"))},
        mjcf_sensors=("collision",),
        sensors={
            "lidar": Lidar(site="lidar", num_beams=36, max_m=10.0),
            "imu": Imu(site="car"),
            "odometry": Odometry(body="car", scale_std=0.02, noise_std=0.1),
            "contact": ContactFlags(sensors=("collision",)),
        },
        cameras=(
            CameraSpec(name="front", width=48, height=27),
            CameraSpec(name="top", width=96, height=96),
            *stereo("front", width=48, height=27, baseline_m=0.12),
        ),
        default_observation=("rgb_front", "proprio"),
        privileged={
            "pose": vector(("x_m", "y_m", "yaw_rad")),
            "route": vector(("direction", "arc_m")),
            "lane": vector(("left_m", "cos_heading", "sin_heading")),
            "nearest_obstacle": vector(("gap_m", "sin_bearing")),
            "obstacles": series(OBSTACLE_NAMES, NUM_OBSTACLES + NUM_CLUTTER * config.is_cluttered),
        },
        reward_weights={"progress": config.progress_weight, "collision": config.collision_weight},
        metrics=tuple(_METRICS),
        metric_texts=_METRICS,
        privileged_texts=_TRUTH,
        viewer_camera="top",
        record=("sensordata",),
        randomisations=_RANDOMISATIONS,
        random_fields=RANDOM_FIELDS if config.is_recoloured else (),
        description="Steers a car, driving at constant speed round a ring corridor with obstacles; camera in front.",
        success="drives to the episode's end without touching anything",
        ends_early="at the first contact",
    )


def _command(name: str, unit: str, *, scale: float = 0.0, offset: float = 0.0) -> CommandSpec:
    source = 0 if scale else None
    return CommandSpec(
        name=name, unit=unit, source=source, scale=scale, offset=offset, low=offset - scale, high=offset + scale
    )
