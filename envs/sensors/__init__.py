"""What a robot feels beside what its cameras see. A task declares each in one line: `TaskSpec.sensors`."""

from robossl.envs.sensors.cameras import stereo
from robossl.envs.sensors.contact import ContactFlags, ForceTorque, Touch
from robossl.envs.sensors.inertial import Imu
from robossl.envs.sensors.joints import JointState
from robossl.envs.sensors.lidar import Lidar
from robossl.envs.sensors.odometry import Odometry
from robossl.envs.sensors.sensor import Sensor

__all__ = ["ContactFlags", "ForceTorque", "Imu", "JointState", "Lidar", "Odometry", "Sensor", "Touch", "stereo"]
