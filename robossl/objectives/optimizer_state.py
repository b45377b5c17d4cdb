"""An optimiser's state as a plain tree of tensors and numbers, which a checkpoint can store without pickle."""

import torch

from robossl.core import Tree


def optimizer_tree(optimizer: torch.optim.Optimizer) -> Tree:
    """Returns {"learning_rates": [per group], "state": {parameter index: {name: tensor or number}}}; copies."""
    return {
        "learning_rates": [float(group["lr"]) for group in optimizer.param_groups],
        "state": {str(index): _copied(entries) for index, entries in optimizer.state_dict()["state"].items()},
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tree: Tree) -> None:
    """Puts back what `optimizer_tree` returned; everything but learning rates stays as the optimiser was built.

    Raises:
        ValueError: if it was taken from an optimiser of other parameters.
    """
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    rates = tree["learning_rates"]
    if len(rates) != len(groups):
        raise ValueError(
            f"saved were {len(rates)} groups of parameters that learn, here are {len(groups)}"
            " (since 0.2 the network of vectors beside a frozen encoder's pictures learns)"
        )
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = torch.full_like(group["lr"], rate) if isinstance(group["lr"], torch.Tensor) else rate
    for index, entries in tree["state"].items():
        if int(index) >= len(parameters):
            raise ValueError(f"optimiser state of parameter {index}, but there are {len(parameters)}")
        for name, value in entries.items():
            if isinstance(value, torch.Tensor) and value.ndim and value.shape != parameters[int(index)].shape:
                raise ValueError(f"{name} of parameter {index} has shape {list(value.shape)}")
    state = {int(index): _copied(entries) for index, entries in tree["state"].items()}
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _copied(entries: Tree) -> Tree:
    """Copies tensors: the optimiser changes its own in place, and neither gives nor takes copies itself."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else value for name, value in entries.items()
    }
