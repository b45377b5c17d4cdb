"""Videos of a policy at work."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robossl.core.errors import UserError
from robossl.core.files import make_folder, write_atomic
from robossl.core.protocols import BatchEnv, Policy
from robossl.training.film import Film
from robossl.training.gif import Frames, contact_sheet, encode_gif, encode_png
from robossl.training.rollout import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordConfig:
    """What is filmed.

    Attributes:
        episodes: of world 0, one after the other.
        height_px: of the cameras' pictures.
        camera: the viewer's; the task's own choice where None.
    """

    episodes: int = 3
    height_px: int = 240
    camera: str | None = None

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.episodes < 1:
            raise UserError(f"record.episodes must be at least 1, got {self.episodes}")
        if self.height_px < 16:
            raise UserError(f"record.height-px must be at least 16, got {self.height_px}")


@dataclass(frozen=True, slots=True)
class Recording:
    """A video: frames [T, H, W, 3] uint8 at the rate the robot acts at."""

    frames: Frames
    fps: float

    def save(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Writes `<name>.gif` and the contact sheet `<name>.png`, and returns their paths.

        Raises:
            UserError: if they cannot be written.
        """
        make_folder(folder)
        gif, sheet = folder / f"{name}.gif", folder / f"{name}.png"
        write_atomic(gif, encode_gif(self.frames, self.fps))
        write_atomic(sheet, encode_png(contact_sheet(self.frames)))
        return gif, sheet


def record(
    env: BatchEnv, policy: Policy, config: RecordConfig, *, progress: Callable[[int], None] | None = None
) -> Recording:
    """Films world 0 of `env`; one world is enough.

    Args:
        env: in a stream of its own.
        policy: e.g. `AgentPolicy`.
        config: what is filmed.
        progress: is called with the number of steps made.

    Raises:
        UserError: if there is no camera, or the environment cannot draw itself.
    """
    everyone = np.ones(env.num_worlds, bool)
    with Film(env, height_px=config.height_px, camera=config.camera, num_episodes=config.episodes) as film:
        rollout = Rollout(env, policy)
        film.begin(rollout.obs)
        while not film.is_over:
            film.observe(rollout.step(), everyone)
            if progress is not None:
                progress(1)
        return Recording(film.frames, env.spec.control_hz)
