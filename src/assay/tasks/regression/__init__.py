"""Regression: every image has one or several numbers."""
