"""A bundle for the arm of `loopback_world`, and robossl's command line as a person calls it."""

from pathlib import Path

import pytest

from robossl.cli.main import main
from robossl.core import Contract
from robossl.core.bundle import seal, write_contract
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.profile import RobotProfile


def write_bundle(folder: Path, contract: Contract, profile: RobotProfile, policy: bytes = b"not looked at") -> Path:
    folder.mkdir()
    (folder / contract.policy).write_bytes(policy)
    write_contract(folder, contract)
    write_json(folder / "profile.json", to_json(profile))
    seal(folder)
    return folder


def command(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, tuple[str, str]]:
    with pytest.raises(SystemExit) as left:
        main(words)
    out, err = capsys.readouterr()
    return int(str(left.value.code)), (out, err)
