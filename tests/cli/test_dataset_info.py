"""What `robossl dataset info` tells of a dataset."""

import json
from pathlib import Path

import pytest

from robossl.cli.artifacts import collect_into
from robossl.cli.main import main
from robossl.envs import EnvConfig
from robossl.training.collect import CollectConfig


@pytest.mark.parametrize(("env_id", "tells"), [("Pendulum-v1", False), ("robossl/ArmReach-v0", True)])
def test_only_of_physics_of_our_own_engine_and_states_are_told(
    env_id: str, tells: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = EnvConfig(id=env_id, num_worlds=1, num_threads=1)
    collect_into(tmp_path / "data", env, CollectConfig(steps=None, episodes=1), 0)
    with pytest.raises(SystemExit) as stop:
        main(["dataset", "info", str(tmp_path / "data"), "--json"])
    assert not stop.value.code
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["episodes"] == 1
    assert ("engine" in told, "states" in told) == (tells, tells)
