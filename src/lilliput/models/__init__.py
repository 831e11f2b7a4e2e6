"""Plans become networks; networks become probabilities."""
