"""What was drawn for an episode, as Gymnasium and stable-baselines3 tell it: from the reset on, element by element."""

from typing import Any

import gymnasium
import numpy as np

from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.gym_vector_env import GymVectorEnv
from robossl.envs.sb3_vec_env import SB3VecEnv

OPTIONS: dict[str, Any] = {"observations": ("proprio",), "randomise": {"all": 1.0}}
ID = "robossl/RingCorridor-v0"
FORTH = np.ones(1, np.float32)


def test_a_reset_tells_what_its_episode_drew() -> None:
    env: Any = gymnasium.make(ID, **OPTIONS)
    for options in ({"seed": 4}, {}):
        info = env.reset(**options)[1]
        assert info["randomise/colour"].shape[1:] == (3,)
        assert isinstance(info["randomise/action_delay"], float)
        over, last = False, {}
        while not over:
            *_, terminated, truncated, last = env.step(FORTH)
            over = terminated or truncated
        for name, value in info.items():
            np.testing.assert_array_equal(last[name], value, err_msg=name)
    env.close()


def test_worlds_tell_as_gymnasiums_own_vectors_do() -> None:
    ours: Any = GymVectorEnv(ID, num_envs=2, **OPTIONS)
    theirs: Any = gymnasium.make_vec(
        ID,
        num_envs=2,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
        **OPTIONS,
    )
    infos = [ours.reset(seed=3)[1], theirs.reset(seed=3)[1]]
    assert infos[0].keys() == infos[1].keys() != set()
    assert all(infos[0][f"_{name}"].all() for name in infos[0] if not name.startswith("_"))
    for name in infos[0]:  # the second world is of another seed in Gymnasium's
        np.testing.assert_allclose(infos[0][name][:1], infos[1][name][:1], rtol=1e-7, err_msg=name)
    num_ended = 0
    while num_ended < 2:
        info, known = (env.step(np.tile(FORTH, (2, 1)))[4] for env in (ours, theirs))
        ended = info["_final_info"][0] if "_final_info" in info else False
        num_ended += ended
        for name in known if ended else ():
            if name.startswith(("randomise/", "_randomise/")):
                np.testing.assert_allclose(info[name][:1], known[name][:1], rtol=1e-7, err_msg=name)
                last, last_known = info["final_info"][name], known["final_info"][name]
                np.testing.assert_allclose(last[:1], last_known[:1], rtol=1e-7, err_msg=name)
    ours.close()
    theirs.close()


def test_sb3_is_told_numbers_and_arrays() -> None:
    env = SB3VecEnv(make_env(EnvConfig(id=ID, num_worlds=2, num_threads=1, **OPTIONS), WorldSeed(seed=3)))
    env.reset()
    infos: list[dict[str, Any]] = [{}, {}]
    while not any(infos):
        infos = env.step(np.tile(FORTH, (2, 1)))[3]  # type: ignore[assignment]
    told = next(info for info in infos if info)
    assert told["randomise/texture"].ndim == 1
    assert told["randomise/colour"].shape[1:] == (3,)
    assert isinstance(told["randomise/action_delay"], float)
    env.close()
