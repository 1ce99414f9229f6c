"""What every peer shares: one thread, the line protocol, and the clock.

Import this module before `numpy` and `torch`: BLAS libraries read their thread counts when they are loaded. It loads
neither itself, so that a peer in NumPy needs no PyTorch.
"""

import ctypes
import json
import os
import sys

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import statistics
import time
from pathlib import Path

CHUNKS = 5


def keep_freed_memory():
    """Stops glibc's allocator from returning freed tensors to the system.

    By default each update may fault its large temporaries in again, which makes the time of a large batch
    jump between two values, one more than half as long again as the other. Other C libraries have no
    `mallopt` and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
    mallopt(trim_threshold, 1 << 30)
    mallopt(mmap_threshold, 1 << 25)  # the largest that glibc accepts


def milliseconds_per_call(call, repeats, warmup):
    """Median over `CHUNKS` chunks of the mean time of `repeats` successive calls."""
    for _ in range(warmup):
        call()
    chunks = []
    for _ in range(CHUNKS):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        chunks.append((time.perf_counter() - start) / repeats * 1e3)
    return statistics.median(chunks)


def milliseconds_each(call, repeats, warmup, prepare=lambda: None):
    """Median over `repeats` calls timed one by one; `prepare` runs before each, off the clock."""
    times = []
    for _ in range(warmup + repeats):
        prepare()
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[warmup:])


def blas_library(library):
    """The matrix library that PyTorch or NumPy runs on. With `reference` a comparison says nothing about it."""
    if library.__name__ == "torch" and library.backends.mkl.is_available():
        return "mkl"
    loaded = Path("/proc/self/maps")
    names = loaded.read_text() if loaded.exists() else ""
    for library, name in (("openblas", "openblas"), ("blis", "libblis"), ("reference", "libblas")):
        if name in names:
            return library
    return "unknown"


def choose(kind, choices, name):
    """`choices[name]`, or an error that lists the valid names."""
    if name not in choices:
        raise ValueError(f"{kind}: got {name!r}, expected one of {', '.join(choices)}")
    return choices[name]


def positive(request, key, default=None, least=1):
    """The integer `request[key]`, at least `least`."""
    value = request.get(key, default)
    if type(value) is not int or value < least:
        raise ValueError(f"{key}: got {value!r}, expected an integer of at least {least}")
    return value


def serve(library, workloads):
    """Times workloads of a library, the module `torch` or `numpy`.

    Answers each JSON line of stdin with one JSON line on stdout until `{"quit": true}` or the end.

    `workloads` maps a name to a function of the request that returns the fields of the answer.
    A request that cannot be carried out is answered with `{"error": ...}` and the server goes on.
    """
    keep_freed_memory()
    name = library.__name__
    threads = 1
    if name == "torch":
        library.set_num_threads(1)
        threads = library.get_num_threads()
    blas = blas_library(library)
    identity = {name: library.__version__, "threads": threads, "blas": blas}
    if blas == "reference":
        print(f"{name} runs on the reference BLAS: its times will be several times too long", file=sys.stderr)

    def answer(fields):
        print(json.dumps(fields), flush=True)

    answer({"ready": True, **identity})
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError(f"request: got {line.strip()!r}, expected a JSON object")
            if request.get("quit"):
                return
            run = choose("workload", workloads, request.get("workload"))
            seed = positive(request, "seed", 0, least=0)
            if name == "torch":
                library.manual_seed(seed)
            answer({"workload": request["workload"], **run(request), **identity})
        except ValueError as error:
            answer({"error": str(error)})
