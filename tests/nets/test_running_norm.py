"""Statistics of all training batches, and of nothing else."""

import torch

from robossl.nets.running_norm import RunningNorm


def test_statistics_equal_those_of_all_batches_together() -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [3 + 2 * torch.randn(size, 4, generator=generator) for size in (5, 64, 17)]
    norm = RunningNorm(4)
    for batch in batches:
        norm.learn(batch)
    everything = torch.cat(batches)
    torch.testing.assert_close(norm.mean, everything.mean(0))
    torch.testing.assert_close(norm.variance, everything.var(0, correction=0))


def test_output_has_mean_0_and_deviation_1() -> None:
    batch = torch.tensor([[1.0], [3.0]])
    norm = RunningNorm(1)
    norm.learn(batch)
    torch.testing.assert_close(norm(batch), torch.tensor([[-1.0], [1.0]]))


def test_using_it_does_not_change_it() -> None:
    norm = RunningNorm(2)
    torch.testing.assert_close(norm(torch.ones(8, 2)), torch.ones(8, 2))
    assert norm.count == 0


def test_what_was_never_seen_is_clipped() -> None:
    norm = RunningNorm(1)
    norm.learn(torch.tensor([[-1.0], [1.0]]))
    assert norm(torch.tensor([[1e9]])).item() == 10.0


def test_what_deviates_by_less_than_a_thousandth_is_scaled_by_a_thousand() -> None:
    batch = torch.tensor([[1e-4, 2e-3], [-1e-4, -2e-3]])
    norm = RunningNorm(2)
    norm.learn(batch)
    torch.testing.assert_close(norm(batch), torch.tensor([[0.1, 1.0], [-0.1, -1.0]]))
