"""Pictures of stored simulator states, drawn long after the simulation: the ones that were seen, or any others.

The model values that differed in an episode are put back before its states are. What a picture shows depends on these
two alone, so that pictures are the same bits whether they are drawn at once or later.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, CameraSpec, Draws, Obs, Stream, UserError
from robossl.core.processor import num_cores
from robossl.core.registry import TASKS
from robossl.envs.appearances import Appearances
from robossl.envs.config import EnvConfig
from robossl.envs.imperfect_env import ImperfectSensor, require_labels_kept
from robossl.envs.make import make_task
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import model_default
from robossl.envs.observable import chosen_keys, observation_specs, picture_keys, require_still_pictures, sized
from robossl.envs.randomisation import AnyRandomisation
from robossl.envs.randomiser import ALL, switched_on
from robossl.envs.render.renderer import is_flow
from robossl.envs.shots import close_shots, render_spec, start_shots, together
from robossl.envs.task import Task

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


class StoredEpisode(Protocol):
    """What of an episode a picture depends on."""

    @property
    def state(self) -> Floats:
        """[T + 1, S] physics states."""

    @property
    def model_values(self) -> Mapping[str, Array]:
        """{field: [...]} that differed in this episode."""

    @property
    def seed(self) -> int:
        """Names its draws, with the next three."""

    @property
    def stream(self) -> int:
        """See `seed`."""

    @property
    def world(self) -> int:
        """See `seed`."""

    @property
    def episode(self) -> int:
        """See `seed`."""


class StatePainter:
    """Draws episodes of a task, whichever engine moved them: MuJoCo keeps the books of all.

    Args:
        config: `id` and `difficulty` choose the model, `observations` the pictures (others are ignored), `image_size`
            and `renderer` how they are drawn, `num_worlds` how many states at once, `sensors` the imperfect cameras,
            `randomise` the ranges of random appearances.
        appearances: under how many random appearances each state is drawn beside its own.

    Attributes:
        own: {key: spec} of the pictures as they were seen.
        pictures: those and, as `look<k>_<key>` counted from 1, the ones under random appearances.
        looks: what these appearances change, {name: [low, high]}, and their "number"; empty where there are none.
        render: how.

    Raises:
        UserError: if the environment is not robossl's own, no picture is asked for, one cannot be drawn, or
            ids shall be noisy or rounded.
    """

    def __init__(self, config: EnvConfig, *, appearances: int = 0) -> None:
        name = config.id.rpartition(":")[2]
        if name not in TASKS:
            raise UserError(f"{config.id} has no states that can be drawn: only robossl's own environments have")
        task = make_task(name, config.difficulty)
        model, cameras = task.build_model(), sized(task.spec.cameras, config.image_size)
        known = picture_keys(cameras)
        self._keys = tuple(key for key in chosen_keys(task.spec, cameras, config.observations) if key in known)
        if not self._keys:
            raise UserError("nothing to draw: name at least one picture, such as rgb_" + cameras[0].name)
        self.own = observation_specs(self._keys, {}, cameras)
        self._sensors = {key: model for key, model in config.sensors.items() if key in self._keys}
        for key, sensor in self._sensors.items():
            require_labels_kept(key, sensor, self.own[key])
        self.pictures: dict[str, ArraySpec] = {
            **self.own,
            **{look_key(key, k): spec for k in range(appearances) for key, spec in self.own.items()},
        }
        looks = self._chosen_looks(task, config, cameras) if appearances else {}
        spans = {name: [entry.low, entry.high] for name, entry in looks.items()}
        self.looks: dict[str, Any] = {"number": appearances, **spans} if appearances else {}
        self._num_looks, self._control_hz = appearances, task.spec.control_hz
        slow_flows = {key: model for key, model in self._sensors.items() if is_flow(key)}
        groups = together(self._keys, slow_flows, self._control_hz)
        self._engine = MujocoEngine(model, config.num_worlds, config.num_threads or num_cores())
        self._shots = start_shots(config.renderer, self._engine, cameras, groups, self._control_hz)
        self.render = render_spec(self._shots, cameras)
        self._looks = self._started_looks(task, config, cameras, looks) if appearances else None
        self._shown: list[tuple[int, ...]] = [()] * config.num_worlds  # whose model values each world has

    def paint(self, episodes: Sequence[StoredEpisode]) -> list[Obs]:
        """Returns {key: [T + 1, H, W, C]} of each episode.

        Random appearances are those that `TaskEnv.render_appearances` draws when an episode begins, and the same all
        through it: stacks of frames and windows of time show one world. Sensor models show them as late, and as
        wrong, as the pictures that were seen.

        Raises:
            UserError: if states or model values are not of this model.
        """
        for episode in episodes:
            self._require_fitting(episode)
        lengths = [len(episode.state) for episode in episodes]
        owner = np.repeat(np.arange(len(episodes)), lengths)
        state = np.concatenate([episode.state for episode in episodes])
        first = np.cumsum([0, *lengths[:-1]])
        decision = np.arange(len(state)) - first[owner]
        before = [shots.newest_before(decision) for shots in self._shots]
        parts: list[Obs] = []
        for start in range(0, len(state), self._engine.num_worlds):
            rows = slice(start, start + self._engine.num_worlds)
            parts.append(self._draw(state, rows, before, [episodes[i] for i in owner[rows]]))
        pictures = {key: np.concatenate([part[key] for part in parts]) for key in self.pictures}
        ends = zip(first, lengths, episodes, strict=True)
        return [
            self._seen({key: value[start : start + length] for key, value in pictures.items()}, episode)
            for start, length, episode in ends
        ]

    def close(self) -> None:
        """Frees threads and graphics contexts."""
        close_shots(self._shots)
        if self._looks is not None:
            self._looks.close()
        self._engine.close()

    def _draw(self, state: Floats, rows: slice, before: list[Ids], owners: list[StoredEpisode]) -> Obs:
        """Draws rows of the states [T, S], of n episodes; `before` [T] is the row before each, for each shot."""
        ids = np.arange(len(owners))
        self._put_back(owners)
        for shots, earlier in zip(self._shots, before, strict=True):
            if shots.last is not None:
                self._engine.set_state(state[earlier[rows]], ids)
                shots.last.keep(ids)
        self._engine.set_state(state[rows], ids)
        pictures = {key: value for shots in self._shots for key, value in shots.renderer.render(ids).items()}
        if self._looks is not None:
            draws = [_name(owner) for owner in owners]
            for (seed, stream), theirs in _grouped(draws).items():
                world, episode = np.array([draws[row][2:] for row in theirs]).T
                keys = Draws(seed, Stream(stream), world, episode)
                looks = self._looks.draw(self._num_looks, keys, np.zeros(len(theirs), np.int64), np.array(theirs))
                for key, values in looks.items():
                    for k in range(self._num_looks):
                        name = look_key(key, k)
                        pictures.setdefault(name, np.empty((len(ids), *values.shape[2:]), values.dtype))
                        pictures[name][theirs] = values[k]
        return pictures

    def _chosen_looks(
        self, task: Task, config: EnvConfig, cameras: tuple[CameraSpec, ...]
    ) -> dict[str, AnyRandomisation]:
        require_still_pictures(self._keys, cameras)
        visual = {name: entry for name, entry in task.spec.randomisations.items() if entry.is_visual}
        return switched_on(visual, {ALL: 1.0, **config.randomise})

    def _started_looks(
        self, task: Task, config: EnvConfig, cameras: tuple[CameraSpec, ...], looks: dict[str, AnyRandomisation]
    ) -> Appearances:
        try:
            return Appearances(self._engine, task, looks, renderer=config.renderer, cameras=cameras, keys=self._keys)
        except BaseException:
            close_shots(self._shots)
            raise

    def _put_back(self, owners: list[StoredEpisode]) -> None:
        """Gives each world the model values of its state's episode, where it does not have them yet."""
        names = [_name(owner) for owner in owners]
        new = [row for row, name in enumerate(names) if self._shown[row] != name]
        if not new:
            return
        others = (field for row in new for field in owners[row].model_values)
        for field in dict.fromkeys((*self._engine.model_values(), *others)):
            compiled = model_default(self._engine.model, field)
            values = np.stack([owners[row].model_values.get(field, compiled) for row in new])
            self._engine.randomise(field, values, np.array(new))
        for row in new:
            self._shown[row] = names[row]

    def _seen(self, pictures: Obs, episode: StoredEpisode) -> Obs:
        """Passes an episode's pictures [T + 1, ...] through the sensor models, decision by decision.

        All that show the same draw the same: what is late or lost in one is so in the others.
        """
        draws = Draws(episode.seed, Stream(episode.stream), np.array([episode.world]), np.array([episode.episode]))
        first, late = np.zeros(1, np.int64), Obs()
        for key, model in self._sensors.items():
            for name in (key, *(look_key(key, k) for k in range(self._num_looks))):
                sensor = ImperfectSensor(model, self.own[key], self._control_hz, 1)
                truth = enumerate(pictures[name])
                late[name] = np.concatenate([sensor.seen(one[None], first, key, draws, first + t) for t, one in truth])
        return {**pictures, **late}

    def _require_fitting(self, episode: StoredEpisode) -> None:
        width = self._engine.get_state().shape[1]
        if episode.state.shape[1] != width:
            raise UserError(
                f"the states hold {episode.state.shape[1]} numbers, those of the model {width}: they were stored by "
                "another version of the environment, or without states"
            )
        for field, values in episode.model_values.items():
            compiled = model_default(self._engine.model, field).shape
            if np.shape(values) != compiled:
                raise UserError(f"{field} was stored as {np.shape(values)}, the model has {compiled}: another version")


def look_key(key: str, k: int) -> str:
    """Returns the key of a picture under the k-th random appearance, counted from 0."""
    return f"look{k + 1}_{key}"


def _name(episode: StoredEpisode) -> tuple[int, int, int, int]:
    return episode.seed, episode.stream, episode.world, episode.episode


def _grouped(names: Sequence[tuple[int, int, int, int]]) -> dict[tuple[int, int], list[int]]:
    """Returns {(seed, stream): rows}."""
    rows: dict[tuple[int, int], list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name[:2], []).append(row)
    return rows
