"""Runs on disk: claimed, executed, resumed, in one process or several."""
