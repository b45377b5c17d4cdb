"""A zip of stock parts, read where robossl does not exist."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robossl.agents import PPO, SAC, PPOConfig, Representation, SACConfig
from robossl.agents.stock import save_stock
from robossl.core import UserError

READER = """
import json, sys
import numpy as np

class NoRobossl:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "robossl":
            raise ImportError("robossl is not installed here")

sys.meta_path.insert(0, NoRobossl())
import stable_baselines3

sample = dict(np.load(sys.argv[1]))
answers = {}
for name in ("SAC", "PPO"):
    model = getattr(stable_baselines3, name).load(sys.argv[2] + name + ".zip", device="cpu")
    assert not [module for module in sys.modules if module.startswith("robossl")]
    answers[name] = model.predict(sample, deterministic=True)[0].tolist()
    if name == "PPO":
        tensors, _ = model.policy.obs_to_tensor(sample)
        answers["values"] = model.policy.predict_values(tensors)[:, 0].tolist()
print(json.dumps(answers))
"""


def make_agents(colour_env: Any, tiny: Any) -> dict[str, PPO | SAC]:
    """Agents of each kind, a little trained."""
    config = SACConfig(buffer_size=200, batch_size=8, learning_starts=16, hidden=(16, 12))
    sac = SAC.from_config(
        config, colour_env(4, frame_stack=2), representation=Representation(encoder=tiny), device="cpu"
    )
    config_ppo = PPOConfig(n_steps=8, batch_size=16, hidden=(16, 12))
    ppo = PPO.from_config(
        config_ppo, colour_env(4, frame_stack=2), representation=Representation(encoder=tiny), device="cpu"
    )
    return {"SAC": sac.learn(64), "PPO": ppo.learn(64)}


def random_sample(agent: PPO | SAC, count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    pictures = rng.integers(0, 256, (count, *agent.observation_space["rgb_front"].shape), np.uint8)  # type: ignore[misc]
    return {"rgb_front": pictures, "proprio": rng.normal(size=(count, 2)).astype(np.float32)}


def test_plain_stable_baselines3_acts_as_the_agent_does(colour_env: Any, tiny: Any, tmp_path: Path) -> None:
    agents = make_agents(colour_env, tiny)
    sample = random_sample(agents["SAC"], 16)
    for name, agent in agents.items():
        assert save_stock(agent, tmp_path / f"{name}.zip", sample) < 1e-6
    np.savez(tmp_path / "sample.npz", **sample)
    words = [sys.executable, "-c", READER, str(tmp_path / "sample.npz"), f"{tmp_path}/"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    for name, agent in agents.items():
        wanted, _ = agent.predict(sample, deterministic=True)
        np.testing.assert_allclose(answers[name], wanted, atol=1e-6)
    assert np.std(answers["SAC"]) > 1e-3
    tensors, _ = agents["PPO"].policy.obs_to_tensor(sample)
    wanted_values = agents["PPO"].policy.predict_values(tensors).detach().numpy()  # type: ignore[operator]
    np.testing.assert_allclose(answers["values"], wanted_values, atol=1e-5)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_zip_that_would_act_otherwise_is_not_written(
    colour_env: Any, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = PPO.from_config(
        PPOConfig(n_steps=8, batch_size=16), colour_env(4), representation=Representation(encoder=tiny), device="cpu"
    )
    predict = agent.predict
    monkeypatch.setattr(agent, "predict", lambda *args, **more: (predict(*args, **more)[0] + 0.01, None))
    with pytest.raises(UserError, match=r"0\.01"):
        save_stock(agent, tmp_path / "ppo.zip", random_sample(agent, 4))
    assert not list(tmp_path.iterdir())
