"""What leaves the house: labels for images, files for others. Nothing here trains."""
