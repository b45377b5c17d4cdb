"""Small agents on the counting environment, and what exporting them takes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from robossl.agents import PPO, SAC, PPOConfig, Representation, SACConfig
from robossl.core import ArraySpec, CommandSpec
from robossl.core.contract import TrainedOn
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.export import bundle
from robossl.export.bundle import Source
from robossl.export.graph import PolicyGraph, to_onnx
from robossl.nets import EncoderConfig
from robossl.training.evaluate import EvalResult, evaluate
from robossl.training.policy import AgentPolicy

FRAME_STACK = 2
TINY = EncoderConfig(channels=(4,), kernels=(3,), strides=(2,), image_features=8, vector_hidden=(), vector_features=8)
COMMANDS = (
    CommandSpec(name="turn_rad_s", unit="rad/s", source=1, scale=-0.5, offset=0.25, low=-0.25, high=0.5),
    CommandSpec(name="speed_m_s", unit="m/s", source=None, scale=0.0, offset=2.0, low=2.0, high=2.0),
)
PROPRIO = ArraySpec(
    shape=(3,), names=("world_rad", "episode_rad_s", "step"), units=("rad", "rad/s", "1"), joints=("hip", "hip", "")
)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def converted_once() -> Any:
    """Remembers graphs by their weights: converting takes seconds, however small they are."""
    known: dict[bytes, bytes] = {}

    def remembered(graph: PolicyGraph) -> bytes:
        key = b"".join(value.numpy().tobytes() for value in graph.state_dict().values())
        if key not in known:
            known[key] = to_onnx(graph)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "to_onnx", remembered)
        yield


@pytest.fixture(scope="session")
def counting(counter_env: Any) -> Callable[[], Any]:
    """Makes the environment, with named elements and commands."""

    def make() -> Any:
        env = counter_env(4)
        env.spec = replace(
            env.spec,
            observation={"rgb_front": env.spec.observation["rgb_front"], "proprio": PROPRIO},
            commands=COMMANDS,
        )
        return env

    return make


@pytest.fixture(scope="session", params=["sac", "ppo"])
def agent(request: pytest.FixtureRequest, counting: Callable[[], Any]) -> PPO | SAC:
    """A little trained: statistics and weights are no longer those of the start."""
    vec_env = SB3VecEnv(counting(), frame_stack=FRAME_STACK)
    agent: PPO | SAC
    if request.param == "sac":
        config = SACConfig(buffer_size=500, batch_size=8, learning_starts=16, gradient_steps=2, hidden=(16,))
        agent = SAC.from_config(config, vec_env, representation=Representation(encoder=TINY), device="cpu")
    else:
        config_ppo = PPOConfig(n_steps=8, batch_size=16, hidden=(16,))
        agent = PPO.from_config(config_ppo, vec_env, representation=Representation(encoder=TINY), device="cpu")
    agent.learn(64)
    return agent


@pytest.fixture(scope="session")
def make_source(counting: Callable[[], Any]) -> Callable[[Any], Source]:
    """Returns what `export_bundle` needs to export an agent."""

    def make(agent: Any) -> Source:
        def rollout(predictor: Any) -> EvalResult:
            env = counting()
            return evaluate(env, AgentPolicy(predictor, env.spec.observation, frame_stack=FRAME_STACK), 8)

        trained_on = TrainedOn(env="test/Counter-v0", engine="none", render=None, agent="any", run="toy/1", step=64)
        return Source(
            agent=agent,
            spec=counting().spec,
            frame_stack=FRAME_STACK,
            trained_on=trained_on,
            explore=rollout,
            rollout=rollout,
            command="robossl export toy/1",
        )

    return make
