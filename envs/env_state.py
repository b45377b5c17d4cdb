"""What a state of an environment has to be like, before anything of it is put back, and its physics in this engine."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Stream, Tree, UserError
from robossl.envs.mujoco_fields import RANDOM_FIELDS, columns_of, model_default

_NOTES = ("begun", "delay_s", "engine", "horizon_periods", "stream")  # which states of older checkpoints lack
_PARTS = ("physics", "memory", "sensors", "randomiser", "last")
_MADE_BY = {
    "physics": "level, env.delay-s and env.motion",
    "model_values": "level",
    "sensors": "env.observations and env.sensors",
    "randomiser": "env.randomise",
    "last": "env.observations",
    "env": "env.sensors",
}
"""What has to be the same for a part of the state to fit."""


def require_fitting(state: Tree, own: Tree, env_id: str, model: Any) -> None:
    """Checks that all of a state can be put back; what nobody looks at here, as other sensors, may be in it.

    Args:
        state: to be put back.
        own: that of the environment.
        env_id: whose.
        model: the engine's.

    Raises:
        UserError: if it is of another number of worlds, another stream, another delay, another version of the task, or
            of an environment that is set otherwise.
    """
    if "env" in state:
        raise _misfit("env", "it has models of sensors")
    require_alike(state, {key: None for key in own if key not in _NOTES})
    num_worlds = len(own["episode"])
    if len(state["episode"]) != num_worlds:
        raise UserError(f"the state holds {len(state['episode'])} worlds, the environment {num_worlds}")
    require_stream(state, own["stream"])
    _require_delay(state, own["delay_s"], float(model.opt.timestep))
    _require_horizon(state, own["horizon_periods"])
    if unknown := sorted(state["memory"].keys() ^ own["memory"].keys()):
        raise UserError(f"the state is of another version of {env_id}: {', '.join(unknown)} differ")
    if not isinstance(state["model_values"], Mapping) or not isinstance(state.get("begun", True), bool | np.bool_):
        raise UserError("the state is damaged: model_values must map fields to numbers, and begun be True or False")
    for field, values in state["model_values"].items():
        if field not in RANDOM_FIELDS or np.shape(values) != (num_worlds, *model_default(model, field).shape):
            raise _misfit("model_values", f"{field} is not the model's")
        if np.asarray(values).dtype.kind not in "biuf":
            raise _misfit("model_values", f"{field} holds no numbers")
    if unknown := sorted(state["randomiser"]["values"].keys() - own["randomiser"]["values"].keys()):
        raise _misfit("randomiser", f"it has a range of {unknown[0]}")  # whose values would stay for good
    for part in _PARTS:
        require_alike(state[part], _as_before(own[part], state[part]) if part == "randomiser" else own[part], part)


def _as_before(own: Tree, state: Tree) -> Tree:
    """Returns what is drawn as older states hold it: one number a world, the mean, where elements drew each."""
    values = {
        name: value if np.ndim(state["values"].get(name)) != 1 else value.reshape(len(value), -1)[:, 0]
        for name, value in own["values"].items()
    }
    return {**own, "values": values}


def require_stream(state: Tree, stream: int) -> None:
    """Checks that a state's next episodes are those of the environment; a state that tells of no stream is of any.

    Raises:
        UserError: if they are others.
    """
    found = state.get("stream", stream)
    if found != stream:
        raise UserError(
            f"the state is of the worlds of {Stream(found).name}, the environment has those of {Stream(stream).name}:"
            " make one of the same stream"
        )


def _require_delay(state: Tree, delay_s: float, timestep_s: float) -> None:
    """Refuses commands that take effect another number of physics steps late, which may be as many that are under way.

    A state that does not tell its delay is of this one.
    """
    found = state.get("delay_s", delay_s)
    if round(found / timestep_s) != round(delay_s / timestep_s):
        raise UserError(f"the state is of an environment with env.delay-s {found:g}, this one has {delay_s:g}")


def _require_horizon(state: Tree, periods: float) -> None:
    """Refuses joints on their way to a command in another time; a state that does not tell it is of this one."""
    found = state.get("horizon_periods", periods)
    if found != periods:
        raise UserError(
            f"the state is of an environment with env.motion.horizon-periods {found:g}, this one has {periods:g}"
        )


def require_alike(state: Tree, own: Tree, path: str = "") -> None:
    """Checks that a part of a state has all that there is here, in the same shapes; None is any value, or nothing.

    Raises:
        UserError: naming what differs.
    """
    if isinstance(own, Mapping):
        for key, value in own.items():
            inner = f"{path}.{key}" if path else key
            if key not in (state or {}):
                raise _misfit(inner, f"it has no {inner}")
            require_alike(state[key], value, inner)
    elif own is not None and np.shape(state) != np.shape(own):
        raise _misfit(path, f"{path} is {list(np.shape(state))}, here {list(np.shape(own))}")
    elif own is not None and np.asarray(state).dtype.kind not in "biuf":
        raise _misfit(path, f"{path} holds no numbers")


def model_values_for(state: Tree, own: dict[str, Array], model: Any) -> dict[str, Array]:
    """Returns the model values {field: [N, ...]} of a state; fields that it does not tell of are the model's.

    Args:
        state: to be put back.
        own: the values that the worlds have.
        model: that they share otherwise.
    """
    shared = {field: np.repeat(model_default(model, field)[None], len(own[field]), axis=0) for field in own}
    return {**shared, **state["model_values"]}


def physics_for(engine: str, state: Tree, model: Any) -> NDArray[np.float64]:
    """Returns the physics [N, S] of a state, in which another engine's solver begins anew.

    Where MuJoCo keeps accelerations to begin with, Bullet keeps the forces of contacts: taken for these, they would
    throw an arm about. A state that does not tell its engine is of this one.
    """
    physics = np.array(state["physics"], np.float64)
    if state.get("engine", engine) != engine:
        physics[:, columns_of(model, ("qacc_warmstart",))] = 0
    return physics


def uncopied(env_id: str) -> TypeError:
    """Returns what whoever copies or pickles an environment is told: what carries over."""
    return TypeError(
        f"{env_id} cannot be copied or pickled: make another, reset() it, and give its set_state() what get_state()"
        " returns (those of `unwrapped` where Gymnasium made it)"
    )


def _misfit(path: str, problem: str) -> UserError:
    made_by = _MADE_BY.get(path.partition(".")[0], "level")
    return UserError(f"the state does not fit this environment, which needs the same {made_by}: {problem}")
