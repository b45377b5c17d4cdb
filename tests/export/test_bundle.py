import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from robossl.core import ArraySpec, Bundle, UserError
from robossl.core.contract import CameraInput, VectorInput
from robossl.export import ExportConfig
from robossl.export.bundle import Exported, Source, export_bundle
from robossl.export.card import model_card
from robossl.export.closed_loop import judge, require_proven
from robossl.export.inputs import Seen, describe_inputs
from robossl.export.session import Session
from robossl.training.evaluate import evaluate
from robossl.training.policy import RandomPolicy


@pytest.fixture(scope="module")
def exported(
    agent: Any, make_source: Callable[[Any], Source], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Exported]:
    folder = tmp_path_factory.mktemp("out") / "bundle"
    return agent, export_bundle(make_source(agent), folder, ExportConfig())


def frames(num_rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns what a robot has, [B, K, H, W, C] and [B, D]."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (num_rows, 2, 6, 8, 3), np.uint8), rng.normal(3, 4, (num_rows, 3)).astype(np.float32)


@pytest.mark.parametrize("num_rows", [1, 2, 7])
def test_the_graph_takes_what_a_camera_delivers_and_acts_as_the_agent(
    exported: tuple[Any, Exported], num_rows: int
) -> None:
    agent, result = exported
    pictures, vectors = frames(num_rows)
    action, command = Session(result.bundle.policy)({"rgb_front": pictures, "proprio": vectors})
    oldest, newest = (pictures[:, k].transpose(0, 3, 1, 2) for k in (0, 1))
    stacked = np.concatenate([oldest, newest], axis=1)
    wanted, _ = agent.predict({"rgb_front": stacked, "proprio": vectors}, deterministic=True)
    np.testing.assert_allclose(action, wanted, atol=2e-6)
    np.testing.assert_allclose(command[:, 0], np.clip(0.25 - 0.5 * wanted[:, 1], -0.25, 0.5), atol=2e-6)
    np.testing.assert_array_equal(command[:, 1], 2.0)


def test_the_contract_tells_every_input(exported: tuple[Any, Exported]) -> None:
    contract = Bundle(exported[1].bundle.folder).contract
    camera, vector = contract.inputs
    assert isinstance(camera, CameraInput)
    assert (camera.name, camera.shape, camera.sensor, camera.encoding) == ("rgb_front", (2, 6, 8, 3), "front", "rgb8")
    assert isinstance(vector, VectorInput)
    assert [(e.name, e.unit, e.joint) for e in vector.elements] == [
        ("world_rad", "rad", "hip"),
        ("episode_rad_s", "rad/s", "hip"),
        ("step", "1", None),
    ]
    world = vector.elements[0].seen
    assert (world.low, world.high) == (0.0, 7.0)  # 8 worlds were shown
    assert (camera.seen[0].low, camera.seen[2].low, camera.seen[0].high) == (0.0, 0.0, 7.0)
    assert (contract.control_hz, contract.actions) == (10.0, ("left", "right"))


def test_a_series_of_every_substep_is_refused(counting: Callable[[], Any]) -> None:
    env = counting()
    spec = replace(env.spec, observation={"force_torque": ArraySpec(shape=(16, 6))})
    seen = Seen(spec.observation, 4, np.random.default_rng(0))
    with pytest.raises(UserError, match=r"'force_torque' is a series \[16, 6\]"):
        describe_inputs(spec, 1, seen)


def test_what_cannot_be_exported_is_refused_before_any_work(
    exported: tuple[Any, Exported], make_source: Callable[[Any], Source], tmp_path: Path
) -> None:
    def simulated(_: object) -> Any:
        raise AssertionError("worlds were simulated")

    source = make_source(exported[0])
    for shape, message in (((16, 6), r"is a series \[16, 6\]"), ((8, 8, 4), "has 4 channels")):
        observation = source.spec.observation | {"other": ArraySpec(shape=shape, dtype="uint8")}
        spec = replace(source.spec, observation=observation)
        with pytest.raises(UserError, match=f"'other' {message}"):
            export_bundle(
                replace(source, spec=spec, explore=simulated, rollout=simulated), tmp_path / "bundle", ExportConfig()
            )


def test_the_graph_has_the_contract_s_names_and_nothing_outside_the_file(exported: tuple[Any, Exported]) -> None:
    model = onnx.load_from_string(exported[1].bundle.policy)
    assert [part.name for part in model.graph.input] == ["rgb_front", "proprio"]
    assert [part.name for part in model.graph.output] == ["action", "command"]
    assert {opset.domain for opset in model.opset_import} == {""}
    assert [opset.version for opset in model.opset_import] == [exported[1].bundle.contract.opset]
    assert not any(part.external_data for part in model.graph.initializer)
    random = {node.op_type for node in model.graph.node} & {"RandomNormal", "RandomNormalLike", "RandomUniform"}
    assert not random
    for word in (b"stack_trace", b".py", str(Path(__file__).parents[2]).encode()):
        assert word not in exported[1].bundle.policy


def test_what_is_no_number_never_becomes_a_command(exported: tuple[Any, Exported]) -> None:
    pictures, vectors = frames(2)
    vectors[1, 2] = np.nan
    action, command = Session(exported[1].bundle.policy)({"rgb_front": pictures, "proprio": vectors})
    assert np.isfinite(action[0]).all()
    assert np.isnan(action[1]).all()
    assert np.isnan(command[1, 0])


def test_the_proof_and_the_card_are_in_the_bundle(exported: tuple[Any, Exported]) -> None:
    bundle = exported[1].bundle
    proof = json.loads(bundle.read("parity.json"))
    kinds = {"recorded", "one by one", "zeros", "limits", "corners", "far", "not finite"}
    assert set(proof["cases"]) == kinds
    assert max(case["max_action_difference"] for case in proof["cases"].values()) <= proof["tolerance"]
    loop = proof["closed_loop"]
    assert loop["episodes"] == 8
    assert loop["return_agent"] == pytest.approx(loop["return_graph"])
    assert loop["max_action_difference"] <= proof["tolerance"]
    card = bundle.read("README.md").decode()
    for text in ("test/Counter-v0", "turn_rad_s", "world_rad", "robossl export toy/1", "0.25 + -0.5 * right"):
        assert text in card


def test_the_card_says_nothing_of_success_where_there_is_none(exported: tuple[Any, Exported]) -> None:
    bundle, loop = exported[1].bundle, exported[1].loop
    proof = json.loads(bundle.read("parity.json"))
    assert "interval of the agent's success" in bundle.read("README.md").decode()
    untold = replace(loop, success_agent=None, success_graph=None, same_outcome=None)
    assert "success" not in model_card(bundle.contract, untold, proof, {})
    assert "| success |" in model_card(bundle.contract, loop, proof, {})  # the graph alone was told of it


def test_success_is_not_known_where_the_environment_tells_of_none(counting: Callable[[], Any]) -> None:
    env = counting()
    told = evaluate(env, RandomPolicy(env, seed=0), 4)
    untold = replace(told, has_success=False)
    driver: Any = SimpleNamespace(steps=1, max_difference=0.0)
    loop = judge(untold, untold, driver)
    assert (loop.success_agent, loop.success_graph, loop.same_outcome) == (None, None, None)
    require_proven(loop, ExportConfig(quantise="int8"))
    assert judge(untold, told, driver).success_agent == told.success.mean()


def test_exporting_again_changes_nothing_and_another_agent_is_refused(
    exported: tuple[Any, Exported], make_source: Callable[[Any], Source]
) -> None:
    agent, result = exported
    again = export_bundle(make_source(agent), result.bundle.folder, ExportConfig())
    assert again.bundle.digest == result.bundle.digest
    other = replace(make_source(agent), command="robossl export toy/2")
    with pytest.raises(UserError, match="holds another bundle"):
        export_bundle(other, result.bundle.folder, ExportConfig())
    assert Bundle(result.bundle.folder).digest == result.bundle.digest


def test_another_bundle_and_a_place_that_takes_none_are_refused_before_any_work(
    exported: tuple[Any, Exported], make_source: Callable[[Any], Source], tmp_path: Path
) -> None:
    def simulated(_: object) -> Any:
        raise AssertionError("worlds were simulated")

    agent, result = exported
    source = replace(make_source(agent), explore=simulated, rollout=simulated)
    with pytest.raises(UserError, match="holds another bundle"):
        export_bundle(replace(source, command="robossl export toy/2"), result.bundle.folder, ExportConfig())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Not a directory"):
        export_bundle(source, tmp_path / "file" / "bundle", ExportConfig())
    with pytest.raises(AssertionError, match="were simulated"):
        export_bundle(source, result.bundle.folder, ExportConfig())


class Drifted:
    """An agent that acts a little differently from what it exports."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent

    def predict(self, observation: Any, *, deterministic: bool) -> Any:
        action, state = self.agent.predict(observation, deterministic=deterministic)
        return np.clip(action + 1e-3, -1, 1), state

    def export_module(self) -> nn.Module:
        return self.agent.export_module()  # type: ignore[no-any-return]


def test_what_is_not_proven_equal_is_not_exported(
    agent: Any, make_source: Callable[[Any], Source], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"at the wheel the graph's action was 0\.001"):
        export_bundle(make_source(Drifted(agent)), tmp_path / "bundle", ExportConfig())
    with pytest.raises(UserError, match="differ by"):
        export_bundle(make_source(agent), tmp_path / "bundle", ExportConfig(tolerance=1e-12))
    assert not list(tmp_path.iterdir())


def test_other_things_in_the_way_are_left_alone(
    agent: Any, make_source: Callable[[Any], Source], tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="is not a bundle"):
        export_bundle(make_source(agent), tmp_path, ExportConfig())
    with pytest.raises(UserError, match="is not a bundle"):
        export_bundle(make_source(agent), tmp_path / "thesis.txt", ExportConfig())
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_eight_bits_are_said_and_judged_by_success(
    agent: Any, make_source: Callable[[Any], Source], exported: tuple[Any, Exported], tmp_path: Path
) -> None:
    result = export_bundle(make_source(agent), tmp_path / "int8", ExportConfig(quantise="int8"))
    kinds = {node.op_type for node in onnx.load_from_string(result.bundle.policy).graph.node}
    assert "QuantizeLinear" in kinds
    proof = json.loads(result.bundle.read("parity.json"))
    assert proof["quantised"] == "int8"
    assert proof["tolerance"] is None
    assert 1e-5 < proof["closed_loop"]["max_action_difference"] < 0.3
    assert "computes in int8" in result.bundle.read("README.md").decode()
    pictures, vectors = frames(1)
    vectors[:] = np.nan
    action, _ = Session(result.bundle.policy)({"rgb_front": pictures, "proprio": vectors})
    assert np.isnan(action).all()


def test_the_exported_module_is_a_copy(agent: Any) -> None:
    module = agent.export_module()
    before = [value.clone() for value in module.state_dict().values()]
    with torch.no_grad():
        for parameter in agent.policy.parameters():
            parameter.add_(1.0)
    after = list(module.state_dict().values())
    with torch.no_grad():
        for parameter in agent.policy.parameters():
            parameter.sub_(1.0)
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert not any(parameter.requires_grad for parameter in module.parameters())
