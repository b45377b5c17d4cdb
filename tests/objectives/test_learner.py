import copy

import pytest
import torch

from robossl.core.errors import UserError
from robossl.nets import EncoderConfig, MultimodalEncoder
from robossl.objectives import (
    InverseDynamicsConfig,
    LatentPredictionConfig,
    RepresentationLearner,
    TOVVICRegConfig,
    require_batch_size,
)
from robossl.objectives.metrics import linear_probe_r2
from robossl.objectives.views import ViewConfig

ALL = (
    TOVVICRegConfig(gap=1, projector=(16, 16)),
    LatentPredictionConfig(weight=0.5, num_steps=2, hidden=16, projection=8),
    InverseDynamicsConfig(weight=2.0, num_steps=1, hidden=(16,)),
)


def make(dots, objectives=ALL, seed=0, **options):
    return RepresentationLearner(dots.make_encoder(seed), objectives, dots.ACTION_DIM, seed=seed, **options)


def train(learner, dots, start, stop):
    return [learner.update(dots.dot_windows(12, 4, seed=i)[0]) for i in range(start, stop)]


@pytest.mark.parametrize("optimise_encoder", [True, False])
def test_training_restored_halfway_equals_training_through_bit_for_bit(dots, optimise_encoder):
    whole, half = (make(dots, optimise_encoder=optimise_encoder) for _ in range(2))
    expected = train(whole, dots, 0, 6)[3:]
    train(half, dots, 0, 3)
    state, encoder_state = half.get_state(), copy.deepcopy(half.encoder.state_dict())
    train(half, dots, 7, 8)  # the state is a copy, which neither its origin nor who takes it changes
    for seed in (8, 9):
        resumed = make(dots, seed=seed, optimise_encoder=optimise_encoder)
        if not optimise_encoder:  # then it is the agent's to restore
            resumed.encoder.load_state_dict(encoder_state)
        resumed.set_state(state)
        assert train(resumed, dots, 3, 6) == expected
        assert_same_tree(resumed.get_state(), whole.get_state())


def test_the_state_is_a_plain_tree(dots):
    learner = make(dots)
    train(learner, dots, 0, 1)
    kinds = {type(leaf) for leaf in leaves(learner.get_state())}
    assert kinds <= {torch.Tensor, int, float}


def test_a_seed_repeats_training(dots):
    assert train(make(dots), dots, 0, 2) == train(make(dots), dots, 0, 2)
    assert train(make(dots), dots, 0, 1) != train(make(dots, seed=1), dots, 0, 1)


def test_the_loss_is_weighted_and_metrics_are_plain(dots):
    learner, (windows, _) = make(dots), dots.dot_windows(12, 4)
    total, metrics = learner.loss(windows)
    losses = {name: metrics[f"{name}_loss"].item() for name in ("tov_vicreg", "latent_prediction", "inverse_dynamics")}
    expected = losses["tov_vicreg"] + 0.5 * losses["latent_prediction"] + 2 * losses["inverse_dynamics"]
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert all(value.ndim == 0 and not value.requires_grad for value in metrics.values())
    assert {"tov_vicreg_variance", "inverse_dynamics_r2"} < metrics.keys()


def test_as_an_auxiliary_it_moves_its_heads_and_leaves_the_encoder_to_the_agent(dots):
    learner, (windows, _) = make(dots, optimise_encoder=False), dots.dot_windows(12, 4)
    encoder_before = [parameter.clone() for parameter in learner.encoder.parameters()]
    heads_before = [parameter.clone() for parameter in learner.head_parameters()]
    head = torch.nn.Linear(learner.encoder.features_dim, 1)
    aux_loss, _ = learner.loss(windows)
    (head(learner.encoder(windows.step(0))).mean() + aux_loss).backward()
    learner.step()
    assert all(map(torch.equal, encoder_before, learner.encoder.parameters()))
    assert all(parameter.grad is not None for parameter in learner.encoder.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(heads_before, learner.head_parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    learner.zero_grad()
    assert all(parameter.grad is None for parameter in learner.head_parameters())
    assert all(parameter.grad is not None for parameter in learner.encoder.parameters())


def test_the_same_gradients_as_auxiliary_and_in_pretraining(dots):
    windows, _ = dots.dot_windows(12, 4)
    alone, beside = make(dots), make(dots, optimise_encoder=False)
    for learner in (alone, beside):
        learner.loss(windows)[0].backward()
    for a, b in zip(alone.encoder.images.parameters(), beside.encoder.images.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_targets_are_copies_of_the_encoder_and_not_trained(dots):
    learner = make(dots, ALL[1:2])
    target = learner.objectives[0].target_encoder
    assert all(map(torch.equal, target.parameters(), learner.encoder.parameters()))
    head_ids = {id(parameter) for parameter in learner.head_parameters()}
    assert not head_ids & {id(parameter) for parameter in [*target.parameters(), *learner.encoder.parameters()]}
    train(learner, dots, 0, 1)
    assert not all(map(torch.equal, target.parameters(), learner.encoder.parameters()))


def test_gradients_are_clipped_together(dots):
    learner = make(dots, (TOVVICRegConfig(gap=1, weight=1e4),), max_grad_norm=0.5)
    train(learner, dots, 0, 1)
    grads = [p.grad for p in [*learner.encoder.parameters(), *learner.head_parameters()] if p.grad is not None]
    assert torch.stack([grad.norm() for grad in grads]).norm().item() == pytest.approx(0.5, rel=1e-3)


def test_the_window_is_the_longest_and_shorter_windows_are_refused(dots):
    learner = make(dots, (TOVVICRegConfig(gap=3), InverseDynamicsConfig(num_steps=1)))
    assert learner.window == 7
    with pytest.raises(ValueError, match="windows have 6 steps, the objectives need 7"):
        learner.loss(dots.dot_windows(4, 6)[0])


def test_without_objectives_there_is_no_loss(dots):
    learner = make(dots, (), optimise_encoder=False)
    total, metrics = learner.loss(dots.dot_windows(4, 2)[0])
    learner.zero_grad()
    learner.step()
    assert (total.item(), metrics, learner.window) == (0.0, {}, 1)


def test_objectives_without_any_whole_window_make_a_step_that_changes_no_head(dots):
    learner, (windows, _) = make(dots, ALL[:1]), dots.dot_windows(2, 3)
    before = [parameter.clone() for parameter in learner.head_parameters()]
    learner.update(dots.cut(dots.cut(windows, 0, 0), 1, 0))
    assert all(map(torch.equal, before, learner.head_parameters()))


def test_a_batch_without_enough_windows_tells_no_loss_of_an_objective(dots):
    learner, (windows, _) = make(dots), dots.dot_windows(4, 4)
    for row in range(3):
        windows = dots.cut(windows, row, 1)
    _, metrics = learner.loss(windows)
    missing = {name for name, value in metrics.items() if value.isnan()}
    assert missing == {"tov_vicreg_loss"}
    assert metrics["tov_vicreg_usable"].item() == 0.25
    assert metrics["latent_prediction_usable"].item() == 5 / 8
    assert metrics["inverse_dynamics_usable"].item() == 1.0


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (
            TOVVICRegConfig(gap=40),
            "tov_vicreg: gap 40 needs episodes of at least 80 steps, .* has 79",
        ),
        (LatentPredictionConfig(num_steps=80), "latent_prediction: num_steps 80 needs .* at least 80 steps"),
    ],
)
def test_data_without_a_whole_window_are_refused(dots, objective, message):
    learner = make(dots, (objective,))
    learner.require_windows(2, 80)
    with pytest.raises(UserError, match=message):
        learner.require_windows(2, 79)


@pytest.mark.parametrize("config", ALL)
def test_batches_that_an_objective_cannot_learn_from_are_refused(config):
    require_batch_size([config], config.min_windows, what="batch")
    with pytest.raises(UserError, match=f"batch must be at least {config.min_windows} for {config.kind}, got"):
        require_batch_size([config], config.min_windows - 1, what="batch")


def test_a_kind_given_twice_is_refused(dots):
    with pytest.raises(UserError, match="once, got inverse_dynamics, inverse_dynamics"):
        make(dots, (InverseDynamicsConfig(), InverseDynamicsConfig(num_steps=1)))


def test_pretraining_without_an_objective_is_refused(dots):
    with pytest.raises(UserError, match="give at least one"):
        make(dots, ())


@pytest.mark.parametrize(
    "config",
    [
        InverseDynamicsConfig(view=ViewConfig(shift_px=4000)),
        LatentPredictionConfig(view=ViewConfig(shift_px=4000)),
        TOVVICRegConfig(view=ViewConfig(shift_px=4000)),
        TOVVICRegConfig(neighbour_view=ViewConfig(shift_px=4000)),
    ],
)
def test_a_view_that_may_show_nothing_is_refused_at_once(dots, config):
    with pytest.raises(UserError, match="shift_px must be at most 23"):
        RepresentationLearner(dots.make_encoder(), [config], dots.ACTION_DIM, seed=0)


def test_an_encoder_without_weights_is_refused():
    raw = MultimodalEncoder({"proprio": ((2,), "float32")}, EncoderConfig(vector_features=None))
    with pytest.raises(UserError, match="has nothing to train"):
        RepresentationLearner(raw, ALL[:1], 2, seed=0)


@pytest.mark.parametrize("other", [ALL[:2], (InverseDynamicsConfig(hidden=(8,)), *ALL[:2])])
def test_the_state_of_other_objectives_is_refused(dots, other):
    source = make(dots, other)
    train(source, dots, 0, 1)
    with pytest.raises(UserError, match="does not fit this configuration"):
        make(dots).set_state(source.get_state())


@pytest.mark.parametrize(
    ("objective", "num_updates"),
    [(TOVVICRegConfig(gap=1), 80), (LatentPredictionConfig(), 150), (InverseDynamicsConfig(), 100)],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_pretraining_halves_what_a_linear_probe_misses_of_the_dot(dots, objective, num_updates):
    learner = make(dots, (objective,), learning_rate=2e-3)
    before = probe_error(learner.encoder, dots)
    for i in range(num_updates):
        learner.update(dots.dot_windows(96, learner.window, seed=1000 + i)[0])
    assert probe_error(learner.encoder, dots) < 0.5 * before


@torch.no_grad()
def probe_error(encoder, dots):
    windows, path = dots.dot_windows(800, 1, seed=77)
    z, position = encoder.encode_pictures(windows.step(0)), path[:, 0]
    return 1 - linear_probe_r2(z[:400], position[:400], z[400:], position[400:]).mean().item()


def leaves(tree):
    return (
        [leaf for value in tree.values() for leaf in leaves(value)]
        if isinstance(tree, dict)
        else ([leaf for value in tree for leaf in leaves(value)] if isinstance(tree, list) else [tree])
    )


def assert_same_tree(a, b):
    for x, y in zip(leaves(a), leaves(b), strict=True):
        assert torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
