"""`robossl train`: the whole chain from settings to a trained agent and its figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from robossl.cli.arguments import FLAT, parse, take_option
from robossl.cli.chain import Order, run_chain
from robossl.cli.choice import choose, listed, run_name
from robossl.cli.compose import device_name, load_settings, prepare_processor, resolved
from robossl.cli.figures import print_figures
from robossl.cli.final_test import final_test
from robossl.cli.settings import TrainSettings
from robossl.core import UsageError, UserError
from robossl.nets import load_encoder
from robossl.training.checkpoint import find_checkpoint
from robossl.training.interrupt import naming
from robossl.training.resume import require_ahead
from robossl.training.stopwatch import Stopwatch

_STEPS, _FOLDER = "--loop.n-timesteps", "--log-folder"
_SHORTHANDS = {"-n": _STEPS, "--n-timesteps": _STEPS, "-f": _FOLDER, "--engine": "--env.engine"}
_OTHERS = ("--env", "--agent", "--resume")
_DESCRIPTION = """\
Trains an agent, evaluates it on unseen worlds and films it. Presets with a `pretrain:` block collect episodes and
pretrain the encoder first. A run's own config.yaml can be given in place of a preset.
Presets: {presets}.

The flags below change what the preset has; after its name (and `--agent sac`), `--help` shows these parts with their
values. `augment`, `objectives` and `pretrain`, where a preset has none, are added by a preset of your own.

More flags:
  --env ID             another environment: one of robossl's, or any installed Gymnasium id
  --agent {{ppo,sac}}    another agent, with its own defaults
  --resume RUN         continues a run that was stopped or killed; RUN is its folder or one of its checkpoints,
                       whose later ones are then dropped"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainCommand:
    """Trains an agent.

    Attributes:
        config: what to train, and how.
        no_pretrain: leave out the preset's pretraining: the control.
        verbose: print SB3's table of figures.
        json: print one JSON object as the last line.
    """

    config: Annotated[TrainSettings, FLAT] = field(default_factory=TrainSettings)
    no_pretrain: bool = False
    verbose: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCommand:
    """Continues a run with the settings that it was begun with.

    Attributes:
        n_timesteps: a new end of the run, which it keeps; as it was where None.
        device: another device; as it was where None.
        verbose: print SB3's table of figures.
        json: print one JSON object as the last line.
    """

    n_timesteps: int | None = None
    device: str | None = None
    verbose: bool = False
    json: bool = False


def run(arguments: list[str]) -> int:
    """Trains or resumes, then evaluates the best checkpoint on unseen worlds and films it."""
    stopwatch = Stopwatch()
    resumed, rest = take_option(arguments, "--resume")
    order, as_json = _begun(rest) if resumed is None else _resumed(Path(resumed), rest)
    with naming(order.resumed):
        prepare_processor(order.settings.num_threads)
        run_folder, result = run_chain(order, ["robossl", "train", *arguments], stopwatch)
    with naming(run_folder):  # resumed, it has nothing left but this test
        figures = final_test(order.settings, run_folder, result, stopwatch)
    print_figures(figures, as_json=as_json)
    return 0


def _begun(arguments: Sequence[str]) -> tuple[Order, bool]:
    if not arguments:
        raise UsageError(f"what shall be trained? Give a preset ({listed('train')}) or --env ID")
    choice = choose("train", arguments, TrainSettings)
    command = parse(
        TrainCommand(config=choice.settings),
        choice.rest,
        usage="robossl train [PRESET]",
        description=_DESCRIPTION.format(presets=listed("train")),
        shorthands=_SHORTHANDS,
        others=_OTHERS,
    )
    settings = command.config
    if command.no_pretrain:
        settings = replace(settings, pretrain=None)
    name = run_name(choice, settings.env.id)
    if settings.pretrain is None and settings.encoder_options.weights is None:
        if not command.no_pretrain and settings.encoder_options.mode != "scratch":
            mode = settings.encoder_options.mode
            raise UserError(f"encoder-options.mode {mode} needs encoder-options.weights, or a preset that pretrains")
        options = replace(settings.encoder_options, mode="scratch", learning_rate=None)
        name += "-no-pretrain" if command.no_pretrain and not name.endswith("-no-pretrain") else ""
        settings = replace(settings, encoder_options=options)
    if settings.encoder_options.weights is not None:  # whoever builds the agent later needs the sizes that it has
        settings = replace(settings, encoder=load_encoder(settings.encoder_options.weights).config)
    return Order(settings=resolved(settings), name=name, verbose=command.verbose), command.json


def _resumed(path: Path, arguments: Sequence[str]) -> tuple[Order, bool]:
    """Reads a run's settings; `path` is its folder or one of its checkpoints."""
    run_folder, checkpoint = (path.absolute().parents[1], path) if (path / "done").is_file() else (path, None)
    command = parse(
        ResumeCommand(),
        arguments,
        usage="robossl train --resume RUN",
        description="Continues a run where it stopped, bit for bit on the same machine.",
        shorthands={"-n": "--n-timesteps"},
    )
    settings = load_settings(run_folder)
    if command.n_timesteps is not None:
        if command.n_timesteps < settings.loop.n_timesteps:  # whose last rollout may go beyond it
            require_ahead(find_checkpoint(checkpoint or run_folder), command.n_timesteps)
        settings = replace(settings, loop=replace(settings.loop, n_timesteps=command.n_timesteps))
    settings = replace(
        settings, device=device_name(command.device or settings.device), log_folder=run_folder.resolve().parents[1]
    )
    order = Order(settings=settings, resumed=run_folder, resume_from=checkpoint, verbose=command.verbose)
    return order, command.json
