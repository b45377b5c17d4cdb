"""Environments in forked children: those with threads say that they ended there, the others go on."""

import multiprocessing
import os
from collections.abc import Callable

import numpy as np
import pytest

from robossl.core import CameraSpec, UserError
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.render import make_renderer

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
XML = """
<mujoco>
  <worldbody>
    <body name="ball"><freejoint/><geom name="ball" type="sphere" size="0.1"/></body>
    <camera name="front" pos="0 0 1"/>
  </worldbody>
</mujoco>
"""
CAMERAS = (CameraSpec(name="front", width=16, height=12),)
KEYS = ("depth_front",)


def test_an_engine_with_threads_says_so_in_a_child_and_goes_on_in_the_parent() -> None:
    engine = MujocoEngine(load_model(XML), 2, 2)
    assert "was made before a fork" in _in_child(lambda: engine.step(np.zeros((2, 0)), 1))
    assert "was made before a fork" in _in_child(lambda: engine.reset(np.arange(2)))
    engine.step(np.zeros((2, 0)), 1)


def test_an_engine_with_threads_can_be_closed_and_thrown_away_in_a_child() -> None:
    engines = [MujocoEngine(load_model(XML), 2, 2)]

    def throw_away() -> None:
        engines[0].close()
        engines.clear()

    assert _in_child(throw_away) == "went on"


def test_what_outlasts_a_closed_engine_can_be_thrown_away_in_a_child() -> None:
    engine = MujocoEngine(load_model(XML), 2, 2)
    held = [engine.view("qpos")]
    engine.close()
    assert _in_child(held.clear) == "went on"


@pytest.mark.parametrize(("num_worlds", "num_threads"), [(1, 2), (2, 1)])
def test_an_engine_with_one_thread_goes_on_in_a_child(num_worlds: int, num_threads: int) -> None:
    engine = MujocoEngine(load_model(XML), num_worlds, num_threads)
    renderer = make_renderer("raycast", engine, CAMERAS, KEYS)

    def go_on() -> None:
        engine.step(np.zeros((num_worlds, 0)), 1)
        renderer.render()
        renderer.close()
        engine.close()

    assert _in_child(go_on) == "went on"


def test_gl_says_so_in_a_child_and_can_be_closed_there() -> None:
    engine = MujocoEngine(load_model(XML), 1, 1)
    try:
        renderer = make_renderer("gl", engine, CAMERAS, KEYS)
    except UserError as error:
        pytest.skip(f"needs OpenGL (EGL or OSMesa): {error}")
    assert "was made before a fork" in _in_child(lambda: renderer.render())
    assert _in_child(lambda: renderer.close()) == "went on"
    renderer.render()
    renderer.close()


def _in_child(function: Callable[[], object]) -> str:
    """Calls a function in a forked child; returns "went on", "hangs", or the error's text."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def call() -> None:
        try:
            function()
        except UserError as error:
            theirs.send(str(error))
        else:
            theirs.send("went on")

    child = context.Process(target=call)
    child.start()
    found = ours.recv() if ours.poll(20) else "hangs"
    child.join(2)
    child.kill()
    return str(found)
