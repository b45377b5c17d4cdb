"""From a config to an environment, and the list of what there is."""

import difflib
import importlib

import gymnasium

from robossl.core import BatchEnv, UnknownNameError, UserError
from robossl.core.registry import TASKS, load
from robossl.envs.config import Difficulty, EnvConfig, WorldSeed
from robossl.envs.task import Task

_NEAR, _TYPO = 0.5, 0.75  # how alike an id is that was meant; a module that registers nothing has no id that is near


def make_env(config: EnvConfig, worlds: WorldSeed) -> BatchEnv:
    """Builds the environment that `config.id` names: one of robossl's tasks, or any installed Gymnasium id.

    An id may name the module that registers it, as in Gymnasium: 'module:Name-v0'.

    Raises:
        UnknownNameError: if nothing has that id, but for a module's where none is near.
        UserError: if its module registers nothing like it, it needs a package that is not installed, or cannot be
            driven (discrete actions).
    """
    env = _make_perfect(config, worlds)
    if not config.sensors:
        return env
    from robossl.envs.imperfect_env import ImperfectEnv

    try:
        return ImperfectEnv(env, config.sensors, worlds)
    except BaseException:
        env.close()
        raise


def list_env_ids() -> list[str]:
    """Returns robossl's own ids, then those that installed packages have registered with Gymnasium."""
    return [*TASKS, *sorted(set(gymnasium.registry) - set(TASKS))]


def _make_perfect(config: EnvConfig, worlds: WorldSeed) -> BatchEnv:
    name = _imported(config.id)
    if name in TASKS:
        from robossl.envs.task_env import TaskEnv

        return TaskEnv(_led(make_task(name, config.difficulty), config), config, worlds)
    if name not in gymnasium.registry:
        raise _unknown(config.id)
    if config.difficulty is not None:
        raise UserError(f"{config.id} has no levels of difficulty")
    if config.delay_s:
        raise UserError(f"env.delay-s: {name} brings its own physics, and cannot be told commands late")
    if config.motion.is_on:
        raise UserError(f"env.motion: {name} brings its own physics, and nothing is known of its joints")
    if config.randomise:
        raise UserError(f"env.randomise: {name} brings its own physics, and declares nothing that could differ")
    if config.engine != "mujoco":
        raise UserError(f"env.engine: {name} brings its own physics; {config.engine} runs {', '.join(TASKS)}")
    from robossl.envs.gymnasium_env import GymnasiumEnv

    return GymnasiumEnv(config, worlds)


def _unknown(env_id: str) -> UserError:
    """Returns what is said of an id that nothing has: the nearest one, or what is wrong with its module."""
    module, colon, name = env_id.rpartition(":")
    near = difflib.get_close_matches(name, list_env_ids(), n=1, cutoff=_TYPO if module else _NEAR)
    if module and not near:
        return UserError(f"environment {env_id!r}: module {module!r} registers no {name!r} with Gymnasium")
    return UnknownNameError("environment", env_id, [module + colon + nearest for nearest in near] or TASKS)


def make_task(name: str, difficulty: Difficulty | None = None) -> Task:
    """Builds one of robossl's tasks.

    Raises:
        UnknownNameError: if there is no such task.
        UserError: if it has no such level.
    """
    kind = load(TASKS, name, what="environment")
    if difficulty is None:
        task: Task = kind()
        return task
    levels = getattr(kind, "levels", {})
    if difficulty not in levels:
        raise UserError(f"{name} has no level {difficulty!r}; it has {', '.join(levels) or 'none'}")
    levelled: Task = kind(levels[difficulty])
    return levelled


def _led(task: Task, config: EnvConfig) -> Task:
    """Makes an arm's joints follow their targets as `config.motion` says.

    Raises:
        UserError: if the task has no arm.
    """
    if config.motion.is_on:
        lead = getattr(task, "lead", None)
        if lead is None:
            raise UserError(f"env.motion: {config.id} has no arm whose joints could be led")
        lead(config.motion)
    return task


def _imported(env_id: str) -> str:
    """Imports the module of a 'module:Name-v0' id and returns the name."""
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"environment {env_id!r}: cannot import {module!r}: {error}") from error
    return name
