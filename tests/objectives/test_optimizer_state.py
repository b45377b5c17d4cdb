import pytest
import torch

from robossl.objectives.optimizer_state import optimizer_tree, restore_optimizer


def trained(*shapes, learning_rate=0.1):
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in shapes]
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    torch.stack([parameter.pow(2).sum() for parameter in parameters]).sum().backward()
    optimizer.step()
    return optimizer


def test_the_tree_names_parameters_by_their_index():
    tree = optimizer_tree(trained((2,), (3,)))
    assert tree["learning_rates"] == [0.1]
    assert {index: entries["exp_avg"].shape for index, entries in tree["state"].items()} == {"0": (2,), "1": (3,)}


def test_the_next_step_after_restoring_is_the_same():
    original, other = trained((2,)), trained((2,), learning_rate=0.9)
    original.step()
    restore_optimizer(other, optimizer_tree(original))
    moved = []
    for optimizer in (original, other):
        parameter = optimizer.param_groups[0]["params"][0]
        parameter.data.fill_(5.0)
        parameter.grad.fill_(0.3)
        optimizer.step()
        moved.append(parameter.detach().clone())
    assert torch.equal(*moved)


@pytest.mark.parametrize(
    ("shapes", "message"), [([(2,), (2,)], "there are 1"), ([(3,)], r"of parameter 0 has shape \[3\]")]
)
def test_the_state_of_other_parameters_is_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        restore_optimizer(trained((2,)), optimizer_tree(trained(*shapes)))
