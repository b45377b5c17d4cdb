"""`robossl pretrain`: an encoder from episodes."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from robossl.cli.arguments import FLAT, UsageError, parse, split_positional, take_option
from robossl.cli.artifacts import pretrain_on, pretrain_summary
from robossl.cli.compose import device_name, prepare_processor
from robossl.cli.figures import print_summary
from robossl.cli.presets import dump, load_preset, preset_names
from robossl.cli.settings import PretrainSettings
from robossl.core import UserError
from robossl.core.files import write_atomic, write_json
from robossl.training.run_folder import new_run_folder, write_command, write_system_json

_ALIASES = {"-n": "--pretrain.updates", "-f": "--log-folder"}


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


def run(arguments: list[str]) -> int:
    """Pretrains or resumes, and prints losses and probes."""
    resumed, rest = take_option(arguments, "--resume")
    preset, rest = split_positional(rest)
    settings = PretrainSettings()
    if resumed is not None:
        settings = load_preset("pretrain", str(Path(resumed) / "config.yaml"), PretrainSettings)
    elif preset is not None:
        settings = load_preset("pretrain", preset, PretrainSettings)
    command = parse(
        PretrainCommand(config=settings),
        [_ALIASES.get(word, word) for word in rest],
        usage="robossl pretrain [PRESET] --data FOLDER",
        description=f"Pretrains an encoder; --resume RUN continues. Presets: {', '.join(preset_names('pretrain'))}.",
    )
    settings = replace(command.config, device=device_name(command.config.device))
    prepare_processor(settings.num_threads)
    if resumed is not None:
        folder, data = Path(resumed), command.data or Path((Path(resumed) / "data.txt").read_text().strip())
    else:
        if command.data is None:
            raise UsageError("--data FOLDER is needed: the dataset to learn from (robossl collect makes one)")
        data = command.data
        if not (data / "dataset.json").is_file():
            raise UserError(f"{data} is not a dataset: it has no dataset.json")
        folder = new_run_folder(settings.log_folder, Path(preset).stem if preset else "pretrain")
        write_atomic(folder / "config.yaml", dump(settings).encode())
        write_atomic(folder / "data.txt", f"{data}\n".encode())
        write_system_json(folder)
    write_command(folder, ["robossl", "pretrain", *arguments])
    figures = pretrain_summary(pretrain_on(data, folder, settings, resume=resumed is not None))
    write_json(folder / "result.json", figures)
    print_summary(figures, as_json=command.json)
    return 0
