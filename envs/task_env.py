"""The environment: an engine, a task and a renderer, stepped as N worlds."""

import time
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs, Policy, StepBatch, Tree
from robossl.core.processor import num_cores
from robossl.envs.action import checked_action, require_open
from robossl.envs.ahead import Ahead
from robossl.envs.choice import choose
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.delayed_engine import undelayed
from robossl.envs.engines import make_delayed, make_engine, make_recorded
from robossl.envs.env_state import model_values_for, physics_for, require_fitting, uncopied
from robossl.envs.episode_ends import count_on, ends
from robossl.envs.host import for_sensors, on_host
from robossl.envs.lost_worlds import put_back
from robossl.envs.observable import env_spec
from robossl.envs.pictures import Pictures
from robossl.envs.randomiser import Randomiser
from robossl.envs.records import Start
from robossl.envs.running_episodes import RunningEpisodes
from robossl.envs.sensors.suite import SensorSuite
from robossl.envs.sight import Sight
from robossl.envs.start import Beginning, Starts
from robossl.envs.task import Outcome, Task
from robossl.envs.task_promises import (
    Promises,
    require_finite,
    require_finite_controls,
    require_kinds,
    require_new_memory,
    require_seen,
)

_ONE = np.array(1)  # numpy adds it in half the time of a number of Python's


class TaskEnv:
    """Steps N worlds of a task; a world that ends begins its next episode in the same step.

    What an episode is depends on (seed, stream, world, episode) alone, never on the number of worlds or threads. An
    episode whose physics diverges is truncated: its last step brings no gain, though it may cost, its metrics are zero,
    it is no success, and its last observation shows the state before the step, from which a value can be bootstrapped;
    the one that the episode was laid out with where that was not finite either.

    Attributes:
        available: {key: spec} of all that can be observed beside pictures.
        pictures: what cameras show.
        num_restored: how often `set_state` has put episodes back that run.
    """

    def __init__(self, task: Task, config: EnvConfig, worlds: WorldSeed) -> None:
        self.task, self.config = task, config
        self.num_worlds = config.num_worlds
        self.perf = {"simulate": 0.0, "render": 0.0}
        choice = choose(task, config)
        model, keys = choice.model, choice.keys
        self.available = choice.available
        num_threads = config.num_threads or num_cores()
        engine = make_engine(config.engine, model, config.num_worlds, num_threads, config.device)
        self.engine = make_delayed(engine, config.delay_s, task.spec.num_substeps, task.spec.motion)
        self._sensors = SensorSuite(for_sensors(self.engine), choice.sensors, task.spec.num_substeps)
        self._record = tuple(dict.fromkeys((*task.spec.record, *self._sensors.record)))
        self._randomiser = Randomiser(
            self.engine,
            choice.randomisations,
            task.spec.random_fields,
            num_actions=task.spec.action.shape[0],
            control_hz=task.spec.control_hz,
        )
        self.pictures = Pictures(self.engine, config, choice.cameras, keys, task)
        self.spec = env_spec(task.spec, config.id, choice.observation, choice.cameras, self.pictures.spec)
        self._weights = {name: np.array(weight, np.float32) for name, weight in task.spec.reward_weights.items()}
        self._promises = Promises(task.spec, self.num_worlds, model.nu, self.engine.xp)
        self._acting = make_recorded(task, self.engine)
        self._sight = Sight(
            self.engine,
            self._acting,
            promises=self._promises,
            keys=keys,
            sensors=self._sensors,
            pictures=self.pictures,
        )
        require_new_memory(memory := task.new_memory(self.num_worlds), self.num_worlds)
        self._ahead = Ahead(Starts(task, model, memory).draw, self.num_worlds, num_threads)
        self._memory = {key: self._on_device(value) for key, value in memory.items()}
        self._beginning = Beginning(self.engine, self._memory)
        self._action_shape = (self.num_worlds, *task.spec.action.shape)
        self._episodes = RunningEpisodes(worlds, self.num_worlds)
        self._elapsed = self._episodes.elapsed
        self._begun = self._is_closed = False
        self.num_restored = 0
        self.before_reset: Callable[[NDArray[np.int64]], None] | None = None

    def reset(self, *, first_world: int = 0, first_episode: int = 0, seed: int | None = None) -> Obs:
        """See `BatchEnv.reset`."""
        require_open(self._is_closed)
        start = self._clock()
        self._episodes.begin(first_world, first_episode, seed)
        self._begin(np.arange(self.num_worlds))
        if not self._begun:
            vectors = self.task.observe(self.engine, self._memory)
            require_seen("observed vectors", vectors, self.task.spec.vectors, self.num_worlds)
            require_kinds(vectors, self.task.spec.vectors)
            require_kinds(self.privileged(), self.task.spec.privileged)
        self._begun = True
        obs = self._observe(None)
        self._count(start)
        return obs

    def step(self, action: Array) -> StepBatch:
        """See `BatchEnv.step`."""
        if not self._begun:
            require_open(self._is_closed)
            raise RuntimeError("an environment must be reset before it is stepped")
        action = checked_action(action, self._action_shape)
        start = self._clock()
        outcome, diverged = self._simulate(action)
        reward = outcome.reward(self._weights, self.num_worlds)
        terminated, truncated, final_ids, is_finite = ends(
            outcome.terminated, diverged, self._elapsed, self.task.spec.max_episode_steps, reward
        )
        if not is_finite:
            require_finite(outcome.terms, reward)
        info = outcome.info(diverged)
        if self._randomiser.values:
            info |= self._randomiser.info()
        final_obs = self._observe(final_ids) if len(final_ids) else None
        if final_obs is not None:
            if self.before_reset is not None:
                self.before_reset(final_ids)
            count_on(self._episodes.episode, self._elapsed, final_ids)
            self._begin(final_ids)
        obs = self._observe(None)
        if final_obs is None:
            final_obs = {key: value[:0] for key, value in obs.items()}
        self._count(start)
        return StepBatch(obs, reward, terminated, truncated, final_ids, final_obs, info)

    def episode_keys(self) -> dict[str, NDArray[np.int64]]:
        """See `BatchEnv.episode_keys`."""
        return self._episodes.keys()

    def privileged(self) -> Obs:
        """See `BatchEnv.privileged`."""
        require_open(self._is_closed)
        values = self.task.privileged(self.engine, self._memory)
        require_seen("privileged values", values, self.task.spec.privileged, self.num_worlds)
        return {key: np.array(on_host(value)) for key, value in values.items()}

    def randomised(self) -> Obs:
        """Returns {"randomise/<name>": [N, ...]} of the running episodes."""
        return self._randomiser.info()

    def world_state(self) -> NDArray[np.float64]:
        """See `BatchEnv.world_state`: of the physics, without commands that are under way."""
        require_open(self._is_closed)
        state: NDArray[np.float64] = undelayed(self.engine).get_state()
        return state

    def model_values(self) -> dict[str, Array]:
        """See `BatchEnv.model_values`."""
        require_open(self._is_closed)
        return dict(self.engine.model_values())

    @property
    def compute_reward(self) -> Callable[[Array, Array, object], Array]:
        """The reward as a function of achieved and desired goals; only goal-conditioned tasks have it."""
        function: Callable[[Array, Array, object], Array] = self.task.compute_reward  # type: ignore[attr-defined]
        return function

    def render_appearances(self, num: int, keys: tuple[str, ...]) -> dict[str, Array]:
        """Draws all worlds as they are now under `num` random appearances; nothing of them changes.

        Appearances are the task's randomisations of looks: over their declared ranges, or those in the config.
        They show the truth: models of sensors, which depend on what was seen before, are not applied.

        Returns:
            {key: [K, N, H, W, C]}.

        Raises:
            UserError: if a key is no picture, or is one of flow, or `num` is no whole number from 1 on.
        """
        require_open(self._is_closed)
        return self.pictures.appearances(num, keys, self._episodes.draws(np.arange(self.num_worlds)), self._elapsed)

    def expert(self) -> Policy | None:
        """See `BatchEnv.expert`."""
        return self.task.expert()

    def render_frames(self, camera: str | None = None, *, width: int, height: int, world: int = 0) -> NDArray[np.uint8]:
        """See `BatchEnv.render_frames`."""
        require_open(self._is_closed)
        return self.pictures.frame(camera, width=width, height=height, world=world)

    def get_state(self) -> Tree:
        """See `BatchEnv.get_state`."""
        require_open(self._is_closed)
        motion = self.task.spec.motion
        return {
            **self._episodes.get_state(),
            "begun": self._begun,
            "engine": self.config.engine,
            "delay_s": self.config.delay_s,
            "horizon_periods": 0.0 if motion is None else motion.horizon_periods or 0.0,
            "physics": self.engine.get_state(),
            "model_values": self.model_values(),
            "memory": {key: np.array(on_host(value)) for key, value in self._memory.items()},
            "sensors": self._sensors.get_state(),
            "randomiser": self._randomiser.get_state(),
            "last": self.pictures.get_state(),
        }

    def set_state(self, state: Tree) -> None:
        """See `BatchEnv.set_state`.

        Raises:
            UserError: if it does not fit (`require_fitting`), or the engine cannot take it; nothing has changed then.
        """
        require_open(self._is_closed)
        require_fitting(state, self.get_state(), self.config.id, self.engine.model)
        self._episodes.require(state)
        physics = physics_for(self.config.engine, state, self.engine.model)
        model_values = model_values_for(state, self.engine.model_values(), self.engine.model)
        self.engine.require_state(physics, model_values)
        everyone = np.arange(self.num_worlds)
        for field, values in model_values.items():
            self.engine.randomise(field, values, everyone)
        self.engine.set_state(physics)
        for key, value in state["memory"].items():
            self._memory[key][...] = self._on_device(value)
        self._sensors.set_state(state["sensors"])
        self._randomiser.set_state(state["randomiser"])
        self.pictures.set_state(state["last"])
        self._episodes.set_state(state)
        self._begun = bool(state.get("begun", True))
        self.num_restored += self._begun

    def __reduce__(self) -> NoReturn:
        """Tells those who want a copy, or to pickle it, what carries over.

        Raises:
            TypeError: always.
        """
        raise uncopied(self.config.id)

    def close(self) -> None:
        """See `BatchEnv.close`."""
        self._begun, self._is_closed = False, True
        self.pictures.close()
        self.engine.close()

    def _simulate(self, asked: NDArray[np.float32]) -> tuple[Outcome, NDArray[np.bool_]]:
        task, engine = self._acting, self.engine
        engine.keep(whole=bool(self._randomiser.values))  # whose pushes change more than a step does
        self.pictures.keep(None, self._elapsed)
        action = acting = self._on_device(asked)
        if self._randomiser.values:
            draws = self._episodes.draws(np.arange(self.num_worlds))
            late = self._randomiser.act(asked, draws, self._elapsed)
            acting = action if late is asked else self._on_device(late)
        ctrl = task.control(engine, acting, self._memory)
        self._promises.controls(ctrl)
        recorded = engine.step(ctrl, task.spec.num_substeps, self._record)
        diverged = engine.diverged
        is_whole = not np.count_nonzero(diverged)  # a third of the cost of `any`
        if not is_whole:
            sound = put_back(engine, np.flatnonzero(diverged), recorded, self._start_of)
            require_finite_controls(ctrl, sound[self._elapsed[sound] == 0])  # later they may follow from the physics
        outcome = task.outcome(engine, action, recorded, self._memory)
        self._promises.judged(outcome)
        outcome = outcome if engine.xp is np else outcome.on_host()
        self._elapsed += _ONE
        if self._sensors.specs:
            felt = {name: on_host(recorded[name]) for name in self._sensors.record}
            self._sensors.advance(felt, self._episodes.draws(np.arange(self.num_worlds)), self._elapsed)
        return (outcome if is_whole else outcome.forfeited(diverged, self._weights)), diverged

    def _begin(self, ids: NDArray[np.int64]) -> None:
        self._beginning(self._start_of(ids), ids)
        if self._randomiser.values:
            self._randomiser.begin(ids, self._episodes.draws(ids))
        self.engine.forward(ids)
        if self._sensors.specs:
            self._sensors.begin(ids, self._episodes.draws(ids))
        self.pictures.keep(ids, self._elapsed)

    def _start_of(self, ids: NDArray[np.int64]) -> Start:
        now = self._episodes
        return self._ahead.take(now.worlds, now.first_world, now.episode, ids)

    def _on_device(self, values: NDArray[Any]) -> Array:
        """Copies numbers to where the engine computes; returns them themselves where that is numpy."""
        xp = self.engine.xp
        return values if xp is np else xp.asarray(values, device=self.engine.device, copy=True)

    def _observe(self, ids: NDArray[np.int64] | None) -> Obs:
        """Returns what is seen of the worlds `ids`, or of all."""
        return self._sight.observe(self._memory, ids, self._elapsed)

    def _clock(self) -> float:
        """Returns a time in seconds that stands still while pictures are made."""
        return time.perf_counter() - self.pictures.seconds

    def _count(self, start: float) -> None:
        """Takes note of the time that has passed since `start`, which the clock told."""
        self.perf["render"] = self.pictures.seconds
        self.perf["simulate"] += self._clock() - start
