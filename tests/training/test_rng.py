import random

import numpy as np
import torch

from robossl.training.rng import global_rng_state, preserved_rng, set_global_rng_state
from robossl.training.tree import load_tree, save_tree


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002


def test_all_global_generators_go_on_from_a_state_on_disk(tmp_path):
    save_tree(tmp_path, "rng", global_rng_state())
    expected = [draw() for _ in range(3)]
    set_global_rng_state(load_tree(tmp_path, "rng"))
    assert [draw() for _ in range(3)] == expected


def test_what_is_drawn_inside_is_undone():
    state = global_rng_state()
    expected = draw()
    set_global_rng_state(state)
    with preserved_rng():
        draw()
    assert draw() == expected
