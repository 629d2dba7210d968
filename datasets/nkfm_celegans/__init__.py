"""The worm's neurons: homogenised calcium recordings and connectomes of C. elegans, joined by neuron name."""
