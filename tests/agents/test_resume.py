"""A run that is taken apart at `on_rollout_start` and put together in another process goes on bit for bit."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from robossl.agents import PPO, SAC, AugmentConfig, PPOConfig, Representation, SACConfig
from robossl.core import UserError
from robossl.objectives import InverseDynamicsConfig, LatentPredictionConfig

NUM_STEPS = 128  # of all worlds, before the run is taken apart; as many follow
AGENTS = {
    "sac": (
        SAC,
        SACConfig(
            buffer_size=400, learning_starts=64, batch_size=16, hidden=(16,), n_steps=2, policy_frequency=2,
            learning_rate_schedule="linear", aux_interval=2, aux_batch_size=8, max_grad_norm=1.0, noise="pink",
        ),
    ),
    "ppo": (
        PPO,
        PPOConfig(
            n_steps=8, batch_size=16, n_epochs=2, hidden=(16,), learning_rate_schedule="linear", aux_interval=3,
            aux_batch_size=8,
        ),
    ),
}  # fmt: skip


@dataclass
class Parts:
    """What a checkpoint holds."""

    agent: Any = None
    env: Any = None
    replay: Any = None
    rng: Any = field(default_factory=torch.get_rng_state)


class TakeApart(BaseCallback):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.parts = folder, Parts()

    def _on_rollout_start(self) -> None:
        if self.num_timesteps == NUM_STEPS:
            agent = self.model
            replay = None if agent.replay is None else agent.replay.save(self.folder)
            self.parts = Parts(agent.get_state(), copy.deepcopy(agent.get_env().get_state()), replay)

    def _on_step(self) -> bool:
        return True


@pytest.fixture
def build(colour_env, tiny):
    def make(name: str, *, seed: int, **change: Any) -> Any:
        algorithm, config = AGENTS[name]
        options = {
            "augment": AugmentConfig(shift_px=1),
            "objectives": (InverseDynamicsConfig(hidden=(8,)), LatentPredictionConfig(num_steps=2)),
            **change,
        }
        env = colour_env(4, frame_stack=2, deadly=0.1, length=6, seed=seed)
        return algorithm.from_config(config, env, representation=Representation(encoder=tiny, **options), seed=seed)

    return make


def plain(tree: Any) -> Any:
    """Copies a tree as a file would: nothing but what may be in one passes, and nothing is shared."""
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return json.loads(json.dumps(tree))
    if isinstance(tree, torch.Tensor):
        assert not tree.requires_grad
        return tree.clone(memory_format=torch.contiguous_format)
    if isinstance(tree, np.ndarray):
        assert tree.dtype != object
        return tree.copy()
    if isinstance(tree, list):
        return [plain(item) for item in tree]
    assert isinstance(tree, dict), type(tree)
    assert all(isinstance(key, str) for key in tree)
    return {key: plain(item) for key, item in tree.items()}


@pytest.mark.parametrize("name", AGENTS)
def test_a_resumed_run_equals_the_uninterrupted_one(build, name, tmp_path) -> None:
    straight, callback = build(name, seed=0), TakeApart(tmp_path)
    straight.learn(2 * NUM_STEPS, callback)
    parts = callback.parts

    resumed = build(name, seed=99)
    resumed.set_state(plain(parts.agent))
    resumed.get_env().set_state(parts.env)
    if parts.replay is not None:
        resumed.replay.load(tmp_path, plain(parts.replay))
    torch.set_rng_state(parts.rng)
    resumed.learn(NUM_STEPS, reset_num_timesteps=False)

    assert resumed.get_env().num_resets == 0
    assert resumed.num_timesteps == straight.num_timesteps == 2 * NUM_STEPS
    assert resumed._n_updates == straight._n_updates
    assert differences(straight.get_state(), resumed.get_state()) == []


def test_a_state_of_before_updates_were_counted_goes_on(build) -> None:
    agent = build("ppo", seed=0).learn(NUM_STEPS)
    state = plain(agent.get_state())
    assert state.pop("num_batches") == 16
    agent.set_state(state)
    assert agent.get_state()["num_batches"] == 0


@pytest.mark.parametrize("name", AGENTS)
def test_a_state_is_a_copy(build, name) -> None:
    agent = build(name, seed=0).learn(NUM_STEPS)
    state = agent.get_state()
    before = plain(state)
    agent.learn(NUM_STEPS, reset_num_timesteps=False)
    assert differences(before, state) == []


@pytest.mark.parametrize("name", AGENTS)
def test_a_state_put_back_is_read_out_again(build, name) -> None:
    state = plain(build(name, seed=0).learn(NUM_STEPS).get_state())
    other = build(name, seed=1)
    other.set_state(state)
    assert differences(state, plain(other.get_state())) == []


def test_states_of_other_agents_are_refused(build) -> None:
    sac, ppo = build("sac", seed=0), build("ppo", seed=0)
    with pytest.raises(UserError, match="the state is of agent PPO, not SAC"):
        sac.set_state(ppo.get_state())
    with pytest.raises(UserError, match="the state has some objectives, the agent is configured with no objectives"):
        build("ppo", seed=0, objectives=()).set_state(ppo.get_state())
    state = ppo.get_state()
    state["networks"]["weights"]["log_std"] = torch.zeros(5)
    with pytest.raises(UserError, match="does not fit its configuration"):
        ppo.set_state(state)


def differences(first: Any, second: Any, path: str = "") -> list[str]:
    """Returns the places where two trees differ."""
    if isinstance(first, (dict, list)):
        if type(first) is not type(second) or len(first) != len(second):
            return [path]
        items = first.items() if isinstance(first, dict) else enumerate(first)
        return [place for key, value in items for place in differences(value, second[key], f"{path}/{key}")]
    equal = (first == second).all() if isinstance(first, (torch.Tensor, np.ndarray)) else first == second
    return [] if equal else [path]
