"""What is asked of finished runs, backbones and data sets."""
