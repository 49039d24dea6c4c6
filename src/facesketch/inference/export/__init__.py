"""Write a trained model as an ONNX file."""
