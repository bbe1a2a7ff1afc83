"""Finding the weights: the loop, losses, optimizers, schedules."""
