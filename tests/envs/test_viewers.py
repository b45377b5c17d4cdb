"""Viewers of ever new sizes: the last few stay."""

from typing import Any

import numpy as np
import pytest

from robossl.envs import EnvConfig, WorldSeed, gymnasium_env, make_env, pictures
from robossl.envs.viewers import Viewers

MOST = 8


@pytest.mark.parametrize("env_id", ["robossl/ArmReach-v0", "InvertedPendulum-v5"])
def test_pictures_of_ever_new_sizes_keep_few_renderers(env_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_own = env_id.startswith("robossl/")
    module, name = (pictures, "start_renderer") if is_own else (gymnasium_env, "GymnasiumViewer")
    make, open_ones = getattr(module, name), []

    def counted(*parts: Any, **options: Any) -> Any:
        viewer = make(*parts, **options)
        close = viewer.close

        def closed() -> None:
            open_ones.remove(viewer)
            close()

        viewer.close = closed
        open_ones.append(viewer)
        return viewer

    monkeypatch.setattr(module, name, counted)
    env = make_env(EnvConfig(id=env_id, num_worlds=1, num_threads=1), WorldSeed())
    env.reset()
    already, first = len(open_ones), env.render_frames(width=8, height=6)
    for width in range(9, 9 + 2 * MOST):
        assert env.render_frames(width=width, height=6).shape == (6, width, 3)
        assert len(open_ones) <= already + MOST
    np.testing.assert_array_equal(env.render_frames(width=8, height=6), first)
    env.close()
    assert not open_ones


def test_what_is_asked_for_again_and_again_is_made_once() -> None:
    made = []

    class Viewer:
        def __init__(self, size: int) -> None:
            made.append(size)

        def close(self) -> None:
            pass

    viewers = Viewers[Viewer]()
    for size in range(3 * MOST):
        viewers.of(size, lambda size=size: Viewer(size))  # type: ignore[misc]
        viewers.of("film", lambda: Viewer(-1))
    assert made.count(-1) == 1
