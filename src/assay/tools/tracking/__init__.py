"""Finished runs in the trackers that people use: ``mirror.py`` reads a run's folder, a file a tracker writes that."""
