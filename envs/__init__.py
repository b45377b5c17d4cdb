"""Simulated environments: engines, cameras, tasks, and adapters to Gymnasium and stable-baselines3.

Importing this registers robossl's ids with Gymnasium, as strings: no physics, network or task is loaded.
"""

import gymnasium

from robossl.core.registry import TASKS
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.make import list_env_ids, make_env

__all__ = ["EnvConfig", "WorldSeed", "list_env_ids", "make_env"]

for _task_id in TASKS:
    gymnasium.register(
        id=_task_id,
        entry_point="robossl.envs.gym_env:GymEnv",
        vector_entry_point="robossl.envs.gym_vector_env:GymVectorEnv",
        kwargs={"config": _task_id},
    )
