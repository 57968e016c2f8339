//! Products and distances of signed bytes. Sums are exact in any order, and may wrap on the way.
//!
//! There is an instruction for products of unsigned and signed bytes, not of signed ones. So one of them is *lifted*, 128 more,
//! and what this adds is taken off again: that of the query once, that of a row as it goes along.
//!
//! Inner products: `sum r q = sum (r + 128) q - 128 sum q`. Distances: `sum (r - q)^2` is
//! `sum (r + 128) r - 2 sum ((r + 128) q + 64 r) + sum ((q + 128) q + 128 q)`.

use std::arch::x86_64::*;

use super::{add_up, signed, signed_rest};

/// Bytes as unsigned ones: 128 more.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn lifted(bytes: __m512i) -> __m512i {
    _mm512_xor_si512(bytes, _mm512_set1_epi8(-128))
}

/// What a sum has of the query alone.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn signed_alone<const L2: bool>(query: &[i8]) -> i32 {
    let (chunks, rest) = query.as_chunks::<64>();
    let add = |[squares, plain]: [__m512i; 2], q| {
        let squares = if L2 { _mm512_dpbusd_epi32(squares, lifted(q), q) } else { squares };
        [squares, _mm512_dpbusd_epi32(plain, _mm512_set1_epi8(-128), q)]
    };
    let mut sums = [_mm512_setzero_si512(); 2];
    for chunk in chunks {
        sums = add(sums, signed(chunk));
    }
    let [squares, plain] = add(sums, signed_rest(rest));
    let sum = if L2 { _mm512_add_epi32(squares, plain) } else { _mm512_sub_epi32(squares, plain) };
    _mm512_reduce_add_epi32(sum)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn signed_block<const R: usize, const L2: bool>(
    query: &[i8],
    alone: i32,
    rows: [&[i8]; R],
) -> [i32; R] {
    let (chunks, rest) = query.as_chunks::<64>();
    let rows = rows.map(|row| row[..query.len()].as_chunks::<64>());
    let (mut squares, mut products) = ([_mm512_setzero_si512(); R], [_mm512_setzero_si512(); R]);
    let mut add = |r: usize, q, row| {
        let up = lifted(row);
        products[r] = _mm512_dpbusd_epi32(products[r], up, q);
        if L2 {
            squares[r] = _mm512_dpbusd_epi32(squares[r], up, row);
            products[r] = _mm512_dpbusd_epi32(products[r], _mm512_set1_epi8(64), row);
        }
    };
    for (c, chunk) in chunks.iter().enumerate() {
        let q = signed(chunk);
        for (r, row) in rows.iter().enumerate() {
            add(r, q, signed(&row.0[c]));
        }
    }
    if !rest.is_empty() {
        let q = signed_rest(rest);
        for (r, row) in rows.iter().enumerate() {
            add(r, q, signed_rest(row.1));
        }
    }
    let mut all = products;
    for r in 0..R {
        if L2 {
            all[r] = _mm512_sub_epi32(squares[r], _mm512_slli_epi32::<1>(products[r]));
        }
    }
    add_up(all).map(|sum| sum.wrapping_add(alone))
}
