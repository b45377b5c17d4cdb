"""A bundle whose policy can be worked out by hand: commands = gain * proprio, remembered as a running sum if asked."""

from pathlib import Path
from typing import Any

from deploy_robots import base_contract
from onnx import TensorProto, helper

from robossl.core import Contract
from robossl.core.bundle import seal, write_contract
from robossl.core.contract import StateSpec


def linear_graph(gain: float, *, recurrent: bool = False, source: str = "proprio") -> bytes:
    """command = gain * source (+ memory, which becomes the sum of all sources so far)."""
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in _names(source, recurrent)
    }
    nodes = [helper.make_node("Mul", [source, "gain"], ["scaled"])]
    inputs, outputs = [values[source]], [values["command"]]
    if recurrent:
        nodes += [
            helper.make_node("Add", ["scaled", "memory"], ["command"]),
            helper.make_node("Add", [source, "memory"], ["next_memory"]),
        ]
        inputs.append(values["memory"])
        outputs.append(values["next_memory"])
    else:
        nodes.append(helper.make_node("Identity", ["scaled"], ["command"]))
    weight = helper.make_tensor("gain", TensorProto.FLOAT, [], [gain])
    graph = helper.make_graph(nodes, "toy", inputs, outputs, [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def write_toy_bundle(
    folder: Path, *, gain: float = 2.0, recurrent: bool = False, source: str = "proprio", **changes: Any
) -> Path:
    folder.mkdir()
    if recurrent:
        changes["initial_state"] = (StateSpec(name="memory", shape=(2,), initial=(0.5, -0.5)),)
    toy: Contract = base_contract(**changes)
    (folder / toy.policy).write_bytes(linear_graph(gain, recurrent=recurrent, source=source))
    write_contract(folder, toy)
    seal(folder)
    return folder


def _names(source: str, recurrent: bool) -> list[str]:
    return [source, "command", *(["memory", "next_memory"] if recurrent else [])]
