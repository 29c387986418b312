"""Networks as files of other runtimes: takes a trained network, gives a file that says all of itself, and its answers.

A file takes normalised images, fp32 (B, 3, S, S), B free, as `images`, and gives `logits`, fp32 (B, classes). How an
image becomes that, the classes and what the network was trained on stand inside of it (about.py).

    about             what a file says of itself
    trace             the network as a graph, its batch free
    forms             every format by its word
    onnx_form         ONNX, and ONNX Runtime
    onnx_operators    operators in the form that ONNX Runtime fuses
    pt2_form          torch.export
    safetensors_form  the weights, and the module built around them
    executorch_form   ExecuTorch with XNNPACK
    parity            whether a file answers as its network does, and the first layer that does not
    photograph        an image file as evaluation would see it
"""
