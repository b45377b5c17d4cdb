"""Which of the environments' tests are slow."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves goal-conditioned variants in Bullet to the slow tests: their physics is that of the task itself."""
    for item in items:
        values = getattr(item, "callspec", None)
        if values and values.params.get("engine") == "bullet" and "Goal" in str(values.params.get("env_id")):
            item.add_marker(pytest.mark.slow)
