"""Filming world 0: the viewer's camera beside what the robot itself sees, with a line of figures."""

from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from robossl.core.errors import UserError
from robossl.core.protocols import BatchEnv, Obs
from robossl.core.specs import image_keys
from robossl.training.gif import Frames, enlarged, in_colour
from robossl.training.rollout import Moment

_ASPECT = 4 / 3
_BAR_PX, _TEXT_PX, _MARGIN_PX, _GAP_PX = 18, 12, 4, 10
_INK, _PAPER = (235, 235, 235), (24, 24, 28)


class Film:
    """Watches an evaluation and keeps a frame of every step of world 0, from its first to its last observation.

    Entered as a context, because it asks the environment to wait for the last picture before a reset.

    Args:
        env: what is filmed.
        height_px: of the cameras' pictures; a line of text comes below.
        camera: the viewer's; the task's own choice where None.
        num_episodes: how many are filmed, the first one and those that follow it.

    Raises:
        UserError: if there is nothing to see: neither a camera of the model nor one of the robot.
    """

    def __init__(self, env: BatchEnv, *, height_px: int, camera: str | None = None, num_episodes: int = 1) -> None:
        self._env, self._height_px, self._camera = env, height_px, camera
        self._pictures = image_keys(env.spec.observation)
        self._remaining = num_episodes
        if not self._pictures and not env.spec.camera_names:
            raise UserError(f"{env.spec.id} has no camera to film with")
        self._frames: list[NDArray[np.uint8]] = []
        self._final_view: NDArray[np.uint8] | None = None
        self._step, self._begun = 0, False

    def __enter__(self) -> "Film":
        self._env.before_reset = self._keep_final_view
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._env.before_reset = None

    @property
    def frames(self) -> Frames:
        """What was filmed: [T, H, W, 3] uint8."""
        return np.stack(self._frames)

    @property
    def is_over(self) -> bool:
        """Tells whether all episodes asked for are filmed."""
        return self._remaining == 0

    def begin(self, obs: Obs) -> None:
        """See `Observer.begin`; only the first chunk of worlds is filmed."""
        if self._begun:
            self._remaining = 0
            return
        self._begun = True
        self._keep(self._view(), {key: obs[key][0] for key in self._pictures}, [])

    def observe(self, moment: Moment, counted: NDArray[np.bool_]) -> None:
        """See `Observer.observe`."""
        if self.is_over:
            return
        batch = moment.batch
        self._step += 1
        metrics = {name: float(batch.info[f"metric/{name}"][0]) for name in self._env.spec.metrics}
        caption = [f"reward {float(batch.reward[0]):+.2f}", *(f"{name} {value:.2f}" for name, value in metrics.items())]
        if 0 in batch.final_ids:
            row = list(batch.final_ids).index(0)
            self._keep(self._final_view, {key: batch.final_obs[key][row] for key in self._pictures}, caption)
            self._step = 0
            self._remaining -= 1
            if self.is_over:
                return
            caption = []
        self._keep(self._view(), {key: batch.obs[key][0] for key in self._pictures}, caption)

    def _keep_final_view(self, ids: NDArray[np.int64]) -> None:
        if 0 in ids and not self.is_over:
            self._final_view = self._view()

    def _view(self) -> NDArray[np.uint8] | None:
        if not self._env.spec.camera_names:
            return None
        width = round(self._height_px * _ASPECT)
        return self._env.render_frames(self._camera, width=width, height=self._height_px)

    def _keep(self, view: NDArray[np.uint8] | None, pictures: Obs, caption: list[str]) -> None:
        panels = [] if view is None else [view]
        panels += [enlarged(in_colour(picture), self._height_px) for picture in pictures.values()]
        self._frames.append(_captioned(np.concatenate(panels, axis=1), [f"step {self._step}", *caption]))


def _captioned(picture: NDArray[np.uint8], words: list[str]) -> NDArray[np.uint8]:
    """Writes as many of the words below the picture as there is room for."""
    height, width = picture.shape[:2]
    canvas = Image.new("RGB", (width, height + _BAR_PX), _PAPER)
    canvas.paste(Image.fromarray(picture))
    font = ImageFont.load_default(_TEXT_PX)
    left: float = _MARGIN_PX
    for word in words:
        if left + font.getlength(word) > width:
            break
        ImageDraw.Draw(canvas).text((left, height + 1), word, fill=_INK, font=font)
        left += font.getlength(word) + _GAP_PX
    return np.asarray(canvas)
