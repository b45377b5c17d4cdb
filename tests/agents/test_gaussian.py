import torch
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from robossl.agents import gaussian


def parameters(scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(5, 3, generator=generator), 0.5 * torch.randn(5, 3, generator=generator)


def test_log_prob_and_entropy_are_those_of_torch() -> None:
    mean, log_std = parameters()
    reference = Independent(Normal(mean, log_std.exp()), 1)
    value = mean + 0.7
    torch.testing.assert_close(gaussian.log_prob(value, mean, log_std), reference.log_prob(value))
    torch.testing.assert_close(gaussian.entropy(log_std), reference.entropy())


def test_squashed_log_prob_is_that_of_torch() -> None:
    mean, log_std = parameters()
    action, log_prob = gaussian.sample_squashed(mean, log_std, torch.Generator().manual_seed(1))
    reference = TransformedDistribution(Independent(Normal(mean, log_std.exp()), 1), TanhTransform(cache_size=0))
    torch.testing.assert_close(log_prob, reference.log_prob(action), atol=1e-4, rtol=1e-4)


def test_squashed_log_prob_is_finite_where_tanh_is_one() -> None:
    mean = torch.full((2, 3), 30.0, requires_grad=True)
    action, log_prob = gaussian.sample_squashed(mean, torch.zeros(2, 3), torch.Generator().manual_seed(0))
    log_prob.sum().backward()
    assert (action == 1.0).all()
    assert torch.isfinite(log_prob).all()
    assert torch.isfinite(mean.grad).all()


def test_a_generator_repeats_the_draw_and_none_uses_the_global_one() -> None:
    mean, log_std = parameters()
    first, second = (gaussian.sample(mean, log_std, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        assert torch.equal(gaussian.sample(mean, log_std, None), first)
