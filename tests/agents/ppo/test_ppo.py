from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from agent_checks import OBJECTIVES, evaluate, same, weights
from stable_baselines3.common.callbacks import BaseCallback

from robossl.agents import PPO, AugmentConfig, EncoderOptions, PPOConfig
from robossl.agents.observations import observation_shapes
from robossl.core import UserError
from robossl.nets import MultimodalEncoder
from robossl.objectives import InverseDynamicsConfig

CONFIG = PPOConfig(
    learning_rate=3e-3, n_steps=16, batch_size=32, n_epochs=2, gamma=0.5, hidden=(32,), log_std_init=-1.0,
    aux_batch_size=8,
)  # fmt: skip


@pytest.fixture
def make(make_agent):
    return partial(make_agent, PPO, CONFIG)


def value_everywhere(agent: PPO, value: float) -> None:
    """Makes the critic say `value` of everything."""
    agent.policy.critic[-1].weight.data.zero_()
    agent.policy.critic[-1].bias.data.fill_(value)


def test_it_learns_the_colour_task_from_augmented_stacks_of_pictures(make, colour_env) -> None:
    config = replace(CONFIG, n_steps=64, batch_size=64, n_epochs=4)
    agent = make(config, env=colour_env(8, frame_stack=2, deadly=0.1), augment=AugmentConfig(shift_px=1), seed=1)
    test_env = colour_env(8, frame_stack=2, seed=9)
    assert evaluate(agent, test_env) < -0.05
    agent.learn(8 * 64 * 5)
    assert evaluate(agent, test_env) > -0.02


def test_it_repeats_bit_for_bit_and_another_seed_differs(make) -> None:
    runs = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(runs))
        agent = make(seed=seed, augment=AugmentConfig(shift_px=1), objectives=OBJECTIVES).learn(128)
        runs.append(weights(agent.policy))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_truncated_episodes_are_worth_what_comes_after_and_terminated_ones_are_not(make, colour_env) -> None:
    class Rewards(BaseCallback):
        def _on_step(self) -> bool:
            self.seen = [*getattr(self, "seen", []), self.locals["rewards"].copy()]
            self.ended = [*getattr(self, "ended", []), self.locals["dones"].copy()]
            return True

    for deadly, worth in ((0.0, 0.5 * 10.0), (1.1, 0.0)):  # every episode is truncated, or terminated, at once
        agent, callback = make(env=colour_env(3, length=1, deadly=deadly)), Rewards()
        value_everywhere(agent, 10.0)
        agent.learn(48, callback)
        assert np.all(callback.ended)
        np.testing.assert_allclose(agent.rollout_buffer.reward.numpy(), np.stack(callback.seen) + worth, atol=1e-6)
        torch.testing.assert_close(agent.rollout_buffer.returns, agent.rollout_buffer.reward)


def test_all_truncated_worlds_of_a_step_cost_one_call(make, colour_env, monkeypatch) -> None:
    agent = make(env=colour_env(6, length=4))
    seen = []
    evaluate_values = agent.policy.predict_values
    monkeypatch.setattr(
        agent.policy, "predict_values", lambda obs: (seen.append(len(obs["proprio"])), evaluate_values(obs))[1]
    )
    agent.learn(6 * 16)
    assert seen == [6, 6, 6, 6, 6]  # the worlds end together at steps 4, 8, 12 and 16; then the rollout's last ones


def test_actor_critic_and_objectives_all_train_the_encoder(make) -> None:
    agent = make(objectives=OBJECTIVES).learn(64)
    obs = {key: torch.from_numpy(value) for key, value in agent.get_env().reset().items()}
    value, log_prob, _ = agent.policy.evaluate_actions(obs, torch.zeros(4, 1))
    windows = agent.rollout_buffer.windows(8, agent.learner.window, agent.generator)
    for loss in (value.sum(), log_prob.sum(), agent.learner.loss(windows)[0]):
        agent.policy.zero_grad()
        loss.backward(retain_graph=True)
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in agent.policy.encoder.parameters())


@pytest.mark.parametrize(("interval", "times"), [(1, 16), (3, 6), (1000, 1)])
def test_objectives_act_in_every_so_many_updates_of_the_run(make, monkeypatch, interval, times) -> None:
    agent, seen = make(replace(CONFIG, aux_interval=interval), objectives=OBJECTIVES), []
    loss = agent.learner.loss
    monkeypatch.setattr(agent.learner, "loss", lambda windows: (seen.append(windows), loss(windows))[1])
    agent.learn(4 * 64)  # four rollouts of four updates
    assert len(seen) == times


def test_an_update_that_was_not_made_is_not_counted(make) -> None:
    agent = make(replace(CONFIG, n_epochs=50, target_kl=1e-4)).learn(64)
    num_steps = {int(entry["step"]) for entry in agent.policy.optimizer.state.values()}
    assert num_steps == {agent.get_state()["num_batches"]}


def test_the_first_ratio_is_one_without_augmentation(make) -> None:
    agent = make(replace(CONFIG, learning_rate=1e-12)).learn(64)
    assert agent.logger.name_to_value["train/approx_kl"] == pytest.approx(0.0, abs=1e-6)
    assert agent.logger.name_to_value["train/clip_fraction"] == 0.0


def test_updates_end_once_the_policy_has_moved_too_far(make) -> None:
    config = replace(CONFIG, n_epochs=50, target_kl=1e-4)
    assert make(config).learn(64)._n_updates < 50
    assert make(replace(config, target_kl=None)).learn(64)._n_updates == 50


def test_a_frozen_encoder_keeps_its_pictures_and_learns_its_vectors(make, colour_env, tiny) -> None:
    module = MultimodalEncoder(observation_shapes(colour_env().observation_space), tiny)
    agent = make(module=module, options=EncoderOptions(mode="frozen")).learn(64)
    assert agent._n_updates > 0
    encoder = agent.policy.encoder
    assert same(weights(module.images), weights(encoder.images))
    assert same(weights(module.vector_norm), weights(encoder.vector_norm))
    assert not same(weights(module.vectors), weights(encoder.vectors))


@pytest.mark.parametrize("features", [None, 8])
def test_statistics_of_vectors_are_those_of_the_rollouts(make, tiny, features) -> None:
    agent = make(encoder=replace(tiny, vector_features=features)).learn(64)
    seen, norm = agent.rollout_buffer.vectors()["proprio"], agent.policy.encoder.vector_norm
    assert norm.count == len(seen) == 64
    torch.testing.assert_close(norm.mean, seen.mean(dim=0))
    assert agent.learn(64, reset_num_timesteps=False).policy.encoder.vector_norm.count == 128


def test_the_encoder_learns_at_its_own_rate(make) -> None:
    config = replace(CONFIG, learning_rate_schedule="linear")
    agent = make(config, options=EncoderOptions(learning_rate=3e-4)).learn(128)
    agent._current_progress_remaining = 0.5
    agent._update_learning_rate([])
    assert [group["lr"] for group in agent.policy.optimizer.param_groups] == pytest.approx([1.5e-3, 1.5e-4])


def test_it_logs_under_sb3s_names(make) -> None:
    agent = make(replace(CONFIG, clip_range_vf=0.2), objectives=OBJECTIVES)
    agent.learn(64, log_interval=None)
    names = {
        "policy_gradient_loss", "value_loss", "entropy_loss", "loss", "approx_kl", "clip_fraction", "std", "n_updates",
        "explained_variance", "clip_range", "clip_range_vf", "learning_rate",
    }  # fmt: skip
    assert {f"train/{name}" for name in names} | {"aux/inverse_dynamics_loss"} <= set(agent.logger.name_to_value)
    assert agent.perf["act"] > 0
    assert agent.perf["update"] > 0


def test_a_callback_can_stop_it(make) -> None:
    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            return self.num_timesteps < 40

    agent = make().learn(1_000, Stop())
    assert agent.num_timesteps == 40
    assert agent._n_updates == 0


def test_predict_is_sb3s_and_clips(make, colour_env) -> None:
    agent, obs = make(), colour_env().reset()
    agent.policy.actor[-1].bias.data.fill_(5.0)
    action, state = agent.predict(obs, deterministic=True)
    assert action.tolist() == [[1.0]] * 4
    assert state is None
    assert agent.predict({key: value[0] for key, value in obs.items()})[0].shape == (1,)
    assert agent.features(obs).shape == (4, agent.policy.encoder.features_dim)


def test_it_goes_through_sb3s_own_file(make, colour_env, tmp_path) -> None:
    agent, obs = make(seed=0).learn(64), colour_env().reset()
    agent.save(tmp_path / "agent.zip")
    loaded = PPO.load(tmp_path / "agent.zip", env=colour_env())
    assert np.array_equal(loaded.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
    loaded.learn(64)


def test_objectives_that_need_longer_windows_than_a_rollout_are_refused(make) -> None:
    with pytest.raises(UserError, match=r"windows of 9 steps; agent.n-steps is 4"):
        make(replace(CONFIG, n_steps=4), objectives=(InverseDynamicsConfig(num_steps=8),))
