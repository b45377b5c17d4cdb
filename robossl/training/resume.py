"""Whether a run begins or goes on, and from where."""

from pathlib import Path

from robossl.core.errors import UserError
from robossl.training.checkpoint import Checkpoint, find_checkpoint
from robossl.training.tensorboard import TensorBoard


def checkpoint_to_resume(run_folder: Path, *, resume: bool, resume_from: Path | None = None) -> Checkpoint | None:
    """Returns the checkpoint that a run continues from; None where it begins.

    A run that was killed before its first checkpoint begins again when it is resumed.

    Raises:
        UserError: if the folder holds a run that nobody asked to resume, or another version wrote the checkpoint.
        CorruptFileError: if the checkpoint is damaged.
    """
    path = resume_from or find_checkpoint(run_folder)
    if path is None:
        return None
    if not resume:
        raise UserError(f"{run_folder} holds a run already, up to {path.name}: resume it or choose another folder")
    checkpoint = Checkpoint(path)
    checkpoint.require_resumable()
    return checkpoint


def require_ahead(checkpoint: Path | None, end: int) -> None:
    """Checks that a run that goes on from a checkpoint does not have more than its new end already.

    Raises:
        UserError: if it has.
    """
    step = 0 if checkpoint is None else Checkpoint(checkpoint).step
    if end < step:
        raise UserError(f"the run cannot end at {end:,}: it is at {step:,} already")


def open_tensorboard(run_folder: Path, checkpoint: Checkpoint | None, *, resume: bool) -> TensorBoard:
    """Opens the run's log; what was written after the checkpoint that is resumed is hidden."""
    purge_step = checkpoint.step + 1 if checkpoint is not None else 0 if resume else None
    return TensorBoard(run_folder / "tb", purge_step=purge_step)
