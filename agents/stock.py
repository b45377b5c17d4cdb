"""A zip that plain stable-baselines3 loads without robossl: stock policies, our encoder by value, weights only.

The zip holds a pickle, as all of SB3's do: its reader executes what is in it. robossl writes such files and never loads
one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import stable_baselines3
import torch
from torch import Tensor, nn

import robossl.core
import robossl.nets
from robossl.agents.ppo import PPO
from robossl.agents.sac import SAC
from robossl.core.errors import UserError
from robossl.core.protocols import Obs
from robossl.nets import MultimodalEncoder

_TOLERANCE = 1e-5


def save_stock(agent: PPO | SAC, path: Path, sample: Obs) -> float:
    """Writes the agent as a zip of stock parts.

    SB3's critic has no layer norm, so that a SAC agent leaves its critic behind: the zip acts, and would have to learn
    a critic anew. PPO's is complete.

    Args:
        agent: whose weights.
        path: of the zip.
        sample: {key: [M, ...]} observations on which both must act alike.

    Returns:
        How far their actions are apart at the most.

    Raises:
        UserError: if they do not act alike, or the file cannot be written.
    """
    model = _stock_sac(agent) if isinstance(agent, SAC) else _stock_ppo(agent)
    apart = _difference(agent, model, sample)
    if not apart <= _TOLERANCE:
        raise UserError(f"not exported: the stock policy's actions are {apart:.3g} from the agent's")
    temporary = path.with_name(f".{path.name}.tmp.zip")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _by_value():
            model.save(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return apart


def _stock_sac(agent: SAC) -> stable_baselines3.SAC:
    sizes = _hidden(agent.actor.layers)
    kwargs = {**_extractor(agent), "net_arch": sizes, "share_features_extractor": True}
    model = stable_baselines3.SAC(
        "MultiInputPolicy",
        None,  # type: ignore[arg-type]
        buffer_size=1,
        target_entropy=float(agent.target_entropy),
        policy_kwargs=kwargs,
        device="cpu",
        _init_setup_model=False,
    )
    _set_up(model, agent)
    actor: Any = model.policy.actor
    actor.features_extractor.load_state_dict(agent.policy.encoder.state_dict())
    *hidden, last = _linears(agent.actor.layers)
    mean, log_std = ({name: value.chunk(2)[half] for name, value in last.state_dict().items()} for half in (0, 1))
    _fill([*_linears(actor.latent_pi), actor.mu, actor.log_std], [*map(_weights, hidden), mean, log_std])
    return model


def _stock_ppo(agent: PPO) -> stable_baselines3.PPO:
    policy = agent.policy
    arch = {"pi": _hidden(policy.actor), "vf": _hidden(policy.critic)}
    kwargs = {**_extractor(agent), "net_arch": arch, "activation_fn": nn.ReLU}
    model = stable_baselines3.PPO("MultiInputPolicy", None, policy_kwargs=kwargs, device="cpu", _init_setup_model=False)  # type: ignore[arg-type]
    _set_up(model, agent)
    stock: Any = model.policy
    stock.features_extractor.load_state_dict(policy.encoder.state_dict())
    layers = stock.mlp_extractor
    _fill([*_linears(layers.policy_net), stock.action_net], list(map(_weights, _linears(policy.actor))))
    _fill([*_linears(layers.value_net), stock.value_net], list(map(_weights, _linears(policy.critic))))
    stock.log_std.data.copy_(policy.log_std.detach())
    return model


def _extractor(agent: PPO | SAC) -> dict[str, Any]:
    return {
        "features_extractor_class": MultimodalEncoder,
        "features_extractor_kwargs": {"config": agent.policy.encoder.config},
        "normalize_images": False,  # the encoder does
    }


def _set_up(model: Any, agent: PPO | SAC) -> None:
    """Builds the networks without an environment, as SB3's own `load` does."""
    model.observation_space, model.action_space, model.n_envs = agent.observation_space, agent.action_space, 1
    model._setup_model()
    model.policy.set_training_mode(False)


def _linears(layers: nn.Module) -> list[nn.Linear]:
    return [layer for layer in layers.modules() if isinstance(layer, nn.Linear)]


def _hidden(layers: nn.Module) -> list[int]:
    return [layer.out_features for layer in _linears(layers)[:-1]]


def _weights(layer: nn.Linear) -> Mapping[str, Tensor]:
    return layer.state_dict()


def _fill(layers: list[nn.Linear], weights: list[Mapping[str, Tensor]]) -> None:
    for layer, values in zip(layers, weights, strict=True):
        layer.load_state_dict(values)


def _difference(agent: PPO | SAC, model: Any, sample: Obs) -> float:
    with torch.no_grad():
        ours, theirs = (each.predict(sample, deterministic=True)[0] for each in (agent, model))
    return float(np.abs(ours - theirs).max())


@contextmanager
def _by_value() -> Iterator[None]:
    """Makes pickles carry our classes themselves instead of the names of modules that the reader may not have."""
    packages = (robossl.core, robossl.nets)
    for package in packages:
        cloudpickle.register_pickle_by_value(package)
    try:
        yield
    finally:
        for package in packages:
            cloudpickle.unregister_pickle_by_value(package)
