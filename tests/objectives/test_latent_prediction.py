import pytest
import torch

from robossl.core.errors import UserError
from robossl.objectives.latent_prediction import LatentPrediction, LatentPredictionConfig, cosine_loss
from robossl.objectives.views import ViewConfig

PLAIN = ViewConfig(shift_px=0, jitter=0.0)


def make(encoder, **options):
    torch.manual_seed(0)
    config = LatentPredictionConfig(**{"num_steps": 2, "hidden": 16, "projection": 8, **options})
    return LatentPrediction(config, encoder, 2)


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def test_cosine_loss_of_known_vectors():
    predicted = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
    target = torch.tensor([[5.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [3.0, 4.0]])
    assert cosine_loss(predicted, target).item() == pytest.approx((0 + 2 + 1 + 0.2) / 4)
    torch.testing.assert_close(cosine_loss(7 * predicted, 0.1 * target), cosine_loss(predicted, target))


def test_the_loss_equals_a_reference_written_out(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(6, 3)
    objective = make(encoder, view=PLAIN)
    with torch.no_grad():  # targets that differ from what is online
        for parameter in [*objective.target_encoder.parameters(), *objective.target_projector.parameters()]:
            parameter.mul_(1.1).add_(0.01)
    loss, _ = objective(encoder, windows, generator())
    z, predicted, targets = encoder.encode_pictures(windows.step(0)), [], []
    for t in range(2):
        change = objective.transition[0](torch.cat([z, windows.action[:, t]], dim=1)).clamp(min=0)
        z = z + objective.transition[2](change)
        predicted.append(z)
        targets.append(objective.target_encoder.encode_pictures(windows.step(t + 1)))
    a = objective.predictor(_projected(torch.cat(predicted), objective.projector))
    b = _projected(torch.cat(targets), objective.target_projector)
    expected = 1 - ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).mean()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)


def test_what_follows_an_end_does_not_count(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(8, 3)
    objective = make(encoder, view=PLAIN)
    ended = dots.cut(dots.cut(windows, 2, 1), 5, 0)
    loss, _ = objective(encoder, ended, generator())
    ended.obs["rgb_top"][2, 2:] = 0
    ended.action[5] = -9.0
    torch.testing.assert_close(objective(encoder, ended, generator())[0], loss)
    ended.obs["rgb_top"][2, 1] = 0
    assert not torch.equal(objective(encoder, ended, generator())[0], loss)


def test_without_a_real_step_the_loss_is_zero_and_backward_works(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(2, 3)
    loss, _ = make(encoder)(encoder, dots.cut(dots.cut(windows, 0, 0), 1, 1), generator())
    loss.backward()
    assert loss.item() == 0


def test_actions_matter(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(8, 3)
    objective = make(encoder, view=PLAIN)
    loss, _ = objective(encoder, windows, generator())
    windows.action.neg_()
    assert not torch.equal(objective(encoder, windows, generator())[0], loss)


def test_gradients_reach_what_is_online_and_no_target(dots):
    encoder, (windows, _) = dots.make_encoder(), dots.dot_windows(8, 3)
    objective = make(encoder)
    objective(encoder, windows, generator())[0].backward()
    online = [*encoder.images.parameters(), *objective.transition.parameters(), *objective.predictor.parameters()]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in online)
    targets = [*objective.target_encoder.parameters(), *objective.target_projector.parameters()]
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in targets)


@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_targets_follow_by_tau(dots, tau):
    encoder = dots.make_encoder()
    objective = make(encoder, tau=tau)
    targets = [*objective.target_encoder.parameters(), *objective.target_projector.parameters()]
    before = [parameter.clone() for parameter in targets]
    with torch.no_grad():
        for parameter in [*encoder.parameters(), *objective.projector.parameters()]:
            parameter.add_(1.0)
    objective.after_step(encoder)
    for old, new in zip(before, targets, strict=True):
        torch.testing.assert_close(new, old + tau)


@pytest.mark.parametrize("options", [{"num_steps": 0}, {"tau": 0.0}, {"tau": 1.5}])
def test_wrong_options_are_refused(options):
    with pytest.raises(UserError, match="latent_prediction: needs"):
        LatentPredictionConfig(**options)


def _projected(x, projector):
    first, norm, _, last = projector[0]
    hidden = first(x)
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt() * norm.weight + norm.bias
    out = last(hidden.clamp(min=0))
    scaled = (out - out.mean(0)) / (out.var(0, correction=0) + 1e-5).sqrt()
    return scaled * projector[1].weight + projector[1].bias
