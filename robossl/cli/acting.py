"""Who acts, and where: a run's agent in its own environment, or random or scripted actions in any."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from robossl.cli.compose import (
    agent_policy,
    device_name,
    load_agent,
    load_settings,
    make_policy,
    opened_env,
    prepare_processor,
)
from robossl.cli.profiles import load_profile, profile_motion
from robossl.cli.settings import TEST_SEED_OFFSET, TrainSettings, require_seed
from robossl.core import BatchEnv, Policy, Stream, UsageError, UserError
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.envs import EnvConfig
from robossl.envs.config import Difficulty, EngineName
from robossl.envs.engines import delay_steps
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.randomisation import Span
from robossl.envs.sensor_model import SensorModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingConfig:
    """Chooses who acts, and in which worlds.

    Attributes:
        policy: the run's agent, or random or scripted actions.
        checkpoint: of the run: best, last, or a step.
        deterministic: the agent's mean action is taken, unless switched off: then one is drawn from its distribution,
            which differs with the number of worlds that are stepped together.
        env: id of an environment, where no run is given.
        difficulty: easy, medium or hard, for tasks that have levels; the run's own where None.
        engine: of the physics, mujoco, bullet or warp; the run's own where None.
        delay_ms: from an observation to the moment when its command takes effect, in whole physics steps: what
            `robossl bridge --latency-test` measured, say. As in the run where None.
        profile: leads an arm's joints as this robot profile's guard and controller do; as in the run where None.
        seed: of the worlds; where None, one whose worlds no training has seen and no checkpoint was chosen on.
        device: cpu, cuda, cuda:1, or auto; the run's own where None.
        randomise: as `env.randomise` of `train`; what is not named is as it was in the run.
        sensors: as `env.sensors` of `train`, likewise.
    """

    policy: Literal["agent", "random", "expert"] = "agent"
    checkpoint: str = "best"
    deterministic: bool = True
    env: str | None = None
    difficulty: Difficulty | None = None
    engine: EngineName | None = None
    delay_ms: float | None = None
    profile: str | None = None
    seed: int | None = None
    device: str | None = None
    randomise: dict[str, float | Span] = field(default_factory=dict)
    sensors: dict[str, SensorModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the numbers, and refuses what would be ignored."""
        require_seed(self.seed)
        if self.delay_ms is not None and not 0 <= self.delay_ms < math.inf:
            raise UserError(f"delay-ms must be finite and not negative, got {self.delay_ms:g}")
        for_agents = {
            f"--checkpoint {self.checkpoint}": self.checkpoint != "best",
            "--no-deterministic": not self.deterministic,
            f"--device {self.device}": self.device is not None,
        }
        flag = next((flag for flag, is_given in for_agents.items() if is_given), None)
        if self.policy != "agent" and flag is not None:
            raise UsageError(f"{flag} is for a run's agent; --policy {self.policy} has none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A policy in its worlds.

    Attributes:
        seed: of the worlds.
        home: the engine of the run, in which its agent learnt, or what an environment has by itself.
        delay_ms: the delay that acts where one was asked for: whole physics steps.
    """

    env: BatchEnv
    policy: Policy
    seed: int
    home: EngineName
    delay_ms: float | None


def acting_like(run_folder: Path | None) -> ActingConfig:
    """Returns what the flags of a command override: as it was in the run, where one is given.

    What is no run is told by whoever opens it, after a mistake in the flags.
    """
    with suppress(UserError):
        if run_folder is not None:
            env = load_settings(run_folder).env
            return ActingConfig(randomise=env.randomise, sensors=env.sensors)
    return ActingConfig()


@contextmanager
def opened_actor(run_folder: Path | None, config: ActingConfig, *, num_worlds: int) -> Iterator[Actor]:
    """Opens the environment of a run, or the one that `config` names, with whoever acts in it.

    Raises:
        UserError: if the arguments contradict each other, or the run or its checkpoint cannot be used.
    """
    settings = _settings(run_folder, config)
    home = settings.env.engine
    profile = load_profile(config.profile) if config.profile else None
    env_config = replace(
        settings.env,
        num_worlds=num_worlds,
        difficulty=config.difficulty or settings.env.difficulty,
        engine=config.engine or home,
        delay_s=settings.env.delay_s if config.delay_ms is None else config.delay_ms / 1e3,
        motion=profile_motion(profile) if profile else settings.env.motion,
        device=settings.env.device if config.engine in (None, home) else None,
        randomise={**settings.env.randomise, **config.randomise},
        sensors={**settings.env.sensors, **config.sensors},
    )
    prepare_processor(settings.num_threads)
    seed = settings.seed + TEST_SEED_OFFSET if config.seed is None else config.seed
    with _led_env(env_config, seed, profile) as env:
        delay_ms = _acting_delay_ms(env, config.delay_ms)
        if run_folder is not None and config.policy == "agent":
            settings = replace(settings, device=device_name(config.device or settings.device))
            agent = load_agent(run_folder, settings, env, config.checkpoint)
            policy: Policy = agent_policy(agent, settings, env, deterministic=config.deterministic)
        else:
            policy = make_policy(config.policy, env, seed=seed)
        yield Actor(env=env, policy=policy, seed=seed, home=home, delay_ms=delay_ms)


@contextmanager
def _led_env(config: EnvConfig, seed: int, profile: RobotProfile | None) -> Iterator[BatchEnv]:
    """Opens the worlds, with joints led as by the profile, where one is given.

    Raises:
        UserError: naming the profile, if the environment has no such joints.
    """
    with ExitStack() as stack:
        try:
            env = stack.enter_context(opened_env(config, seed, Stream.EVAL))
        except UserError as error:
            if profile is None or not str(error).startswith("env.motion"):
                raise
            raise UserError(f"profile {profile.name} does not fit {config.id}: {error}") from error
        if profile:
            _require_same_joints(profile, env)
        yield env


def _acting_delay_ms(env: BatchEnv, delay_ms: float | None) -> float | None:
    """Returns the delay that acts where one was asked for."""
    if not delay_ms:
        return delay_ms
    engine: MujocoEngine = env.engine  # type: ignore[attr-defined]
    return round(delay_steps(engine, delay_ms / 1e3) * 1e3 * float(engine.model.opt.timestep), 9)


def _require_same_joints(profile: RobotProfile, env: BatchEnv) -> None:
    """Checks that the profile's numbers were taken for the joints that they are of."""
    assert isinstance(profile.limits, ArmLimits)
    assert env.spec.motion is not None
    theirs, ours = tuple(joint.model for joint in profile.limits.joints), env.spec.motion.joints
    if theirs != ours:
        raise UserError(f"profile {profile.name} is of joints {', '.join(theirs)}; {env.spec.id} has {', '.join(ours)}")


def _settings(run_folder: Path | None, config: ActingConfig) -> TrainSettings:
    if run_folder is not None:
        if config.env is not None:
            raise UsageError("give a run or --env ID, not both: a run's agent acts in its own environment")
        return load_settings(run_folder)
    if config.env is None or config.policy == "agent":
        raise UsageError("give a run, or --env ID with --policy random or expert")
    return TrainSettings(env=EnvConfig(id=config.env))
