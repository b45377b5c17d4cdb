"""How far two physics engines agree: the same bodies fall, swing, turn, slide, roll and push in both.

Where the motion has a closed form, or follows from one equation of motion, both are held against it too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.envs.engines import make_engine
from robossl.envs.mujoco_model import load_model

Floats = NDArray[np.float64]

ENGINES = ("mujoco", "bullet")
_STEP_S = 0.002
_CONTROL_STEPS = 10  # physics steps to one control step: Bullet finds its contacts anew in each
_GRAVITY = 9.81
_FLOOR = '<geom name="floor" type="plane" size="9 9 0.1"/>'
_SLOPE_RAD, _FRICTION = 0.2, 0.4
_ROD_M, _START_RAD = 0.6, 1.2
_SPIN, _DISC_KG_M2 = (1.0, 6.0), (0.01, 0.02)  # rad/s and inertia: across and along the disc's axis
_LEGEND = (
    "range: how far the value moves in MuJoCo; apart: the greatest distance between the engines; off: the greatest from"
    " what is exact, where that is known. All in the unit of the last column."
)
_PUSHED = (
    _FLOOR + '<body pos="-0.3 0.02 0.05"><joint name="rail" type="slide" axis="1 0 0" armature="1"/>'
    '<geom type="capsule" size="0.02 0.03" mass="1"/></body><body pos="0 0 0.05"><freejoint/>'
    f'<geom type="box" size="0.1 0.1 0.05" mass="0.5" priority="1" friction="{_FRICTION}"/></body>'
)
_SERVO_KP, _SERVO_KV, _SERVO_KG = 200.0, 12.0, 2.0  # of it, armature 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One experiment.

    Attributes:
        what: is measured, with its unit.
        body: MJCF within the worldbody.
        rest: MJCF after it.
        read, column: the state field that is measured, and the column of it.
        start: {state field: value} it begins with, where that is not the model's.
        ctrl: of the actuators.
        exact: from times [T] to values [T], NaN where nothing is known.
    """

    what: str
    body: str
    rest: str = ""
    gravity: tuple[float, float, float] = (0.0, 0.0, -_GRAVITY)
    seconds: float = 2.0
    read: str = "qpos"
    column: int = 0
    start: dict[str, list[float]] = field(default_factory=dict)
    ctrl: tuple[float, ...] = ()
    exact: Callable[[Floats], Floats] | None = None


def run(tell: Callable[[], object] = lambda: None) -> dict[str, dict[str, Any]]:
    """Runs every scene in both engines, and calls `tell` after each.

    Returns:
        {scene: figures}: the greatest distance of the engines from each other (`apart_max`) and at the end
        (`apart_end`), the greatest of each from the exact value (`mujoco_error`, `bullet_error`, where there is one),
        how far the value ranges, and values every quarter of the time.
    """
    figures = {}
    for name, scene in SCENES.items():
        figures[name] = compare(scene)
        tell()
    return figures


def table(figures: dict[str, dict[str, Any]]) -> list[str]:
    """Returns the lines of a table of what `run` returned, and one that explains it."""
    rows = [("", "range", "apart", "at the end", *(f"{name} off" for name in ENGINES), "what")]
    for name, scene in figures.items():
        numbers = [scene[key] for key in ("range", "apart_max", "apart_end")]
        errors = [scene.get(f"{engine}_error") for engine in ENGINES]
        texts = ["-" if number is None else f"{number:.2g}" for number in (*numbers, *errors)]
        rows.append((name, *texts, f"{scene['what']}, {scene['seconds']:g} s"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, _LEGEND]


def compare(scene: Scene) -> dict[str, Any]:
    """Runs a scene in both engines; see `run`."""
    series = {name: measure(scene, name) for name in ENGINES}
    first, second = (series[name] for name in ENGINES)
    times = np.asarray(_STEP_S * np.arange(len(first)), np.float64)
    apart = np.abs(first - second)
    figures: dict[str, Any] = {
        "what": scene.what,
        "seconds": scene.seconds,
        "range": float(np.ptp(first)),
        "apart_max": float(apart.max()),
        "apart_end": float(apart[-1]),
    }
    rows = [(len(times) * part) // 4 - 1 for part in range(1, 5)]
    if scene.exact is not None:
        series["exact"] = scene.exact(times)
        figures |= {f"{name}_error": float(np.nanmax(np.abs(series[name] - series["exact"]))) for name in ENGINES}
    figures["at_s"] = times[rows].tolist()
    for name, values in series.items():
        figures[name] = [None if np.isnan(value) else float(value) for value in values[rows]]
    return figures


def measure(scene: Scene, engine_name: str) -> Floats:
    """Returns what is measured as every physics step begins, [T]."""
    gravity = " ".join(f"{value:g}" for value in scene.gravity)
    options = f'timestep="{_STEP_S}" integrator="implicitfast" gravity="{gravity}"'
    model = load_model(f"<mujoco><option {options}/><worldbody>{scene.body}</worldbody>{scene.rest}</mujoco>")
    engine = make_engine(engine_name, model, 1, 1)
    for name, values in scene.start.items():
        engine.write(name, np.array([values]), np.arange(1))
    engine.forward()
    parts = []
    for _ in range(round(scene.seconds / (_STEP_S * _CONTROL_STEPS))):
        recorded = engine.step(np.array([scene.ctrl]), _CONTROL_STEPS, (scene.read,))
        parts.append(recorded[scene.read][0, :, scene.column])
    engine.close()
    return np.concatenate(parts).astype(np.float64)


def _fall(times: Floats) -> Floats:
    height = 1.0 - 0.5 * _GRAVITY * times**2
    return np.where(height > 0.1, height, np.where(times > 1.0, 0.1, np.nan))


def _swing(times: Floats) -> Floats:
    """Integrates the pendulum's equation by Runge and Kutta's fourth-order rule in steps a hundred times finer."""
    inertia = _ROD_M**2 + 0.4 * 0.02**2
    step = _STEP_S / 100

    def slope(state: Floats) -> Floats:
        return np.array([state[1], -_GRAVITY * _ROD_M / inertia * np.sin(state[0])])

    state, angles = np.array([_START_RAD, 0.0]), []
    for index in range(100 * len(times)):
        if index % 100 == 0:
            angles.append(state[0])
        a = slope(state)
        b = slope(state + step / 2 * a)
        c = slope(state + step / 2 * b)
        d = slope(state + step * c)
        state = state + step / 6 * (a + 2 * b + 2 * c + d)
    return np.array(angles)


def _wobble(times: Floats) -> Floats:
    rate = (_DISC_KG_M2[1] - _DISC_KG_M2[0]) / _DISC_KG_M2[0] * _SPIN[1]
    return np.asarray(_SPIN[0] * np.cos(rate * times))


def _slide(times: Floats) -> Floats:
    stop = 1.5 / (_FRICTION * _GRAVITY)
    held = np.minimum(times, stop)
    return np.asarray(1.5 * held - 0.5 * _FRICTION * _GRAVITY * held**2)


def _roll(times: Floats) -> Floats:
    return np.asarray(0.5 * (5 / 7) * _GRAVITY * np.sin(_SLOPE_RAD) * times**2)


def _serve(times: Floats) -> Floats:
    mass = _SERVO_KG + 1.5
    decay, stiffness = _SERVO_KV / (2 * mass), _SERVO_KP / mass
    rate = np.sqrt(stiffness - decay**2)
    return np.asarray(0.3 * (1 - np.exp(-decay * times) * (np.cos(rate * times) + decay / rate * np.sin(rate * times))))


SCENES = {
    "drop": Scene(
        what="height of a ball that falls on a floor, m",
        body=_FLOOR + '<body pos="0 0 1"><freejoint/><geom size="0.1" mass="1"/></body>',
        column=2,
        exact=_fall,
    ),
    "swing": Scene(
        what="angle of a pendulum, rad",
        body=f'<body pos="0 0 1"><joint axis="0 1 0"/><geom pos="0 0 -{_ROD_M}" size="0.02" mass="1"/></body>',
        start={"qpos": [_START_RAD]},
        exact=_swing,
    ),
    "turn": Scene(
        what="wobble of a spinning disc, rad/s",
        body='<body><freejoint/><inertial pos="0 0 0" mass="1" diaginertia="{0} {0} {1}"/></body>'.format(*_DISC_KG_M2),
        gravity=(0.0, 0.0, 0.0),
        read="qvel",
        column=3,
        start={"qvel": [0, 0, 0, _SPIN[0], 0, _SPIN[1]]},
        exact=_wobble,
    ),
    "slide": Scene(
        what="way of a block that friction stops, m",
        body=_FLOOR + f'<body pos="0 0 0.05"><freejoint/><geom type="box" size="0.1 0.1 0.05" mass="2" priority="1"'
        f' friction="{_FRICTION}"/></body>',
        start={"qvel": [1.5, 0, 0, 0, 0, 0]},
        exact=_slide,
    ),
    "roll": Scene(
        what="way of a ball that rolls down a slope, m",
        body=_FLOOR + '<body pos="0 0 0.1"><freejoint/><geom size="0.1" mass="1"/></body>',
        gravity=(_GRAVITY * float(np.sin(_SLOPE_RAD)), 0.0, -_GRAVITY * float(np.cos(_SLOPE_RAD))),
        exact=_roll,
    ),
    "servo": Scene(
        what="answer of a position servo to a step, m",
        body=f'<body><joint name="rail" type="slide" axis="1 0 0" armature="1.5"/><geom size="0.1"'
        f' mass="{_SERVO_KG}"/></body>',
        rest=f'<actuator><position joint="rail" kp="{_SERVO_KP}" kv="{_SERVO_KV}"/></actuator>',
        gravity=(0.0, 0.0, 0.0),
        ctrl=(0.3,),
        exact=_serve,
    ),
    "push": Scene(
        what="way of a block that a servo pushes slowly off its middle, m",
        body=_PUSHED,
        rest='<actuator><velocity joint="rail" kv="300"/></actuator>',
        ctrl=(0.2,),
        column=1,
    ),
    "knock": Scene(
        what="way of a block that a servo with a heavy motor knocks away, m",
        body=_PUSHED,
        rest='<actuator><position joint="rail" kp="300" kv="60"/></actuator>',
        ctrl=(0.6,),
        column=1,
    ),
}
