"""The encoder as a features extractor of an agent that is stable-baselines3's own."""

from stable_baselines3 import PPO

from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.nets import EncoderConfig, MultimodalEncoder


def test_stock_ppo_learns_through_the_encoder() -> None:
    vec_env = SB3VecEnv(make_env(EnvConfig(num_worlds=2, num_threads=1), WorldSeed()))
    kwargs = {
        "features_extractor_class": MultimodalEncoder,
        "features_extractor_kwargs": {"config": EncoderConfig()},
        "normalize_images": False,
    }
    agent = PPO("MultiInputPolicy", vec_env, n_steps=8, batch_size=16, policy_kwargs=kwargs, device="cpu", seed=0)
    encoder = agent.policy.features_extractor
    before = [parameter.detach().clone() for parameter in encoder.parameters()]
    agent.learn(16)
    vec_env.close()
    assert encoder.features_dim == agent.policy.features_dim
    assert any((old != new).any() for old, new in zip(before, encoder.parameters(), strict=True))
