"""An encoder on disk: safetensors for the weights, JSON for what they fit and their hash. Nothing in it can execute."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from robossl.core.errors import CorruptFileError, UserError
from robossl.core.files import make_folder, read_json, write_atomic, write_json
from robossl.nets.mlp import seeded_init
from robossl.nets.multimodal import EncoderConfig, MultimodalEncoder, ObservationShapes

FORMAT = 2  # 1 had no hash
_WEIGHTS, _DESCRIPTION = "encoder.safetensors", "encoder.json"


def save_encoder(encoder: MultimodalEncoder, folder: Path) -> None:
    """Writes `encoder` into `folder`.

    Raises:
        UserError: if the folder cannot be written.
    """
    make_folder(folder)
    weights = save({name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()})
    write_atomic(folder / _WEIGHTS, weights)
    description = {
        "format": FORMAT,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "config": asdict(encoder.config),
        "observation": encoder.observation,
    }
    write_json(folder / _DESCRIPTION, description)


def load_encoder(folder: Path, observation: ObservationShapes | None = None) -> MultimodalEncoder:
    """Reads the encoder that `save_encoder` wrote into `folder`, onto the CPU.

    Args:
        folder: where it is.
        observation: what it must see, where the caller knows.

    Raises:
        UserError: if it is absent, of another format, or sees something else than `observation`.
        CorruptFileError: if a file is not what was written.
    """
    description = read_json(folder / _DESCRIPTION)
    encoder = _build(folder / _DESCRIPTION, description)
    if observation is not None:
        require_same_shapes(encoder.observation, observation, where=str(folder))
    path = folder / _WEIGHTS
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    weights = path.read_bytes()
    if hashlib.sha256(weights).hexdigest() != description["sha256"]:
        raise CorruptFileError(f"{path} is not what was written: its hash differs from that in {_DESCRIPTION}")
    try:
        encoder.load_state_dict(load(weights))
    except (SafetensorError, RuntimeError) as error:
        raise CorruptFileError(f"{path} does not hold the weights of this encoder: {_first_line(error)}") from error
    return encoder


def require_same_shapes(expected: ObservationShapes, actual: ObservationShapes, *, where: str) -> None:
    """Checks that an encoder of `expected` can see `actual`.

    Raises:
        UserError: naming the first key that differs.
    """
    for key in sorted(set(expected) | set(actual)):
        old, new = (_describe(shapes.get(key)) for shapes in (expected, actual))
        if old != new:
            raise UserError(f"{where}: the encoder was made for {key!r} = {old}, and here it is {new}")


def _build(path: Path, description: Any) -> MultimodalEncoder:
    if not isinstance(description, dict) or "format" not in description:
        raise CorruptFileError(f"{path} does not describe an encoder")
    if description["format"] != FORMAT:
        raise UserError(f"{path} has format {description['format']}; this version reads format {FORMAT}")
    try:
        if not isinstance(description["sha256"], str):
            raise TypeError("its sha256 is not text")
        fields: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in description["config"].items()
        }
        shapes = {key: (tuple(shape), dtype) for key, (shape, dtype) in description["observation"].items()}
        with seeded_init(0):  # these weights are overwritten
            return MultimodalEncoder(shapes, EncoderConfig(**fields))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFileError(f"{path} does not describe an encoder: {_first_line(error)}") from error


def _describe(entry: tuple[tuple[int, ...], str] | None) -> str:
    return "absent" if entry is None else f"{entry[1]}{list(entry[0])}"


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
