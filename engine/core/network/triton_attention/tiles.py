"""What all attention kernels share: takes places of tokens, gives blocks of q, k and v, which blocks meet, and logits.

A region is what is attended in: the window, or one of its tiles; its tokens are numbered in raster order (row `a` of
kernels), and lie in a window of WINDOW x WINDOW. Constants have the same meaning in every kernel:

    WINDOW, SIDE     tokens a side of the window and of the region
    HEADS, DIM       heads h and channels of one head; BLOCK_D is DIM's next power of two
    REACH, RASTER    how far a token sees: a square (|dy|, |dx| <= REACH), or RASTER: |i - j| <= REACH; below 0: all
    GLOBALS          keys g that every row sees; BLOCK_G its next power of two
    HAS_KIND         whether tokens differ: kind 1 is a global, 2 padding, 3 both, 0 all others
    ITSELF           whether a padding row sees itself (a softmax over something)
    BLOCK_M, BLOCK_N rows and keys that are worked on at once

Logits are in base 2, so that exp2 serves: log2(e) (s q k + bias).
"""

from __future__ import annotations

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def key_blocks(block, SIDE: tl.constexpr, REACH: tl.constexpr, RASTER: tl.constexpr,
               BLOCK_A: tl.constexpr, BLOCK_B: tl.constexpr):  # fmt: skip
    """Return the first block of BLOCK_B tokens that a block of BLOCK_A tokens reaches, and the one after the last."""
    first = block * BLOCK_A
    last = tl.minimum(first + BLOCK_A, SIDE * SIDE) - 1
    low = first * 0
    high = low + SIDE * SIDE
    if REACH >= 0:
        if RASTER:
            low = tl.maximum(first - REACH, 0)
            high = tl.minimum(last + REACH + 1, SIDE * SIDE)
        else:
            low = tl.maximum(first // SIDE - REACH, 0) * SIDE
            high = tl.minimum(last // SIDE + REACH + 1, SIDE) * SIDE
    return low // BLOCK_B, (high + BLOCK_B - 1) // BLOCK_B


@triton.jit
def tokens_of(rows, tile, WINDOW: tl.constexpr, SIDE: tl.constexpr):
    """Return where the rows of a region lie in their window, in raster order."""
    corner_y = tile // (WINDOW // SIDE) * SIDE
    corner_x = tile % (WINDOW // SIDE) * SIDE
    return (corner_y + rows // SIDE) * WINDOW + corner_x + rows % SIDE


@triton.jit
def load_part(qkv, window, tokens, ok, head, PART: tl.constexpr, WINDOW: tl.constexpr, HEADS: tl.constexpr,
              DIM: tl.constexpr, BLOCK_D: tl.constexpr):  # fmt: skip
    """Load q (PART 0), k (1) or v (2) of one head at the given tokens, (rows, BLOCK_D); zero where not ok."""
    channel = tl.arange(0, BLOCK_D)
    start = qkv + window.to(tl.int64) * (WINDOW * WINDOW * HEADS * 3 * DIM) + head * (3 * DIM) + PART * DIM
    place = tokens[:, None] * (HEADS * 3 * DIM) + channel[None, :]
    return tl.load(start + place, mask=ok[:, None] & (channel < DIM)[None, :], other=0.0)


@triton.jit
def store_part(qkv, value, window, tokens, ok, head, PART: tl.constexpr, WINDOW: tl.constexpr, HEADS: tl.constexpr,
               DIM: tl.constexpr, BLOCK_D: tl.constexpr):  # fmt: skip
    """Write what `load_part` reads."""
    channel = tl.arange(0, BLOCK_D)
    start = qkv + window.to(tl.int64) * (WINDOW * WINDOW * HEADS * 3 * DIM) + head * (3 * DIM) + PART * DIM
    place = tokens[:, None] * (HEADS * 3 * DIM) + channel[None, :]
    tl.store(start + place, value.to(qkv.dtype.element_ty), mask=ok[:, None] & (channel < DIM)[None, :])


@triton.jit
def load_out(out, window, tokens, ok, head, WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr,
             BLOCK_D: tl.constexpr):  # fmt: skip
    """Load rows of one head of a tensor (W, N, h * d)."""
    channel = tl.arange(0, BLOCK_D)
    start = out + window.to(tl.int64) * (WINDOW * WINDOW * HEADS * DIM) + head * DIM
    place = tokens[:, None] * (HEADS * DIM) + channel[None, :]
    return tl.load(start + place, mask=ok[:, None] & (channel < DIM)[None, :], other=0.0)


@triton.jit
def load_kinds(kind, kind_step, window, tokens, ok, HAS_KIND: tl.constexpr):
    """Load the kind of each token; what is none is 255, which nobody sees."""
    if HAS_KIND:
        return tl.load(kind + window.to(tl.int64) * kind_step + tokens, mask=ok, other=255).to(tl.int32)
    return tl.where(ok, 0, 255)


@triton.jit
def load_bias(table, head, row_y, row_x, key_y, key_x, seen, WINDOW: tl.constexpr):
    """Look up the bias of rows and keys at these places: (rows, keys)."""
    entry = tl.abs(row_y[:, None] - key_y[None, :]) * WINDOW + tl.abs(row_x[:, None] - key_x[None, :])
    return tl.load(table + head * (WINDOW * WINDOW) + entry, mask=seen, other=0.0).to(tl.float32)


@triton.jit
def near_logits(q, k, table, head, rows, keys, kinds, WINDOW: tl.constexpr, SIDE: tl.constexpr, REACH: tl.constexpr,
                RASTER: tl.constexpr, ITSELF: tl.constexpr, SCALE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Return the logits of rows for keys of their region, minus infinity where a key is not seen."""
    row_y, row_x, key_y, key_x = rows // SIDE, rows % SIDE, keys // SIDE, keys % SIDE
    seen = (rows < SIDE * SIDE)[:, None] & (kinds == 0)[None, :]
    if REACH >= 0:
        if RASTER:
            seen &= tl.abs(rows[:, None] - keys[None, :]) <= REACH
        else:
            seen &= tl.abs(row_y[:, None] - key_y[None, :]) <= REACH
            seen &= tl.abs(row_x[:, None] - key_x[None, :]) <= REACH
    if ITSELF:
        seen |= (rows[:, None] == keys[None, :]) & ((kinds == 2) | (kinds == 3))[None, :]
    bias = load_bias(table, head, row_y, row_x, key_y, key_x, seen, WINDOW)
    logits = tl.dot(q, tl.trans(k), input_precision=PRECISION) * (SCALE * LOG2E) + bias * LOG2E
    return tl.where(seen, logits, float("-inf"))


@triton.jit
def load_globals(places, place_step, kind, kind_step, window, GLOBALS: tl.constexpr, BLOCK_G: tl.constexpr,
                 HAS_KIND: tl.constexpr):  # fmt: skip
    """Return the places of a window's globals, and which of them are keys: padding is none."""
    number = tl.arange(0, BLOCK_G)
    tokens = tl.load(places + window.to(tl.int64) * place_step + number, mask=number < GLOBALS, other=0).to(tl.int32)
    kinds = load_kinds(kind, kind_step, window, tokens, number < GLOBALS, HAS_KIND)
    return tokens, (number < GLOBALS) & (kinds < 2)


@triton.jit
def global_logits(q, k, table, score, window, head, tokens, real, globals_at, alive, WINDOW: tl.constexpr,
                  GLOBALS: tl.constexpr, BLOCK_G: tl.constexpr, HAS_SCORE: tl.constexpr, SCALE: tl.constexpr,
                  PRECISION: tl.constexpr):  # fmt: skip
    """Return the logits of rows for the window's globals, the learned score added."""
    seen = real[:, None] & alive[None, :]
    bias = load_bias(table, head, tokens // WINDOW, tokens % WINDOW, globals_at // WINDOW, globals_at % WINDOW, seen,
                     WINDOW)  # fmt: skip
    if HAS_SCORE:
        number = tl.arange(0, BLOCK_G)
        raised = tl.load(score + window.to(tl.int64) * GLOBALS + number, mask=number < GLOBALS, other=0.0)
        bias += raised.to(tl.float32)[None, :]
    logits = tl.dot(q, tl.trans(k), input_precision=PRECISION) * (SCALE * LOG2E) + bias * LOG2E
    return tl.where(seen, logits, float("-inf"))
