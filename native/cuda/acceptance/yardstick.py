"""Times of torch on the cases of accept.sh, and two ceilings. Usage: yardstick.py [--rehearse] FILE

Lines: case as accept.sh names it, microseconds, what ran. What this torch or this device has not is said on standard output as
"absent, case, reason". Every case is captured as a CUDA graph that runs over as many copies of weights or caches as no cache of
the device holds, with random values, and timed with events: the median of replays, per copy. With --rehearse small shapes run on
the CPU, whose times mean nothing.

Where torch has no such operator, what it has is composed, without fusion by hand, and the line says of what. What is judged by
its share of these times comes first.
"""

import statistics
import sys
import time

import torch

REHEARSAL = "--rehearse" in sys.argv
DEVICE = "cpu" if REHEARSAL else "cuda"
BEYOND_CACHES = 1 << 16 if REHEARSAL else 200_000_000
MOST_COPIES = 400
REPLAYS = 3 if REHEARSAL else 30

HEADS, WIDTH, KEYS = (2, 32, 40) if REHEARSAL else (64, 512, 640)
INDEX_HEADS, INDEX_WIDTH, PICKS = (2, 32, 16) if REHEARSAL else (64, 128, 512)
HIDDEN, INNER, EXPERTS, TOP = (64, 32, 8, 2) if REHEARSAL else (4096, 2048, 256, 6)
STREAMS = 4
FP8_LINEARS = {"wq_b", "wo_b", "wq_a+wkv", "shared.w1+w3", "shared.w2", "index.wq_b"}


def replayed(body):
    """Median microseconds of a body: captured and replayed on a device, called on the CPU."""
    if REHEARSAL:
        times = []
        for _ in range(REPLAYS):
            start = time.perf_counter()
            body()
            times.append((time.perf_counter() - start) * 1e6)
        return statistics.median(times)
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


def copies(bytes_each, least=1):
    return max(least, min(MOST_COPIES, -(-BEYOND_CACHES // max(1, bytes_each))))


def normal(*shape, dtype=torch.bfloat16):
    return torch.randn(*shape, device=DEVICE, dtype=dtype)


def copied():
    size = (1 << 20) if REHEARSAL else 4 << 30
    a, b = (torch.empty(size, device=DEVICE, dtype=torch.uint8) for _ in range(2))
    us = replayed(lambda: b.copy_(a))
    return us, f"{2 * size / us / 1e3:.0f} GB/s read and written"


def multiplied():
    n = 128 if REHEARSAL else 8192
    us = bf16(n, n, n)[0]
    return us, f"{2 * n**3 / us / 1e6:.0f} TFLOP/s"


def bf16(m, k, n):
    x = normal(m, k)
    weights = [normal(n, k) for _ in range(copies(2 * n * k))]
    us = replayed(lambda: [torch.nn.functional.linear(x, w) for w in weights])
    return us / len(weights), "F.linear, BF16"


def fp8(m, k, n):
    """Scales of 1 x 128 for activations and 128 x 128 for weights, as the model has them."""
    x = normal(m, k).to(torch.float8_e4m3fn)
    weights = [normal(n, k).to(torch.float8_e4m3fn) for _ in range(copies(n * k))]
    rows = torch.rand(k // 128, m, device=DEVICE).t()
    blocks = torch.rand(n // 128, k // 128, device=DEVICE).t()  # the scales of w.t(), turned as that is
    us = replayed(
        lambda: [
            torch._scaled_mm(x, w.t(), scale_a=rows, scale_b=blocks, out_dtype=torch.bfloat16) for w in weights
        ]
    )
    return us / len(weights), "_scaled_mm, 1 x 128 and 128 x 128 scales"


def linears():
    """Linear layers of a layer, by the names of accept.sh: inputs and outputs."""
    for name, k, n in (
        ("wq_b", 1024, HEADS * WIDTH),
        ("wo_b", 8192, HIDDEN),
        ("wq_a+wkv", HIDDEN, 1536),
        ("shared.w1+w3", HIDDEN, 2 * INNER),
        ("shared.w2", INNER, HIDDEN),
        ("index.wq_b", 1024, INDEX_HEADS * INDEX_WIDTH),
        ("gate", HIDDEN, EXPERTS),
        ("compressor.4", HIDDEN, 4 * WIDTH),
        ("compressor.128", HIDDEN, 2 * WIDTH),
        ("index.compressor", HIDDEN, 4 * INDEX_WIDTH),
    ):
        yield (name, 128, 128) if REHEARSAL else (name, k, n)


def grouped(m):
    """The output projection by groups of heads."""
    groups, k, n = (2, 64, 64) if REHEARSAL else (8, 4096, 1024)
    x = normal(groups, m, k)
    weights = [normal(groups, k, n) for _ in range(copies(2 * groups * k * n))]
    us = replayed(lambda: [torch.bmm(x, w) for w in weights])
    return us / len(weights), "bmm, BF16 weights, which are twice the bytes"


def experts(tokens):
    """Three products of every expert that was chosen, on its rows."""
    w1, w3 = (normal(EXPERTS, INNER, HIDDEN) for _ in range(2))
    w2 = normal(EXPERTS, HIDDEN, INNER)
    counts = [0] * EXPERTS
    for _ in range(tokens):
        for e in torch.randperm(EXPERTS)[:TOP].tolist():
            counts[e] += 1
    rows = {e: normal(count, HIDDEN) for e, count in enumerate(counts) if count}
    linear, silu = torch.nn.functional.linear, torch.nn.functional.silu
    us = replayed(lambda: [linear(silu(linear(x, w1[e])) * linear(x, w3[e]), w2[e]) for e, x in rows.items()])
    return us, "BF16 weights, which are four times the bytes: a loop of F.linear over the chosen experts"


def attention(rows, all_rows_share_keys=False):
    entries = 64 if REHEARSAL else 4096
    n = 1 if all_rows_share_keys else copies(2 * rows * KEYS * WIDTH)
    q = normal(rows, 1, HEADS, WIDTH)
    cache = [normal(entries if all_rows_share_keys else rows * entries, WIDTH) for _ in range(n)]
    picks = torch.randint(0, cache[0].shape[0], (rows, KEYS), device=DEVICE)

    def one(c):
        keys = c[picks].unsqueeze(1)
        return torch.nn.functional.scaled_dot_product_attention(q, keys, keys)

    us = replayed(lambda: [one(c) for c in cache])
    return us / n, f"gather of {KEYS} rows each and scaled_dot_product_attention, no sinks"


def attention_to_all(rows):
    """Window and all entries of ratio 128 of a million tokens."""
    keys = 40 if REHEARSAL else 128 + 8192
    q = normal(rows, 1, HEADS, WIDTH)
    cache = [normal(rows, 1, keys, WIDTH) for _ in range(copies(2 * rows * keys * WIDTH))]
    us = replayed(lambda: [torch.nn.functional.scaled_dot_product_attention(q, c, c) for c in cache])
    return us / len(cache), f"scaled_dot_product_attention to {keys} rows, no sinks"


def topk(rows, columns):
    x = normal(rows, columns, dtype=torch.float32)
    us = replayed(lambda: [torch.topk(x, PICKS, sorted=False) for _ in range(16)])
    return us / 16, f"topk of {columns}"


def index(rows, entries):
    n = copies(2 * rows * entries * INDEX_WIDTH)
    q, w = normal(rows, INDEX_HEADS, INDEX_WIDTH), normal(rows, 1, INDEX_HEADS)
    keys = [normal(rows, entries, INDEX_WIDTH) for _ in range(n)]

    def one(k):
        scores = torch.relu(torch.bmm(q, k.transpose(1, 2)))
        return torch.topk(torch.bmm(w, scores).squeeze(1), PICKS, sorted=False)

    us = replayed(lambda: [one(k) for k in keys])
    return us / n, "bmm, relu, bmm, topk"


def hyper(rows):
    size = (2 + STREAMS) * STREAMS
    n = copies(4 * size * STREAMS * HIDDEN, least=2)
    functions = [normal(size, STREAMS * HIDDEN, dtype=torch.float32) for _ in range(n)]
    first = normal(rows, STREAMS, HIDDEN)
    norm = normal(HIDDEN)

    def all_of_them():
        x, y = first, first[:, 0]
        post = torch.ones(rows, STREAMS, 1, device=DEVICE)
        comb = torch.full((rows, STREAMS, STREAMS), 1 / STREAMS, device=DEVICE)
        for f in functions:
            x = (post * y.float().unsqueeze(1) + comb.transpose(1, 2) @ x.float()).to(torch.bfloat16)
            flat = x.flatten(1).float()
            mix = flat @ f.t() * torch.rsqrt(flat.square().mean(-1, keepdim=True) + 1e-6)
            pre, post = torch.sigmoid(mix[:, :STREAMS]), 2 * torch.sigmoid(mix[:, STREAMS : 2 * STREAMS]).unsqueeze(-1)
            comb = torch.softmax(mix[:, 2 * STREAMS :].view(rows, STREAMS, STREAMS), -1)
            for _ in range(20):
                comb = comb / (comb.sum(-1, keepdim=True) + 1e-6)
                comb = comb / (comb.sum(-2, keepdim=True) + 1e-6)
            y = (pre.unsqueeze(1) @ x.float()).squeeze(1)
            y = (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-6)).to(torch.bfloat16) * norm
        return y

    return replayed(all_of_them) / n, "composed of elementwise operators and products, 20 Sinkhorn iterations"


def cases():
    """Pairs of a name and what measures it."""

    def size(true, small):
        return small if REHEARSAL else true

    yield "device copy", copied
    yield "BF16 product of 8192^3", multiplied
    yield "wide fp8 m=4096", lambda: fp8(size(4096, 16), size(1536, 128), size(24576, 128))
    for m in (4096, 1, 32, 128):
        yield f"square bf16 m={m}", lambda m=m: bf16(m, size(4096, 64), size(4096, 64))
    for m in (1, 32):
        yield f"head bf16 m={m}", lambda m=m: bf16(m, size(4096, 64), size(129280, 64))
    for m in (1, 32, 128, 4096):
        yield f"square fp8 m={m}", lambda m=m: fp8(m, size(4096, 128), size(4096, 128))
    yield "narrow fp8 m=16", lambda: fp8(16, size(8192, 128), size(4096, 128))
    for m in (1, 32, 128):
        yield f"topk 16k m={m}", lambda m=m: topk(m, size(16384, 64))
        yield f"topk 262k m={m}", lambda m=m: topk(m, size(262144, 128))
    for m in (1, 32, 128):
        yield f"attention m={m}", lambda m=m: attention(m)
        yield f"hyper m={m}", lambda m=m: hyper(m)
        yield f"hca 262k m={m}", lambda m=m: attention_to_all(m)
        for name, k, n in linears():
            yield f"{name} m={m}", lambda m=m, k=k, n=n, product=fp8 if name in FP8_LINEARS else bf16: product(m, k, n)
        yield f"wo_a m={m}", lambda m=m: grouped(m)
    yield "prefill m=4096", lambda: attention(size(4096, 8), all_rows_share_keys=True)
    for m in (1, 32, 128):
        yield f"index 4k m={m}", lambda m=m: index(m, size(4096, 64))
        yield f"index 16k m={m}", lambda m=m: index(m, size(16384, 64))
        yield f"index 262k m={m}", lambda m=m: index(m, size(262144, 128))
    for m in (1, 32, 128, 4096):
        yield f"experts m={m}", lambda m=m: experts(size(m, min(m, 8)))


def main(path):
    with open(path, "w") as out:
        for name, measure in cases():
            try:
                us, remark = measure()
                print(name, f"{us:.1f}", remark, sep="\t", file=out, flush=True)
            except Exception as e:  # an older torch, another device, too little memory: the next case may do
                reason = str(e).splitlines()[0] if str(e) else ""
                print("absent", name, f"{type(e).__name__}: {reason}"[:200], sep="\t", flush=True)
            if not REHEARSAL:
                torch.cuda.empty_cache()


main(sys.argv[-1])
