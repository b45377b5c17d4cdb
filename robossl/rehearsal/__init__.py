"""A simulated robot behind the topics of a real one, faults included: all is rehearsed before a robot is near."""
