"""What does not fit is refused in one line, before a transport is opened and so before the first command."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deploy_robots import arm_contract, arm_profile, base_profile
from onnx import TensorProto, helper

from robossl.core.bundle import seal, write_contract
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy import app
from robossl.deploy.__main__ import main

Change = Callable[[Path], None]


def bundle_of_an_arm(folder: Path) -> Path:
    """A whole bundle: sees joints and a camera, commands both joints."""
    folder.mkdir()
    contract = arm_contract()
    shapes = {spec.name: ([1, *spec.shape], getattr(spec, "dtype", "float32")) for spec in contract.inputs}
    kinds = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}
    inputs = [helper.make_tensor_value_info(name, kinds[dtype], shape) for name, (shape, dtype) in shapes.items()]
    output = helper.make_tensor_value_info("command", TensorProto.FLOAT, [1, 2])
    zeros = helper.make_tensor("zeros", TensorProto.FLOAT, [1, 2], [0.0, 0.0])
    nodes = [helper.make_node("Identity", ["zeros"], ["command"])]
    graph = helper.make_graph(nodes, "toy", inputs, [output], [zeros])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / contract.policy).write_bytes(model.SerializeToString())
    write_contract(folder, contract)
    write_json(folder / "profile.json", to_json(arm_profile()))
    seal(folder)
    return folder


def flipped(name: str) -> Change:
    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return change


def edited(edit: Callable[[dict[str, Any]], object]) -> Change:
    """A profile that somebody edited, and a bundle that was sealed with it."""

    def change(folder: Path) -> None:
        values = json.loads((folder / "profile.json").read_text())
        edit(values)
        (folder / "profile.json").write_text(json.dumps(values))
        seal(folder)

    return change


def swapped(values: dict[str, Any]) -> None:
    first, second = values["limits"]["joints"]
    first["model"], second["model"] = second["model"], first["model"]


def swapped_names(values: dict[str, Any]) -> None:
    first, second = values["limits"]["joints"]
    first["name"], second["name"] = second["name"], first["name"]


def of_another_robot(folder: Path) -> None:
    write_json(folder / "profile.json", to_json(replace(base_profile(), name="two_joints")))
    seal(folder)


CASES: dict[str, tuple[Change, str]] = {
    "policy": (flipped("policy.onnx"), "policy.onnx is not what was sealed"),
    "contract": (flipped("contract.json"), "contract.json is not what was sealed"),
    "profile": (flipped("profile.json"), "profile.json is not what was sealed"),
    "manifest": (flipped("manifest.json"), "manifest.json is not what was sealed"),
    "limit": (
        edited(lambda values: values["limits"]["joints"][1].pop("velocity_rad_s")),
        "key 'limits.joints[1].velocity_rad_s' is missing",
    ),
    "box": (edited(lambda values: values["limits"].update(tool=None)), "may not go live: it lacks limits.tool"),
    "unknown joint": (
        edited(lambda values: values["limits"]["joints"][0].update(model="joint9")),
        "no input gives 'position:joint1'",
    ),
    "swapped joints": (edited(swapped), "limits.joints has 'joint2' where the trained model has 'joint1': swapped?"),
    "swapped names": (
        edited(swapped_names),
        "joint 'robot_joint2' is 'joint1' and 'robot_joint1' is 'joint2': swapped?",
    ),
    "encoding": (
        edited(lambda values: values["inputs"][1].update(encoding="32FC1")),
        "no camera 'front' gives rgb8 as the policy needs; it has front (32FC1)",
    ),
    "no such encoding": (edited(lambda values: values["inputs"][1].update(encoding="yuv422")), "got 'yuv422'"),
    "unknown key": (edited(lambda values: values["limits"].update(max_speed=1.0)), "max_speed"),
    "another robot": (of_another_robot, "no camera 'front' gives rgb8 as the policy needs; it has none"),
}


def run(bundle: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(
        [str(bundle), "--profile", "two_joints", "--live", "--confirm", "two_joints", "--arm", "--seconds", "0.1"]
    )
    return code, capsys.readouterr().err


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_one_line_before_anything_is_connected(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = io.StringIO()
    monkeypatch.setattr(app, "open_transport", lambda *_: opened.write("opened"))
    bundle = bundle_of_an_arm(tmp_path / "bundle")
    change, message = CASES[case]
    change(bundle)
    code, told = run(bundle, capsys)
    assert (code, opened.getvalue()) == (1, "")
    assert told.startswith("robossl: ")
    assert told.count("\n") == 1
    assert message in told


def test_unchanged_it_gets_as_far_as_the_transport(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ReachedError(Exception):
        pass

    def reached(*_: object) -> None:
        raise ReachedError

    monkeypatch.setattr(app, "open_transport", reached)
    words = [str(bundle_of_an_arm(tmp_path / "bundle")), "--profile", "two_joints", "--live", "--confirm", "two_joints"]
    with pytest.raises(ReachedError):
        main(words)
