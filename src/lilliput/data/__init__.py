"""From what the user has to what training draws: sources, pack, batches, augmentation."""
