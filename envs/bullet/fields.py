"""Which fields the bullet engine can read and randomise: MuJoCo's, less what only MuJoCo's own contacts give."""

from robossl.envs import mujoco_fields
from robossl.envs.mujoco_fields import names

_MUJOCOS_OWN = names("qacc qacc_smooth qfrc_smooth qfrc_constraint ncon ne nf nl nefc")

READABLE_FIELDS = mujoco_fields.READABLE_FIELDS - _MUJOCOS_OWN
RECORDABLE_FIELDS = mujoco_fields.RECORDABLE_FIELDS - _MUJOCOS_OWN
WRITABLE_FIELDS = mujoco_fields.STATE_FIELDS - {"eq_active"}

# Places and joints' ranges are built into Bullet's bodies; solver parameters mean nothing to it.
RANDOM_FIELDS = mujoco_fields.RANDOM_FIELDS - names("""
    geom_solref geom_solimp geom_margin geom_pos geom_quat body_ipos body_pos body_quat
    dof_frictionloss jnt_range jnt_solref jnt_solimp tendon_frictionloss pair_friction eq_solref eq_solimp
    opt.gravity opt.impratio
""")
