import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pybullet")
from robossl.bench import engines


@pytest.mark.parametrize("name", ["slide", "servo"])
def test_both_engines_are_near_each_other_and_near_what_is_exact(name):
    figures = engines.compare(engines.SCENES[name])
    assert figures["range"] > 0.2
    assert max(figures["apart_max"], figures["mujoco_error"], figures["bullet_error"]) < 0.003
    assert [len(figures[key]) for key in ("at_s", "mujoco", "bullet", "exact")] == [4, 4, 4, 4]
    json.dumps(figures, allow_nan=False)


def test_an_engine_that_differs_is_seen(monkeypatch):
    measure = engines.measure
    monkeypatch.setattr(engines, "measure", lambda scene, name: measure(scene, "mujoco") + (name == "bullet"))
    figures = engines.compare(engines.SCENES["servo"])
    np.testing.assert_allclose([figures["apart_max"], figures["apart_end"]], 1.0)
    np.testing.assert_allclose(figures["bullet_error"], 1.0, atol=0.01)
    lines = engines.table({"servo": figures})
    assert len(lines) == 3
    assert lines[1].startswith("servo")
    assert all(f"{word}:" in lines[2] for word in ("range", "apart", "off"))


def test_every_scene_is_told_of(monkeypatch):
    monkeypatch.setattr(engines, "compare", lambda scene: {"what": scene.what})
    told = []
    assert engines.run(lambda: told.append(0)).keys() == engines.SCENES.keys()
    assert len(told) == len(engines.SCENES)


@pytest.mark.parametrize("name", [name for name, scene in engines.SCENES.items() if scene.exact is not None])
def test_what_is_exact_begins_where_the_engines_do(name):
    scene = replace(engines.SCENES[name], seconds=0.02)
    assert scene.exact is not None
    np.testing.assert_allclose(scene.exact(np.zeros(1)), engines.measure(scene, "mujoco")[:1], atol=1e-6)
