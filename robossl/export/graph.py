"""The policy as one graph: from what sensors deliver to SI commands, nothing left to retype on the robot."""

from collections.abc import Sequence

import onnx
import torch
from torch import Tensor, nn

from robossl.core.contract import ACTION, COMMAND, CameraInput, InputSpec
from robossl.core.errors import UserError
from robossl.core.specs import CommandSpec
from robossl.export.quiet import quiet

OPSET = 18
_EXAMPLE_ROWS = 2  # one would be taken for a constant


class PolicyGraph(nn.Module):
    """Maps inputs as the contract describes them to actions and commands; an input that is no number gives none.

    That a NaN comes through is made sure of here: integer layers and some runtimes' clips and ReLUs lose it.

    Args:
        module: {key: [B, ...]}, pictures stacked and channels-first, to actions [B, A] in [-1, 1].
        inputs: in the order of `forward`'s arguments.
        commands: what actions are mapped to.
    """

    def __init__(self, module: nn.Module, inputs: Sequence[InputSpec], commands: Sequence[CommandSpec]) -> None:
        super().__init__()
        self.module = module
        self.inputs = tuple(inputs)
        self.register_buffer("source", torch.tensor([command.source or 0 for command in commands]))
        for name in ("scale", "offset", "low", "high"):
            self.register_buffer(name, torch.tensor([getattr(command, name) for command in commands]))
        self.source: Tensor
        self.scale: Tensor
        self.offset: Tensor
        self.low: Tensor
        self.high: Tensor

    def forward(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns actions [B, A] and commands [B, C].

        Args:
            values: one per input: pictures [B, K, H, W, C], vectors [B, D].
        """
        obs = {
            spec.name: _stacked(value) if isinstance(spec, CameraInput) else value
            for spec, value in zip(self.inputs, values, strict=True)
        }
        action: Tensor = self.module(obs)
        numbers = [value.flatten(1) for value in values if value.is_floating_point()]
        if numbers:
            action = torch.where(torch.cat(numbers, dim=1).isnan().any(-1, keepdim=True), torch.nan, action)
        command = self.offset + self.scale * action.index_select(-1, self.source)
        return action, torch.minimum(torch.maximum(command, self.low), self.high)


def to_onnx(graph: PolicyGraph) -> bytes:
    """Returns the graph as an ONNX model with a free batch axis, weights inside.

    Raises:
        UserError: if an operation has no ONNX equivalent.
    """
    names = [spec.name for spec in graph.inputs]
    batch = {0: torch.export.Dim("batch")}
    try:
        with quiet():
            program = torch.onnx.export(
                graph.eval(),
                tuple(_example(spec) for spec in graph.inputs),
                input_names=names,
                output_names=[ACTION, COMMAND],
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=((batch,) * len(names),),
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise UserError(f"the policy cannot be written as ONNX: {' '.join(str(error).split())[:200]}") from error
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    _forget_origin(model.graph)
    return bytes(model.SerializeToString())


def _forget_origin(graph: onnx.GraphProto) -> None:
    """Removes the exporter's notes: they hold stack traces with this machine's paths."""
    for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]


def _stacked(frames: Tensor) -> Tensor:
    """Turns [B, K, H, W, C] into [B, K * C, H, W]."""
    return frames.permute(0, 1, 4, 2, 3).flatten(1, 2)


def _example(spec: InputSpec) -> Tensor:
    return torch.zeros((_EXAMPLE_ROWS, *spec.shape), dtype=getattr(torch, spec.dtype))
