"""Foreign Gymnasium environments as batches."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from robossl.core import Draws, Stream, UnknownNameError, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.gym_env import GymEnv
from robossl.envs.sb3_vec_env import SB3VecEnv
from robossl.envs.spaces import readers


class Track(gymnasium.Env[Any, Any]):
    """Drives along a line: the observation counts steps and repeats the last action in native units."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None, observation: str = "dict", action: Any = None) -> None:
        self.render_mode = render_mode
        self.kind = observation
        vector = spaces.Box(-np.inf, np.inf, (2, 2), np.float64)
        picture = spaces.Box(0, 255, (4, 6, 3), np.uint8)
        parts = {"arm.joints": vector, "eye": picture, "gear": spaces.Discrete(3)}
        self.observation_space = {"dict": spaces.Dict(parts), "box": vector, "picture": picture}[observation]
        low, high = np.array([-2.0, 0.0], np.float32), np.array([2.0, 10.0], np.float32)
        self.action_space = action or spaces.Box(low, high)
        self.lost = self.missing = 0.0  # what goes wrong with observations and rewards

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.buffer = np.zeros((2, 2))
        self.buffer[1, 1] = self.np_random.uniform()
        self.length = 3 + int(self.np_random.integers(3))
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.buffer[0, 0] += 1
        self.buffer[0, 1], self.buffer[1, 0] = action
        self.buffer[1, 1] += self.lost
        ended = bool(self.buffer[0, 0] >= self.length)
        return self._observe(), 1.5 + self.missing, ended, ended, {"success": ended} if self.kind != "picture" else {}

    def render(self) -> Any:
        return np.arange(12, dtype=np.uint8).reshape(2, 2, 3)

    def _observe(self) -> Any:
        eye = np.full((4, 6, 3), self.buffer[0, 0], np.uint8)
        return {"dict": {"arm.joints": self.buffer, "eye": eye, "gear": 1}, "box": self.buffer, "picture": eye}[
            self.kind
        ]


@pytest.fixture(autouse=True)
def track() -> Any:
    gymnasium.register("Track-v0", Track, max_episode_steps=4)
    gymnasium.register("BoxTrack-v0", Track, kwargs={"observation": "box"})
    gymnasium.register("PictureTrack-v0", Track, kwargs={"observation": "picture"})
    gymnasium.register("DiscreteTrack-v0", Track, kwargs={"action": spaces.Discrete(2)})
    gymnasium.register("EndlessTrack-v0", Track, kwargs={"action": spaces.Box(-np.inf, np.inf, (2,))})
    gymnasium.register("NeedyTrack-v0", "package_that_is_not_there:Env")
    yield
    for name in [name for name in gymnasium.registry if "Track-v0" in name]:
        del gymnasium.registry[name]


def make(env_id: str, num_worlds: int = 3, **options: Any) -> Any:
    return make_env(EnvConfig(id=env_id, num_worlds=num_worlds, **options), WorldSeed(seed=4, stream=Stream.EVAL))


def test_observations_become_vectors_and_pictures() -> None:
    env = make("Track-v0")
    obs = env.reset()
    assert {key: (value.shape, value.dtype.name) for key, value in obs.items()} == {
        "arm_joints": ((3, 4), "float32"),
        "eye": ((3, 4, 6, 3), "uint8"),
        "gear": ((3, 3), "float32"),
    }
    assert obs["gear"][0].tolist() == [0.0, 1.0, 0.0]
    assert list(make("BoxTrack-v0").spec.observation) == ["proprio"]
    assert list(make("PictureTrack-v0").spec.observation) == ["rgb_camera"]
    assert list(make("Track-v0", observations=("eye",)).reset()) == ["eye"]
    assert (env.spec.control_hz, env.spec.max_episode_steps) == (5.0, 4)
    assert make("BoxTrack-v0").spec.max_episode_steps == 1000


def test_actions_are_scaled_to_the_bounds() -> None:
    env = make("BoxTrack-v0", 1)
    for action, native in (([-1, -1], [-2, 0]), ([0.5, 0], [1, 5]), ([1, 7], [2, 10])):
        env.reset()
        assert env.step(np.array([action])).obs["proprio"][0, 1:3].tolist() == native
    assert env.spec.action.names == ("action_0 [-2, 2]", "action_1 [0, 10]")


def test_worlds_are_seeded_by_seed_stream_world_and_episode() -> None:
    env, other = make("BoxTrack-v0", 3), make("BoxTrack-v0", 1)
    start = env.reset(first_world=5)["proprio"][:, 3]
    seed = Draws(4, Stream.EVAL, np.array([6]), np.array([0])).integers(2**31)[0]
    assert start[1] == np.float32(np.random.default_rng(seed).uniform())
    assert other.reset(first_world=6)["proprio"][0, 3] == start[1]
    assert len(set(start.tolist())) == 3
    train = make_env(EnvConfig(id="BoxTrack-v0", num_worlds=1), WorldSeed(seed=4, stream=Stream.TRAIN))
    assert train.reset(first_world=6)["proprio"][0, 3] != start[1]
    assert other.reset(first_world=6, first_episode=1)["proprio"][0, 3] != start[1]


def test_ends_are_told_apart_and_final_observations_are_those_of_the_ended_episode() -> None:
    env = make("Track-v0", 8)
    start = env.reset()["arm_joints"]
    ends = 0
    for step in range(1, 5):
        batch = env.step(np.zeros((8, 2)))
        assert not (batch.terminated & batch.truncated).any()
        for row, world in enumerate(batch.final_ids):
            if env.episode_keys()["episode"][world] == 1 and step <= 4:
                assert batch.final_obs["arm_joints"][row, [0, 3]].tolist() == [step, start[world, 3]]
                assert batch.obs["arm_joints"][world, 0] == 0
                ends += 1
        assert batch.info["is_success"].tolist() == batch.terminated.tolist()
    assert ends == 8  # the time limit ends the last of them
    assert batch.truncated.any()


def test_nothing_is_said_of_success_where_the_environment_says_nothing() -> None:
    env, other = make("PictureTrack-v0", 8), make("Track-v0", 8)
    for each, names in ((env, set()), (other, {"success", "is_success"})):
        each.reset()
        infos = [set(each.step(np.zeros((8, 2))).info) for _ in range(6)]
        assert infos == [names] * 6
    assert other.get_state()["tells_success"]
    vec_env = SB3VecEnv(make("PictureTrack-v0", 8))
    vec_env.reset()
    ends = [info for _ in range(6) for info in vec_env.step(np.zeros((8, 2), np.float32))[3] if info]
    assert ends
    assert not any("is_success" in info for info in ends)


def test_restored_state_continues_alike() -> None:
    env, other = make("BoxTrack-v0"), make("BoxTrack-v0")
    generator = np.random.default_rng(0)
    env.reset(first_world=2, seed=9)
    for _ in range(7):
        env.step(generator.uniform(-1, 1, (3, 2)))
    other.set_state(env.get_state())
    for _ in range(9):
        action = generator.uniform(-1, 1, (3, 2))
        batch, batch_2 = env.step(action), other.step(action)
        np.testing.assert_array_equal(batch.obs["proprio"], batch_2.obs["proprio"])
        np.testing.assert_array_equal(batch.final_obs["proprio"], batch_2.final_obs["proprio"])
    with pytest.raises(UserError, match="holds 3 worlds"):
        make("BoxTrack-v0", 2).set_state(env.get_state())


def test_a_state_from_before_decisions_were_counted_is_put_back() -> None:
    env, other = make("BoxTrack-v0"), make("BoxTrack-v0")
    env.reset()
    for _ in range(7):
        env.step(np.full((3, 2), 0.1))
    state = env.get_state()
    elapsed = state.pop("elapsed")
    other.set_state(state)
    assert elapsed.tolist() == other.get_state()["elapsed"].tolist() == [len(actions) for actions in state["actions"]]
    assert len(set(elapsed.tolist())) > 1


def test_frames_are_resized() -> None:
    env = make("Track-v0", 2)
    env.reset()
    frame = env.render_frames(width=4, height=2, world=1)
    assert frame[:, :, 0].tolist() == [[0, 0, 3, 3], [6, 6, 9, 9]]
    with pytest.raises(UserError, match="no camera 'wrist'"):
        env.render_frames("wrist", width=4, height=2)


@pytest.mark.parametrize(("width", "world"), [(4, 3), (4, -1), (0, 0)])
def test_worlds_and_sizes_that_there_are_not_are_not_drawn(width: int, world: int) -> None:
    env = make("Track-v0")
    env.reset()
    with pytest.raises(UserError, match=f"no picture of {width} x 2 of world {world} in 3"):
        env.render_frames(width=width, height=2, world=world)


def test_mujoco_environments_are_drawn_without_opengl() -> None:
    env = make("InvertedPendulum-v5", 2)
    env.reset()
    for _ in range(8):
        env.step(np.array([[1.0], [-1.0]]))
    left, right = (env.render_frames(width=48, height=32, world=world) for world in range(2))
    assert left.shape == (32, 48, 3)
    assert (left != right).any()
    pole = np.argwhere((left[..., 1] > left[..., 0] + 20) & (left[..., 2] > left[..., 0] + 20))  # it is turquoise
    assert len(pole) > 10
    env.close()


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Trak-v0", "did you mean 'Track-v0'"),
        ("robossl/ArmPush-v3", "did you mean 'robossl/ArmPush-v0'"),
        ("gymnasium:Pusherr-v5", "unknown environment 'gymnasium:Pusherr-v5'; did you mean 'gymnasium:Pusher-v5'"),
        ("DiscreteTrack-v0", "only continuous ones"),
        ("EndlessTrack-v0", "unbounded actions"),
        ("NeedyTrack-v0", "package_that_is_not_there"),
        ("package_that_is_not_there:Track-v0", "cannot import"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(env_id: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        make(env_id)
    assert "\n" not in str(error.value)


def test_bad_calls_are_refused() -> None:
    env = make("BoxTrack-v0")
    with pytest.raises(RuntimeError, match="must be reset"):
        env.step(np.zeros((3, 2)))
    env.reset()
    with pytest.raises(ValueError, match=r"shape \[2, 2\], expected \[3, 2\]"):
        env.step(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"not finite in world\(s\) \[1\]"):
        env.step(np.array([[0, 0], [np.nan, 0], [0, 0]]))
    with pytest.raises(UnknownNameError, match="proprio"):
        make("BoxTrack-v0", observations=("propio",))


def test_names_that_differ_in_dots_alone_are_refused() -> None:
    box = spaces.Box(-1, 1, (2,))
    with pytest.raises(UserError, match=r"T-v0 observes 'a\.b' and 'a_b', which would both be called 'a_b'"):
        readers("T-v0", spaces.Dict({"a.b": box, "a_b": box}))


@pytest.mark.parametrize(("what", "name"), [("missing", "reward"), ("lost", "observation 'arm_joints'")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named_at_the_step_that_brings_it(what: str, name: str, value: float) -> None:
    env = make("Track-v0")
    env.reset()
    env.step(np.zeros((3, 2)))
    setattr(env._envs[2].unwrapped, what, value)
    with pytest.raises(UserError, match=f"Track-v0: {name} is not finite in world 2"):
        env.step(np.zeros((3, 2)))


def test_an_observation_that_ends_an_episode_and_is_not_finite_is_named_with_its_world() -> None:
    env = make("Track-v0")
    env.reset()
    env._envs[1].unwrapped.lost, env._envs[1].unwrapped.length = np.nan, 1
    with pytest.raises(UserError, match="observation 'arm_joints' is not finite in world 1"):
        env.step(np.zeros((3, 2)))


def test_a_closed_environment_says_so() -> None:
    env = make("Track-v0")
    env.reset()
    state = env.get_state()
    for _ in range(2):
        env.close()
    for call in (
        lambda: env.step(np.zeros((3, 2))),
        env.reset,
        lambda: env.render_frames(width=4, height=2),
        lambda: env.set_state(state),
        env.get_state,
    ):
        with pytest.raises(RuntimeError, match="the environment is closed"):
            call()


def test_what_cannot_be_drawn_ends_its_episodes_all_the_same() -> None:
    env = GymEnv("Track-v0", render_mode="rgb_array")
    env.reset(seed=0)
    copies: Any = env.batch_env

    def fail() -> None:
        raise ImportError("pygame is not installed")

    copies._envs[0].unwrapped.render = fail
    ended = False
    while not ended:
        _, _, terminated, truncated, _ = env.step(np.zeros(2, np.float32))
        ended = terminated or truncated
    with pytest.raises(UserError, match="cannot draw itself: pygame is not installed"):
        env.render()


def test_the_last_frame_is_that_of_the_ended_episode() -> None:
    env = GymEnv("Track-v0", render_mode="rgb_array")
    env.reset(seed=0)
    copies: Any = env.batch_env
    track = copies._envs[0].unwrapped
    track.render = lambda: np.full((2, 2, 3), track.buffer[0, 0], np.uint8)
    steps, ended = 0, False
    while not ended:
        *_, terminated, truncated, _ = env.step(np.zeros(2, np.float32))
        steps, ended = steps + 1, terminated or truncated
        frame = env.render()
        assert frame is not None
        assert (frame == steps).all()
    env.reset()
    frame = env.render()
    assert frame is not None
    assert (frame == 0).all()
