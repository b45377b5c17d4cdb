# In a network namespace of its own: a ROS 1 master on the loopback interface, and a transport on another one, whose
# sockets it prints.
# usage: unshare --user --map-root-user --net sh ros1_elsewhere.sh PYTHON
set -e
here=$(dirname "$0")
ip link set lo up
ip link add ve0 type veth peer name ve1
ip addr add 10.9.0.1/24 dev ve0
ip link set ve0 up
ip link set ve1 up
/usr/bin/python3 /usr/bin/rosmaster --core -p 11399 > /dev/null 2>&1 &
master=$!
trap 'kill $master' EXIT
for _ in $(seq 100); do
  ! "$1" -c 'import socket; socket.create_connection(("127.0.0.1", 11399)).close()' 2> /dev/null || break
  sleep 0.1
done
"$1" "$here/ros1_listeners.py" http://127.0.0.1:11399 ve0
