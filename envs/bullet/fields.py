"""Which fields the bullet engine can read and randomise: MuJoCo's, less what only MuJoCo's own contacts give."""

from collections.abc import Iterable

from robossl.core import UserError
from robossl.core.errors import require_known
from robossl.envs import mujoco_fields
from robossl.envs.mujoco_fields import names

_MUJOCOS_OWN = names("qacc qacc_smooth qfrc_smooth qfrc_constraint ncon ne nf nl nefc")

READABLE_FIELDS = mujoco_fields.READABLE_FIELDS - _MUJOCOS_OWN
RECORDABLE_FIELDS = mujoco_fields.RECORDABLE_FIELDS - _MUJOCOS_OWN
_WRITABLE_FIELDS = mujoco_fields.STATE_FIELDS - {"eq_active"}

# Places and joints' ranges are built into Bullet's bodies; solver parameters mean nothing to it.
_RANDOM_FIELDS = mujoco_fields.RANDOM_FIELDS - names("""
    geom_solref geom_solimp geom_margin geom_pos geom_quat body_ipos body_pos body_quat
    dof_frictionloss jnt_range jnt_solref jnt_solimp tendon_frictionloss pair_friction eq_solref eq_solimp
    opt.gravity opt.impratio
""")


def require_writable(fields: Iterable[str]) -> None:
    """Checks that Bullet would follow state fields.

    Raises:
        UnknownNameError: naming one that it would not.
    """
    require_known("state field that the bullet engine can write", fields, _WRITABLE_FIELDS)


def require_random(fields: Iterable[str]) -> None:
    """Checks that worlds can differ in model fields; those that no engine knows are told of elsewhere.

    Raises:
        UserError: naming one that is built into Bullet's bodies.
    """
    for name in fields:
        if name in mujoco_fields.RANDOM_FIELDS - _RANDOM_FIELDS:
            raise UserError(f"engine bullet cannot vary {name} between worlds: leave out the ranges of it")
