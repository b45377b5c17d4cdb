"""What the environments' tests share: both engines, and which combinations are slow."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what several tests share
from task_checks import DEFAULTS, ENGINES

from robossl.core.registry import TASKS, load


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test in each of the engines."""
    monkeypatch.setitem(DEFAULTS, "engine", request.param)
    return str(request.param)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves goal-conditioned variants in Bullet to the slow tests: their physics is that of the task itself."""
    for item in items:
        values = getattr(item, "callspec", None)
        if values and values.params.get("engine") == "bullet" and _has_goals(values.params.get("env_id")):
            item.add_marker(pytest.mark.slow)


def _has_goals(env_id: object) -> bool:
    return env_id in TASKS and hasattr(load(TASKS, str(env_id), what="environment"), "compute_reward")
