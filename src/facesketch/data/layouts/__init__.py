"""The layouts of folders that are understood, and how photos and sketches in them are matched."""
