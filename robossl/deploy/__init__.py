"""The robot's side: reads a bundle, watches its inputs, guards every command, and talks to ROS without torch or ROS."""
