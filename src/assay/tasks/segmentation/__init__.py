"""Semantic segmentation: every pixel of an image has one of the classes."""
