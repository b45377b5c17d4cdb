"""The model card: what a person must know of a bundle before a robot runs it."""

from collections.abc import Sequence
from typing import Any

from robossl.core.contract import CameraInput, Contract, InputSpec
from robossl.core.specs import CommandSpec, MotionSpec
from robossl.export.closed_loop import ClosedLoop

_LIMITS = (
    "- It was trained and tested in simulation only. Nothing here was measured on a robot.",
    "- It knows what lies in the ranges above; beyond them it answers all the same.",
    "- Inputs must be finite, named and ordered as in `contract.json`, and not older than stated there.",
    "- It is no safety function: the robot needs its own limits, command timeout and emergency stop.",
)


def model_card(contract: Contract, loop: ClosedLoop, parity: dict[str, Any], summary: dict[str, Any]) -> str:
    """Returns the card as Markdown."""
    origin = contract.trained_on
    sections = [
        _front(contract),
        f"# {origin.agent.upper()} for {origin.env}\n",
        f"`policy.onnx` maps the inputs below to commands, {contract.control_hz:g} times a second. `contract.json` says"
        " the same to a program, `parity.json` proves that the graph is the agent, and `sha256sum -c seal.sha256`"
        " checks the list of files.\n",
        "## Trained on\n",
        f"Environment {origin.env} in {origin.engine}, run `{origin.run}`, checkpoint of step {origin.step:,}, robossl"
        f" {contract.robossl}.{_motion(origin.motion)}\n",
        "## Inputs\n",
        *map(_input, contract.inputs),
        "## Commands\n",
        _table(("command", "unit", "map", "limits", "moves"), [_command(c, contract) for c in contract.commands]),
        "## Results\n",
        _results(loop, summary, parity),
        "## Limits\n",
        "\n".join(_LIMITS) + "\n",
    ]
    return "\n".join(sections)


def _motion(motion: MotionSpec | None) -> str:
    """Says under what bounds an arm's joints moved, where they did."""
    if motion is None or motion.acceleration_rad_s2 is None:
        return ""
    listed = ", ".join(
        f"{name} {acceleration:g}" for name, acceleration in zip(motion.joints, motion.acceleration_rad_s2, strict=True)
    )
    return f" Accelerations of joints were bounded, in rad/s2: {listed}."


def _front(contract: Contract) -> str:
    origin = contract.trained_on
    tags = "".join(f"- {tag}\n" for tag in ("robotics", "reinforcement-learning", origin.agent))
    return f"---\nlibrary_name: robossl\npipeline_tag: robotics\ntags:\n{tags}datasets:\n- {origin.env}\n---\n"


def _input(spec: InputSpec) -> str:
    if isinstance(spec, CameraInput):
        frames, height, width, _ = spec.shape
        seen = "; ".join(f"{part.low:g} to {part.high:g}" for part in spec.seen)
        return (
            f"`{spec.name}`: the newest {frames} frame(s) of camera `{spec.sensor}`, oldest first, {width}x{height}"
            f" pixels, `{spec.encoding}`, at most {spec.max_age_s:g} s old. Per channel in training: {seen}.\n"
        )
    rows = [
        (e.name, e.unit or "unknown", e.joint or "", f"{e.seen.low:.4g}", f"{e.seen.q01:.4g} to {e.seen.q99:.4g}",
         f"{e.seen.high:.4g}")
        for e in spec.elements
    ]  # fmt: skip
    title = f"`{spec.name}`: {len(rows)} numbers, float32, at most {spec.max_age_s:g} s old. In training:\n\n"
    return title + _table(("element", "unit", "joint", "least", "98 % in", "greatest"), rows)


def _command(command: CommandSpec, contract: Contract) -> tuple[str, ...]:
    source = f" + {command.scale:g} * {contract.actions[command.source]}" if command.source is not None else ""
    moves = command.moves
    return (
        command.name,
        command.unit or "unknown",
        f"{command.offset:g}{source}",
        f"{command.low:g} to {command.high:g}",
        "" if moves is None else f"{moves.name} in {moves.low:g} to {moves.high:g}, lead {moves.max_lead:g}",
    )


def _results(loop: ClosedLoop, summary: dict[str, Any], parity: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [
        ("driven by", "return"),
        ("agent (torch)", f"{loop.return_agent:.4g}"),
        ("graph (ONNX Runtime)", f"{loop.return_graph:.4g}"),
    ]
    text = (
        f"At {loop.steps:,} decisions on the same observations they were at most {loop.max_action_difference:.2g} of an"
        " action's [-1, 1] apart."
    )
    if loop.success_agent is not None:
        success = ("success", f"{loop.success_agent:.3f}", f"{loop.success_graph:.3f}")
        rows = [(*row, told) for row, told in zip(rows, success, strict=True)]
        text += f" {loop.same_outcome:.1%} of the worlds ended alike: last digits decide close calls."
    if "success_rate_ci" in summary:  # not where the graph alone was told of success
        low, high = summary["success_rate_ci"]
        text += f" 95 % interval of the agent's success: {low:.3f} to {high:.3f}."
    return (
        f"{loop.episodes} worlds that training has not seen, simulated: `{parity['command']}`\n\n"
        + _table(rows[0], rows[1:])
        + f"\n{text}"
        + (f" The graph computes in {parity['quantised']}." if parity["quantised"] else "")
        + "\n"
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
