"""A fitted model as an ONNX graph: features in, numbers or calibrated probabilities out."""
