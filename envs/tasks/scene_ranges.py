"""What differs between episodes in every scene that is driven through: sizes of things, and how all of it looks."""

from robossl.envs.randomisation import AnyRandomisation, Randomisation

_FRONT = ("front",)


def scene_ranges(
    *, sized: tuple[str, ...], widest: float, papered: tuple[str, ...], camera_shift_m: float
) -> dict[str, AnyRandomisation]:
    """Returns the ranges.

    Args:
        sized: geoms that may be narrower, or wider.
        widest: how much wider they may be for all ways to stay open.
        papered: geoms that may have another material.
        camera_shift_m: how far the front camera may be from its place, along each axis.
    """
    return {
        "size": Randomisation(
            field="geom_size", elements=sized, columns=(0,), low=0.8, high=widest, each=True, holds=(0.3, widest)
        ),
        "camera_position": Randomisation(
            field="cam_pos", elements=_FRONT, mode="offset", low=-camera_shift_m, high=camera_shift_m, each=True
        ),
        "camera_angle": Randomisation(field="cam_quat", elements=_FRONT, mode="turn", low=0.0, high=0.05),
        "fov": Randomisation(field="cam_fovy", elements=_FRONT, low=0.93, high=1.07),
        "light": Randomisation(field="light_diffuse", low=0.5, high=1.5, each=True),
        "light_direction": Randomisation(field="light_dir", mode="turn", low=0.0, high=0.5),
        "colour": Randomisation(field="geom_rgba", columns=(0, 1, 2), mode="offset", low=-0.1, high=0.1, each=True),
        "texture": Randomisation(field="geom_matid", elements=papered, mode="choose", low=-1, high=2, each=True),
    }
