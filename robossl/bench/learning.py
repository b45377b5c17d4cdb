"""How fast agents and objectives learn: updates per second of a preset's own sizes, on each device in turns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.preprocessing import get_action_dim

from robossl.agents import PPO, SAC
from robossl.agents.experience import make_replay, store_step
from robossl.agents.observations import final_observations, time_limits
from robossl.bench.turns import Side, seconds_in_turns
from robossl.data import Replay
from robossl.objectives import RepresentationLearner

Figures = dict[str, Any]

_NUM_STEPS = 64  # of all worlds, in the memory that batches are drawn from


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningBench:
    """Says what is measured.

    Attributes:
        num_updates: of an agent that learns from a replay, and of pretraining, in one turn.
        num_repeats: turns.
    """

    num_updates: int = 10
    num_repeats: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Learners:
    """What learns on one device.

    Attributes:
        agent: in its environment.
        pretraining: the preset's objectives on an encoder, and the windows of a batch; None where it has none.
    """

    agent: PPO | SAC
    pretraining: tuple[RepresentationLearner, int] | None


def run(config: LearningBench, build: Callable[[str], Learners], devices: tuple[str, ...]) -> dict[str, Figures]:
    """Measures one preset.

    Args:
        config: how long.
        build: makes everything on a device.
        devices: the first is what the others are compared with.

    Returns:
        {"agent" or "pretraining": {"<device>_updates_per_s": ..., "<device>_ratio": ...}}; a ratio for all but the
        first device.
    """
    everything = {device: build(device) for device in devices}
    sides = {"agent": {device: _agent_side(config, found.agent) for device, found in everything.items()}}
    if all(found.pretraining is not None for found in everything.values()):
        sides["pretraining"] = {device: _pretraining_side(config, found) for device, found in everything.items()}
    return {part: _figures(config, found) for part, found in sides.items()}


def _figures(config: LearningBench, sides: Mapping[str, Side]) -> Figures:
    turns = np.array(seconds_in_turns(list(sides.values()), config.num_repeats))
    first, *others = sides
    rates = {f"{device}_updates_per_s": 1 / float(np.median(turns[:, i])) for i, device in enumerate(sides)}
    ratios = {f"{device}_ratio": float(np.median(turns[:, 0] / turns[:, i + 1])) for i, device in enumerate(others)}
    return {"unit": f"updates on {first}", **rates, **ratios}


def _agent_side(config: LearningBench, agent: PPO | SAC) -> Side:
    agent.learn(_rollout_steps(agent))
    if isinstance(agent, SAC):
        return Side(work=lambda: agent.train(config.num_updates, agent.batch_size), count=config.num_updates)
    agent.n_epochs = 1
    return Side(work=agent.train, count=-(-agent.n_steps * agent.n_envs // agent.batch_size))


def _rollout_steps(agent: PPO | SAC) -> int:
    """Returns the fewest steps after which the agent has something to learn from."""
    return agent.n_envs * (_NUM_STEPS if isinstance(agent, SAC) else agent.n_steps)


def _pretraining_side(config: LearningBench, learners: Learners) -> Side:
    assert learners.pretraining is not None
    learner, batch_size = learners.pretraining
    replay = _random_experience(learners.agent)
    generator = torch.Generator(replay.device).manual_seed(0)

    def work() -> None:
        for _ in range(config.num_updates):
            learner.update(replay.sample_windows(batch_size, learner.window, generator))
        if replay.device.type == "cuda":
            torch.cuda.synchronize(replay.device)

    return Side(work=work, count=config.num_updates)


def _random_experience(agent: PPO | SAC) -> Replay:
    """Drives the agent's worlds at random and returns what was seen, on the agent's device."""
    env, space = agent.get_env(), agent.observation_space
    assert env is not None
    num_worlds, num_actions = env.num_envs, get_action_dim(agent.action_space)
    replay = make_replay(
        space,
        num_actions,
        buffer_size=2 * _NUM_STEPS * num_worlds,
        num_worlds=num_worlds,
        frame_stack=int(getattr(env, "frame_stack", 1)),
        n_steps=1,
        gamma=0.99,
        device=agent.device,
    )
    generator, obs = np.random.default_rng(0), env.reset()
    for _ in range(_NUM_STEPS):
        action = generator.uniform(-1, 1, (num_worlds, num_actions)).astype(np.float32)
        new_obs, reward, dones, infos = env.step(action)
        ended = final_observations(infos, np.flatnonzero(dones), space)
        store_step(replay, obs, action, reward, dones, time_limits(infos), ended)  # type: ignore[arg-type]
        obs = new_obs
    return replay
