"""`robossl record`: videos of a run, or of the random or scripted policy."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from robossl.cli.acting import ActingConfig, acting_like, opened_actor
from robossl.cli.arguments import FLAT, parse, split_positional
from robossl.cli.figures import print_json
from robossl.core.files import require_makeable
from robossl.training.progress import Progress
from robossl.training.record import RecordConfig, record

_SHORTHANDS = {"-f": "--out", "--log-folder": "--out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCommand:
    """Films a policy.

    Attributes:
        acting: who acts, and where.
        config: what is filmed.
        out: folder of the video; where None, the run's videos/, or videos/ where no run is given.
        json: print one JSON object as the last line.
    """

    acting: Annotated[ActingConfig, FLAT] = field(default_factory=ActingConfig)
    config: Annotated[RecordConfig, FLAT] = field(default_factory=RecordConfig)
    out: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Films and prints where the video is."""
    run_name, rest = split_positional(arguments)
    run_folder = Path(run_name) if run_name else None
    command = parse(
        RecordCommand(acting=acting_like(run_folder)),
        rest,
        usage="robossl record [RUN]",
        description="Films a run's agent in an unseen world, or, without a run, `--policy random` or `expert` in "
        "`--env ID`: a GIF that plays in a browser, and a sheet of its frames as PNG.",
        shorthands=_SHORTHANDS,
    )
    folder = command.out or (run_folder or Path()) / "videos"
    with (
        opened_actor(run_folder, command.acting, num_worlds=1) as actor,
        Progress("record", 0, "steps") as progress,
    ):
        name = f"{command.acting.policy}-{actor.seed}"
        require_makeable(folder / f"{name}.gif")
        film = record(actor.env, actor.policy, command.config, progress=progress.add)
    gif, sheet = film.save(folder, name)
    print(f"video {gif}\nsheet {sheet}")
    if command.json:
        print_json({"video": str(gif), "sheet": str(sheet), "frames": len(film.frames), "fps": film.fps})
    return 0
