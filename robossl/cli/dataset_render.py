"""`robossl dataset render`: draws a dataset's states again, in any modality, camera, size and appearance."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from robossl.cli.arguments import parse, split_positional
from robossl.cli.figures import print_summary
from robossl.cli.presets import build, plain
from robossl.core import UnknownNameError, UsageError, UserError
from robossl.core.registry import TASKS
from robossl.core.specs import TRUTH_PREFIX
from robossl.data import EpisodeStore
from robossl.data.episode_index import DATASET_NAME
from robossl.envs import EnvConfig
from robossl.envs.config import RendererName
from robossl.envs.make import make_task
from robossl.envs.observable import observation_specs, picture_keys, sized
from robossl.envs.randomisation import Span
from robossl.envs.sensor_model import SensorModel
from robossl.envs.state_painter import StatePainter
from robossl.training.render import kept, render_dataset, rendered_spec, require_memory

_UNDRAWN = "undrawn_sensors"
_OF_PICTURES = ("appearances", _UNDRAWN)  # what a dataset's header tells of its own pictures alone
_NUM_WORLDS = 64  # states drawn at once


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderCommand:
    """Draws a dataset's states again.

    Attributes:
        observations: the pictures to draw, such as rgb_front depth_front; where None, those that the environment was
            collected with, or would have been.
        image_size: width and height of every camera in pixels; that of the collection where None.
        renderer: raycast, gl or warp; that of the collection where None.
        appearances: of each state beside its own: pictures look1_<key>, look2_<key> and so on.
        randomise: ranges of these appearances; what is not named is as the task declares it.
        sensors: imperfect cameras; what is not named is as it was in the collection.
        num_threads: all cores where None.
        out: the new dataset's folder; <folder>-rendered where None.
        json: print one JSON object as the last line.
    """

    observations: tuple[str, ...] | None = None
    image_size: tuple[int, int] | None = None
    renderer: RendererName | None = None
    appearances: int = 0
    randomise: dict[str, float | Span] = field(default_factory=dict)
    sensors: dict[str, SensorModel] = field(default_factory=dict)
    num_threads: int | None = None
    out: Path | None = None
    json: bool = False

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.appearances < 0:
            raise UserError(f"appearances must not be negative, got {self.appearances}")


def run(arguments: list[str]) -> int:
    """Draws, and prints what the new dataset holds."""
    name, rest = split_positional(arguments)
    command = parse(
        RenderCommand(sensors=_sensors_in(name)),
        rest,
        usage="robossl dataset render FOLDER",
        description="Draws the stored states of a dataset, with the model values of each episode put back, into a new "
        "dataset; its vectors and actions are copied. Collect with `--collect.no-pictures` to store states alone.",
    )
    if name is None:
        raise UsageError("give the dataset's folder")
    if command.randomise and not command.appearances:
        raise UsageError("--randomise sets the ranges of random appearances: say how many with --appearances")
    source = EpisodeStore(Path(name))
    collected = _collected(source)
    folder = command.out or _beside(source.folder)
    env = _drawn(collected, command)
    require_memory(source, _num_bytes(env, command.appearances))
    painter = StatePainter(env, appearances=command.appearances)
    try:
        for key in command.observations or ():
            if key not in (*painter.own, *source.spec.observation):
                raise UserError(f"{key} is no picture, and the dataset does not hold it: only pictures are drawn")
        for key, model in command.sensors.items():
            if key not in painter.own and model != collected.sensors.get(key):
                raise UnknownNameError("picture to make imperfect:", key, painter.own)
        spec = rendered_spec(source.spec, painter.pictures, painter.render)
        result = render_dataset(source, folder, spec, _header(source, env, painter), painter.paint)
    finally:
        painter.close()
    figures = {"dataset": str(folder), "states": result.states, "seconds": result.seconds}
    print_summary({**figures, **EpisodeStore(folder).summary()}, as_json=command.json)
    return 0


def _sensors_in(name: str | None) -> dict[str, SensorModel]:
    """Returns the sensors that flags override; what is no dataset is told after a mistake in the flags."""
    with suppress(UserError):
        if name is not None:
            return _collected(EpisodeStore(Path(name))).sensors
    return {}


def _collected(source: EpisodeStore) -> EnvConfig:
    """Returns the environment of the collection, with the sensors of pictures that the dataset does not hold."""
    where = str(source.folder / DATASET_NAME)
    told = source.config.get("env")
    env = EnvConfig(id=source.spec.id) if told is None else build(EnvConfig, told, where=where)
    if source.spec.render is not None and told is None:
        pictures = tuple(key for key, array in source.spec.observation.items() if array.is_image)
        env = replace(env, observations=pictures, renderer=source.spec.render.renderer)
    undrawn = build(dict[str, SensorModel], source.config.get(_UNDRAWN, {}), where=where)
    return replace(env, sensors={**undrawn, **env.sensors})


def _beside(folder: Path) -> Path:
    """Returns where a dataset is drawn to; `.` and `..` have a name as well."""
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return named.with_name(f"{named.name}-rendered")


def _num_bytes(env: EnvConfig, appearances: int) -> int:
    """Returns the bytes of a state's pictures, before any renderer is started; 0 where `StatePainter` refuses them."""
    name = env.id.rpartition(":")[2]
    if name not in TASKS:
        return 0
    task = make_task(name, env.difficulty).spec
    cameras = sized(task.cameras, env.image_size)
    asked = task.default_observation if env.observations is None else env.observations
    pictures = observation_specs(tuple(key for key in asked if key in picture_keys(cameras)), {}, cameras)
    return (1 + appearances) * sum(array.num_bytes for array in pictures.values())


def _drawn(collected: EnvConfig, command: RenderCommand) -> EnvConfig:
    """Returns the environment of the collection, with the pictures that are asked for."""
    return replace(
        collected,
        num_worlds=_NUM_WORLDS,
        num_threads=command.num_threads,
        observations=command.observations or collected.observations,
        image_size=command.image_size or collected.image_size,
        renderer=command.renderer or collected.renderer,
        sensors={**collected.sensors, **command.sensors},
        randomise=command.randomise,
        engine="mujoco",
    )


def _header(source: EpisodeStore, env: EnvConfig, painter: StatePainter) -> dict[str, Any]:
    """Returns how the new data was made: as the old, but for its pictures."""
    vectors = [key for key in kept(source.spec) if not key.startswith(TRUTH_PREFIX)]
    own = [key for key in painter.pictures if key in painter.own]
    drawn = plain({name: getattr(env, name) for name in ("image_size", "renderer")})
    drawn["renderer"] = painter.render.renderer  # another than was asked for, where that one does not start here
    drawn["observations"] = [*own, *vectors]
    drawn["sensors"] = {key: plain(model) for key, model in env.sensors.items() if key in drawn["observations"]}
    undrawn = {key: plain(model) for key, model in env.sensors.items() if key not in drawn["observations"]}
    told = {name: value for name, value in source.config.items() if name not in _OF_PICTURES}
    told |= {"env": {**told.get("env", {"id": env.id}), **drawn}, "pictures": True}
    return told | ({"appearances": painter.looks} if painter.looks else {}) | ({_UNDRAWN: undrawn} if undrawn else {})
