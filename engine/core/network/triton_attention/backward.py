"""Backward kernels of any region: take the forward pass's input and output and a gradient, give those of q, k and v.

Each program writes what only it writes, so there are no atomic additions: rows write the gradient of q, ordinary keys
theirs, and a window's globals, which all rows see, theirs in a kernel of their own.
"""

from __future__ import annotations

import triton
import triton.language as tl

from engine.core.network.triton_attention.tiles import (
    global_logits,
    key_blocks,
    load_globals,
    load_kinds,
    load_out,
    load_part,
    near_logits,
    store_part,
    tokens_of,
)


@triton.jit
def rows_backward(qkv, table, kind, places, score, out, lse, grad, delta, grad_qkv, grad_far, kind_step, place_step,
                  WINDOW: tl.constexpr, SIDE: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr,
                  BLOCK_D: tl.constexpr, REACH: tl.constexpr, RASTER: tl.constexpr, GLOBALS: tl.constexpr,
                  BLOCK_G: tl.constexpr, HAS_KIND: tl.constexpr, HAS_SCORE: tl.constexpr, ITSELF: tl.constexpr,
                  BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, SCALE: tl.constexpr,
                  PRECISION: tl.constexpr):  # fmt: skip
    """One block of rows: the gradient of q; delta = sum(grad * out) per row, and what the globals' logits get."""
    BLOCKS: tl.constexpr = (SIDE * SIDE + BLOCK_M - 1) // BLOCK_M
    TILES: tl.constexpr = (WINDOW // SIDE) * (WINDOW // SIDE)
    head = tl.program_id(0) % HEADS
    block = tl.program_id(0) // HEADS % BLOCKS
    region = tl.program_id(0) // (HEADS * BLOCKS)
    window, tile = region // TILES, region % TILES
    rows = block * BLOCK_M + tl.arange(0, BLOCK_M)
    real = rows < SIDE * SIDE
    tokens = tokens_of(rows, tile, WINDOW, SIDE)
    at_rows = (window.to(tl.int64) * HEADS + head) * (WINDOW * WINDOW)
    q = load_part(qkv, window, tokens, real, head, 0, WINDOW, HEADS, DIM, BLOCK_D)
    given = load_out(grad, window, tokens, real, head, WINDOW, HEADS, DIM, BLOCK_D)
    made = load_out(out, window, tokens, real, head, WINDOW, HEADS, DIM, BLOCK_D)
    shared = tl.sum(given.to(tl.float32) * made.to(tl.float32), 1)
    tl.store(delta + at_rows + tokens, shared, mask=real)
    total = tl.load(lse + at_rows + tokens, mask=real, other=0.0)
    grad_q = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    if GLOBALS > 0:
        at, alive = load_globals(places, place_step, kind, kind_step, window, GLOBALS, BLOCK_G, HAS_KIND)
        far_k = load_part(qkv, window, at, alive, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
        far_v = load_part(qkv, window, at, alive, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
        far = global_logits(q, far_k, table, score, window, head, tokens, real, at, alive, WINDOW, GLOBALS, BLOCK_G,
                            HAS_SCORE, SCALE, PRECISION)  # fmt: skip
        far = tl.exp2(far - total[:, None])
        far = far * (tl.dot(given, tl.trans(far_v), input_precision=PRECISION) - shared[:, None])
        grad_q += tl.dot(far.to(far_k.dtype), far_k, input_precision=PRECISION)
        number = tl.arange(0, BLOCK_G)
        at_far = grad_far + (at_rows + tokens)[:, None] * GLOBALS + number[None, :]
        tl.store(at_far, far, mask=real[:, None] & (number < GLOBALS)[None, :])
    first, end = key_blocks(block, SIDE, REACH, RASTER, BLOCK_M, BLOCK_N)
    for step in range(first, end):
        keys = step * BLOCK_N + tl.arange(0, BLOCK_N)
        inside = keys < SIDE * SIDE
        key_tokens = tokens_of(keys, tile, WINDOW, SIDE)
        kinds = load_kinds(kind, kind_step, window, key_tokens, inside, HAS_KIND)
        k = load_part(qkv, window, key_tokens, inside, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
        v = load_part(qkv, window, key_tokens, inside, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
        logits = near_logits(q, k, table, head, rows, keys, kinds, WINDOW, SIDE, REACH, RASTER, ITSELF, SCALE,
                             PRECISION)  # fmt: skip
        weights = tl.exp2(logits - total[:, None])
        grad_logits = weights * (tl.dot(given, tl.trans(v), input_precision=PRECISION) - shared[:, None])
        grad_q += tl.dot(grad_logits.to(k.dtype), k, input_precision=PRECISION)
    store_part(grad_qkv, grad_q * SCALE, window, tokens, real, head, 0, WINDOW, HEADS, DIM, BLOCK_D)


@triton.jit
def keys_backward(qkv, table, kind, lse, grad, delta, grad_qkv, kind_step, WINDOW: tl.constexpr, SIDE: tl.constexpr,
                  HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr, REACH: tl.constexpr,
                  RASTER: tl.constexpr, HAS_KIND: tl.constexpr, ITSELF: tl.constexpr, BLOCK_M: tl.constexpr,
                  BLOCK_N: tl.constexpr, SCALE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """One block of keys: the gradients of k and v from the rows that reach it; globals are left to their kernel."""
    BLOCKS: tl.constexpr = (SIDE * SIDE + BLOCK_N - 1) // BLOCK_N
    TILES: tl.constexpr = (WINDOW // SIDE) * (WINDOW // SIDE)
    head = tl.program_id(0) % HEADS
    block = tl.program_id(0) // HEADS % BLOCKS
    region = tl.program_id(0) // (HEADS * BLOCKS)
    window, tile = region // TILES, region % TILES
    keys = block * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = keys < SIDE * SIDE
    key_tokens = tokens_of(keys, tile, WINDOW, SIDE)
    kinds = load_kinds(kind, kind_step, window, key_tokens, inside, HAS_KIND)
    at_rows = (window.to(tl.int64) * HEADS + head) * (WINDOW * WINDOW)
    k = load_part(qkv, window, key_tokens, inside, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
    v = load_part(qkv, window, key_tokens, inside, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
    grad_k = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    grad_v = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    # Who reaches whom is the same both ways.
    first, end = key_blocks(block, SIDE, REACH, RASTER, BLOCK_N, BLOCK_M)
    for step in range(first, end):
        rows = step * BLOCK_M + tl.arange(0, BLOCK_M)
        real = rows < SIDE * SIDE
        tokens = tokens_of(rows, tile, WINDOW, SIDE)
        q = load_part(qkv, window, tokens, real, head, 0, WINDOW, HEADS, DIM, BLOCK_D)
        given = load_out(grad, window, tokens, real, head, WINDOW, HEADS, DIM, BLOCK_D)
        total = tl.load(lse + at_rows + tokens, mask=real, other=0.0)
        shared = tl.load(delta + at_rows + tokens, mask=real, other=0.0)
        logits = near_logits(q, k, table, head, rows, keys, kinds, WINDOW, SIDE, REACH, RASTER, ITSELF, SCALE,
                             PRECISION)  # fmt: skip
        weights = tl.exp2(logits - total[:, None])
        grad_v += tl.dot(tl.trans(weights.to(given.dtype)), given, input_precision=PRECISION)
        grad_logits = weights * (tl.dot(given, tl.trans(v), input_precision=PRECISION) - shared[:, None])
        grad_k += tl.dot(tl.trans(grad_logits.to(q.dtype)), q, input_precision=PRECISION)
    mine = inside & (kinds != 1)
    store_part(grad_qkv, grad_k * SCALE, window, key_tokens, mine, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
    store_part(grad_qkv, grad_v, window, key_tokens, mine, head, 2, WINDOW, HEADS, DIM, BLOCK_D)


@triton.jit
def globals_backward(qkv, table, kind, places, score, lse, grad, delta, grad_qkv, grad_score, kind_step, place_step,
                     WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr,
                     GLOBALS: tl.constexpr, BLOCK_G: tl.constexpr, HAS_KIND: tl.constexpr, HAS_SCORE: tl.constexpr,
                     BLOCK_M: tl.constexpr, SCALE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """One window and head: the gradients of the globals' k and v, and of their score, from all rows of the window."""
    head, window = tl.program_id(0) % HEADS, tl.program_id(0) // HEADS
    at_rows = (window.to(tl.int64) * HEADS + head) * (WINDOW * WINDOW)
    at, alive = load_globals(places, place_step, kind, kind_step, window, GLOBALS, BLOCK_G, HAS_KIND)
    k = load_part(qkv, window, at, alive, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
    v = load_part(qkv, window, at, alive, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
    grad_k = tl.zeros((BLOCK_G, BLOCK_D), tl.float32)
    grad_v = tl.zeros((BLOCK_G, BLOCK_D), tl.float32)
    raised = tl.zeros((BLOCK_G,), tl.float32)
    for step in range(0, (WINDOW * WINDOW + BLOCK_M - 1) // BLOCK_M):
        tokens = step * BLOCK_M + tl.arange(0, BLOCK_M)
        real = tokens < WINDOW * WINDOW
        q = load_part(qkv, window, tokens, real, head, 0, WINDOW, HEADS, DIM, BLOCK_D)
        given = load_out(grad, window, tokens, real, head, WINDOW, HEADS, DIM, BLOCK_D)
        total = tl.load(lse + at_rows + tokens, mask=real, other=0.0)
        shared = tl.load(delta + at_rows + tokens, mask=real, other=0.0)
        logits = global_logits(q, k, table, score, window, head, tokens, real, at, alive, WINDOW, GLOBALS, BLOCK_G,
                               HAS_SCORE, SCALE, PRECISION)  # fmt: skip
        weights = tl.exp2(logits - total[:, None])
        grad_v += tl.dot(tl.trans(weights.to(given.dtype)), given, input_precision=PRECISION)
        grad_logits = weights * (tl.dot(given, tl.trans(v), input_precision=PRECISION) - shared[:, None])
        grad_k += tl.dot(tl.trans(grad_logits.to(q.dtype)), q, input_precision=PRECISION)
        raised += tl.sum(grad_logits, 0)
    store_part(grad_qkv, grad_k * SCALE, window, at, alive, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
    store_part(grad_qkv, grad_v, window, at, alive, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
    if HAS_SCORE:
        number = tl.arange(0, BLOCK_G)
        at_score = grad_score + (window.to(tl.int64) * HEADS + head) * GLOBALS + number
        tl.store(at_score, raised, mask=number < GLOBALS)
