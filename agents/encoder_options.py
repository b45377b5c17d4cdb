"""How an agent's encoder starts, and whether and how fast it learns."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from gymnasium import spaces

from robossl.agents.augmentation import AugmentConfig
from robossl.agents.observations import observation_shapes
from robossl.core import UserError
from robossl.data.augment import require_shift
from robossl.nets import EncoderConfig, MultimodalEncoder, seeded_init
from robossl.nets.encoder_files import require_same_shapes
from robossl.objectives import ObjectiveConfig, RepresentationLearner


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """Chooses what happens to the encoder in RL.

    Attributes:
        mode: `scratch` starts from random weights; `finetune` goes on from pretrained ones; `frozen` keeps
            those. A network of vectors beside pictures is pretrained by no objective, and learns in every mode.
        learning_rate: the encoder's own; the agent's where None.
        weights: folder of a pretrained encoder, which has sizes of its own; read by whoever builds the agent.
    """

    mode: Literal["scratch", "finetune", "frozen"] = "scratch"
    learning_rate: float | None = None
    weights: Path | None = None

    def __post_init__(self) -> None:
        """Checks that the choices fit together."""
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise UserError(f"encoder-options.learning-rate must be positive, got {self.learning_rate}")
        if self.mode == "frozen" and self.learning_rate is not None:
            raise UserError("encoder-options.learning-rate has no meaning for a frozen encoder")
        if self.mode == "scratch" and self.weights is not None:
            raise UserError("encoder-options.weights need mode finetune or frozen, got scratch")

    @property
    def frozen(self) -> bool:
        """Tells whether what was pretrained never changes."""
        return self.mode == "frozen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """What an agent sees with, and what trains it beside the agent's own loss.

    Attributes:
        encoder: sizes of a new encoder; without effect where `module` is given.
        module: a pretrained encoder; the agent works on a copy.
        options: how it starts and learns.
        objectives: auxiliary losses.
        augment: how pictures are varied in the agent's batches; not at all where None.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    module: MultimodalEncoder | None = None
    options: EncoderOptions = field(default_factory=EncoderOptions)
    objectives: Sequence[ObjectiveConfig] = ()
    augment: AugmentConfig | None = None

    def __post_init__(self) -> None:
        """Checks that the choices fit together."""
        if (self.module is None) != (self.options.mode == "scratch"):
            given = "no pretrained encoder" if self.module is None else "a pretrained encoder"
            raise UserError(f"encoder-options.mode is {self.options.mode}, but {given} was given")
        if self.options.frozen and self.objectives:
            raise UserError("a frozen encoder learns from no objective: choose mode finetune or leave objectives out")

    def build(self, observation_space: spaces.Dict, seed: int) -> MultimodalEncoder:
        """Builds or copies the encoder.

        Raises:
            UserError: if a pretrained one sees something else than `observation_space`, or `augment` leaves nothing of
                a picture.
        """
        shapes = observation_shapes(observation_space)
        if self.augment is not None:
            require_shift(self.augment.shift_px, [shape for shape, _ in shapes.values()], what="augment.shift-px")
        if self.module is None:
            with seeded_init(seed):
                return MultimodalEncoder(shapes, self.encoder)
        require_same_shapes(self.module.observation, shapes, where="the pretrained encoder")
        encoder = copy.deepcopy(self.module)
        encoder.freeze(self.options.frozen)
        return encoder

    def learner(
        self, encoder: MultimodalEncoder, action_dim: int, *, seed: int, device: torch.device, learning_rate: float
    ) -> RepresentationLearner | None:
        """Builds the auxiliary objectives on the agent's encoder, which the agent's optimiser moves."""
        if not self.objectives:
            return None
        return RepresentationLearner(
            encoder,
            self.objectives,
            action_dim,
            seed=seed,
            device=device,
            learning_rate=learning_rate,
            optimise_encoder=False,
        )
