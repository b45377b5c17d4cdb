#!/usr/bin/env bash
# Installs what the tests of the transports talk to, from Debian's own packages: ROS 1 (rosmaster, rospy) and the C
# library of Cyclone DDS with its compiler of types. Without it these tests are skipped by name.
#
# usage: packaging/install-middleware.sh [VENV]
#
# With a virtual environment of the same Python version as the system's, rospy can be imported there, too: Debian's
# folder then comes last on the path, so that the environment's own packages win.
set -euo pipefail

PACKAGES=(
  python3-rospy python3-rosmaster python3-std-msgs python3-geometry-msgs python3-sensor-msgs python3-nav-msgs
  python3-trajectory-msgs cyclonedds-dev cyclonedds-tools gcc libc6-dev
)
DEBIAN=/usr/lib/python3/dist-packages

if ! dpkg --status "${PACKAGES[@]}" > /dev/null 2>&1; then
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo --non-interactive)
  "${root[@]}" apt-get update --quiet=2
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${PACKAGES[@]}"
fi

[ $# -gt 0 ] || exit 0
[ -x "$1/bin/python" ] || { echo "$1 is not a virtual environment" >&2; exit 1; }
version='import sys; print(sys.version_info[:2])'
if [ "$("$1/bin/python" -c "$version")" != "$(/usr/bin/python3 -c "$version")" ]; then
  echo "rospy cannot be imported in $1: its Python is not of the system's version" >&2
  exit 1
fi
site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$DEBIAN" > "$site/zz_debian_ros.pth"
"$1/bin/python" -c 'import rospy'
