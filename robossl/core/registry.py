"""Static tables of names: what can be chosen by name, and the module that has it. Nothing registers itself."""

import importlib
from typing import Any

from robossl.core.errors import UnknownNameError, UserError

TASKS = {
    "robossl/RingCorridor-v0": "robossl.envs.tasks.ring_corridor:RingCorridor",
    "robossl/RoomsPointGoal-v0": "robossl.envs.tasks.rooms_point_goal:RoomsPointGoal",
    "robossl/ArmReach-v0": "robossl.envs.tasks.arm_reach:ArmReach",
    "robossl/ArmPush-v0": "robossl.envs.tasks.arm_push:ArmPush",
    "robossl/ArmLift-v0": "robossl.envs.tasks.arm_lift:ArmLift",
    "robossl/ArmPegInBox-v0": "robossl.envs.tasks.arm_peg_in_box:ArmPegInBox",
    "robossl/ArmReachGoal-v0": "robossl.envs.tasks.goal_task:ArmReachGoal",
    "robossl/ArmPushGoal-v0": "robossl.envs.tasks.goal_task:ArmPushGoal",
    "robossl/ArmLiftGoal-v0": "robossl.envs.tasks.goal_task:ArmLiftGoal",
    "robossl/ArmPegInBoxGoal-v0": "robossl.envs.tasks.goal_task:ArmPegInBoxGoal",
}

OBJECTIVES = {
    "tov_vicreg": "robossl.objectives.tov_vicreg:TOVVICReg",
    "latent_prediction": "robossl.objectives.latent_prediction:LatentPrediction",
    "inverse_dynamics": "robossl.objectives.inverse_dynamics:InverseDynamics",
}

AGENTS = {
    "sac": "robossl.agents.sac:SAC",
    "ppo": "robossl.agents.ppo:PPO",
}


def load(table: dict[str, str], name: str, *, what: str) -> Any:
    """Imports and returns what `table` names.

    Raises:
        UnknownNameError: with the nearest name.
        UserError: if there is no such module, or nothing of that name in it.
    """
    if name not in table:
        raise UnknownNameError(what, name, table)
    module, _, attribute = table[name].partition(":")
    try:
        holder = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UserError(f"{what} {name!r}: there is no module {error.name!r}") from error
    if not hasattr(holder, attribute):
        raise UserError(f"{what} {name!r}: module {module!r} has no {attribute!r}")
    return getattr(holder, attribute)
