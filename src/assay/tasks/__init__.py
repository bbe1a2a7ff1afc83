"""What a network is trained to do: the size of its head, its probabilities and predictions."""
