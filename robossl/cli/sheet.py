"""One picture of all that an environment's cameras see: a row for each camera, a column for each modality."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from robossl.core import Stream
from robossl.core.specs import MODALITIES
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.config import RendererName
from robossl.envs.make import make_env
from robossl.envs.task_env import TaskEnv

Picture = NDArray[np.uint8]  # [H, W, 3]

OF_RAYCAST = ("normals",)
"""Modalities that no other renderer draws."""

_TILE_PX = (192, 144)
_CAPTION_PX, _GAP_PX = 16, 6
_NUM_APPEARANCES = 7
_NUM_STEPS = 4  # so that things move, and flow
_AT_REST_PX = 1e-3
_LEGEND = {
    "depth": "depth: brightest at the distance told and nearer, half as bright twice as far away; black: nothing.",
    "segmentation": "segmentation, bodies, objects: a hue for each; black: nothing.",
    "normals": "normals: red to the right, green up, blue towards the camera; grey: nothing.",
    "flow": f"flow: strongest at the speed told, in pixels of these pictures, {_TILE_PX[0]}x{_TILE_PX[1]}, a decision, "
    "and beyond; cyan to the right, violet down, red to the left, green up; white: at rest.",
}


def draw_sheet(env_id: str, cameras: tuple[str, ...], seed: int, renderer: RendererName = "raycast") -> Picture:
    """Draws every camera of a task in every modality of a renderer, after a few decisions of the task's expert."""
    modalities = of_renderer(renderer)
    keys = tuple(f"{modality}_{camera}" for camera in cameras for modality in modalities)
    config = EnvConfig(id=env_id, num_worlds=1, observations=keys, image_size=_TILE_PX, renderer=renderer)
    env = make_env(config, WorldSeed(seed=seed, stream=Stream.EVAL))
    try:
        obs = env.reset()
        expert = env.expert()
        for _ in range(_NUM_STEPS):
            action = expert.act(obs, env.privileged()) if expert else np.zeros((1, *env.spec.action.shape))
            obs = env.step(action).obs
    finally:
        env.close()
    tiles = [[(modality, f"{modality}_{camera}") for modality in modalities] for camera in cameras]
    return _laid_out([[_tile(modality, key, obs[key][0]) for modality, key in row] for row in tiles], legend(renderer))


def of_renderer(renderer: RendererName) -> tuple[str, ...]:
    """Returns the modalities that a renderer gives."""
    return tuple(modality for modality in MODALITIES if renderer == "raycast" or modality not in OF_RAYCAST)


def legend(renderer: RendererName) -> tuple[str, ...]:
    """Says, a line each, what the colours of a renderer's modalities mean."""
    return tuple(text for modality, text in _LEGEND.items() if modality in of_renderer(renderer))


def draw_appearances(env: TaskEnv) -> Picture:
    """Draws every camera of a task's first world under random appearances."""
    keys = tuple(f"rgb_{camera}" for camera in env.spec.camera_names)
    looks = env.render_appearances(_NUM_APPEARANCES, keys)
    rows = [[(f"{key} {k}", _fitted(looks[key][k, 0])) for k in range(_NUM_APPEARANCES)] for key in keys]
    return _laid_out(rows)


def as_colours(modality: str, picture: NDArray[np.generic]) -> Picture:
    """Returns a picture of a modality [H, W, C] as colours that a person can read."""
    painters: dict[str, Callable[[NDArray[np.float64]], Picture]] = {
        "depth": _depth,
        "normals": _normals,
        "flow": _flow,
    }
    if modality == "rgb":
        return np.asarray(picture, np.uint8)
    return painters.get(modality, _labels)(np.asarray(picture, np.float64))


def _tile(modality: str, key: str, picture: NDArray[np.generic]) -> tuple[str, Picture]:
    """Paints a picture, and says in its caption what its colours count from, or up to."""
    if modality == "depth":
        key += f": {_nearest(np.asarray(picture, np.float64)):.2f} m"
    elif modality == "flow":
        key += f": {_fastest(np.asarray(picture, np.float64)):.1f} px"
    return key, as_colours(modality, picture)


def _nearest(metres: NDArray[np.float64]) -> float:
    """Returns the depth that is painted brightest."""
    depth = metres[..., 0]
    return float(np.quantile(depth[depth > 0], 0.05)) if depth.any() else 1.0


def _fastest(pixels: NDArray[np.float64]) -> float:
    """Returns the speed that is painted strongest, of what moves."""
    speed = np.hypot(pixels[..., 0], pixels[..., 1])
    return float(np.quantile(speed[speed > _AT_REST_PX], 0.98)) if (speed > _AT_REST_PX).any() else 1.0


def _depth(metres: NDArray[np.float64]) -> Picture:
    """Paints near things bright; black is nothing."""
    depth = metres[..., 0]
    nearness = np.where(depth > 0, _nearest(metres) / np.maximum(depth, 1e-6), 0)
    painted = cv2.applyColorMap((255 * nearness.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_MAGMA)
    return np.asarray(painted[..., ::-1], np.uint8)


def _labels(ids: NDArray[np.float64]) -> Picture:
    """Paints every id in a hue of its own; black is nothing."""
    index = ids[..., 0].astype(np.int64)
    hues = (index * 111) % 180  # neighbouring ids get hues far from each other
    shade = np.where(index < 0, 0, 255 - 30 * (index % 4))
    hsv = np.stack([hues, np.full_like(hues, 170), shade], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def _normals(vectors: NDArray[np.float64]) -> Picture:
    """Paints right red, up green and towards the camera blue; grey is nothing."""
    return np.asarray(127.5 * (1 + vectors), np.uint8)


def _flow(pixels: NDArray[np.float64]) -> Picture:
    """Paints the direction as a hue and the speed as its strength; white stands still."""
    speed, angle = np.hypot(pixels[..., 0], pixels[..., 1]), np.arctan2(pixels[..., 1], pixels[..., 0])
    strength = 255 * np.minimum(speed / _fastest(pixels), 1)
    hsv = np.stack([(angle / np.pi + 1) * 90 % 180, strength, np.full_like(speed, 255)], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def _fitted(picture: Picture) -> Picture:
    """Enlarges a picture to the greatest whole multiple that fits a tile."""
    times = max(1, min(_TILE_PX[0] // picture.shape[1], _TILE_PX[1] // picture.shape[0]))
    return np.repeat(np.repeat(picture, times, axis=0), times, axis=1)


def _laid_out(rows: list[list[tuple[str, Picture]]], legend: tuple[str, ...] = ()) -> Picture:
    """Lays captioned tiles out on one sheet, and a legend beneath them."""
    width, height = _TILE_PX[0] + _GAP_PX, _TILE_PX[1] + _CAPTION_PX + _GAP_PX
    size = _GAP_PX + width * max(map(len, rows)), _GAP_PX + height * len(rows) + _CAPTION_PX * len(legend)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for line, text in enumerate(legend):
        pen.text((_GAP_PX, height * len(rows) + _CAPTION_PX * line), text, fill="black")
    for line, row in enumerate(rows):
        for column, (caption, tile) in enumerate(row):
            corner = (_GAP_PX + column * width, _GAP_PX + line * height)
            pen.text(corner, caption, fill="black")
            sheet.paste(Image.fromarray(tile), (corner[0], corner[1] + _CAPTION_PX))
    return np.asarray(sheet)
