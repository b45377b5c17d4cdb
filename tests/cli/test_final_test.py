"""What of a run's last test counts as success, and what is not known."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robossl.cli import final_test
from robossl.cli.settings import TrainSettings
from robossl.training.evaluate import EvalResult
from robossl.training.stopwatch import Stopwatch


def outcome(*, told: bool) -> EvalResult:
    ones = np.ones(4)
    return EvalResult(
        env="toy/Line-v0",
        returns=ones,
        lengths=ones.astype(np.int64),
        success=np.zeros(4, bool),
        metrics={},
        diverged=np.zeros(4, bool),
        has_success=told,
    )


@pytest.mark.parametrize(
    ("by_agent", "at_random", "summary", "is_known"),
    [
        (False, False, {}, False),
        (True, False, {}, True),
        (False, True, {}, True),
        (False, False, {"success_rate": 0.5}, True),
        (False, True, None, True),
    ],
)
def test_success_that_anybody_was_told_of_is_known_of_all(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by_agent: bool,
    at_random: bool,
    summary: dict[str, Any] | None,
    is_known: bool,
) -> None:
    told = {"test": by_agent, "random policy": at_random}
    monkeypatch.setattr(final_test, "_tested", lambda what, *_: outcome(told=told[what]))
    monkeypatch.setattr(final_test, "opened_env", lambda *_: nullcontext())
    for name in ("load_agent", "agent_policy", "make_policy", "_film"):
        monkeypatch.setattr(final_test, name, lambda *_, **__: None)
    result: Any = SimpleNamespace(summary=summary, step=1, seconds=1.0)
    figures = final_test.final_test(TrainSettings(), tmp_path, result, Stopwatch())
    assert (figures.get("success_rate"), figures["random"].get("success_rate")) == (
        (0, 0) if is_known else (None, None)
    )
