from pathlib import Path

import numpy as np
import pytest
from deploy_robots import base_contract, element, vector
from toy_bundle import write_toy_bundle

from robossl.core import Bundle, CorruptFileError, UserError
from robossl.core.contract import StateSpec
from robossl.deploy.policy import OnnxPolicy

SEEN = {"proprio": np.array([[0.25, -1.5]], np.float32)}


def test_the_policys_commands_come_in_double_precision(tmp_path: Path) -> None:
    command = OnnxPolicy(Bundle(write_toy_bundle(tmp_path / "toy"))).command(SEEN)
    assert command.dtype == np.float64
    np.testing.assert_array_equal(command, [0.5, -3.0])


def test_a_recurrent_policy_remembers_until_it_is_reset(tmp_path: Path) -> None:
    policy = OnnxPolicy(Bundle(write_toy_bundle(tmp_path / "toy", recurrent=True)))
    commands = [policy.command(SEEN) for _ in range(3)]
    np.testing.assert_array_equal(commands, [[1.0, -3.5], [1.25, -5.0], [1.5, -6.5]])
    policy.reset()
    np.testing.assert_array_equal(policy.command(SEEN), commands[0])


def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    path = write_toy_bundle(tmp_path / "toy") / "policy.onnx"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"policy\.onnx is not what was sealed"):
        Bundle(path.parent)


def test_a_graph_that_takes_something_else_is_refused(tmp_path: Path) -> None:
    folder = write_toy_bundle(tmp_path / "toy", source="vision")
    with pytest.raises(UserError, match=r"takes \['vision'\], the contract promises \['proprio'\]"):
        OnnxPolicy(Bundle(folder))


def test_a_graph_without_the_promised_memory_is_refused(tmp_path: Path) -> None:
    state = StateSpec(name="proprio", shape=(2,), initial=(0.0, 0.0))
    inputs = (vector("camera", *base_contract().inputs[0].elements),)  # type: ignore[union-attr]
    folder = write_toy_bundle(tmp_path / "toy", inputs=inputs, initial_state=(state,))
    with pytest.raises(UserError, match="the contract promises"):
        OnnxPolicy(Bundle(folder))


def test_bytes_that_are_no_graph_are_refused_in_one_line(tmp_path: Path) -> None:
    folder = write_toy_bundle(tmp_path / "toy", policy="contract.json")
    with pytest.raises(UserError, match="the policy cannot be loaded") as caught:
        OnnxPolicy(Bundle(folder))
    assert "\n" not in str(caught.value)


def test_a_graph_of_another_shape_is_refused(tmp_path: Path) -> None:
    proprio = base_contract().inputs[0]
    wider = vector("proprio", *proprio.elements, element("tilt_rad"))  # type: ignore[union-attr]
    folder = write_toy_bundle(tmp_path / "toy", inputs=(wider,))
    with pytest.raises(UserError, match="the policy does not run"):
        OnnxPolicy(Bundle(folder))
