"""A trained model as a file that explains itself."""
