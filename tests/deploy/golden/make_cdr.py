"""Made cdr.json, once: the bytes that a serialiser which shares nothing with ours gives the messages of values.py.

    pip install mcap-ros2-support==0.6.0
    python tests/deploy/golden/make_cdr.py

Foxglove's `mcap_ros2` serialises in Python from a definition's text, which `rosbags` prints for ROS 2 Humble.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mcap_ros2._dynamic import serialize_dynamic
from rosbags.typesys import Stores, get_typestore
from values import VALUES

if __name__ == "__main__":
    store = get_typestore(Stores.ROS2_HUMBLE)
    golden = {}
    for kind, values in VALUES.items():
        name = kind.replace("/msg/", "/")
        text, _ = store.generate_msgdef(kind, ros_version=2)
        golden[kind] = serialize_dynamic(name, text)[name](values).hex()
    Path(__file__).with_name("cdr.json").write_text(json.dumps(golden, indent=1) + "\n")
