"""`export_bundle`: graph, contract, proof and card in one sealed folder, or an error and nothing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn

from robossl.core.bundle import CONTRACT, Bundle, seal, write_contract
from robossl.core.contract import Contract, TrainedOn
from robossl.core.errors import CorruptFileError, UserError
from robossl.core.files import require_makeable, sync_folder, write_atomic, write_json
from robossl.core.specs import CommandSpec, EnvSpec
from robossl.export import parity
from robossl.export.card import model_card
from robossl.export.closed_loop import ClosedLoop, Driver, Episodes, Predictor, Watched, judge, require_proven
from robossl.export.config import ExportConfig
from robossl.export.graph import OPSET, PolicyGraph, to_onnx
from robossl.export.inputs import Seen, describe_inputs, require_exportable
from robossl.export.quantise import to_int8
from robossl.export.session import Session
from robossl.version import VERSION

POLICY, PARITY, CARD = "policy.onnx", "parity.json", "README.md"
_NUM_SEEN = 512


class Exportable(Predictor, Protocol):
    """An agent that can be exported: all it needs beside acting is one method."""

    def export_module(self) -> nn.Module:
        """Returns a copy on the CPU that maps {key: [B, ...]} to the mean action [B, A] in [-1, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is exported, and the worlds to prove it in, which are somebody else's.

    Attributes:
        explore: lets a policy act as in training, for the ranges of what it sees.
        rollout: lets a policy act in unseen worlds, the same ones every time.
        command: how a person repeats the export.
    """

    agent: Exportable
    spec: EnvSpec
    frame_stack: int
    trained_on: TrainedOn
    explore: Callable[[Predictor], object]
    rollout: Callable[[Predictor], Episodes]
    command: str


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished bundle, and what its proof came to."""

    bundle: Bundle
    loop: ClosedLoop
    cases: dict[str, parity.CaseResult]


def export_bundle(source: Source, output: Path, config: ExportConfig) -> Exported:
    """Writes a bundle to `output`, which comes into being complete or not at all.

    Exporting again what is already there changes nothing.

    Raises:
        UserError: if the graph is not the agent, an observation cannot be exported, something else is in `output`, or
            it cannot be written.
    """
    require_free(output)
    require_exportable(source.spec.observation)
    _require_repeated(output, source)
    seen = Seen(source.spec.observation, _NUM_SEEN, np.random.default_rng(0))
    watched = Watched(source.agent, seen)
    source.explore(watched)
    reference = source.rollout(watched)
    contract = _contract(source, seen)
    graph = PolicyGraph(source.agent.export_module(), contract.inputs, contract.commands)
    model = to_onnx(graph)
    cases = parity.compare(graph, Session(model), contract, seen.sample)
    parity.require_equal(cases, config.tolerance)
    if config.quantise is not None:
        model = to_int8(model, seen.sample)
        cases = parity.compare(graph, Session(model), contract, seen.sample)
    driver = Driver(Session(model), source.agent, source.spec.observation)
    loop = judge(reference, source.rollout(driver), driver)
    require_proven(loop, config)
    proof = _proof(source, config, cases, loop)
    card = model_card(contract, loop, proof, reference.summary())
    bundle = _write(output, model, contract, proof, card)
    return Exported(bundle, loop, cases)


def require_free(output: Path) -> None:
    """Checks, before any work, that nothing but a bundle is in `output`, and that one can be written.

    Raises:
        UserError: if not.
    """
    is_free = output.is_dir() and (not any(output.iterdir()) or (output / CONTRACT).is_file())
    if output.exists() and not is_free:
        raise UserError(f"{output} exists and is not a bundle: choose another folder with -o")
    require_makeable(output.resolve())


def _require_repeated(output: Path, source: Source) -> None:
    """Checks, before any work, that a bundle in `output` was written by this version for this command and agent."""
    if not (output / CONTRACT).is_file():
        return
    try:
        bundle = Bundle(output)
        told = json.loads(bundle.read(PARITY))["command"], bundle.contract.robossl, bundle.contract.trained_on
    except (UserError, ValueError, KeyError, TypeError):  # somebody else's, or damaged
        told = None
    if told != (source.command, VERSION, source.trained_on):
        raise _is_another(output)


def _contract(source: Source, seen: Seen) -> Contract:
    spec = source.spec
    size = spec.action.shape[0]
    actions = spec.action.names or tuple(f"action_{i}" for i in range(size))
    commands = spec.commands or tuple(_plain_command(name, i) for i, name in enumerate(actions))
    return Contract(
        robossl=VERSION,
        trained_on=source.trained_on,
        policy=POLICY,
        opset=OPSET,
        control_hz=spec.control_hz,
        inputs=describe_inputs(spec, source.frame_stack, seen),
        actions=actions,
        commands=commands,
    )


def _plain_command(name: str, index: int) -> CommandSpec:
    """Describes an action of an environment that does not tell what it stands for."""
    return CommandSpec(name=name, unit="", source=index, scale=1.0, offset=0.0, low=-1.0, high=1.0)


def _proof(
    source: Source, config: ExportConfig, cases: dict[str, parity.CaseResult], loop: ClosedLoop
) -> dict[str, Any]:
    return {
        "format": 1,
        "command": source.command,
        "quantised": config.quantise,
        "tolerance": None if config.quantise else config.tolerance,
        "max_success_loss": config.max_success_loss if config.quantise else None,
        "cases": {name: result.to_json() for name, result in cases.items()},
        "closed_loop": loop.to_json(),
    }


def _write(output: Path, model: bytes, contract: Contract, proof: dict[str, Any], card: str) -> Bundle:
    output = output.resolve()
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        write_atomic(temporary / POLICY, model)
        write_contract(temporary, contract)
        write_json(temporary / PARITY, proof)
        write_atomic(temporary / CARD, card.encode())
        digest = seal(temporary)
        if output.is_dir() and any(output.iterdir()):
            _require_same(output, digest)
        else:
            temporary.replace(output)
            sync_folder(output.parent)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Bundle(output)


def _require_same(output: Path, digest: str) -> None:
    try:
        same = Bundle(output).digest == digest
    except CorruptFileError:
        same = False
    if not same:
        raise _is_another(output)


def _is_another(output: Path) -> UserError:
    return UserError(f"{output} holds another bundle: choose another folder with -o, or move that one away")
