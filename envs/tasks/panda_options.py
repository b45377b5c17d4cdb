"""What every task of the Panda offers beside its own: sensors, and what may differ between episodes."""

from robossl.envs.randomisation import ActionDelay, AnyRandomisation, Randomisation
from robossl.envs.sensors import ForceTorque, JointState, Sensor, Touch
from robossl.envs.tasks.panda import NUM_JOINTS

_JOINTS = tuple(f"joint{i}" for i in range(1, NUM_JOINTS + 1))
_CAMERAS, _SURFACES = ("static", "wrist"), ("table_top", "floor")
_SERVOS = tuple(f"servo{i}" for i in range(1, NUM_JOINTS + 1))
_GAINS = ("actuator_gainprm", "actuator_biasprm")

SENSORS: dict[str, Sensor] = {
    "joint_state": JointState(joints=_JOINTS),
    "force_torque": ForceTorque(site="wrist"),
}
TOUCH = Touch(site="held")
"""For tasks with something to touch."""


RANDOMISATIONS: dict[str, AnyRandomisation] = {
    "damping": Randomisation(field="dof_damping", elements=_JOINTS, low=0.7, high=1.4),
    "gains": Randomisation(field=_GAINS, elements=_SERVOS, low=0.8, high=1.2),
    "action_delay": ActionDelay(high=0.08),
    "start": Randomisation(field="qpos", elements=_JOINTS, mode="offset", low=-0.02, high=0.02, each=True),
    "camera_position": Randomisation(
        field="cam_pos", elements=_CAMERAS, mode="offset", low=-0.02, high=0.02, each=True
    ),
    "camera_angle": Randomisation(field="cam_quat", elements=_CAMERAS, mode="turn", low=0.0, high=0.04, each=True),
    "fov": Randomisation(field="cam_fovy", elements=_CAMERAS, low=0.95, high=1.05, each=True),
    "light": Randomisation(field="light_diffuse", low=0.5, high=1.5, each=True),
    "light_direction": Randomisation(field="light_dir", mode="turn", low=0.0, high=0.6, each=True),
    "colour": Randomisation(field="geom_rgba", columns=(0, 1, 2), mode="offset", low=-0.15, high=0.15, each=True),
    "texture": Randomisation(field="geom_matid", elements=_SURFACES, mode="choose", low=-1, high=2, each=True),
}
