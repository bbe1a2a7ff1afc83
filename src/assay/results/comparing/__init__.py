"""Variants against each other and against chance: differences, their intervals, and the decisions that are theirs."""
