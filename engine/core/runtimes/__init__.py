"""Where an exported network runs besides torch: takes a network, or its file, gives what may be called on a batch.

Nothing here imports torch before a network is to be written: a process that only runs a file holds none of it.

    registry      every runtime by its word, and what its files are
    onnx_session  ONNX Runtime on the CPU
    watch         a file's calls timed, in turn with others
    alone         a process that does nothing but run a file: how long it takes to open, what it holds at most
"""
