"""The gradient of the bias table without atomic additions: takes what backward made, gives (h, WINDOW^2).

Each program sums a fixed share of the regions, in order, into its own place of a buffer; the last kernel adds the
places up, in order, entry by entry. So two runs give the same bits.
"""

from __future__ import annotations

import triton
import triton.language as tl

from engine.core.network.triton_attention.tiles import (
    key_blocks,
    load_kinds,
    load_out,
    load_part,
    near_logits,
    tokens_of,
)


@triton.jit
def sum_near(qkv, table, kind, lse, grad, delta, parts, kind_step, regions, share, WINDOW: tl.constexpr,
             SIDE: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr, REACH: tl.constexpr,
             RASTER: tl.constexpr, HAS_KIND: tl.constexpr, ITSELF: tl.constexpr, BLOCK_M: tl.constexpr,
             BLOCK_N: tl.constexpr, SLOTS: tl.constexpr, SCALE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """One block of rows, one of the SLOTS key blocks in its reach, one head, one share of the regions: their sum.

    `parts` is (shares, h, row blocks, SLOTS, BLOCK_M, BLOCK_N).
    """
    BLOCKS: tl.constexpr = (SIDE * SIDE + BLOCK_M - 1) // BLOCK_M
    TILES: tl.constexpr = (WINDOW // SIDE) * (WINDOW // SIDE)
    slot = tl.program_id(0) % SLOTS
    block = tl.program_id(0) // SLOTS % BLOCKS
    head = tl.program_id(0) // (SLOTS * BLOCKS) % HEADS
    turn = tl.program_id(0) // (SLOTS * BLOCKS * HEADS)
    first, end = key_blocks(block, SIDE, REACH, RASTER, BLOCK_M, BLOCK_N)
    rows = block * BLOCK_M + tl.arange(0, BLOCK_M)
    keys = (first + slot) * BLOCK_N + tl.arange(0, BLOCK_N)
    real, inside = rows < SIDE * SIDE, keys < SIDE * SIDE
    found = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    stop = tl.where(first + slot < end, tl.minimum((turn + 1) * share, regions), turn * share)
    for step in range(0, stop - turn * share):
        region = turn * share + step
        window, tile = region // TILES, region % TILES
        tokens, key_tokens = tokens_of(rows, tile, WINDOW, SIDE), tokens_of(keys, tile, WINDOW, SIDE)
        at_rows = (window.to(tl.int64) * HEADS + head) * (WINDOW * WINDOW)
        kinds = load_kinds(kind, kind_step, window, key_tokens, inside, HAS_KIND)
        q = load_part(qkv, window, tokens, real, head, 0, WINDOW, HEADS, DIM, BLOCK_D)
        k = load_part(qkv, window, key_tokens, inside, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
        v = load_part(qkv, window, key_tokens, inside, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
        given = load_out(grad, window, tokens, real, head, WINDOW, HEADS, DIM, BLOCK_D)
        total = tl.load(lse + at_rows + tokens, mask=real, other=0.0)
        shared = tl.load(delta + at_rows + tokens, mask=real, other=0.0)
        logits = near_logits(q, k, table, head, rows, keys, kinds, WINDOW, SIDE, REACH, RASTER, ITSELF, SCALE,
                             PRECISION)  # fmt: skip
        weights = tl.exp2(logits - total[:, None])
        found += weights * (tl.dot(given, tl.trans(v), input_precision=PRECISION) - shared[:, None])
    place = tl.arange(0, BLOCK_M)[:, None] * BLOCK_N + tl.arange(0, BLOCK_N)[None, :]
    tl.store(parts + tl.program_id(0).to(tl.int64) * (BLOCK_M * BLOCK_N) + place, found)


@triton.jit
def sum_far(grad_far, places, far_parts, place_step, windows, share, WINDOW: tl.constexpr, HEADS: tl.constexpr,
            GLOBALS: tl.constexpr, BLOCK_E: tl.constexpr):  # fmt: skip
    """One share of the windows, one head, BLOCK_E entries: what globals at these offsets got, into (shares, h, E).

    A global has up to four rows at an offset |dy|, |dx|.
    """
    CHUNKS: tl.constexpr = (WINDOW * WINDOW + BLOCK_E - 1) // BLOCK_E
    chunk = tl.program_id(0) % CHUNKS
    head = tl.program_id(0) // CHUNKS % HEADS
    turn = tl.program_id(0) // (CHUNKS * HEADS)
    entry = chunk * BLOCK_E + tl.arange(0, BLOCK_E)
    down, across = entry // WINDOW, entry % WINDOW
    found = tl.zeros((BLOCK_E,), tl.float32)
    for step in range(0, tl.minimum((turn + 1) * share, windows) - turn * share):
        window = turn * share + step
        at_rows = (window.to(tl.int64) * HEADS + head) * (WINDOW * WINDOW)
        for number in range(GLOBALS):
            at = tl.load(places + window.to(tl.int64) * place_step + number).to(tl.int32)
            for sign in tl.static_range(4):
                y = at // WINDOW + (down if sign < 2 else -down)
                x = at % WINDOW + (across if sign % 2 == 0 else -across)
                ok = (entry < WINDOW * WINDOW) & (y >= 0) & (y < WINDOW) & (x >= 0) & (x < WINDOW)
                if sign >= 2:
                    ok &= down > 0
                if sign % 2 == 1:
                    ok &= across > 0
                place = (at_rows + y * WINDOW + x) * GLOBALS + number
                found += tl.load(grad_far + place, mask=ok, other=0.0)
    at_part = far_parts + (turn.to(tl.int64) * HEADS + head) * (WINDOW * WINDOW) + entry
    tl.store(at_part, found, mask=entry < WINDOW * WINDOW)


@triton.jit
def add_up(parts, far_parts, grad_table, shares, far_shares, WINDOW: tl.constexpr, SIDE: tl.constexpr,
           HEADS: tl.constexpr, REACH: tl.constexpr, RASTER: tl.constexpr, GLOBALS: tl.constexpr,
           BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, SLOTS: tl.constexpr, BLOCK_R: tl.constexpr):  # fmt: skip
    """One entry of the table of one head: all rows with their up to four keys at that offset, share by share."""
    BLOCKS: tl.constexpr = (SIDE * SIDE + BLOCK_M - 1) // BLOCK_M
    entry, head = tl.program_id(0) % (WINDOW * WINDOW), tl.program_id(0) // (WINDOW * WINDOW)
    down = entry // WINDOW + tl.zeros((BLOCK_R,), tl.int32)
    across = entry % WINDOW + tl.zeros((BLOCK_R,), tl.int32)
    found = tl.zeros((BLOCK_R,), tl.float32)
    for step in range(0, (SIDE * SIDE + BLOCK_R - 1) // BLOCK_R):
        rows = step * BLOCK_R + tl.arange(0, BLOCK_R)
        first, end = key_blocks(rows // BLOCK_M, SIDE, REACH, RASTER, BLOCK_M, BLOCK_N)
        for sign in tl.static_range(4):
            y = rows // SIDE + (down if sign < 2 else -down)
            x = rows % SIDE + (across if sign % 2 == 0 else -across)
            keys = y * SIDE + x
            slot = keys // BLOCK_N - first
            ok = (rows < SIDE * SIDE) & (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
            ok &= (slot >= 0) & (keys // BLOCK_N < end)
            if sign >= 2:
                ok &= down > 0
            if sign % 2 == 1:
                ok &= across > 0
            cell = (head * BLOCKS + rows // BLOCK_M) * SLOTS + slot
            place = (cell * BLOCK_M + rows % BLOCK_M) * BLOCK_N + keys % BLOCK_N
            for turn in range(shares):
                at_turn = parts + turn * (HEADS * BLOCKS * SLOTS * BLOCK_M * BLOCK_N)
                found += tl.load(at_turn + place, mask=ok, other=0.0)
    total = tl.sum(found, 0)
    if GLOBALS > 0:
        for turn in range(far_shares):
            total += tl.load(far_parts + (turn * HEADS + head) * (WINDOW * WINDOW) + entry)
    tl.store(grad_table + head * (WINDOW * WINDOW) + entry, total)
