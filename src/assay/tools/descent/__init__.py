"""Ways downhill to look at: SGD, momentum and Adam on surfaces of two variables, with the numbers of each step."""
