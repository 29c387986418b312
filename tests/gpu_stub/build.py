"""Builds the stub: takes the torch of this interpreter, gives a folder with libxpstub.so, libcuda.so.1 and
libnvidia-ml.so.1.

runtime.cpp and card.h write what has a meaning; every other function that PyTorch's libraries want from CUDA's runtime,
cuBLAS and the driver is made here and succeeds. The folder is kept under build/ and made anew where torch or a source
changed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from filelock import FileLock

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUNTIME = HERE / "runtime.cpp"
SENSORS = HERE / "sensors.c"
SOURCES = (RUNTIME, SENSORS, HERE / "card.h", Path(__file__))
LIBRARY, DRIVER, NVML = "libxpstub.so", "libcuda.so.1", "libnvidia-ml.so.1"

# What cuBLAS gives out; all other functions of it either set something up or multiply matrices.
CUBLAS = {
    "cublasCreate_v2": "int {}(void** handle) {{ *handle = malloc(16); return 0; }}",
    **dict.fromkeys(
        ("cublasLtCreate", "cublasLtMatmulDescCreate", "cublasLtMatmulPreferenceCreate", "cublasLtMatrixLayoutCreate"),
        "int {}(void** handle) {{ *handle = malloc(256); return 0; }}",
    ),
    "cublasLtMatmulAlgoGetHeuristic": "int {}(void* a, void* b, void* c, void* d, void* e, void* f, void* g, int n, "
    "void* found, int* count) {{ *count = 1; return 0; }}",
    "cublasGetMathMode": "int {}(void* handle, int* mode) {{ *mode = 0; return 0; }}",
    "cublasGetPointerMode_v2": "int {}(void* handle, int* mode) {{ *mode = 0; return 0; }}",
    "cublasLtGetVersion": "long {}(void) {{ return 130400; }}",
}
QUIET = re.compile(r"cublas(Set|Destroy|LtMatmul(Algo|Desc|Pref)|LtMatrix)")
# The driver's attributes that are asked for: capability 9.0, processors, shared memory, warp.
DRIVER_BODIES = {
    "cuDevicePrimaryCtxGetState": "int {}(int device, unsigned* flags, int* on) {{ *flags = 0; *on = 1; return 0; }}",
    "cuCtxGetCurrent": "int {}(void** context) {{ *context = (void*)16; return 0; }}",
    "cuDeviceGet": "int {}(int* device, int number) {{ *device = 0; return 0; }}",
    "cuDeviceGetAttribute": "int {}(int* value, int what, int device) {{ *value = what == 75 ? 9 : what == 16 ? 132 : "
    "what == 97 ? 232448 : what == 10 ? 32 : 0; return 0; }}",
}
DRIVER_MORE = (
    "cuCtxGetDevice", "cuCtxGetLimit", "cuCtxSetLimit", "cuStreamIsCapturing", "cuInit", "cuDriverGetVersion",
    "cuGetProcAddress", "cuGetProcAddress_v2",
)  # fmt: skip


@cache
def torch_folder() -> Path:
    """Return where torch lies, without importing it."""
    found = importlib.util.find_spec("torch")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def headers() -> Path | None:
    """Return the folder of CUDA's headers, which come with a CUDA build of torch; None for a CPU build."""
    found = next(torch_folder().parent.glob("nvidia/**/cuda_runtime_api.h"), None)
    return found.parent if found else None


def why_not() -> str:
    """Return why the stub cannot be built here, empty where it can."""
    missing = [tool for tool in ("g++", "gcc", "nm") if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)} here"
    return "" if headers() else "this torch is no CUDA build"


def build_stub() -> Path:
    """Return the folder of the stub, built where it is not there yet: about five seconds."""
    mark = sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()[:12]
    folder = ROOT / "build" / "gpu_stub" / f"{metadata.version('torch')}-{mark}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as work:
                _build(Path(work))
                (Path(work) / "out").rename(folder)
    return folder


def _build(work: Path) -> None:
    (work / "out").mkdir()
    # The wheel of the runtime leaves some headers out, which triton brings.
    more = torch_folder().parent / "triton" / "backends" / "nvidia" / "include"
    places = (f"-I{headers()}", f"-I{more}")
    _run("g++", "-O2", "-std=c++17", "-fPIC", "-c", str(RUNTIME), *places, "-o", "runtime.o", at=work)
    (work / "rest.c").write_text("\n".join(_rest_of_runtime(work)))
    _run("gcc", "-O1", "-w", "-fPIC", "-c", "rest.c", "-o", "rest.o", at=work)
    _run("g++", "-shared", "-o", f"out/{LIBRARY}", "runtime.o", "rest.o", "-ldl", at=work)
    (work / "driver.c").write_text("\n".join(_driver()))
    _run("gcc", "-w", "-shared", "-fPIC", "-o", f"out/{DRIVER}", "driver.c", at=work)
    build_sensors(work / "out" / NVML)


def build_sensors(target: Path) -> None:
    """Make the library that plays NVML; gcc alone is needed."""
    _run("gcc", "-w", "-shared", "-fPIC", "-o", str(target), str(SENSORS), at=HERE)


def _rest_of_runtime(work: Path) -> Iterable[str]:
    """Return C functions for what torch's libraries want of the runtime and cuBLAS and runtime.cpp has not."""
    written = {line.split()[-1] for line in _run("nm", "--defined-only", "runtime.o", at=work).splitlines() if line}
    wanted = [name for library in sorted((torch_folder() / "lib").glob("*.so")) for name in _undefined(library)]
    runtime = {name for name, version in wanted if version.startswith("libcudart")} - written
    multiply = {name for name, version in wanted if version.startswith("libcublas")}
    yield "#include <stdlib.h>\nvoid stub_gemm(void);"
    yield from (f"int {name}() {{ return 0; }}" for name in sorted(runtime))
    yield from (_cublas(name) for name in sorted(multiply))


def _cublas(name: str) -> str:
    if name in CUBLAS:
        return CUBLAS[name].format(name)
    return f"int {name}() {{ {'' if QUIET.match(name) else 'stub_gemm();'} return 0; }}"


def _driver() -> Iterable[str]:
    library = torch_folder() / "lib" / "libcaffe2_nvrtc.so"
    wanted = {name for name, _ in _undefined(library) if re.match(r"cu[A-Z]", name)}
    for name in sorted({*wanted, *DRIVER_MORE, *DRIVER_BODIES}):
        yield DRIVER_BODIES[name].format(name) if name in DRIVER_BODIES else f"int {name}() {{ return 0; }}"


def _undefined(library: Path) -> list[tuple[str, str]]:
    """Return (name, version) of every function that a library takes from another one."""
    lines = _run("nm", "-D", "--undefined-only", str(library), at=HERE).splitlines()
    found = [line.split()[-1].partition("@") for line in lines if line.strip()]
    return [(name, version.strip("@")) for name, _, version in found]


def _run(*command: str, at: Path) -> str:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout
