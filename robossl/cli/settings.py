"""What each verb can be told: one dataclass a verb, composed of the components' own configs."""

from dataclasses import dataclass, field
from pathlib import Path

from robossl.agents.augmentation import AugmentConfig
from robossl.agents.encoder_options import EncoderOptions
from robossl.agents.ppo.config import PPOConfig
from robossl.agents.sac.config import SACConfig
from robossl.core import UserError
from robossl.core.processor import require_num_threads
from robossl.envs import EnvConfig
from robossl.nets import EncoderConfig
from robossl.objectives import ObjectiveConfig, TOVVICRegConfig, require_batch_size
from robossl.training.collect import CollectConfig
from robossl.training.evaluations import EvaluationConfig
from robossl.training.pretrain import PretrainConfig
from robossl.training.probe import ProbeConfig
from robossl.training.train import TrainLoopConfig

TEST_SEED_OFFSET = 10_000
"""Final figures come from worlds of the run's seed plus this: the best checkpoint was chosen on other ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSettings:
    """Gathers trial-and-error data: episodes on disk.

    Attributes:
        env: where.
        collect: how much, and who acts.
        seed: of the worlds and of the random policy.
        log_folder: datasets go to <log folder>/data/<name> unless a folder is given.
    """

    env: EnvConfig = field(default_factory=EnvConfig)
    collect: CollectConfig = field(default_factory=CollectConfig)
    seed: int = 0
    log_folder: Path = Path("runs")

    def __post_init__(self) -> None:
        """Checks the seed."""
        require_seed(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainSettings:
    """Learns an encoder from episodes, without labels.

    Attributes:
        encoder: its sizes.
        frame_stack: pictures joined along the channels.
        objectives: what it learns from.
        pretrain: how long and how fast.
        probe: how its features are judged on held-out episodes.
        seed: of weights, windows and augmentation.
        device: cpu, cuda, cuda:1, or auto.
        num_threads: of torch; all cores where None.
        log_folder: runs go to <log folder>/<preset>/<n>.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    frame_stack: int = 3
    objectives: tuple[ObjectiveConfig, ...] = (TOVVICRegConfig(),)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    seed: int = 0
    device: str = "auto"
    num_threads: int | None = None
    log_folder: Path = Path("runs")

    def __post_init__(self) -> None:
        """Checks the numbers."""
        _require_counts(frame_stack=self.frame_stack)
        require_batch_size(self.objectives, self.pretrain.batch_size, what="pretrain.batch-size")
        require_num_threads("num-threads", self.num_threads)
        require_seed(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainStage:
    """What `train` does first: collect and pretrain, or reuse what the same settings have made before.

    Attributes:
        collect: how much, and who acts.
        objectives: what the encoder learns from.
        pretrain: how long and how fast.
        probe: how its features are judged.
    """

    collect: CollectConfig = field(default_factory=CollectConfig)
    objectives: tuple[ObjectiveConfig, ...] = (TOVVICRegConfig(),)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)

    def __post_init__(self) -> None:
        """Checks that the objectives can learn from such batches."""
        require_batch_size(self.objectives, self.pretrain.batch_size, what="pretrain.pretrain.batch-size")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """Trains an agent.

    Attributes:
        env: where.
        frame_stack: pictures joined along the channels.
        agent: the algorithm and its hyper-parameters.
        encoder: sizes of the encoder.
        encoder_options: whether and how fast the encoder learns.
        augment: how pictures are varied in the agent's batches; not at all where None.
        objectives: auxiliary losses beside the agent's own.
        pretrain: what happens first; nothing where None.
        loop: how long, and what happens how often.
        evaluation: of the agent while it trains.
        test_episodes: unseen worlds in the final figures.
        seed: of all that is random in the run.
        device: cpu, cuda, cuda:1, or auto.
        num_threads: of torch; all cores where None.
        log_folder: runs go to <log folder>/<preset>/<n>.
    """

    env: EnvConfig = field(default_factory=EnvConfig)
    frame_stack: int = 1
    agent: PPOConfig | SACConfig = field(default_factory=PPOConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    encoder_options: EncoderOptions = field(default_factory=EncoderOptions)
    augment: AugmentConfig | None = None
    objectives: tuple[ObjectiveConfig, ...] = ()
    pretrain: PretrainStage | None = None
    loop: TrainLoopConfig = field(default_factory=TrainLoopConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    test_episodes: int = 64
    seed: int = 0
    device: str = "auto"
    num_threads: int | None = None
    log_folder: Path = Path("runs")

    def __post_init__(self) -> None:
        """Checks the numbers."""
        _require_counts(frame_stack=self.frame_stack, test_episodes=self.test_episodes)
        require_batch_size(self.objectives, self.agent.aux_batch_size, what="agent.aux-batch-size")
        require_num_threads("num-threads", self.num_threads)
        require_seed(self.seed)


def require_seed(seed: int | None) -> None:
    """Checks that a seed leaves room for the test worlds.

    Raises:
        UserError: with what was given.
    """
    if seed is not None and not 0 <= seed < 2**32 - TEST_SEED_OFFSET:
        raise UserError(f"seed must be in 0..{2**32 - TEST_SEED_OFFSET - 1}, got {seed}")


def _require_counts(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise UserError(f"{name.replace('_', '-')} must be at least 1, got {value}")
