"""TFLOP/s of torch.matmul (FP8: torch._scaled_mm) for the shapes of `sxbench gpu --tests gemm`, on every GPU at once.

Prints JSON: {"torch": version, "rows": [{"test", "shape", "tflops": [one per GPU]}]}.
"""
import json
import statistics
import threading
import time

import torch

HEAT_S, TIMED_S, RUN_S = 0.5, 1.5, 0.03
FP8_SPREAD = 64
SMALL = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp8": torch.float8_e4m3fn}
WIDE = {"tf32": torch.float32, "fp32": torch.float32, "fp64": torch.float64}


def product(name, n, device):
    """A call that multiplies n x n matrices, as y = x w^T."""
    if name == "fp8":
        # The data of `sxbench gpu`: normal values spread over the range of the type, because power depends on them.
        x, w = ((FP8_SPREAD * torch.randn(n, n, device=device)).to(SMALL[name]) for _ in range(2))
        back = torch.full((), 1 / FP8_SPREAD, device=device)
        return lambda: torch._scaled_mm(
            x, w.t(), scale_a=back, scale_b=back, out_dtype=torch.bfloat16, use_fast_accum=True)
    dtype = SMALL.get(name) or WIDE[name]
    x, w = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty(n, n, device=device, dtype=dtype)
    return lambda: torch.matmul(x, w.t(), out=out)


def tflops(name, n, device):
    """Median over runs of RUN_S each, after HEAT_S of the same."""
    call = product(name, n, device)
    call()
    torch.cuda.synchronize(device)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.current_stream(device)

    def run(calls):
        begin.record(stream)
        for _ in range(calls):
            call()
        end.record(stream)
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3 / calls

    calls = max(1, int(RUN_S / run(3)))
    hot = time.monotonic() + HEAT_S
    while time.monotonic() < hot:
        run(calls)
    runs, until = [], time.monotonic() + TIMED_S
    while time.monotonic() < until or len(runs) < 5:
        runs.append(run(calls))
    return 2 * n**3 / statistics.median(runs) * 1e-12


def on_all_gpus(name, n):
    result = [0.0] * torch.cuda.device_count()

    def work(i):
        torch.cuda.set_device(i)
        result[i] = tflops(name, n, torch.device("cuda", i))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(result))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.cuda.empty_cache()
    return result


def main():
    rows = []
    for name in ["bf16", "fp16", "tf32", "fp32", "fp64", "fp8"]:
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
        for n in [4096, 8192, 16384] if name in SMALL else [8192]:
            rows.append({"test": "gemm_" + name, "shape": f"{n} x {n} x {n}", "tflops": on_all_gpus(name, n)})
    print(json.dumps({"torch": torch.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
