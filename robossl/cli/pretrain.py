"""`robossl pretrain`: an encoder from episodes."""

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from robossl.cli.arguments import FLAT, parse, take_option
from robossl.cli.choice import choose, listed, run_name
from robossl.cli.compose import device_name, note_single_frames, prepare_processor
from robossl.cli.figures import print_summary
from robossl.cli.presets import dump, load_preset
from robossl.cli.pretraining import Pretraining, pretrain_summary
from robossl.cli.settings import PretrainSettings
from robossl.core import UsageError, UserError
from robossl.core.files import write_atomic, write_json
from robossl.training.checkpoint import find_checkpoint
from robossl.training.interrupt import naming
from robossl.training.pretrain import PretrainResult
from robossl.training.resume import require_ahead
from robossl.training.run_folder import new_run_folder, only_writer, write_command, write_system_json

_SHORTHANDS = {"-n": "--pretrain.updates", "--n-timesteps": "--pretrain.updates", "-f": "--log-folder"}
_DATA = "data.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainCommand:
    """Pretrains an encoder.

    Attributes:
        config: what to learn, and how.
        data: folder of the dataset.
        json: print one JSON object as the last line.
    """

    config: Annotated[PretrainSettings, FLAT] = field(default_factory=PretrainSettings)
    data: Path | None = None
    json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCommand:
    """Continues a run with the settings that it was begun with.

    Attributes:
        updates: a new end of the run, which it keeps; as it was where None.
        device: another device; as it was where None.
        data: where the dataset is now; where it was when the run began where None.
        json: print one JSON object as the last line.
    """

    updates: int | None = None
    device: str | None = None
    data: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Pretrains or resumes, and prints losses and probes."""
    resumed, rest = take_option(arguments, "--resume")
    job = _begun(rest) if resumed is None else _resumed(Path(resumed), rest)
    with naming(job.run_folder):
        prepare_processor(job.settings.num_threads)
        pretraining = Pretraining.prepare(job.data, job.settings)
    if job.run_folder is None:
        note_single_frames(job.settings.frame_stack, pretraining.replay.observation)
    folder = job.run_folder or _begin(job.settings, job.name, job.data)
    with naming(folder), only_writer(folder):
        write_command(folder, ["robossl", "pretrain", *arguments])
        write_system_json(folder)
        if resumed is not None:
            _keep_end(folder, job.settings)
        figures = _kept(folder, pretraining.run(folder, resume=resumed is not None))
    print_summary(figures, as_json=job.as_json)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    settings: PretrainSettings
    data: Path
    as_json: bool
    name: str = ""
    run_folder: Path | None = None


def _begun(arguments: list[str]) -> _Job:
    choice = choose("pretrain", arguments, PretrainSettings)
    command = parse(
        PretrainCommand(config=choice.settings),
        choice.rest,
        usage="robossl pretrain [PRESET] --data FOLDER",
        description="Learns an encoder from episodes, without labels or rewards; `--resume RUN` continues.\n"
        f"Presets: {listed('pretrain')}.",
        shorthands=_SHORTHANDS,
        others=["--resume"],
    )
    settings = replace(command.config, device=device_name(command.config.device))
    if command.data is None:
        raise UsageError("--data FOLDER is needed: the dataset to learn from (robossl collect makes one)")
    return _Job(settings=settings, data=command.data, as_json=command.json, name=run_name(choice, "pretrain"))


def _resumed(run_folder: Path, arguments: list[str]) -> _Job:
    if not (run_folder / _DATA).is_file():
        raise UserError(f"{run_folder} is not a run of pretrain: it has no {_DATA}")
    command = parse(
        ResumeCommand(),
        arguments,
        usage="robossl pretrain --resume RUN",
        description="Continues a run where it stopped, bit for bit on the same machine.",
        shorthands={flag: "--updates" for flag in ("-n", "--n-timesteps", "--pretrain.updates")},
    )
    settings = _load(run_folder)
    if command.updates is not None:
        require_ahead(find_checkpoint(run_folder), command.updates)
        settings = replace(settings, pretrain=replace(settings.pretrain, updates=command.updates))
    settings = replace(settings, device=device_name(command.device or settings.device))
    return _Job(settings=settings, data=command.data or _data(run_folder), as_json=command.json, run_folder=run_folder)


def _data(run_folder: Path) -> Path:
    """Returns where the dataset was when the run began."""
    return Path(os.fsdecode((run_folder / _DATA).read_bytes().strip()))


def _load(run_folder: Path) -> PretrainSettings:
    return load_preset("pretrain", str(run_folder / "config.yaml"), PretrainSettings)


def _keep_end(run_folder: Path, settings: PretrainSettings) -> None:
    """Notes another end of a run that goes on, so that whoever resumes it next need not tell it again."""
    begun = _load(run_folder)
    pretrain = replace(begun.pretrain, updates=settings.pretrain.updates)
    if pretrain != begun.pretrain:
        write_atomic(run_folder / "config.yaml", dump(replace(begun, pretrain=pretrain)).encode())


def _kept(run_folder: Path, result: PretrainResult) -> dict[str, Any]:
    """Returns the run's figures, which are written unless it was over before its checkpoints held them."""
    file = run_folder / "result.json"
    if not result.metrics and file.is_file():
        return dict(json.loads(file.read_bytes()))
    figures = pretrain_summary(result)
    write_json(file, figures)
    return figures


def _begin(settings: PretrainSettings, name: str, data: Path) -> Path:
    folder = new_run_folder(settings.log_folder, name)
    write_atomic(folder / "config.yaml", dump(settings).encode())
    write_atomic(folder / _DATA, os.fsencode(data.resolve()) + b"\n")
    return folder
