"""Textures of planes and boxes, looked up where rays hit them.

Texels come from the images compiled into the model; which geom shows which image may differ between worlds
(geom_matid, mat_texid). They lie on boxes as MuJoCo's OpenGL renderer lays them: an image on each face, a cube map
around the whole. On planes an image repeats from the lower left corner, without end where the plane has none. Each
pixel takes one texel, of images scaled down to about its own size (a mip pyramid).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.envs.mujoco_engine import MujocoEngine

if TYPE_CHECKING:
    from robossl.envs.render.shading import Hits

_PLANE, _BOX = mujoco.mjtGeom.mjGEOM_PLANE.value, mujoco.mjtGeom.mjGEOM_BOX.value
_ROLES = (mujoco.mjtTextureRole.mjTEXROLE_RGB.value, mujoco.mjtTextureRole.mjTEXROLE_RGBA.value)

# Faces +x -x +y -y +z -z: which local coordinate runs along the image's width and height, and which way.
_FLAT_AXES = np.array([[1, 2], [1, 2], [0, 2], [0, 2], [0, 1], [0, 1]])
_FLAT_SIGNS = np.array([[1.0, -1.0]] * 6)
_CUBE_AXES = np.array([[2, 1], [2, 1], [0, 2], [0, 2], [0, 1], [0, 1]])
_CUBE_SIGNS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [1.0, -1.0], [-1.0, -1.0]])
_AXES, _SIGNS = np.stack([_FLAT_AXES, _CUBE_AXES]), np.stack([_FLAT_SIGNS, _CUBE_SIGNS])


@dataclass(frozen=True, slots=True)
class _Pyramids:
    """All images of a model, each scaled down level by level to one texel.

    Attributes:
        texels: 32-bit pixels of all images, levels and faces, row by row.
        first: [images, levels, 6] where a face of an image begins.
        width, height: [images, levels] of a face.
        num_levels: [images].
        is_cube: [images] 1 for a map around a cube, else 0.
    """

    texels: NDArray[np.uint32]
    first: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    num_levels: NDArray[np.int64]
    is_cube: NDArray[np.int64]


class TextureBank:
    """The images of an engine's model, and how they lie on the geoms of each world."""

    def __init__(self, engine: MujocoEngine) -> None:
        self._engine = engine
        self._pos, self._mat = engine.view("geom_xpos"), engine.view("geom_xmat")
        self._images = _pyramids(engine.model)
        shape = (engine.num_worlds, engine.model.ngeom)
        self._image = np.full(shape, -1, np.int64)
        self._half = np.ones((*shape, 3))
        # Image coordinates, in images: slope * local coordinate + shift, for width and height on each face.
        self._slope, self._shift = np.zeros((*shape, 6, 2)), np.zeros((*shape, 6, 2))
        self._textured = np.zeros(engine.model.ngeom + 1, bool)  # in any world; the last is for geom -1, the sky

    def refresh(self, ids: NDArray[np.int64]) -> None:
        """Follows model values of the worlds `ids` that changed.

        Raises:
            UserError: if a geom that is neither plane nor box has a texture.
        """
        engine, model = self._engine, self._engine.model
        if not model.ntex or not model.nmat:
            return
        material = per_world(engine, "geom_matid", ids)
        images = per_world(engine, "mat_texid", ids)[:, :, _ROLES].max(axis=2)  # [n, nmat]
        image = np.where(material >= 0, np.take_along_axis(images, np.maximum(material, 0), axis=1), -1)
        _require_drawable(model, image)
        half = per_world(engine, "geom_size", ids)
        repeat = np.take_along_axis(per_world(engine, "mat_texrepeat", ids), np.maximum(material, 0)[..., None], axis=1)
        uniform = model.mat_texuniform[material]
        self._image[ids], self._half[ids] = image, np.where(half > 0, half, 1.0)
        self._lay(ids, np.where(half > 0, half, 1.0), repeat, uniform)
        self._textured[:-1] |= (image >= 0).any(axis=0)

    def apply(self, hits: "Hits", pixels: NDArray[np.uint32]) -> None:
        """Multiplies the colours [n, R] of textured geoms with their texels, in place."""
        if not self._textured.any():
            return
        row, ray = np.nonzero(self._textured[hits.geom])
        world, geom = hits.ids[row], hits.geom[row, ray]
        if (self._image[world, geom] < 0).any():  # of worlds in which this geom has none
            keep = self._image[world, geom] >= 0
            row, ray, world, geom = row[keep], ray[keep], world[keep], geom[keep]
        texels = self._lookup(hits, row, ray, world, geom)
        product = np.multiply(pixels[row, ray].view(np.uint8), texels.view(np.uint8), dtype=np.uint16)
        product += 127
        product //= 255
        pixels[row, ray] = product.astype(np.uint8).view(np.uint32)

    def _lay(
        self,
        ids: NDArray[np.int64],
        half: NDArray[np.float64],
        repeat: NDArray[np.floating],
        uniform: NDArray[np.bool_],
    ) -> None:
        """Computes slopes and shifts from sizes [n, G, 3], repetitions [n, G, 2] and whether these are per metre."""
        cube = self._images.is_cube[self._image[ids]]
        per_metre = (uniform & (cube == 0))[..., None]
        infinite = self._engine.model.geom_type == _PLANE
        infinite = infinite & (per_world(self._engine, "geom_size", ids)[..., 0] <= 0)
        times = np.where(cube[..., None] == 1, 1.0, repeat) / 2
        axes, signs = _AXES[cube], _SIGNS[cube]  # [n, G, 6, 2]
        on_axes = np.take_along_axis(half[:, :, None, :], axes, axis=3)
        scale = np.where(per_metre[..., None], 1.0, 1.0 / on_axes)
        origin = np.where(per_metre, half[..., :2], 1.0) * ~infinite[..., None]
        self._slope[ids] = signs * scale * times[:, :, None]
        self._shift[ids] = (origin * times)[:, :, None]

    def _lookup(
        self,
        hits: "Hits",
        row: NDArray[np.int64],
        ray: NDArray[np.int64],
        world: NDArray[np.int64],
        geom: NDArray[np.int32],
    ) -> NDArray[np.uint32]:
        """Returns the texels [p] that the rays `ray` of the rows `row` hit."""
        direction, depth = hits.direction[row, ray], hits.depth[row, ray]
        offset = hits.start[row] + depth[:, None] * direction - self._pos[world, geom]
        mat = self._mat[world, geom].reshape(-1, 3, 3)
        local = offset[:, 0, None] * mat[:, 0] + offset[:, 1, None] * mat[:, 1] + offset[:, 2, None] * mat[:, 2]
        every = np.arange(len(local))
        axis = np.abs(local / self._half[world, geom]).argmax(axis=1)
        face = np.where(self._engine.model.geom_type[geom] == _PLANE, 4, 2 * axis + (local[every, axis] < 0))
        images, image = self._images, self._image[world, geom]
        slope = self._slope[world, geom, face]
        uv = slope * local[every[:, None], _AXES[images.is_cube[image], face]] + self._shift[world, geom, face]
        uv -= np.floor(uv)
        # A pixel covers more texels the farther and the more slanted the surface is.
        normal = hits.normal[row, ray]
        slant = np.abs((direction * normal).sum(axis=1))
        width = depth * hits.pixel[row] / np.maximum(slant, 1e-3)
        texels = np.abs(slope) * np.stack([images.width[image, 0], images.height[image, 0]], axis=1)
        level = np.frexp(width * texels.max(axis=1))[1] - 1
        level = np.clip(level, 0, images.num_levels[image] - 1)
        columns, rows = images.width[image, level], images.height[image, level]
        column = np.minimum((uv[:, 0] * columns).astype(np.int64), columns - 1)
        line = np.minimum((uv[:, 1] * rows).astype(np.int64), rows - 1)
        return np.asarray(images.texels[images.first[image, level, face] + line * columns + column])


def per_world(engine: MujocoEngine, field: str, ids: NDArray[np.int64]) -> NDArray[Any]:
    """Returns the values [n, ...] that a model field has in the worlds `ids`."""
    own = engine.batch.expanded(field)
    if own is not None:
        return np.asarray(own[ids])
    shared = getattr(engine.model, field)
    return np.broadcast_to(shared, (len(ids), *shared.shape))


def _require_drawable(model: mujoco.MjModel, image: NDArray[np.int64]) -> None:
    for geom in np.flatnonzero((image >= 0).any(axis=0)):
        if model.geom_type[geom] not in (_PLANE, _BOX) and model.geom_group[geom] < 3:
            name = model.geom(geom).name or f"number {geom}"
            raise UserError(f"geom {name!r} has a texture: `raycast` draws textures on planes and boxes only")


def _pyramids(model: mujoco.MjModel) -> _Pyramids:
    shape = (model.ntex, 1 + max((int(width).bit_length() for width in model.tex_width), default=0))
    first, size = np.zeros((*shape, 6), np.int64), np.ones((2, *shape), np.int64)
    num_levels, parts, end = np.zeros(model.ntex, np.int64), [np.zeros(0, np.uint32)], 0
    for index in range(model.ntex):
        faces = faces_of(model, index)
        while True:
            level = num_levels[index]
            num_levels[index] += 1
            num_faces, height, width = faces.shape[:3]
            size[:, index, level] = width, height
            first[index, level] = end + (np.arange(6) % num_faces) * width * height
            parts.append(np.rint(faces).astype(np.uint8).reshape(-1).view(np.uint32))
            end += len(parts[-1])
            if min(width, height) < 2:
                break
            even = faces[:, : height // 2 * 2, : width // 2 * 2]
            faces = even.reshape(num_faces, height // 2, 2, width // 2, 2, 4).mean(axis=(2, 4))
    is_cube = (model.tex_type != mujoco.mjtTexture.mjTEXTURE_2D.value).astype(np.int64)
    return _Pyramids(np.concatenate(parts), first, size[0], size[1], num_levels, is_cube)


def faces_of(model: mujoco.MjModel, index: int) -> NDArray[np.float64]:
    """Returns [faces, height, width, 4] of an image; the fourth channel is 255."""
    height, width, channels = model.tex_height[index], model.tex_width[index], model.tex_nchannel[index]
    texels = model.tex_data[model.tex_adr[index] :][: height * width * channels]
    num_faces = height // width if model.tex_type[index] != mujoco.mjtTexture.mjTEXTURE_2D.value else 1
    faces = np.full((num_faces, height // num_faces, width, 4), 255.0)
    faces[..., :3] = texels.reshape(num_faces, height // num_faces, width, channels)[..., :3]
    return faces
