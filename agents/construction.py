"""What building any agent has in common: spaces, seeds, encoder, policy and objectives."""

from typing import Any

import torch
from stable_baselines3.common.preprocessing import get_action_dim

from robossl.agents.encoder_options import Representation
from robossl.agents.observations import require_supported
from robossl.agents.seeds import Seeds, derive_seeds
from robossl.objectives import require_batch_size


def build_agent(agent: Any, **policy_kwargs: Any) -> Seeds:
    """Gives an agent its learning rate, generator, policy and objectives.

    SB3's global generators and the environment are seeded too, as by SB3 itself.

    Args:
        agent: one of ours, whose own and SB3's attributes are set.
        policy_kwargs: for the policy, beside the encoder.

    Returns:
        The seeds, for what else the agent builds.

    Raises:
        UserError: if the spaces or the encoder do not fit.
    """
    require_supported(agent.env, agent.observation_space, agent.action_space)
    representation: Representation = agent.representation
    require_batch_size(representation.objectives, agent.aux_batch_size, what="agent.aux-batch-size")
    agent._setup_lr_schedule()
    agent.set_random_seed(agent.seed)
    seeds = derive_seeds(agent.seed)
    agent.generator = torch.Generator(agent.device).manual_seed(seeds.training)
    policy = agent.policy_class(
        agent.observation_space,
        agent.action_space,
        agent.lr_schedule,
        encoder=representation.build(agent.observation_space, seeds.encoder),
        seed=seeds.heads,
        encoder_rate=representation.options.learning_rate,
        **policy_kwargs,
    )
    agent.policy = policy.to(agent.device)
    agent.learner = representation.learner(
        agent.policy.encoder,
        get_action_dim(agent.action_space),
        seed=seeds.objectives,
        device=agent.device,
        learning_rate=agent.lr_schedule(1.0),
    )
    return seeds
