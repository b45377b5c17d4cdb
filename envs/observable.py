"""What of a task can be observed, what of it is, and what an environment is by that."""

from dataclasses import replace

from robossl.core import ArraySpec, CameraSpec, EnvSpec, RenderSpec, UserError
from robossl.core.errors import require_known
from robossl.core.specs import MODALITIES
from robossl.envs.render import renderer
from robossl.envs.task import TaskSpec

Cameras = tuple[CameraSpec, ...]


def sized(cameras: Cameras, size: tuple[int, int] | None) -> Cameras:
    """Returns the cameras with pictures of the size (width, height); with their own where None."""
    return cameras if size is None else tuple(replace(camera, width=size[0], height=size[1]) for camera in cameras)


def picture_keys(cameras: Cameras) -> list[str]:
    """Returns the keys of all pictures."""
    return [f"{modality}_{camera.name}" for camera in cameras for modality in MODALITIES]


def chosen_keys(task: TaskSpec, cameras: Cameras, keys: tuple[str, ...] | None) -> tuple[str, ...]:
    """Returns the keys to observe; the task's default where None.

    Raises:
        UserError: if there are none, or one cannot be observed.
    """
    keys = task.default_observation if keys is None else keys
    if not keys:
        raise UserError("env.observations must name at least one observation")
    require_known("observation", keys, [*task.vectors, *task.sensors, *picture_keys(cameras)])
    return keys


def require_still_pictures(keys: tuple[str, ...], cameras: Cameras) -> None:
    """Checks that the keys are pictures of one moment.

    Raises:
        UserError: if one is something else, or flow.
    """
    for key in keys:
        if key in picture_keys(cameras) and renderer.is_flow(key):
            raise UserError(f"{key} cannot be drawn under random appearances: it is of two moments")
    require_known("observation", keys, [key for key in picture_keys(cameras) if not renderer.is_flow(key)])


def observation_specs(keys: tuple[str, ...], vectors: dict[str, ArraySpec], cameras: Cameras) -> dict[str, ArraySpec]:
    """Describes what is observed: `vectors`, and what the cameras show."""
    named = {camera.name: camera for camera in cameras}

    def picture(key: str) -> ArraySpec:
        modality, name = renderer.split_key(key)
        return renderer.picture_spec(modality, named[name])

    return {key: vectors.get(key) or picture(key) for key in keys}


def env_spec(
    task: TaskSpec, env_id: str, observation: dict[str, ArraySpec], cameras: Cameras, render: RenderSpec | None
) -> EnvSpec:
    """Describes an environment of a task by what is observed of it, its cameras and who draws them."""
    return EnvSpec(
        id=env_id,
        control_hz=task.control_hz,
        max_episode_steps=task.max_episode_steps,
        observation=observation,
        action=task.action,
        privileged=task.privileged,
        reward_terms=tuple(task.reward_weights),
        metrics=task.metrics,
        camera_names=tuple(camera.name for camera in cameras),
        render=render,
        commands=task.commands,
        motion=task.motion,
    )
