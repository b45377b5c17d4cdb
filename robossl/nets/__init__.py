"""Networks that turn observations into features."""
