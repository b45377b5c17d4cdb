"""On a GPU, recorded updates do what the same updates do when they are run; elsewhere nothing is recorded."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from agent_checks import same, weights

from robossl.agents import PPO, SAC, AugmentConfig, PPOConfig, Representation, SACConfig
from robossl.data.batches import WindowBatch
from robossl.nets.recorded import Recorded
from robossl.objectives import InverseDynamicsConfig, LatentPredictionConfig, TOVVICRegConfig

needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
OFF_POLICY = SACConfig(
    learning_starts=64, buffer_size=2_000, batch_size=32, gradient_steps=4, policy_frequency=2, n_steps=2
)
AGENTS = {
    "sac": (SAC, OFF_POLICY),
    "sac with pink noise": (SAC, replace(OFF_POLICY, noise="pink")),
    "ppo": (PPO, PPOConfig(n_steps=16, batch_size=24, n_epochs=3, learning_rate_schedule="linear")),
}


@dataclass(frozen=True)
class Batch:
    obs: dict[str, torch.Tensor]
    reward: torch.Tensor


def run(_: Recorded, work: Callable[[Any], Any], batch: Any, *variant: Any) -> Any:
    return work(batch, *variant)


def learned(name: str, colour_env: Any, tiny: Any, steps: int = 160, objectives: Any = ()) -> Any:
    algorithm, config = AGENTS[name]
    representation = Representation(encoder=tiny, augment=AugmentConfig(shift_px=1), objectives=objectives)
    agent = algorithm.from_config(config, colour_env(), representation=representation, seed=0, device="cuda")
    agent.learn(steps)
    return agent


def test_on_a_processor_updates_just_run() -> None:
    seen = []

    def work(batch: Batch, variant: str) -> dict[str, torch.Tensor]:
        assert variant == "variant"
        seen.append(batch)
        return {"loss": batch.reward.mean()}

    recorded, batch = Recorded(torch.device("cpu"), []), Batch({"a": torch.ones(2)}, torch.ones(3))
    for _ in range(6):
        assert recorded(work, batch, "variant")["loss"] == 1.0
    assert len(seen) == 6
    assert all(one is batch for one in seen)


class Graph:
    """What CUDA does, on a processor: work is called while it is recorded, and again when it is repeated."""

    def __init__(self) -> None:
        self.num_replays = 0

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generator = generator

    def replay(self) -> None:
        self.num_replays += 1


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    made: list[Graph] = []

    def new() -> Graph:
        made.append(Graph())
        return made[-1]

    def quiet(*arguments: Any, **options: Any) -> Any:
        return nullcontext(MagicMock())

    monkeypatch.setattr(torch.cuda, "CUDAGraph", new)
    monkeypatch.setattr(torch.cuda, "Stream", MagicMock())
    for name in ("graph", "device", "stream"):
        monkeypatch.setattr(torch.cuda, name, quiet)
    for name in ("current_stream", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, MagicMock())
    return made


def test_each_variant_runs_three_times_then_is_recorded_and_repeated(graphs: list[Graph]) -> None:
    seen: list[tuple[float, str]] = []

    def work(batch: Batch, variant: str) -> dict[str, torch.Tensor]:
        seen.append((float(batch.reward[0]), variant))
        return {"loss": batch.reward.sum()}

    recorded = Recorded(torch.device("cuda"), [torch.Generator()])
    for number in range(6):
        recorded(work, Batch({}, torch.full((2,), float(number))), "a")
    assert seen == [(0.0, "a"), (1.0, "a"), (2.0, "a"), (3.0, "a")]  # the fourth time it was recorded
    assert [graph.num_replays for graph in graphs] == [3]
    assert next(iter(recorded._graphs.values()))[1].reward.tolist() == [5.0, 5.0]  # its own batch, filled anew
    for _ in range(4):
        recorded(work, Batch({}, torch.ones(3)), "a")  # another shape, another variant
    assert [graph.num_replays for graph in graphs] == [3, 1]
    recorded.forget()
    recorded(work, Batch({}, torch.ones(3)), "a")
    assert len(graphs) == 2


def test_a_number_of_a_batch_is_kept_with_its_recording(graphs: list[Graph]) -> None:
    seen: list[int] = []

    def work(batch: WindowBatch) -> dict[str, torch.Tensor]:
        seen.append(batch.frame_stack)
        return {}

    batch = WindowBatch({}, *(torch.ones(2, 3) for _ in range(4)), frame_stack=3)
    recorded = Recorded(torch.device("cuda"), [])
    for _ in range(4):
        recorded(work, batch)
    assert seen == [3, 3, 3, 3]
    assert [graph.num_replays for graph in graphs] == [1]


def test_the_recordings_used_longest_ago_are_dropped(graphs: list[Graph]) -> None:
    recorded = Recorded(torch.device("cuda"), [])
    for name in "abcdefghi":
        for _ in range(4):
            recorded(lambda batch, variant: {}, torch.ones(1), name)
    assert len(recorded._graphs) == 8
    assert len(graphs) == 9
    recorded(lambda batch, variant: {}, torch.ones(1), "i")
    recorded(lambda batch, variant: {}, torch.ones(1), "a")  # is recorded again at once
    assert len(graphs) == 10


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
