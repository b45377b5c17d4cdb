"""TensorBoard: one event file per process for SB3's scalars and everything that SB3 cannot write.

Videos are GIF bytes in an image summary (torch's `add_video` needs an old moviepy); hyper-parameters are the plugin's
own messages beside the scalars that they explain, not a run of their own.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.logger import HumanOutputFormat, KVWriter, Logger, TensorBoardOutputFormat
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from torch.utils.tensorboard import SummaryWriter

from robossl.core.errors import UserError
from robossl.training.gif import encode_png

HParams = Mapping[str, bool | int | float | str]

_RGB = 3


class TensorBoard:
    """Writes the events of one run.

    Args:
        folder: the run's `tb`.
        purge_step: hides what an interrupted run wrote at this step and after.

    Raises:
        UserError: if the folder's path is not UTF-8.
    """

    def __init__(self, folder: Path, *, purge_step: int | None = None) -> None:
        require_utf8(folder)
        self.folder = folder
        self.writer: Any = SummaryWriter(str(folder), purge_step=purge_step)

    def add_scalars(self, values: Mapping[str, float], step: int) -> None:
        """Writes {tag: number}."""
        for tag, value in values.items():
            self.writer.add_scalar(tag, value, step)

    def add_gif(self, tag: str, content: bytes, size: tuple[int, ...], step: int) -> None:
        """Writes a GIF of `size` (height, width); it plays in the Images tab."""
        self._add_picture(tag, content, size, step)

    def add_image(self, tag: str, picture: NDArray[np.uint8], step: int) -> None:
        """Writes a picture [H, W, 3] uint8."""
        self._add_picture(tag, encode_png(picture), picture.shape[:2], step)

    def add_hparams(self, values: HParams, metrics: tuple[str, ...], *, trial: str) -> None:
        """Writes hyper-parameters, to be shown beside the newest values of the scalars `metrics` as the row `trial`.

        Whole numbers are written as text: the page shows every number with a fraction, 3 as 3.0000.
        """
        shown = {name: str(value) if type(value) is int else value for name, value in values.items()}
        for summary in (_experiment(shown, metrics), hparams.hparams_pb(shown, trial_id=trial)):
            self.writer.file_writer.add_summary(summary, 0)

    def flush(self) -> None:
        """Hands everything to the operating system."""
        self.writer.flush()

    def close(self) -> None:
        """Flushes and closes the event file."""
        self.writer.close()

    def _add_picture(self, tag: str, content: bytes, size: tuple[int, ...], step: int) -> None:
        height, width = size
        image = Summary.Image(height=height, width=width, colorspace=_RGB, encoded_image_string=content)
        self.writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def require_utf8(folder: Path) -> None:
    """Checks that TensorBoard, which writes to no other paths, can write below a folder.

    Raises:
        UserError: if not.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"TensorBoard cannot write to {folder}: the path of a run must be UTF-8") from error


def make_logger(tensorboard: TensorBoard, *, verbose: bool = False) -> Logger:
    """Returns SB3's logger, writing to the same event file.

    Args:
        tensorboard: where scalars go.
        verbose: whether SB3's table is printed as well, on stdout as SB3 does.
    """
    formats: list[KVWriter] = [_SharedTensorBoard(tensorboard)]
    if verbose:
        formats.append(HumanOutputFormat(sys.stdout))
    return Logger(str(tensorboard.folder), formats)


class _SharedTensorBoard(TensorBoardOutputFormat):
    """SB3's output on a writer that somebody else opened and closes."""

    def __init__(self, tensorboard: TensorBoard) -> None:
        self.writer = tensorboard.writer
        self._is_closed = False

    def close(self) -> None:
        self._is_closed = True


def _experiment(values: HParams, metrics: tuple[str, ...]) -> Any:
    """Returns the table's columns, with the types that TensorBoard's own function leaves out."""
    summary = hparams.hparams_config_pb(
        hparams=[hparams.HParam(name) for name in values], metrics=[hparams.Metric(tag) for tag in metrics]
    )
    stored = summary.value[0].metadata.plugin_data
    content = plugin_data_pb2.HParamsPluginData.FromString(stored.content)
    for info in content.experiment.hparam_infos:
        info.type = _column_type(values[info.name])
    stored.content = content.SerializeToString()
    return summary


def _column_type(value: bool | int | float | str) -> Any:
    if isinstance(value, bool):
        return api_pb2.DATA_TYPE_BOOL
    return api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64
