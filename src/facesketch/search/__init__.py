"""Find a person in a gallery of photos from a sketch, and say how far the answer is to be trusted."""
