"""What a trained network sees in one picture: the channels of its layers, and where its answer comes from."""
