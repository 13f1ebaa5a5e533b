"""Times of torch (cuBLASLt) on the shapes of accept.sh, and two ceilings. Usage: yardstick.py FILE

Lines: what, m, k, n, microseconds, remark. Every shape is captured as a CUDA graph that runs over as many copies of the weights
as do not fit into a cache, with random values, and timed with events: the median of 50 replays, per product.
"""

import statistics
import sys

import torch

BEYOND_CACHES = 256 << 20
REPLAYS = 50


def replayed(body):
    """Median microseconds of a captured body."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            body()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        body()
    times = []
    for _ in range(REPLAYS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1000)
    return statistics.median(times)


def copies(bytes_each):
    return max(1, min(64, -(-BEYOND_CACHES // bytes_each)))


def bf16(m, k, n):
    x = torch.randn(m, k, device="cuda", dtype=torch.bfloat16)
    weights = [torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies(2 * n * k))]
    return replayed(lambda: [torch.nn.functional.linear(x, w) for w in weights]) / len(weights)


def fp8(m, k, n):
    """Scales of 1 x 128 for activations and 128 x 128 for weights, as the model has them."""
    x = torch.randn(m, k, device="cuda").to(torch.float8_e4m3fn)
    weights = [torch.randn(n, k, device="cuda").to(torch.float8_e4m3fn) for _ in range(copies(n * k))]
    rows = torch.rand(k // 128, m, device="cuda").t()
    blocks = torch.rand(k // 128, n // 128, device="cuda").t()
    return replayed(
        lambda: [
            torch._scaled_mm(x, w.t(), scale_a=rows, scale_b=blocks.t(), out_dtype=torch.bfloat16) for w in weights
        ]
    ) / len(weights)


def main(path):
    with open(path, "w") as out:

        def line(*cells):
            print(*cells, sep="\t", file=out, flush=True)

        size = 4 << 30
        a, b = (torch.empty(size, device="cuda", dtype=torch.uint8) for _ in range(2))
        us = replayed(lambda: b.copy_(a))
        line("ceiling", "device copy", "", "", f"{us:.1f}", f"{2 * size / us / 1e3:.0f} GB/s read and written")
        del a, b
        us = bf16(8192, 8192, 8192)
        line("ceiling", "BF16 product of 8192^3", "", "", f"{us:.1f}", f"{2 * 8192**3 / us / 1e6:.0f} TFLOP/s")
        for weights, run in {"bf16": bf16, "fp8": fp8}.items():
            for m in (1, 32, 128, 4096):
                try:
                    line(weights, m, 4096, 4096, f"{run(m, 4096, 4096):.1f}", "")
                except (RuntimeError, ValueError) as e:  # this torch or this device has no such product
                    print(f"{weights} {m}: {e}", file=sys.stderr)


main(sys.argv[1])
