import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what several tests share
from task_checks import DEFAULTS, ENGINES


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test in each of the engines."""
    monkeypatch.setitem(DEFAULTS, "engine", request.param)
    return str(request.param)
