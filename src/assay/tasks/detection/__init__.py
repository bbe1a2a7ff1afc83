"""Object detection: any number of boxes an image, each with a class and a score."""
