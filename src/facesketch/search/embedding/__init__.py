"""Turn a picture into the vector that search compares."""
