"""Textures of planes and boxes, looked up where rays hit them.

Texels come from the images compiled into the model; which geom shows which image may differ between worlds
(geom_matid, mat_texid). They lie on boxes as MuJoCo's OpenGL renderer lays them: an image on each face, a cube map
around the whole. On planes an image repeats from the upper left corner; where a plane has no end, without end from
half an image beside its middle. Each pixel takes one texel, of images scaled down to about its own size (a mip
pyramid).
"""

import math
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.envs.compiled import compiled
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render.rays import Hits, View
from robossl.envs.world_values import per_world

_PLANE, _BOX = mujoco.mjtGeom.mjGEOM_PLANE.value, mujoco.mjtGeom.mjGEOM_BOX.value
_FIELDS = ("geom_matid", "mat_texid", "geom_size", "mat_texrepeat")
"""On which it depends which images are shown, and where."""
_ROLES = (mujoco.mjtTextureRole.mjTEXROLE_RGB.value, mujoco.mjtTextureRole.mjTEXROLE_RGBA.value)

# Faces +x -x +y -y +z -z: which local coordinate runs along the image's width and height, and which way.
_FLAT_AXES = np.array([[1, 2], [1, 2], [0, 2], [0, 2], [0, 1], [0, 1]])
_FLAT_SIGNS = np.array([[1.0, -1.0]] * 6)
_CUBE_AXES = np.array([[2, 1], [2, 1], [0, 2], [0, 2], [0, 1], [0, 1]])
_CUBE_SIGNS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [1.0, -1.0], [-1.0, -1.0]])
_AXES, _SIGNS = np.stack([_FLAT_AXES, _CUBE_AXES]), np.stack([_FLAT_SIGNS, _CUBE_SIGNS])


class _Pyramids(NamedTuple):
    """All images of a model, each scaled down level by level to one texel.

    Attributes:
        texels: [T, 3] of all images, levels and faces, row by row.
        first: [images, levels, 6] where a face of an image begins.
        width, height: [images, levels] of a face.
        num_levels: [images].
        is_cube: [images] 1 for a map around a cube, else 0.
    """

    texels: NDArray[np.uint8]
    first: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    num_levels: NDArray[np.int64]
    is_cube: NDArray[np.int64]


class _Surfaces(NamedTuple):
    """How images lie on the geoms of each world.

    Attributes:
        image: [N, G], -1 for none.
        is_plane: [G].
        pos, mat: [N, G, 3] and [N, G, 9] of the geoms.
        half: [N, G, 3] sizes, 1 where a plane has no end.
        slope, shift: [N, G, 6, 2] image coordinates, in images: slope * local coordinate + shift, for width and
            height on each face.
    """

    image: NDArray[np.int64]
    is_plane: NDArray[np.bool_]
    pos: NDArray[np.float64]
    mat: NDArray[np.float64]
    half: NDArray[np.float64]
    slope: NDArray[np.float64]
    shift: NDArray[np.float64]


class TextureBank:
    """The images of an engine's model, and how they lie on the geoms of each world."""

    def __init__(self, engine: MujocoEngine) -> None:
        self._engine = engine
        self._images = _pyramids(engine.model)
        shape = (engine.num_worlds, engine.model.ngeom)
        self._surfaces = _Surfaces(
            image=np.full(shape, -1, np.int64),
            is_plane=engine.model.geom_type == _PLANE,
            pos=engine.view("geom_xpos"),
            mat=engine.view("geom_xmat"),
            half=np.ones((*shape, 3)),
            slope=np.zeros((*shape, 6, 2)),
            shift=np.zeros((*shape, 6, 2)),
        )
        self._lay_images(np.arange(engine.num_worlds))

    def refresh(self, ids: NDArray[np.int64]) -> None:
        """Follows model values of the worlds `ids` that changed.

        Raises:
            UserError: if a geom has a texture that is not drawn on its like.
        """
        if any(self._engine.batch.expanded(field) is not None for field in _FIELDS):
            self._lay_images(ids)

    def apply(self, view: View, hits: Hits, pixels: NDArray[np.uint8]) -> None:
        """Multiplies a camera's colours [n, H * W, 3] with the texels of textured geoms, in place."""
        if (self._surfaces.image >= 0).any():
            _apply(self._images, self._surfaces, hits, (view.index, view.rays.start, view.camera.height), pixels)

    def _lay_images(self, ids: NDArray[np.int64]) -> None:
        engine, model = self._engine, self._engine.model
        if not model.ntex or not model.nmat:
            return
        material = per_world(engine, "geom_matid", ids)
        images = per_world(engine, "mat_texid", ids)[:, :, _ROLES].max(axis=2)  # [n, nmat]
        image = np.where(material >= 0, np.take_along_axis(images, np.maximum(material, 0), axis=1), -1)
        _require_drawable(model, image)
        half, uniform = per_world(engine, "geom_size", ids), model.mat_texuniform[material]
        _require_boxes(model, (image >= 0) & (self._images.is_cube[image] == 1), half, uniform)
        repeat = np.take_along_axis(per_world(engine, "mat_texrepeat", ids), np.maximum(material, 0)[..., None], axis=1)
        self._surfaces.image[ids], self._surfaces.half[ids] = image, np.where(half > 0, half, 1.0)
        self._lay(ids, np.where(half > 0, half, 1.0), repeat, uniform)

    def _lay(
        self,
        ids: NDArray[np.int64],
        half: NDArray[np.float64],
        repeat: NDArray[np.floating],
        uniform: NDArray[np.bool_],
    ) -> None:
        """Computes slopes and shifts from sizes [n, G, 3], repetitions [n, G, 2] and whether these are per metre.

        Per metre means, as for MuJoCo, that an image is repeated by the first two sizes of its geom, on every face.
        """
        cube = self._images.is_cube[self._surfaces.image[ids]]
        size = per_world(self._engine, "geom_size", ids)[..., :2]
        infinite = self._surfaces.is_plane[:, None] & (size <= 0)
        times = np.where(repeat > 0, repeat, 1.0) * np.where(uniform[..., None], half[..., :2], 1.0)
        times = np.where(cube[..., None] == 1, 1.0, times) / 2
        axes, signs = _AXES[cube], _SIGNS[cube]  # [n, G, 6, 2]
        on_axes = np.take_along_axis(half[:, :, None, :], axes, axis=3)
        begin = np.where(infinite, 0.0, times) - 0.5 * infinite.any(axis=2, keepdims=True)
        self._surfaces.slope[ids] = signs / on_axes * times[:, :, None]
        self._surfaces.shift[ids] = begin[:, :, None]


def _require_drawable(model: mujoco.MjModel, image: NDArray[np.int64]) -> None:
    for geom in np.flatnonzero((image >= 0).any(axis=0)):
        if model.geom_type[geom] not in (_PLANE, _BOX) and model.geom_group[geom] < 3:
            raise UserError(
                f"geom {_name(model, geom)} has a texture: `raycast` draws textures on planes and boxes only, renderer"
                " `gl` on all"
            )


def _require_boxes(
    model: mujoco.MjModel, has_cube: NDArray[np.bool_], size: NDArray[np.float64], uniform: NDArray[np.bool_]
) -> None:
    """Checks that each face of what has a cube map shows one of its images, and all of that."""
    is_split = (model.geom_type == _PLANE) | (uniform & (size != size[..., :1]).any(axis=2))
    for geom in np.flatnonzero((has_cube & is_split).any(axis=0)):
        if model.geom_group[geom] < 3:
            raise UserError(
                f"geom {_name(model, geom)} has a cube texture: `raycast` draws these on boxes only, and with"
                " texuniform on boxes of three equal sizes only"
            )


def _name(model: mujoco.MjModel, geom: Any) -> str:
    name = model.geom(geom).name
    return repr(name) if name else f"number {geom}"


def _pyramids(model: mujoco.MjModel) -> _Pyramids:
    shape = (model.ntex, 1 + max((int(width).bit_length() for width in model.tex_width), default=0))
    first, size = np.zeros((*shape, 6), np.int64), np.ones((2, *shape), np.int64)
    num_levels, parts, end = np.zeros(model.ntex, np.int64), [np.zeros((0, 3), np.uint8)], 0
    for index in range(model.ntex):
        faces = faces_of(model, index)
        while True:
            level = num_levels[index]
            num_levels[index] += 1
            num_faces, height, width = faces.shape[:3]
            size[:, index, level] = width, height
            first[index, level] = end + (np.arange(6) % num_faces) * width * height
            parts.append(np.rint(faces).astype(np.uint8).reshape(-1, 3))
            end += len(parts[-1])
            if min(width, height) < 2:
                break
            even = faces[:, : height // 2 * 2, : width // 2 * 2]
            faces = even.reshape(num_faces, height // 2, 2, width // 2, 2, 3).mean(axis=(2, 4))
    is_cube = (model.tex_type != mujoco.mjtTexture.mjTEXTURE_2D.value).astype(np.int64)
    return _Pyramids(np.concatenate(parts), first, size[0], size[1], num_levels, is_cube)


def faces_of(model: mujoco.MjModel, index: int) -> NDArray[np.float64]:
    """Returns the colours [faces, height, width, 3] of an image."""
    height, width, channels = model.tex_height[index], model.tex_width[index], model.tex_nchannel[index]
    texels = model.tex_data[model.tex_adr[index] :][: height * width * channels]
    num_faces = height // width if model.tex_type[index] != mujoco.mjtTexture.mjTEXTURE_2D.value else 1
    return np.asarray(texels.reshape(num_faces, height // num_faces, width, channels)[..., :3], np.float64)


@compiled
def _apply(
    images: _Pyramids, surfaces: _Surfaces, hits: Hits, camera: tuple[int, int, int], pixels: NDArray[np.uint8]
) -> None:
    """See `TextureBank.apply`; `camera` holds its number, its first ray and the height of its pictures.

    Every number is indexed by itself: a view of an array costs as much as the rest.
    """
    index, first, height = camera
    ids, origin, _, tan, direction, depth, geom, normal = hits
    image, is_plane, pos, mat, half, slope, shift = surfaces
    for i in range(pixels.shape[0]):
        world, width = ids[i], 2.0 * tan[i, index] / height
        for pixel in range(pixels.shape[1]):
            ray = first + pixel
            g, far = geom[i, ray], depth[i, ray]
            if g < 0 or image[world, g] < 0:
                continue
            dx, dy, dz = direction[i, ray, 0], direction[i, ray, 1], direction[i, ray, 2]
            x = origin[i, index, 0] + far * dx - pos[world, g, 0]
            y = origin[i, index, 1] + far * dy - pos[world, g, 1]
            z = origin[i, index, 2] + far * dz - pos[world, g, 2]
            local = (
                x * mat[world, g, 0] + y * mat[world, g, 3] + z * mat[world, g, 6],
                x * mat[world, g, 1] + y * mat[world, g, 4] + z * mat[world, g, 7],
                x * mat[world, g, 2] + y * mat[world, g, 5] + z * mat[world, g, 8],
            )
            face = 4 if is_plane[g] else _face(local, (half[world, g, 0], half[world, g, 1], half[world, g, 2]))
            shown = image[world, g]
            u_axis, v_axis = _AXES[images.is_cube[shown], face, 0], _AXES[images.is_cube[shown], face, 1]
            u_slope, v_slope = slope[world, g, face, 0], slope[world, g, face, 1]
            # A pixel covers more texels the farther and the more slanted the surface is.
            slant = max(abs(dx * normal[i, ray, 0] + dy * normal[i, ray, 1] + dz * normal[i, ray, 2]), 1e-3)
            density = max(abs(u_slope) * images.width[shown, 0], abs(v_slope) * images.height[shown, 0])
            level = max(min(math.frexp(far * width / slant * density)[1], images.num_levels[shown]) - 1, 0)
            columns = images.width[shown, level]
            column = _place(u_slope * local[u_axis] + shift[world, g, face, 0], columns)
            row = _place(v_slope * local[v_axis] + shift[world, g, face, 1], images.height[shown, level])
            texel = images.first[shown, level, face] + row * columns + column
            for channel in range(3):
                product = int(pixels[i, pixel, channel]) * int(images.texels[texel, channel])
                pixels[i, pixel, channel] = (product + 127) // 255


@compiled
def _face(local: tuple[float, float, float], half: tuple[float, float, float]) -> int:
    """Returns the face of a box of half sizes `half` that a point of its surface is on."""
    axis, most = 0, 0.0
    for i in range(3):
        share = abs(local[i] / half[i])
        if share > most:
            axis, most = i, share
    return 2 * axis + int(local[axis] < 0)


@compiled
def _place(at: float, num: int) -> int:
    """Returns which one of `num` texels is at a place in an image that repeats: its first one where not finite."""
    place = (at - np.floor(at)) * num
    return min(int(place), num - 1) if place >= 0.0 else 0
