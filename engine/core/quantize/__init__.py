"""Quantising: takes a trained fp32 network and training images, gives a file whose products are of 8-bit numbers.

backends  every backend by its word in a spec
onnx_int8  ONNX Runtime: QDQ by calibration, or ranges found at run time
torchao_int8  torchao's PT2E for x86
"""
