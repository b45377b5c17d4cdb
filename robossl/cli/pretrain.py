"""`robossl pretrain`: an encoder from episodes."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from robossl.cli.arguments import FLAT, parse, take_option
from robossl.cli.choice import choose, listed, run_name
from robossl.cli.compose import device_name, prepare_processor
from robossl.cli.figures import print_summary
from robossl.cli.presets import dump
from robossl.cli.pretraining import Pretraining, pretrain_summary
from robossl.cli.settings import PretrainSettings
from robossl.core import UsageError, UserError
from robossl.core.files import write_atomic, write_json
from robossl.training.run_folder import new_run_folder, only_writer, write_command, write_system_json

_SHORTHANDS = {"-n": "--pretrain.updates", "--n-timesteps": "--pretrain.updates", "-f": "--log-folder"}
_DATA = "data.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainCommand:
    """Pretrains an encoder.

    Attributes:
        config: what to learn, and how.
        data: folder of the dataset; where a run is resumed, the one that it was begun with where None.
        json: print one JSON object as the last line.
    """

    config: Annotated[PretrainSettings, FLAT] = field(default_factory=PretrainSettings)
    data: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Pretrains or resumes, and prints losses and probes."""
    resumed, rest = take_option(arguments, "--resume")
    run_folder = Path(resumed) if resumed is not None else None
    if run_folder is not None:
        if not (run_folder / _DATA).is_file():
            raise UserError(f"{run_folder} is not a run of pretrain: it has no {_DATA}")
        rest = [str(run_folder / "config.yaml"), *rest]
    choice = choose("pretrain", rest, PretrainSettings)
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
    prepare_processor(settings.num_threads)
    data = _data(command, run_folder)
    pretraining = Pretraining.prepare(data, settings)
    folder = run_folder or _begin(settings, run_name(choice, "pretrain"), data)
    with only_writer(folder):
        write_command(folder, ["robossl", "pretrain", *arguments])
        figures = pretrain_summary(pretraining.run(folder, resume=run_folder is not None))
        write_json(folder / "result.json", figures)
    print_summary(figures, as_json=command.json)
    return 0


def _data(command: PretrainCommand, run_folder: Path | None) -> Path:
    if command.data is not None:
        return command.data
    if run_folder is None:
        raise UsageError("--data FOLDER is needed: the dataset to learn from (robossl collect makes one)")
    return Path((run_folder / _DATA).read_text().strip())


def _begin(settings: PretrainSettings, name: str, data: Path) -> Path:
    folder = new_run_folder(settings.log_folder, name)
    write_atomic(folder / "config.yaml", dump(settings).encode())
    write_atomic(folder / _DATA, f"{data.resolve()}\n".encode())
    write_system_json(folder)
    return folder
