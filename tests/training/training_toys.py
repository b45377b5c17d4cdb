"""A tiny environment whose every number can be worked out by hand, and small agents in it."""

import dataclasses

import numpy as np

from robossl.agents import PPO, SAC, PPOConfig, Representation, SACConfig
from robossl.core import ArraySpec, Draws, EnvSpec, StepBatch, Stream
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.nets import EncoderConfig

HEIGHT, WIDTH = 12, 16
SPEC = EnvSpec(
    id="toy/Line-v0",
    control_hz=10.0,
    max_episode_steps=9,
    observation={
        "rgb_front": ArraySpec(shape=(HEIGHT, WIDTH, 3), dtype="uint8", low=0, high=255),
        "proprio": ArraySpec(shape=(2,), names=("x", "step")),
    },
    action=ArraySpec(shape=(1,), low=-1, high=1),
    privileged={"place": ArraySpec(shape=(2,), names=("x", "world")), "map": ArraySpec(shape=(2, 2))},
    reward_terms=("right",),
    metrics=("distance", "collision"),
    camera_names=("viewer",),
)


class LineEnv:
    """A point on a line: actions move it, x > 1 collides, other episodes last 3 + (world + episode) % 7 steps.

    Pictures are filled with 10 * world + step, so that every frame says where it is from.
    """

    def __init__(self, num_worlds=4, *, seed=0, stream=Stream.TRAIN):
        self.num_worlds, self.spec = num_worlds, SPEC
        self.perf = {"simulate": 0.0, "render": 0.0}
        self.before_reset = None
        self.seed, self.stream = seed, stream
        self.first_world = 0
        self.episode = np.zeros(num_worlds, np.int64)
        self.x, self.begin_x = np.zeros(num_worlds), np.zeros(num_worlds)
        self.elapsed = np.zeros(num_worlds, np.int64)

    @property
    def world(self):
        return self.first_world + np.arange(self.num_worlds)

    def reset(self, *, first_world=0, first_episode=0, seed=None):
        self.first_world, self.seed = first_world, self.seed if seed is None else seed
        self.episode[:] = first_episode
        self._begin(np.arange(self.num_worlds))
        return self._obs()

    def step(self, action):
        self.perf["simulate"] += 0.002
        self.perf["render"] += 0.001
        self.x = self.x + 0.2 * np.clip(np.asarray(action, np.float64)[:, 0], -1, 1)
        self.elapsed += 1
        terminated = self.x > 1
        truncated = (self.elapsed >= 3 + (self.world + self.episode) % 7) & ~terminated
        obs, reward = self._obs(), (self.x - self.begin_x).astype(np.float32)
        info = {
            "success": truncated.copy(),
            "is_success": truncated.copy(),
            "reward/right": reward.copy(),
            "metric/distance": self.x - self.begin_x,
            "metric/collision": terminated.astype(float),
        }
        ids = np.flatnonzero(terminated | truncated)
        final = {key: value[ids].copy() for key, value in obs.items()}
        if len(ids):
            if self.before_reset is not None:
                self.before_reset(ids)
            self.episode[ids] += 1
            self._begin(ids)
            obs = self._obs()
        return StepBatch(obs, reward, terminated, truncated, ids, final, info)

    def episode_keys(self):
        return {"world": self.world, "episode": self.episode.copy()}

    def privileged(self):
        place = np.stack([self.x, self.world], axis=1).astype(np.float32)
        return {"place": place, "map": np.zeros((self.num_worlds, 2, 2), np.float32)}

    def world_state(self):
        return np.stack([self.x, self.elapsed], axis=1)

    def model_values(self):
        return {"begin": self.begin_x[:, None].copy()}

    def expert(self):
        return None

    def render_frames(self, camera=None, *, width, height, world=0):
        return np.full((height, width, 3), 10 * self.world[world] + self.elapsed[world], np.uint8)

    def get_state(self):
        arrays = {"x": self.x, "begin_x": self.begin_x, "elapsed": self.elapsed, "episode": self.episode}
        return {"first_world": self.first_world, **{key: value.copy() for key, value in arrays.items()}}

    def set_state(self, state):
        self.first_world = state["first_world"]
        self.x, self.begin_x = state["x"].copy(), state["begin_x"].copy()
        self.elapsed, self.episode = state["elapsed"].copy(), state["episode"].copy()

    def close(self):
        pass

    def _begin(self, ids):
        draws = Draws(self.seed, self.stream, self.world[ids], self.episode[ids])
        self.x[ids] = self.begin_x[ids] = draws.uniform(-0.5, 0.5)
        self.elapsed[ids] = 0

    def _obs(self):
        value = (10 * self.world + self.elapsed).astype(np.uint8)
        pictures = np.broadcast_to(value[:, None, None, None], (self.num_worlds, HEIGHT, WIDTH, 3)).copy()
        obs = {"rgb_front": pictures, "proprio": np.stack([self.x, self.elapsed], axis=1).astype(np.float32)}
        return {key: obs[key] for key in self.spec.observation}


class Silent(LineEnv):
    """The same, which knows no success."""

    def step(self, action):
        batch = super().step(action)
        kept = {name: value for name, value in batch.info.items() if name not in ("success", "is_success")}
        return batch._replace(info=kept)


class Sparing(LineEnv):
    """The same, which says nothing of success before the first. It needs steps to the right, and some episodes."""

    told, num_failed = False, 2

    def step(self, action):
        number = self.episode.copy()
        batch = super().step(action)
        success = batch.info["success"] & (batch.info["metric/distance"] > 0) & (number >= self.num_failed)
        self.told |= bool(success.any())
        kept = {name: value for name, value in batch.info.items() if name not in ("success", "is_success")}
        return batch._replace(info={**kept, "success": success, "is_success": success.copy()} if self.told else kept)


class Astray(LineEnv):
    """Physics goes astray in worlds 1 and 2, whose metrics are zero then."""

    def step(self, action):
        batch = super().step(action)
        lost = np.isin(self.world, (1, 2))
        ended = batch.terminated | batch.truncated
        for name in ("metric/distance", "success", "is_success"):
            batch.info[name] = np.where(lost, 0, batch.info[name])
        batch.info["diverged"] = lost & ended
        return batch


class OtherChannelsEnv(LineEnv):
    """The same with pictures of another number of channels, all alike."""

    def __init__(self, num_channels, num_worlds=4):
        super().__init__(num_worlds)
        picture = ArraySpec(shape=(HEIGHT, WIDTH, num_channels), dtype="uint8", low=0, high=255)
        self.num_channels = num_channels
        self.spec = dataclasses.replace(SPEC, observation={**SPEC.observation, "rgb_front": picture})

    def _obs(self):
        obs = super()._obs()
        return {**obs, "rgb_front": obs["rgb_front"][..., :1].repeat(self.num_channels, -1)}


class ConstantAgent:
    """Predicts one action, and gives its observations' proprioception as features."""

    ep_success_buffer = None

    def __init__(self, action=0.5):
        self.action = action

    def predict(self, observation, *, deterministic):
        self.observation = observation
        return np.full((len(observation["proprio"]), 1), self.action, np.float32), None

    def features(self, obs):
        return obs["proprio"]


ENCODER = EncoderConfig(
    channels=(4,), kernels=(5,), strides=(3,), image_features=8, vector_hidden=(8,), vector_features=8
)


def make_agent(kind, *, objectives=(), seed=0, env=LineEnv):
    vec_env = SB3VecEnv(env(), frame_stack=2)
    algorithm, config = {
        "sac": (
            SAC,
            SACConfig(buffer_size=300, learning_starts=20, batch_size=8, gradient_steps=1, n_steps=2, hidden=(16,)),
        ),
        "ppo": (PPO, PPOConfig(n_steps=8, batch_size=16, n_epochs=2, hidden=(16,))),
    }[kind]
    representation = Representation(encoder=ENCODER, objectives=objectives)
    return algorithm.from_config(config, vec_env, representation=representation, seed=seed, device="cpu")
