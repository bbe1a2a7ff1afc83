"""What a network is made of, layer by layer: shapes, cost, receptive fields, separation, and a drawing of its paths."""
