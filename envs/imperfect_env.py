"""An environment seen through imperfect sensors: rates, delays, noise, drift, drop-outs and quantisation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, BatchEnv, Draws, Obs, Policy, StepBatch, Stream, Tree, UnknownNameError
from robossl.core.errors import UserError
from robossl.core.memory import available_bytes
from robossl.envs.config import WorldSeed
from robossl.envs.env_state import require_alike, uncopied
from robossl.envs.render.renderer import split_key
from robossl.envs.running_episodes import whole_numbers
from robossl.envs.sensor_model import SensorModel, decisions_late
from robossl.envs.task_env import TaskEnv

_NEAREST_M = np.float32(1e-3)  # of distances that are wrong


class ImperfectEnv:
    """See `BatchEnv`: another environment, whose observations pass through sensor models.

    What a model draws depends on (seed, stream, world, episode, decision) and the observation's key alone. All that is
    not an observation is the other environment's.

    Args:
        env: the true one.
        models: {key: model} of the observations that are imperfect.
        worlds: as given to `env`.

    Raises:
        UserError: if a key is not observed, numbers that are labels shall be changed, or what is under way does not
            fit into memory.
    """

    def __init__(self, env: BatchEnv, models: dict[str, SensorModel], worlds: WorldSeed) -> None:
        self.env, self.num_worlds, self.perf = env, env.num_worlds, env.perf
        self._seed, self._stream = worlds.seed, worlds.stream
        for key, model in models.items():
            if key not in env.spec.observation:
                raise UnknownNameError("observation to make imperfect:", key, env.spec.observation)
            require_labels_kept(key, model, env.spec.observation[key])
        _require_memory(env, models)
        shown = {key: _shown(model, env.spec.observation[key]) for key, model in models.items()}
        self.spec = replace(env.spec, observation={**env.spec.observation, **shown})
        self._sensors = {
            key: ImperfectSensor(model, env.spec.observation[key], env.spec.control_hz, env.num_worlds)
            for key, model in models.items()
        }
        self._decisions = np.zeros(env.num_worlds, np.int64)
        if isinstance(env, TaskEnv):
            env.pictures.spare(models, env.spec.control_hz)

    @property
    def before_reset(self) -> Callable[[NDArray[np.int64]], None] | None:
        """See `BatchEnv`."""
        return self.env.before_reset

    @before_reset.setter
    def before_reset(self, hook: Callable[[NDArray[np.int64]], None] | None) -> None:
        self.env.before_reset = hook

    def reset(self, *, first_world: int = 0, first_episode: int = 0, seed: int | None = None) -> Obs:
        """See `BatchEnv.reset`."""
        obs = self.env.reset(first_world=first_world, first_episode=first_episode, seed=seed)
        self._seed = self._seed if seed is None else seed
        self._decisions[:] = 0
        return self._seen(obs, np.arange(self.num_worlds), self.env.episode_keys())

    def step(self, action: Array) -> StepBatch:
        """See `BatchEnv.step`."""
        episodes = self.env.episode_keys()
        batch = self.env.step(action)
        self._decisions += 1
        last = {key: np.array(batch.obs[key]) for key in self._sensors}
        for key, values in last.items():
            values[batch.final_ids] = batch.final_obs[key]
        seen = self._seen(last, np.arange(self.num_worlds), episodes)
        final_obs = {**batch.final_obs, **{key: value[batch.final_ids] for key, value in seen.items()}}
        if len(batch.final_ids):
            self._decisions[batch.final_ids] = 0
            first = {key: batch.obs[key][batch.final_ids] for key in self._sensors}
            for key, value in self._seen(first, batch.final_ids, self.env.episode_keys()).items():
                seen[key][batch.final_ids] = value
        return batch._replace(obs={**batch.obs, **seen}, final_obs=final_obs)

    def episode_keys(self) -> dict[str, NDArray[np.int64]]:
        """See `BatchEnv.episode_keys`."""
        return self.env.episode_keys()

    def privileged(self) -> Obs:
        """See `BatchEnv.privileged`."""
        return self.env.privileged()

    def world_state(self) -> NDArray[np.float64]:
        """See `BatchEnv.world_state`."""
        return self.env.world_state()

    def model_values(self) -> dict[str, Array]:
        """See `BatchEnv.model_values`."""
        return self.env.model_values()

    def expert(self) -> Policy | None:
        """See `BatchEnv.expert`."""
        return self.env.expert()

    def render_frames(self, camera: str | None = None, *, width: int, height: int, world: int = 0) -> NDArray[np.uint8]:
        """See `BatchEnv.render_frames`."""
        return self.env.render_frames(camera, width=width, height=height, world=world)

    def get_state(self) -> Tree:
        """See `BatchEnv.get_state`."""
        return {
            "env": self.env.get_state(),
            "seed": self._seed,
            "decisions": self._decisions.copy(),
            "sensors": {key: sensor.get_state() for key, sensor in self._sensors.items()},
        }

    def set_state(self, state: Tree) -> None:
        """See `BatchEnv.set_state`.

        Raises:
            UserError: if it does not fit; nothing has changed then.
        """
        sensors = {key: sensor.get_state() for key, sensor in self._sensors.items()}
        require_alike(state, {"env": None, "seed": None, "decisions": None, "sensors": sensors})
        seed = WorldSeed(seed=state["seed"]).seed
        decisions = whole_numbers("the state's decisions", state["decisions"], self._decisions.shape)
        self.env.set_state(state["env"])
        self._seed = seed
        self._decisions[:] = decisions
        for key, sensor in self._sensors.items():
            sensor.set_state(state["sensors"][key])

    def close(self) -> None:
        """See `BatchEnv.close`."""
        self.env.close()

    def __getattr__(self, name: str) -> Any:
        """Finds what only some environments have."""
        return getattr(self.env, name)

    def __reduce__(self) -> NoReturn:
        """See `TaskEnv.__reduce__`."""
        raise uncopied(self.spec.id)

    def _seen(self, obs: Obs, ids: NDArray[np.int64], episodes: dict[str, NDArray[np.int64]]) -> Obs:
        """Passes true observations [n, ...] of the worlds `ids` through the models; the others are left as they are."""
        draws = Draws(self._seed, Stream(self._stream), episodes["world"][ids], episodes["episode"][ids])
        decisions = self._decisions[ids]
        seen = {key: sensor.seen(obs[key], ids, key, draws, decisions) for key, sensor in self._sensors.items()}
        return {**obs, **seen}


class ImperfectSensor:
    """One observation of N worlds on its way through a model.

    Attributes:
        ring: [N, delay + 1, ...] the newest samples; that of decision d lies at d modulo their number.
        bias: [N, ...].
    """

    def __init__(self, model: SensorModel, spec: ArraySpec, control_hz: float, num_worlds: int) -> None:
        self._model, self._spec, self._control_hz = model, spec, control_hz
        self._delay = int(decisions_late(model.delay_s, control_hz))
        self._nothing = _nothing(spec)
        self.ring = np.zeros((num_worlds, self._delay + 1, *spec.shape), spec.dtype)
        has_bias = model.bias_std > 0 or model.drift_std > 0
        self.bias = np.zeros((num_worlds, *(spec.shape if has_bias else ())), np.float32)

    def seen(
        self, truth: Array, ids: NDArray[np.int64], key: str, draws: Draws, decisions: NDArray[np.int64]
    ) -> NDArray[Any]:
        """Takes the true values [n, ...] of a decision [n] and returns those that arrive then."""
        size = self.ring.shape[1]
        sample = self._sample(np.asarray(truth), ids, key, draws, decisions)
        is_new = self._model.is_due(decisions, self._control_hz)
        if self._model.dropout:
            is_lost = draws.sub(f"sensor {key} dropout", decisions).uniform() < self._model.dropout
            if self._model.on_dropout == "zero":
                sample[is_lost] = self._nothing
            else:
                is_new &= ~is_lost | (decisions == 0)
        held = self.ring[ids, (decisions - 1) % size]
        self.ring[ids, decisions % size] = np.where(_along(is_new, sample), sample, held)
        return np.asarray(self.ring[ids, np.maximum(decisions - self._delay, 0) % size])

    def get_state(self) -> Tree:
        """Returns what is under way."""
        return {"ring": self.ring.copy(), "bias": self.bias.copy()}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        self.ring[...], self.bias[...] = state["ring"], state["bias"]

    def _sample(
        self, truth: NDArray[Any], ids: NDArray[np.int64], key: str, draws: Draws, decisions: NDArray[np.int64]
    ) -> NDArray[Any]:
        """Returns what the sensor measures [n, ...], a new array."""
        model, spec = self._model, self._spec
        if not model.changes_values:
            return np.array(truth)
        values = truth.astype(np.float32)
        if model.bias_std or model.drift_std:
            if model.drift_std or not decisions.all():  # a bias alone stays as it began
                self._stray(ids, draws.sub(f"sensor {key} bias", decisions), decisions)
            values += self.bias[ids]
        if model.noise_std or model.noise_relative:
            std = model.noise_std + model.noise_relative * np.abs(truth, dtype=np.float32)
            values += std * draws.sub(f"sensor {key} noise", decisions).normal(spec.shape)
        if model.resolution is not None:
            values = np.rint(values / model.resolution) * np.float32(model.resolution)
        values = values.clip(spec.low, spec.high)
        if spec.is_image and split_key(key)[0] == "depth":  # 0, nothing there, stays and nothing becomes it
            values = np.where(truth == 0, np.float32(0), np.maximum(values, _NEAREST_M))
        return (np.rint(values) if spec.dtype == "uint8" else values).astype(spec.dtype)

    def _stray(self, ids: NDArray[np.int64], draws: Draws, decisions: NDArray[np.int64]) -> None:
        """Draws biases as episodes begin, and moves them later on."""
        model = self._model
        walk = np.where(decisions == 0, model.bias_std, model.drift_std / np.sqrt(self._control_hz))
        step = draws.normal(self._spec.shape)
        kept = np.where(_along(decisions == 0, step), np.float32(0), self.bias[ids])
        self.bias[ids] = kept + _along(walk.astype(np.float32), step) * step


def require_labels_kept(key: str, model: SensorModel, spec: ArraySpec) -> None:
    """Checks that a model does not change numbers that are labels.

    Raises:
        UserError: if it does.
    """
    if model.changes_values and _holds_labels(spec):
        raise UserError(f"{key!r} holds labels: it can be late or lost, but neither noisy nor rounded")


def _holds_labels(spec: ArraySpec) -> bool:
    """Tells whether these are ids of geoms, bodies or objects, of which -1 is nothing."""
    return spec.dtype == "int32"


def _nothing(spec: ArraySpec) -> int:
    """Returns what stands for a lost sample: a label of 0 is something."""
    return -1 if _holds_labels(spec) else 0


def _shown(model: SensorModel, spec: ArraySpec) -> ArraySpec:
    """Describes what a model shows of an observation: also what stands for a lost sample lies within its bounds."""
    if not model.dropout or model.on_dropout == "hold":
        return spec
    return replace(spec, low=min(spec.low, _nothing(spec)), high=max(spec.high, _nothing(spec)))


def _require_memory(env: BatchEnv, models: dict[str, SensorModel]) -> None:
    """Checks that the samples under way fit into the memory that is free."""
    needs = {
        key: env.num_worlds
        * int(decisions_late(model.delay_s, env.spec.control_hz) + 1)
        * env.spec.observation[key].num_bytes
        for key, model in models.items()
    }
    free, needed = available_bytes(), sum(needs.values())
    if free is not None and needed > free:
        largest = max(needs, key=lambda key: needs[key])
        raise UserError(
            f"env.sensors.{largest}.delay-s: samples under way in {env.num_worlds:,} worlds need about"
            f" {needed / 2**30:,.1f} GiB of memory and {free / 2**30:,.1f} GiB are free"
        )


def _along(flags: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Shapes [n] so that it is broadcast along [n, ...]."""
    return flags.reshape(-1, *[1] * (values.ndim - 1))
