"""Layers worked by hand: every number of a forward and a backward pass as the sum of products that it is."""
