"""The verbs of `facesketch search`."""
