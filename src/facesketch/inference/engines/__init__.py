"""What computes a translation: PyTorch, ONNX Runtime or OpenVINO, behind one call on arrays."""
