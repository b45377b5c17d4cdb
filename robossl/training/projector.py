"""TensorBoard's embedding projector, its files written directly (torch's `add_embedding` fails beside TensorFlow)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from robossl.core.files import make_folder, write_atomic
from robossl.training.gif import Frames, encode_png, picture_grid

CONFIG_NAME = "projector_config.pbtxt"
_MAX_SPRITE_PX = 8192  # what TensorBoard's page accepts in either direction
_MAX_THUMBNAIL_PX = 64


def write_projector(
    folder: Path,
    tag: str,
    vectors: NDArray[np.float32],
    metadata: Mapping[str, Sequence[object]],
    thumbnails: Frames | None = None,
) -> None:
    """Writes or replaces the projector's one embedding of a run.

    Args:
        folder: where the run's event files are.
        tag: its name in the page.
        vectors: [n, D].
        metadata: {column: n values}, at least two columns.
        thumbnails: [n, H, W, 3] uint8.

    Raises:
        ValueError: if the counts differ.
        UserError: if the files cannot be written.
    """
    counts = {name: len(column) for name, column in metadata.items()}
    counts |= {} if thumbnails is None else {"thumbnails": len(thumbnails)}
    if set(counts.values()) != {len(vectors)} or len(metadata) < 2:
        raise ValueError(f"{len(vectors)} vectors need as many entries in two columns or more, got {counts}")
    files = folder / "projector"
    make_folder(files)
    write_atomic(files / "tensors.tsv", _lines(vectors.astype(np.float32).tolist()))
    rows = zip(*metadata.values(), strict=True)
    write_atomic(files / "metadata.tsv", _lines([list(metadata), *rows]))
    sprite = ""
    if thumbnails is not None:
        sheet, side = _sprite(thumbnails)
        write_atomic(files / "sprite.png", sheet)
        sprite = f'  sprite {{\n    image_path: "projector/sprite.png"\n    single_image_dim: {side}\n'
        sprite += f"    single_image_dim: {side}\n  }}\n"
    config = (
        f'embeddings {{\n  tensor_name: "{tag}"\n  tensor_path: "projector/tensors.tsv"\n'
        f'  metadata_path: "projector/metadata.tsv"\n{sprite}}}\n'
    )
    write_atomic(folder / CONFIG_NAME, config.encode())


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    return "".join("\t".join(_cell(value) for value in row) + "\n" for row in rows).encode()


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())


def _sprite(thumbnails: Frames) -> tuple[bytes, int]:
    """Returns the sheet that TensorBoard cuts up, and the side of one square on it.

    Its page draws a point as a square: around a picture that is none, the square is transparent. Its shader takes the
    number of rows for that of columns, so the sheet has as many of both.
    """
    count, height, width = thumbnails.shape[:3]
    columns = math.ceil(math.sqrt(count))
    side = min(max(width, height), _MAX_THUMBNAIL_PX, _MAX_SPRITE_PX // columns)
    scale = side / max(width, height)
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    squares = np.zeros((columns**2, side, side, 4), np.uint8)
    inside = squares[:count, top : top + size[1], left : left + size[0]]
    inside[..., :3] = [np.asarray(Image.fromarray(thumbnail).resize(size)) for thumbnail in thumbnails]
    inside[..., 3] = 255
    return encode_png(picture_grid(squares, columns)), side
