import torch
import torch.nn.functional as F

from robossl.agents.sac import losses


def test_the_target_takes_the_least_critic_and_the_entropy() -> None:
    target = losses.soft_target(
        reward=torch.tensor([1.0, 2.0]),
        discount=torch.tensor([0.9, 0.0]),
        target_q=torch.tensor([[3.0, 9.0], [2.0, 8.0]]),
        next_log_prob=torch.tensor([-1.0, 5.0]),
        ent_coef=torch.tensor(0.5),
    )
    torch.testing.assert_close(target, torch.tensor([1.0 + 0.9 * (2.0 + 0.5), 2.0]))


def test_the_critics_loss_is_half_the_squared_error_of_each() -> None:
    q, target = torch.tensor([[1.0, 2.0], [0.0, 4.0]]), torch.tensor([1.0, 0.0])
    expected = 0.5 * sum(F.mse_loss(row, target) for row in q)
    torch.testing.assert_close(losses.critic_loss(q, target), expected)


def test_the_actors_loss_by_hand() -> None:
    q, log_prob = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(losses.actor_loss(q, log_prob, torch.tensor(0.2)), torch.tensor((-1.2 + 0.2) / 2))


def test_temperature_rises_while_entropy_is_below_its_target() -> None:
    log_ent_coef = torch.zeros(1, requires_grad=True)
    log_prob = torch.tensor([3.0, 1.0], requires_grad=True)  # entropy -2
    losses.temperature_loss(log_ent_coef, log_prob, target_entropy=-1.0).backward()
    assert log_ent_coef.grad.item() == -1.0  # descent raises it
    assert log_prob.grad is None
