"""What the environments' tests share: the engines, and which combinations are slow."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what several tests share
from task_checks import DEFAULTS, ENGINES, has_goals


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test in each of the engines."""
    if request.param == "warp":
        pytest.importorskip("mujoco_warp")
    monkeypatch.setitem(DEFAULTS, "engine", request.param)
    return str(request.param)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves to the slow tests what runs in Warp, whose kernels compile for minutes, and variants in Bullet.

    The physics of goal-conditioned variants is that of the task itself.
    """
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        is_variant = has_goals(params.get("env_id"))
        if params.get("engine") == "warp" or (params.get("engine") == "bullet" and is_variant):
            item.add_marker(pytest.mark.slow)
