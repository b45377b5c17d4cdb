"""Puts the parts together: environments, encoders, agents and policies, from settings."""

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from robossl.agents import PPO, SAC
from robossl.agents.encoder_options import EncoderOptions, Representation
from robossl.agents.ppo.config import PPOConfig
from robossl.agents.sac.config import SACConfig
from robossl.agents.state import restore_networks
from robossl.cli.presets import load_preset
from robossl.cli.settings import TrainSettings
from robossl.core import ArraySpec, BatchEnv, Policy, Stream, UserError
from robossl.core.errors import suggestion
from robossl.core.processor import num_cores
from robossl.core.registry import AGENTS, load
from robossl.core.specs import image_keys
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.draws import FastDraws
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.nets import MultimodalEncoder
from robossl.training.checkpoint import BEST, LAST, Checkpoint, complete_checkpoints, find_checkpoint
from robossl.training.policy import AgentPolicy, RandomPolicy

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)


@contextmanager
def opened_env(config: EnvConfig, seed: int, stream: Stream) -> Iterator[BatchEnv]:
    """Builds an environment and closes it in the end."""
    env = make_env(config, WorldSeed(seed=seed, stream=stream))
    try:
        yield env
    finally:
        env.close()


def prepare_processor(num_threads: int | None) -> None:
    """Sets torch's threads, on whose number a closed loop's results depend, and keeps freed memory for the next batch.

    glibc hands large blocks back to the system, which must clear them anew for every batch: a tenth to a third of an
    update's time on a CPU (measured in docs/speed.md).
    """
    torch.set_num_threads(num_threads or num_cores())
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)


def resolved(settings: TrainSettings) -> TrainSettings:
    """Returns the settings with everything filled in that depends on this machine, so that a run repeats elsewhere."""
    env = replace(settings.env, num_threads=settings.env.num_threads or num_cores())
    threads = settings.num_threads or num_cores()
    return replace(settings, env=env, num_threads=threads, device=device_name(settings.device))


def device_name(device: str) -> str:
    """Returns the device that `auto` stands for, and checks any other.

    Raises:
        UserError: if there is no such device here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).item()  # `meta` holds nothing
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise UserError(f"device {device!r} cannot be used: {reason}") from error
    return device


def make_agent(settings: TrainSettings, env: BatchEnv, encoder: MultimodalEncoder | None) -> PPO | SAC:
    """Builds the agent in `env`, seeing through the pretrained `encoder` where there is one."""
    vec_env = SB3VecEnv(env, frame_stack=settings.frame_stack)
    representation = Representation(
        encoder=settings.encoder,
        module=encoder,
        options=settings.encoder_options,
        objectives=settings.objectives,
        augment=settings.augment,
    )
    algorithm = load(AGENTS, settings.agent.kind, what="agent")
    agent: PPO | SAC = algorithm.from_config(
        settings.agent, vec_env, representation=representation, seed=settings.seed, device=settings.device
    )
    return agent


def note_single_frames(frame_stack: int, observation: dict[str, ArraySpec]) -> None:
    """Tells which pictures are not stacked, where stacks are asked for."""
    single = [key for key, spec in observation.items() if spec.is_image and key not in image_keys(observation)]
    if frame_stack > 1 and single:
        names = ", ".join(single)
        print(f"frame_stack {frame_stack} joins colours alone; one frame at a time: {names}", file=sys.stderr)


def load_settings(run_folder: Path) -> TrainSettings:
    """Reads a run's settings.

    Raises:
        UserError: if the folder is not a run.
    """
    if not (run_folder / "config.yaml").is_file():
        raise UserError(f"{run_folder} is not a run: it has no config.yaml")
    return load_preset("train", str(run_folder / "config.yaml"), TrainSettings)


def load_agent(run_folder: Path, settings: TrainSettings, env: BatchEnv, which: str) -> PPO | SAC:
    """Builds the run's agent with the weights of a checkpoint: `best`, `last`, or a step.

    Raises:
        UserError: if there is none, or `env` shows something else than the agent was trained on.
        CorruptFileError: if it is damaged.
    """
    checkpoint = load_checkpoint(run_folder, which)
    checkpoint.require_spec(env.spec)
    agent = make_agent(_acting(settings, env), env, None)
    restore_networks(agent.policy, {}, checkpoint.tree("agent")["networks"])
    return agent


def load_checkpoint(run_folder: Path, which: str) -> Checkpoint:
    """Finds a run's checkpoint: `best`, `last`, or a step. Where none was the best yet, the last one is.

    Raises:
        UserError: if there is none.
        CorruptFileError: if it is damaged.
    """
    path = find_checkpoint(run_folder, which)
    if path is None and which == BEST:
        path = find_checkpoint(run_folder, LAST)
    if path is None:
        steps = [str(int(found.name)) for found in complete_checkpoints(run_folder / "checkpoints")]
        hint = suggestion(which, [BEST, LAST, *steps]) if steps else ""
        raise UserError(f"{run_folder} has no checkpoint {which!r}{hint}")
    return Checkpoint(path)


def _acting(settings: TrainSettings, env: BatchEnv) -> TrainSettings:
    """Leaves out what only learning needs: objectives, augmentation, pretrained weights, room for experience."""
    agent: PPOConfig | SACConfig = settings.agent
    if isinstance(agent, SACConfig):
        agent = replace(agent, buffer_size=1_000 + 8 * env.num_worlds)
    else:
        agent = replace(agent, n_steps=2, batch_size=2 * env.num_worlds)
    return replace(settings, agent=agent, objectives=(), augment=None, encoder_options=EncoderOptions())


def make_policy(name: str, env: BatchEnv, *, seed: int, hold_steps: float = 1.0) -> Policy:
    """Builds the policy `random` or `expert`.

    Raises:
        UserError: if the environment has no expert.
    """
    if name == "expert":
        expert = env.expert()
        if expert is None:
            raise UserError(f"{env.spec.id} has no scripted expert")
        return expert
    return RandomPolicy(env, seed=seed, hold_steps=hold_steps, draws=FastDraws)


def agent_policy(
    agent: PPO | SAC, settings: TrainSettings, env: BatchEnv, *, deterministic: bool = True
) -> AgentPolicy:
    """Shows the agent what it was trained on."""
    observation = env.spec.observation
    return AgentPolicy(agent, observation, frame_stack=settings.frame_stack, deterministic=deterministic)
