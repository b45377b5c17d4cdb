"""What the environments' tests share: the engines, and which combinations are slow."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what several tests share
from task_checks import DEFAULTS, ENGINES, GPU, has_goals

_ON_GPU = GPU.values[0]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test in each of the engines, in `warp` on a processor and on a GPU."""
    name = str(request.param)
    if name.startswith("warp"):
        pytest.importorskip("mujoco_warp")
        from robossl.envs.warp.library import device_names

        if name == _ON_GPU and len(device_names()) == 1:
            pytest.skip("needs an NVIDIA GPU")
        monkeypatch.setitem(DEFAULTS, "device", "cuda" if name == _ON_GPU else "cpu")
        name = "warp"
    monkeypatch.setitem(DEFAULTS, "engine", name)
    return name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves to the slow tests what runs in Warp, whose kernels compile for minutes, and variants in Bullet.

    The physics of goal-conditioned variants is that of the task itself. On a GPU the arm does not repeat its last bits
    (docs/simulation.md): what compares them is left out.
    """
    left_out = []
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        engine, env_id = params.get("engine"), params.get("env_id")
        if engine == "warp" or (engine == "bullet" and has_goals(env_id)):
            item.add_marker(pytest.mark.slow)
        if engine == _ON_GPU and "/Arm" in str(env_id) and item.get_closest_marker("bit_for_bit"):
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
