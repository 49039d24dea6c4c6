"""Run a model on a picture, a face or a folder, in any engine; export it."""
