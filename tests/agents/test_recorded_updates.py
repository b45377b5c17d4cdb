"""On a GPU, recorded updates do what the same updates do when they are run; elsewhere nothing is recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from agent_checks import same, weights

from robossl.agents import PPO, SAC, AugmentConfig, PPOConfig, Representation, SACConfig
from robossl.nets.recorded import Recorded
from robossl.objectives import InverseDynamicsConfig, LatentPredictionConfig, TOVVICRegConfig

needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
AGENTS = {
    "sac": (
        SAC,
        SACConfig(
            learning_starts=64, buffer_size=2_000, batch_size=32, gradient_steps=4, policy_frequency=2, n_steps=2
        ),
    ),
    "ppo": (PPO, PPOConfig(n_steps=16, batch_size=24, n_epochs=3, learning_rate_schedule="linear")),
}


@dataclass(frozen=True)
class Batch:
    obs: dict[str, torch.Tensor]
    reward: torch.Tensor


def run(_: Recorded, work: Callable[[Any], Any], batch: Any, *variant: Any) -> Any:
    return work(batch)


def learned(name: str, colour_env: Any, tiny: Any, steps: int = 160, objectives: Any = ()) -> Any:
    algorithm, config = AGENTS[name]
    representation = Representation(encoder=tiny, augment=AugmentConfig(shift_px=1), objectives=objectives)
    agent = algorithm.from_config(config, colour_env(), representation=representation, seed=0, device="cuda")
    agent.learn(steps)
    return agent


def test_on_a_processor_updates_just_run() -> None:
    seen = []

    def work(batch: Batch) -> dict[str, torch.Tensor]:
        seen.append(batch)
        return {"loss": batch.reward.mean()}

    recorded, batch = Recorded(torch.device("cpu"), []), Batch({"a": torch.ones(2)}, torch.ones(3))
    for _ in range(6):
        assert recorded(work, batch, "variant")["loss"] == 1.0
    assert len(seen) == 6
    assert all(one is batch for one in seen)


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_gpu) for name in AGENTS])
def test_agents_learn_the_same_from_recorded_updates(
    name: str, colour_env: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = learned(name, colour_env, tiny)
    assert len(recorded._recorded._graphs) == 2  # with and without the actor; whole batches and the last one
    monkeypatch.setattr(Recorded, "__call__", run)
    plain = learned(name, colour_env, tiny)
    for mine, other in zip(weights(recorded.policy), weights(plain.policy), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4)
    moved = learned(name, colour_env, tiny, steps=96)
    assert not same(weights(moved.policy), weights(plain.policy))


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_gpu) for name in AGENTS])
def test_objectives_are_recorded_with_the_agents_updates(
    name: str, colour_env: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    objectives = (TOVVICRegConfig(gap=1), InverseDynamicsConfig(num_steps=2), LatentPredictionConfig(num_steps=2))
    recorded = learned(name, colour_env, tiny, objectives=objectives)
    assert recorded._recorded._graphs
    monkeypatch.setattr(Recorded, "__call__", run)
    plain = learned(name, colour_env, tiny, objectives=objectives)
    for mine, other in zip(weights(recorded.policy), weights(plain.policy), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_gpu) for name in AGENTS])
def test_a_restored_agent_forgets_its_recordings_and_goes_on(name: str, colour_env: Any, tiny: Any) -> None:
    agent = learned(name, colour_env, tiny)
    state, before = agent.get_state(), weights(agent.policy)
    agent.learn(96, reset_num_timesteps=False)
    agent.set_state(state)
    assert not agent._recorded._graphs
    assert same(weights(agent.policy), before)
    agent.learn(96, reset_num_timesteps=False)
    assert not same(weights(agent.policy), before)
    assert all(torch.isfinite(value).all() for value in weights(agent.policy) if value.is_floating_point())
