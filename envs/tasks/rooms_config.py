"""How hard `RoomsPointGoal` is, and what its reward weighs."""

from dataclasses import dataclass

from robossl.core import UserError
from robossl.envs.tasks.house_plan import NUM_ROOMS
from robossl.envs.tasks.rooms_geometry import NUM_FURNITURE


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsConfig:
    """What can be changed about the task.

    Attributes:
        door_m: width of the doorways.
        closed_chance: of a wall without a doorway, where that cuts no room off.
        open_chance: of no wall at all between two rooms.
        furniture: the fewest and most pieces.
        hops: the fewest and most doorways between start and goal.
        success_radius_m: the robot's middle counts as at the goal when it is this near. The disc that is drawn has
            this size.
        max_episode_steps: decisions.
        ends_at_collision: whether a contact ends the episode. Else it counts, and the robot may go on.
        is_recoloured: whether light, walls, floor and furniture change colour with every episode.
        weight_progress: of the shortest path having become shorter, over what full speed makes of it.
        weight_collision: of a contact at any substep.
        weight_success: of arriving, once.
    """

    door_m: float = 0.7
    closed_chance: float = 0.6
    open_chance: float = 0.15
    furniture: tuple[int, int] = (4, 10)
    hops: tuple[int, int] = (1, 3)
    success_radius_m: float = 0.2
    max_episode_steps: int = 400
    ends_at_collision: bool = False
    is_recoloured: bool = True
    weight_progress: float = 0.5
    weight_collision: float = -0.25
    weight_success: float = 5.0

    def __post_init__(self) -> None:
        """Checks the numbers."""
        _require(0.6 <= self.door_m <= 1.0, f"door_m must be in [0.6, 1.0], got {self.door_m}")  # a robot has to fit
        for name in ("closed_chance", "open_chance"):
            _require(0 <= getattr(self, name) <= 1, f"{name} must be in [0, 1], got {getattr(self, name)}")
        for name, low, high in (("furniture", 0, NUM_FURNITURE), ("hops", 1, NUM_ROOMS - 1)):
            least, most = getattr(self, name)
            wanted = f"{name} must be in {low}..{high}, from few to many"
            _require(low <= least <= most <= high, f"{wanted}, got {least} {most}")
        # Farther, and a goal could be reached through a wall.
        radius_m = self.success_radius_m
        _require(0 < radius_m <= 0.35, f"success_radius_m must be in (0, 0.35], got {radius_m}")
        _require(self.max_episode_steps >= 1, f"max_episode_steps must be at least 1, got {self.max_episode_steps}")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise UserError(f"RoomsPointGoal: {otherwise}")


LEVELS = {
    "easy": RoomsConfig(
        door_m=0.8,
        closed_chance=0.0,
        open_chance=0.5,
        furniture=(0, 4),
        hops=(1, 1),
        success_radius_m=0.3,
        max_episode_steps=200,
    ),
    "medium": RoomsConfig(),
    "hard": RoomsConfig(
        door_m=0.6, closed_chance=1.0, open_chance=0.0, furniture=(10, 12), hops=(3, 8), max_episode_steps=600
    ),
}
