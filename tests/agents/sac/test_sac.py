from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from agent_checks import OBJECTIVES, evaluate, same, weights

from robossl.agents import SAC, AugmentConfig, EncoderOptions, Representation, SACConfig
from robossl.agents.observations import observation_shapes
from robossl.agents.sac import losses
from robossl.core import UserError
from robossl.nets import MultimodalEncoder

CONFIG = SACConfig(
    learning_rate=3e-3,
    buffer_size=4_000,
    learning_starts=64,
    batch_size=32,
    gamma=0.5,
    hidden=(32,),
    ent_coef_init=0.1,
    aux_batch_size=8,
)


@pytest.fixture
def make(make_agent):
    return partial(make_agent, SAC, CONFIG)


@pytest.fixture
def pretrained(colour_env, tiny) -> MultimodalEncoder:
    torch.manual_seed(5)
    return MultimodalEncoder(observation_shapes(colour_env().observation_space), tiny)


def test_it_learns_the_colour_task_from_augmented_stacks_of_pictures(make, colour_env) -> None:
    config = replace(CONFIG, batch_size=64, gradient_steps=2, n_steps=2, learning_starts=200)
    agent = make(config, env=colour_env(8, frame_stack=2, deadly=0.1), augment=AugmentConfig(shift_px=1), seed=1)
    test_env = colour_env(8, frame_stack=2, seed=9)
    assert evaluate(agent, test_env) < -0.05
    agent.learn(1_600)
    assert evaluate(agent, test_env) > -0.03


def test_it_repeats_bit_for_bit_and_another_seed_differs(make) -> None:
    runs = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(runs))
        agent = make(seed=seed, augment=AugmentConfig(shift_px=1), objectives=OBJECTIVES).learn(96)
        runs.append(weights(agent.policy))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize(("noise", "sways"), [("white", False), ("pink", True)])
def test_pink_noise_sways_while_actions_are_random_and_while_the_actor_decides(make, colour_env, noise, sways) -> None:
    env, taken = colour_env(32, length=100), []
    step = env.step_async
    env.step_async = lambda actions: (taken.append(actions[:, 0].copy()), step(actions))
    make(replace(CONFIG, noise=noise, learning_starts=640), env=env, seed=2).learn(1280)
    for actions in (np.stack(taken[:20]), np.stack(taken[20:])):
        assert np.abs(actions).max() <= 1
        alike = np.corrcoef(actions[1:].ravel(), actions[:-1].ravel())[0, 1]
        assert bool(alike > 0.5) is sways
        assert sways or abs(alike) < 0.15


def test_noise_must_be_known_and_a_state_of_other_noise_is_refused_before_anything_is_restored(make) -> None:
    with pytest.raises(ValueError, match="noise must be one of white, pink, got 'purple'"):
        make(replace(CONFIG, noise="purple"))
    white, pink = make(seed=1).learn(64), make(replace(CONFIG, noise="pink"), seed=2)
    before = weights(pink.policy)
    with pytest.raises(UserError, match=r"holds pink noise none, the agent is configured with \[7, 4, 1\]"):
        pink.set_state(white.get_state())
    assert same(before, weights(pink.policy))
    white.set_state(pink.get_state())  # which needs none
    assert same(before, weights(white.policy))


def test_the_replay_holds_what_happened(make, colour_env) -> None:
    agent = make(env=colour_env(4, frame_stack=2, deadly=0.2, length=4)).learn(400)
    batch = agent.replay.sample(512, torch.Generator().manual_seed(0))
    newest = batch.obs["rgb_front"][:, 3:].float().mean(dim=(2, 3))
    best = 0.8 * (newest[:, 0] - newest[:, 2]) / 255
    torch.testing.assert_close(batch.reward, -((batch.action[:, 0] - best) ** 2))
    fatal = newest[:, 1] < 255 * 0.2
    torch.testing.assert_close(batch.discount, torch.where(fatal, 0.0, 0.5))
    # the step counter goes on by one everywhere, to the last observations of truncated episodes too
    step, next_step = batch.obs["proprio"][:, 0], batch.next_obs["proprio"][:, 0]
    torch.testing.assert_close(next_step, step + 0.25)
    assert (next_step == 1.0).any()
    assert fatal.any()
    # the older frame of the next stack is this newest frame
    torch.testing.assert_close(batch.next_obs["rgb_front"][:, :3], batch.obs["rgb_front"][:, 3:])


def test_worlds_that_are_reset_between_two_learns_are_not_joined(make, colour_env) -> None:
    agent = make(env=colour_env(4, length=10))
    for _ in range(3):
        agent.learn(12)  # three steps each: the episodes are cut
    batch = agent.replay.sample(256, torch.Generator().manual_seed(0))
    torch.testing.assert_close(batch.next_obs["proprio"][:, 0], batch.obs["proprio"][:, 0] + 0.1)


def test_rewards_of_n_steps_are_summed(make, colour_env) -> None:
    agent = make(replace(CONFIG, n_steps=3), env=colour_env(4, length=100)).learn(64)
    discount = agent.replay.sample(256, torch.Generator().manual_seed(0)).discount
    assert set(discount.tolist()) == {0.5, 0.25, 0.125}  # the newest ones of running episodes are shorter


def trained(module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def test_the_encoder_learns_from_the_critic_and_the_objectives_but_not_from_the_actor(make, monkeypatch) -> None:
    learning, with_objectives = (make(seed=0, objectives=objectives).learn(64) for objectives in ((), OBJECTIVES))
    monkeypatch.setattr(losses, "critic_loss", lambda q, target: (q * 0.0).sum())
    for agent, moves in ((learning, False), (with_objectives, True)):
        encoder, actor = trained(agent.policy.encoder), weights(agent.actor)
        agent.train(2, 16)
        assert same(encoder, trained(agent.policy.encoder)) is not moves
        assert not same(actor, weights(agent.actor))
    monkeypatch.undo()
    encoder = trained(learning.policy.encoder)
    learning.train(1, 16)
    assert not same(encoder, trained(learning.policy.encoder))


def test_the_actors_loss_leaves_the_critic_alone(make) -> None:
    agent = make().learn(64)
    agent.critic.optimizer.zero_grad()
    agent._update_actor(torch.randn(8, agent.policy.encoder.features_dim))
    assert all(parameter.grad is None for parameter in agent.critic.parameters())


def test_the_target_follows_slowly(make) -> None:
    agent = make(replace(CONFIG, tau=0.25)).learn(64)
    old = weights(agent.critic_target)
    agent.train(1, 16)
    for before, now, online in zip(old, weights(agent.critic_target), weights(agent.critic), strict=True):
        torch.testing.assert_close(now, 0.75 * before + 0.25 * online)


def test_the_actor_is_updated_as_often_as_told(make) -> None:
    agent = make(replace(CONFIG, policy_frequency=3)).learn(64)
    before = weights(agent.actor)
    agent.train(2, 16)
    assert same(before, weights(agent.actor))
    agent.train(1, 16)
    assert not same(before, weights(agent.actor))


@pytest.mark.parametrize("features", [None, 8])
def test_vectors_are_normalised_by_what_was_seen(make, tiny, features) -> None:
    agent = make(encoder=replace(tiny, vector_features=features)).learn(96)
    assert agent.policy.encoder.vector_norm.count == agent._n_updates * agent.batch_size > 0


def test_a_frozen_encoder_keeps_its_pictures_and_learns_its_vectors(make, pretrained) -> None:
    agent = make(module=pretrained, options=EncoderOptions(mode="frozen"))
    agent.learn(96)
    assert agent._n_updates > 0
    encoder = agent.policy.encoder
    assert same(weights(pretrained.images), weights(encoder.images))
    assert same(weights(pretrained.vector_norm), weights(encoder.vector_norm))
    assert all(parameter.grad is None for parameter in encoder.images.parameters())
    assert not same(weights(pretrained.vectors), weights(encoder.vectors))


def test_a_frozen_encoder_without_weights_beside_its_pictures_never_changes(make, colour_env, tiny) -> None:
    sizes = replace(tiny, vector_features=None)
    module = MultimodalEncoder(observation_shapes(colour_env().observation_space), sizes)
    agent = make(module=module, options=EncoderOptions(mode="frozen"))
    agent.learn(96)
    assert same(weights(module), weights(agent.policy.encoder))
    assert len(agent.critic.optimizer.param_groups) == 1


def test_a_finetuned_encoder_starts_from_its_weights_at_its_own_rate_and_is_a_copy(make, pretrained) -> None:
    start = weights(pretrained)
    pretrained.freeze()  # as that of another agent
    options = EncoderOptions(mode="finetune", learning_rate=3e-5)
    agent = make(module=pretrained, options=options)
    assert same(start, weights(agent.policy.encoder))
    agent.learn(96)
    assert same(start, weights(pretrained))
    assert not same(start, weights(agent.policy.encoder))
    assert [group["lr"] for group in agent.critic.optimizer.param_groups] == pytest.approx([3e-3, 3e-5])


def test_a_pretrained_encoder_of_other_pictures_is_refused(make, colour_env, pretrained) -> None:
    with pytest.raises(UserError, match="rgb_front"):
        make(env=colour_env(frame_stack=2), module=pretrained, options=EncoderOptions(mode="finetune"))


def test_a_linear_schedule_falls_to_zero(make) -> None:
    agent = make(replace(CONFIG, learning_rate_schedule="linear")).learn(128)
    assert agent.actor.optimizer.param_groups[0]["lr"] == 0.0


def test_a_fixed_temperature_stays(make) -> None:
    agent = make(replace(CONFIG, ent_coef=0.05)).learn(96)
    assert agent.logger.name_to_value["train/ent_coef"] == pytest.approx(0.05)
    assert "train/ent_coef_loss" not in agent.logger.name_to_value


def test_a_number_written_as_text_is_a_fixed_temperature_as_in_sb3(colour_env, tiny) -> None:
    representation = Representation(encoder=tiny)
    agent = SAC("MultimodalPolicy", colour_env(), representation=representation, ent_coef="0.05", buffer_size=100)
    assert (agent.log_ent_coef, float(agent._alpha())) == (None, pytest.approx(0.05))


def test_it_logs_under_sb3s_names(make) -> None:
    agent = make(objectives=OBJECTIVES)
    agent.learn(96, log_interval=None)
    names = {"critic_loss", "actor_loss", "ent_coef", "ent_coef_loss", "learning_rate", "n_updates"}
    assert {f"train/{name}" for name in names} | {"aux/inverse_dynamics_loss"} <= set(agent.logger.name_to_value)
    assert agent.perf["act"] > 0
    assert agent.perf["update"] > 0


def test_first_actions_are_uniform_and_from_its_own_generator(make) -> None:
    agent = make(replace(CONFIG, learning_starts=1_000), seed=0)
    np.random.seed(0)  # noqa: NPY002
    action = np.concatenate([agent._sample_action(1_000)[0] for _ in range(250)])
    again = make(replace(CONFIG, learning_starts=1_000), seed=0)._sample_action(1_000)[0]
    assert np.array_equal(action[:4], again)
    assert action.dtype == np.float32
    assert abs(action.mean()) < 0.1
    assert action.std() == pytest.approx(1 / np.sqrt(3), abs=0.05)


def test_predict_is_sb3s(make, colour_env) -> None:
    agent, obs = make(), colour_env().reset()
    action, state = agent.predict(obs, deterministic=True)
    assert action.shape == (4, 1)
    assert state is None
    single, _ = agent.predict({key: value[1] for key, value in obs.items()}, deterministic=True)
    np.testing.assert_allclose(single, action[1], atol=1e-6)
    assert agent.features(obs).shape == (4, agent.policy.encoder.features_dim)


def test_it_goes_through_sb3s_own_file(make, colour_env, tmp_path) -> None:
    agent, obs = make(seed=0).learn(96), colour_env().reset()
    agent.save(tmp_path / "agent.zip")
    loaded = SAC.load(tmp_path / "agent.zip", env=colour_env())
    assert np.array_equal(loaded.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
    loaded.learn(8)


def test_a_replay_that_cannot_fit_is_refused(make) -> None:
    with pytest.raises(UserError, match=r"agent.buffer-size 1,000,000,000,000 needs .* GiB"):
        make(replace(CONFIG, buffer_size=10**12))
    with pytest.raises(UserError, match="too small"):
        make(replace(CONFIG, buffer_size=4))


def test_updates_before_the_first_whole_transition_are_refused(make) -> None:
    with pytest.raises(UserError, match="learning_starts must be at least 4"):
        make(replace(CONFIG, learning_starts=0)).learn(8)
    make(replace(CONFIG, learning_starts=4)).learn(12)


@pytest.mark.parametrize(
    ("starts", "train_freq", "expected"), [(4, 1, 8), (7, 1, 8), (8, 1, 12), (0, 2, 8), (20, 3, 24)]
)
def test_the_first_update_is_made_when_its_config_says(make, monkeypatch, starts, train_freq, expected) -> None:
    config = replace(CONFIG, learning_starts=starts, train_freq=train_freq)
    agent, seen = make(config), []
    monkeypatch.setattr(agent, "train", lambda **_: seen.append(agent.num_timesteps))
    agent.learn(40)
    assert seen[0] == config.first_update(4) == expected


def test_no_update_is_before_the_first_whole_transition() -> None:
    with pytest.raises(UserError, match=r"learning-starts must be at least the number of worlds, 4, got 3"):
        replace(CONFIG, learning_starts=3, train_freq=1).first_update(4)


@pytest.mark.parametrize("name", ["action_noise", "optimize_memory_usage", "use_sde"])
def test_what_sb3_has_and_this_agent_has_not_is_refused(colour_env, name) -> None:
    with pytest.raises(TypeError, match=name):
        SAC("MultimodalPolicy", colour_env(), **{name: True})
