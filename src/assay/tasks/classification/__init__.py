"""Classification: every image has one of the classes."""
