"""A study on a Ray cluster: the driver claims, the nodes train."""
