"""What an agent remembers beside its replay, as trees without objects: taken and put back at `on_rollout_start`.

Restored there, and with the global generators, environment and replay restored too, a run goes on bit for bit.
"""

import json
from collections import deque
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from robossl.core import Tree, UserError
from robossl.objectives.optimizer_state import optimizer_tree, restore_optimizer

_COUNTERS = ("num_timesteps", "_episode_num", "_n_updates")


def agent_state(agent: Any, optimizers: dict[str, torch.optim.Optimizer]) -> Tree:
    """Returns what the states of all agents hold.

    Args:
        agent: one of ours.
        optimizers: all but the objectives'.
    """
    return {
        "algorithm": type(agent).__name__,
        "networks": networks_state(agent.policy, optimizers),
        "objectives": None if agent.learner is None else agent.learner.get_state(),
        "progress": progress_state(agent),
        "generator": agent.generator.get_state(),
    }


def require_alike(agent: Any, tree: Tree) -> None:
    """Checks that a state is of such an agent.

    Raises:
        UserError: if it was taken from another kind of agent, or one with other objectives.
    """
    if tree["algorithm"] != type(agent).__name__:
        raise UserError(f"the state is of agent {tree['algorithm']}, not {type(agent).__name__}")
    if (tree["objectives"] is None) != (agent.learner is None):
        has, needs = ("no" if absent else "some" for absent in (tree["objectives"] is None, agent.learner is None))
        raise UserError(f"the state has {has} objectives, the agent is configured with {needs} objectives")


def restore_agent(agent: Any, optimizers: dict[str, torch.optim.Optimizer], tree: Tree) -> None:
    """Puts back what `agent_state` returned.

    Raises:
        UserError: if it was taken from another kind of agent, or one with other networks or objectives.
    """
    require_alike(agent, tree)
    restore_networks(agent.policy, optimizers, tree["networks"])
    if agent.learner is not None:
        agent.learner.set_state(tree["objectives"])
    restore_progress(agent, tree["progress"])
    agent.generator.set_state(tree["generator"])


def networks_state(module: nn.Module, optimizers: dict[str, torch.optim.Optimizer]) -> Tree:
    """Returns copies of the weights and of what the optimisers remember."""
    return {
        "weights": {name: value.detach().clone() for name, value in module.state_dict().items()},
        "optimizers": {name: optimizer_tree(optimizer) for name, optimizer in optimizers.items()},
    }


def restore_networks(module: nn.Module, optimizers: dict[str, torch.optim.Optimizer], tree: Tree) -> None:
    """Puts back what `networks_state` returned.

    Raises:
        UserError: if it was taken from other networks.
    """
    try:
        module.load_state_dict(tree["weights"])
        for name, optimizer in optimizers.items():
            restore_optimizer(optimizer, tree["optimizers"][name])
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the state of the agent does not fit its configuration: {reason}") from error


def progress_state(agent: BaseAlgorithm) -> Tree:
    """Returns counters, the observations to act on next, statistics of episodes and the action space's generator."""
    last_obs: Any = agent._last_obs
    return {
        "counters": {name: int(getattr(agent, name)) for name in _COUNTERS},
        "progress_remaining": float(agent._current_progress_remaining),
        "last_obs": None if last_obs is None else {key: np.array(value) for key, value in last_obs.items()},
        "last_episode_starts": None if last_obs is None else np.array(agent._last_episode_starts, bool),
        "episodes": [{key: float(value) for key, value in episode.items()} for episode in agent.ep_info_buffer or ()],
        "successes": [float(success) for success in agent.ep_success_buffer or ()],
        "action_space": numpy_state(agent.action_space.np_random),
    }


def restore_progress(agent: BaseAlgorithm, tree: Tree) -> None:
    """Puts back what `progress_state` returned; `learn(..., reset_num_timesteps=False)` then goes on from there."""
    for name in _COUNTERS:
        setattr(agent, name, int(tree["counters"][name]))
    agent._current_progress_remaining = float(tree["progress_remaining"])
    last_obs, starts = tree["last_obs"], tree["last_episode_starts"]
    agent._last_obs = None if last_obs is None else {key: np.array(value) for key, value in last_obs.items()}
    agent._last_episode_starts = None if starts is None else np.array(starts, bool)
    agent.ep_info_buffer = deque((dict(episode) for episode in tree["episodes"]), agent._stats_window_size)
    agent.ep_success_buffer = deque(tree["successes"], agent._stats_window_size)
    restore_numpy(agent.action_space.np_random, tree["action_space"])


def numpy_state(generator: np.random.Generator) -> str:
    """Returns a numpy generator's state as JSON: its integers are too long for arrays."""
    return json.dumps(generator.bit_generator.state)


def restore_numpy(generator: np.random.Generator, state: str) -> None:
    """Puts back what `numpy_state` returned."""
    generator.bit_generator.state = json.loads(state)


def tensor_copy(value: Tensor | None) -> Tensor | None:
    """Returns a detached copy."""
    return None if value is None else value.detach().clone()
