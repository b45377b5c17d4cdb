from dataclasses import replace
from pathlib import Path

import pytest

from robossl.agents import EncoderOptions, PPOConfig, Representation, SACConfig
from robossl.core import UserError
from robossl.nets import EncoderConfig, MultimodalEncoder
from robossl.objectives import InverseDynamicsConfig

SHAPES = {"rgb_front": ((3, 8, 8), "uint8"), "proprio": ((2,), "float32")}


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (SACConfig(), {"learning_rate": 0.0}, "agent.learning-rate must be positive, got 0.0"),
        (SACConfig(), {"gamma": 1.5}, r"agent.gamma must be in \[0, 1\], got 1.5"),
        (SACConfig(), {"tau": -0.1}, r"agent.tau must be in \[0, 1\]"),
        (SACConfig(), {"policy_frequency": 0}, "agent.policy-frequency must be at least 1, got 0"),
        (SACConfig(), {"hidden": (64, 0)}, "agent.hidden must be at least 1, got 0"),
        (SACConfig(), {"ent_coef": -1.0}, "agent.ent-coef must be at least 0"),
        (SACConfig(), {"learning_rate": float("nan")}, "agent.learning-rate must be positive, got nan"),
        (SACConfig(), {"target_entropy": float("nan")}, "agent.target-entropy must be finite, got nan"),
        (SACConfig(), {"ent_coef_init": float("inf")}, "agent.ent-coef-init must be finite, got inf"),
        (PPOConfig(), {"n_steps": 0}, "agent.n-steps must be at least 1, got 0"),
        (PPOConfig(), {"batch_size": 1}, "agent.batch-size must be at least 2, got 1"),
        (PPOConfig(), {"gae_lambda": 2.0}, r"agent.gae-lambda must be in \[0, 1\]"),
        (PPOConfig(), {"target_kl": 0.0}, "agent.target-kl must be positive"),
    ],
)
def test_a_number_out_of_range_is_named(config, change, message) -> None:
    with pytest.raises(UserError, match=message):
        replace(config, **change)


def test_what_is_off_is_not_checked() -> None:
    assert SACConfig(max_grad_norm=None, ent_coef=None).kind == "sac"
    assert PPOConfig(target_kl=None, clip_range_vf=None).kind == "ppo"


def test_encoder_options_must_fit_together() -> None:
    with pytest.raises(UserError, match="no meaning for a frozen encoder"):
        EncoderOptions(mode="frozen", learning_rate=1e-4)
    with pytest.raises(UserError, match="must be positive"):
        EncoderOptions(learning_rate=-1.0)
    with pytest.raises(UserError, match="mode finetune or frozen, got scratch"):
        EncoderOptions(weights=Path("runs/pretrain"))


@pytest.mark.parametrize("mode", ["finetune", "frozen"])
def test_a_pretrained_encoder_is_needed_where_one_is_asked_for(mode) -> None:
    with pytest.raises(UserError, match=f"mode is {mode}, but no pretrained encoder was given"):
        Representation(options=EncoderOptions(mode=mode))


def test_a_pretrained_encoder_is_not_silently_ignored() -> None:
    module = MultimodalEncoder(SHAPES, EncoderConfig(channels=(4,), kernels=(3,), strides=(2,)))
    with pytest.raises(UserError, match="mode is scratch, but a pretrained encoder was given"):
        Representation(module=module)


def test_a_frozen_encoder_takes_no_objectives() -> None:
    module = MultimodalEncoder(SHAPES, EncoderConfig(channels=(4,), kernels=(3,), strides=(2,)))
    with pytest.raises(UserError, match="learns from no objective"):
        Representation(module=module, options=EncoderOptions(mode="frozen"), objectives=(InverseDynamicsConfig(),))
