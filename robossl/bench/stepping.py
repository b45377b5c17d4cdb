"""Control steps per second against bare loops over `mujoco.batch`, and against environments in processes.

A bare loop is one as anybody writes it: MuJoCo's timers run in it, as they do in Python unless they are stopped. Where
it is the bound of what any environment can reach, they are.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any, Literal

import numpy as np
from gymnasium.vector import AsyncVectorEnv
from mujoco import batch as mujoco_batch
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import SubprocVecEnv

from robossl.bench.setting import SimulationBench, make
from robossl.bench.turns import Side, Work, rates, seconds_in_turns
from robossl.core import Array, Obs, UserError
from robossl.envs import EnvConfig
from robossl.envs.gym_env import GymEnv
from robossl.envs.mujoco_clock import untimed
from robossl.envs.mujoco_fields import LOOKS, feeds_constants
from robossl.envs.task_env import TaskEnv

Driver = Literal["random", "expert"]


@dataclass(frozen=True, slots=True)
class Tape:
    """A recorded run.

    Attributes:
        start: the environment's state where it began.
        values: what the worlds then had of their own in model fields, as `_own_values` returns it.
        actions: [T].
        controls: [T].
        resets: [T] which worlds were reset, to what state, with which values of their own.
    """

    start: dict[str, Any]
    values: dict[str, Array]
    actions: list[NDArray[np.float32]]
    controls: list[NDArray[np.float64]]
    resets: list[tuple[NDArray[np.int64], NDArray[np.float64], dict[str, Array]]]

    @property
    def resets_per_step(self) -> float:
        """Worlds that a step resets."""
        return sum(len(ids) for ids, *_ in self.resets) / len(self.resets)


class Replay:
    """Steps an environment along a tape, and a bare batch that reads nothing along the same controls and resets.

    Each turn goes on where the one before it ended, and from the tape's end back to its beginning: an environment that
    is put back has to lay out the same episodes again, as it never does in use.

    Args:
        env: that the tape is of.
        tape: of whole turns.
        num_steps: of a turn.
    """

    def __init__(self, env: TaskEnv, tape: Tape, num_steps: int) -> None:
        self._env, self._tape, self._num_steps = env, tape, num_steps
        self._num_substeps = env.task.spec.num_substeps
        self._bare = mujoco_batch.Batch(env.engine.model, env.num_worlds, env.engine.num_threads)
        self._own = {field: self._bare.expand(field) for field in tape.values}
        self._has_constants = any(map(feeds_constants, tape.values))

    def ours(self) -> Side:
        """Steps the environment."""
        return self._side(self._step, lambda: self._env.set_state(self._tape.start))

    def bare(self) -> Side:
        """Steps the bare batch."""
        return self._side(self._repeat, self._rewind)

    def bare_state(self) -> NDArray[np.float64]:
        """Returns the physics state [N, S] of the bare batch."""
        return np.array(self._bare.state)

    def _rewind(self) -> None:
        self._put(np.arange(self._env.num_worlds), self._tape.start["physics"], self._tape.values)

    def _put(self, ids: NDArray[np.int64], states: NDArray[np.float64], values: dict[str, Array]) -> None:
        self._bare.state[ids] = states
        for field, own in values.items():
            self._own[field][ids] = own
        if self._has_constants and len(ids):
            self._bare.set_const(ids)

    def _repeat(self, turn: slice) -> None:
        ctrl = self._bare.bind("ctrl")
        for values, reset in zip(self._tape.controls[turn], self._tape.resets[turn], strict=True):
            ctrl[:] = values
            self._bare.step(nstep=self._num_substeps)
            self._put(*reset)

    def _step(self, turn: slice) -> None:
        for action in self._tape.actions[turn]:
            self._env.step(action)

    def _side(self, work: Callable[[slice], None], rewind: Work) -> Side:
        first = [slice(i, i + self._num_steps) for i in range(0, len(self._tape.actions), self._num_steps)]
        turns, now = itertools.cycle(first), list[slice]()

        def before() -> None:
            now[:] = [next(turns)]
            if now[0].start == 0:
                rewind()

        return Side(work=lambda: work(now[0]), count=self._num_steps * self._env.num_worlds, before=before)


def record(env: TaskEnv, num_steps: int, driver: Driver = "random") -> Tape:
    """Steps from the environment's first episodes on.

    Raises:
        UserError: if an expert is to drive and there is none.
    """
    rng, expert = np.random.default_rng(0), env.expert() if driver == "expert" else None
    if driver == "expert" and expert is None:
        raise UserError(f"{env.config.id} has no expert")
    obs = env.reset()
    if expert is not None:
        expert.reset(np.arange(env.num_worlds))
    tape = Tape(env.get_state(), _own_values(env, np.arange(env.num_worlds)), [], [], [])
    ctrl = env.engine.view("ctrl")
    for _ in range(num_steps):
        action = (
            rng.uniform(-1, 1, (env.num_worlds, *env.spec.action.shape)) if expert is None else _act(expert, env, obs)
        )
        tape.actions.append(np.asarray(action, np.float32))
        before: list[NDArray[np.float64]] = []
        env.before_reset = lambda ids, before=before: before.append(ctrl.copy())
        step = env.step(tape.actions[-1])
        obs = step.obs
        if expert is not None:
            expert.reset(step.final_ids)
        tape.controls.append(before[0] if before else ctrl.copy())
        ids = step.final_ids
        tape.resets.append((ids, env.world_state()[ids], _own_values(env, ids)))
    env.before_reset = None
    return tape


def steps(config: SimulationBench, driver: Driver) -> dict[str, float]:
    """Compares `TaskEnv.step` with the bare loop; says how many worlds a step resets.

    `untimed_ratio` is to a bare loop whose timers are stopped as the engine's are: what only the environment costs.
    """
    env = make(config, config.num_step_worlds)
    tape = record(env, config.num_steps * config.num_turns, driver)
    replay, same = (Replay(env, tape, config.num_steps) for _ in range(2))
    turns = seconds_in_turns([replay.ours(), replay.bare(), _untimed(same.bare())], config.num_repeats)
    env.close()
    return {
        **rates([turn[:2] for turn in turns], "steps_per_s"),
        "untimed_ratio": median(least / mine for mine, _, least in turns),
        "resets_per_step": tape.resets_per_step,
    }


def thread_scaling(config: SimulationBench) -> dict[str, float]:
    """Compares what a second thread brings `TaskEnv` with what it brings the bare loop."""
    envs = [make(replace(config, num_threads=threads), config.num_step_worlds) for threads in (1, 2)]
    tapes = [record(env, config.num_steps * config.num_turns) for env in envs]
    replays = [Replay(env, tape, config.num_steps) for env, tape in zip(envs, tapes, strict=True)]
    sides = [side for replay in replays for side in (replay.ours(), replay.bare())]
    turns = seconds_in_turns(sides, config.num_repeats)
    for env in envs:
        env.close()
    return {
        "speed_up": median(ours_1 / ours_2 for ours_1, _, ours_2, _ in turns),
        "reference_speed_up": median(bare_1 / bare_2 for _, bare_1, _, bare_2 in turns),
        "ratio": median((ours_1 / ours_2) / (bare_1 / bare_2) for ours_1, bare_1, ours_2, bare_2 in turns),
    }


def processes(config: SimulationBench, kind: Literal["async", "subprocess"]) -> dict[str, float]:
    """Compares `TaskEnv.step` with our single environment in processes: Gymnasium's or stable-baselines3's.

    Both are driven at random; ours with `num_step_worlds` worlds, theirs with one in each of `num_processes`. The
    processes compute the same physics on the same cores, so the bare loop's own ratio to them, `bare_ratio`, is what no
    environment exceeds.
    """
    env = make(config, config.num_step_worlds)
    single = EnvConfig(id=config.env, observations=env.config.observations, num_threads=1)
    makers: list[Any] = [partial(GymEnv, single)] * config.num_processes
    others: Any = SubprocVecEnv(makers) if kind == "subprocess" else AsyncVectorEnv(makers, context="forkserver")
    others.reset()
    rng, num_theirs = np.random.default_rng(0), max(1, config.num_steps // 4)

    def drive(step: Any, num_worlds: int, num_steps: int) -> None:
        for _ in range(num_steps):
            step(rng.uniform(-1, 1, (num_worlds, *env.spec.action.shape)).astype(np.float32))

    bare = _untimed(Replay(env, record(env, config.num_steps * config.num_turns), config.num_steps).bare())
    work = partial(drive, env.step, env.num_worlds, config.num_steps)
    ours = Side(work=work, count=config.num_steps * env.num_worlds)
    work = partial(drive, others.step, config.num_processes, num_theirs)
    theirs = Side(work=work, count=num_theirs * config.num_processes)
    turns = seconds_in_turns([ours, theirs, bare], config.num_repeats)
    others.close()
    env.close()
    return {
        "steps_per_s": 1 / median(mine for mine, _, _ in turns),
        "reference_steps_per_s": 1 / median(other for _, other, _ in turns),
        "ratio": median(other / mine for mine, other, _ in turns),
        "bare_ratio": median(other / least for _, other, least in turns),
        "num_processes": config.num_processes,
    }


def _own_values(env: TaskEnv, ids: NDArray[np.int64]) -> dict[str, Array]:
    """Returns what the worlds `ids` have of their own in model fields that physics reads, {field: [n, ...]}."""
    fields = [field for field in (*env.model_values(), "body_inertia") if not field.startswith(LOOKS)]
    own = {field: env.engine.own_values(field) for field in fields}
    return {field: values[ids] for field, values in own.items() if values is not None}


def _untimed(side: Side) -> Side:
    """Stops MuJoCo's timers for a side, as engines do."""
    return replace(side, work=partial(untimed, side.work))


def _act(expert: Any, env: TaskEnv, obs: Obs) -> Array:
    return expert.act(obs, env.privileged())
