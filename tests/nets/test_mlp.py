import torch
from torch import nn

from robossl.nets import mlp, seeded_init
from robossl.nets.ema import follow, frozen_copy
from robossl.nets.mlp import orthogonal_init


def test_layers_of_a_perceptron():
    kinds = [type(layer).__name__ for layer in mlp((3, 4, 5), batch_norm=True)]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert [type(layer).__name__ for layer in mlp((3, 5))] == ["Linear"]


def test_orthogonal_weights_keep_lengths_up_to_the_relu_gain():
    with seeded_init(0):
        net = mlp((6, 6))
        orthogonal_init(net)
    weight = net[0].weight
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(6))
    assert not net[0].bias.any()


def test_a_target_moves_by_tau_and_never_gets_a_gradient():
    with seeded_init(0):
        source = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    target = frozen_copy(source)
    before = target[0].weight.clone()
    source(torch.rand(8, 2)).sum().backward()
    with torch.no_grad():
        source[0].weight.add_(1.0)
    follow(target, source, 0.25)
    torch.testing.assert_close(target[0].weight, before + 0.25)
    assert torch.equal(target[1].running_mean, source[1].running_mean)
    assert all(not p.requires_grad and p.grad is None for p in target.parameters())
    assert all(p.requires_grad for p in source.parameters())
