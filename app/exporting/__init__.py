"""Models on their way out and in: a bundle to run or import, an MLflow folder, an ONNX graph."""
