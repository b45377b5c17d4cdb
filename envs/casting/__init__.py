"""What rays hit first: pictures (`envs.render.raycast`) and laser scanners (`MujocoEngine.scan`) are made of it."""

from robossl.envs.casting.caster import Caster
from robossl.envs.casting.fan import Fan, beam_fan, picture_fan
from robossl.envs.casting.shapes import Shapes, can_cast, unlike_scans

__all__ = ["Caster", "Fan", "Shapes", "beam_fan", "can_cast", "picture_fan", "unlike_scans"]
