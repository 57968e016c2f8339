//! Products and distances of signed bytes. Sums are exact in any order.

use std::arch::x86_64::*;

use super::{signed, signed_rest, smalls, smalls_rest};

/// Bytes as unsigned ones: 128 more.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn lifted(bytes: __m512i) -> __m512i {
    _mm512_xor_si512(bytes, _mm512_set1_epi8(-128))
}

/// Inner products: those with the rows lifted to unsigned bytes, less 128 times the sum of the query.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn signed_products<const R: usize>(query: &[i8], rows: [&[i8]; R]) -> [i32; R] {
    let (chunks, rest) = query.as_chunks::<64>();
    let row_chunks = rows.map(|row| &row.as_chunks::<64>().0[..chunks.len()]);
    let (mut sums, mut lift) = ([_mm512_setzero_si512(); R], _mm512_setzero_si512());
    for (c, chunk) in chunks.iter().enumerate() {
        let a = signed(chunk);
        lift = _mm512_dpbusd_epi32(lift, _mm512_set1_epi8(-128), a);
        for r in 0..R {
            sums[r] = _mm512_dpbusd_epi32(sums[r], lifted(signed(&row_chunks[r][c])), a);
        }
    }
    if !rest.is_empty() {
        let a = signed_rest(rest);
        lift = _mm512_dpbusd_epi32(lift, _mm512_set1_epi8(-128), a);
        for r in 0..R {
            let b = signed_rest(&rows[r][query.len() - rest.len()..query.len()]);
            sums[r] = _mm512_dpbusd_epi32(sums[r], lifted(b), a);
        }
    }
    let mut out = [0i32; R];
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, lift));
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn signed_stream<const L2: bool>(query: &[i8], rows: &[i8], out: &mut [i32]) {
    if !L2 {
        return product_stream(query, rows, out);
    }
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        // Sums are exact in any order, so four at once hide that each waits for the last.
        let (eights, rest) = query.as_chunks::<128>();
        let (row_eights, row_rest) = row.as_chunks::<128>();
        let mut sums = [_mm512_setzero_si512(); 4];
        for (i, (a, b)) in eights.iter().zip(row_eights).enumerate() {
            if i.is_multiple_of(4) {
                crate::prefetch::prefetch_beyond(b);
            }
            for (sum, (a, b)) in sums.iter_mut().zip(a.as_chunks::<32>().0.iter().zip(b.as_chunks::<32>().0))
            {
                *sum =
                    add_words::<L2>(*sum, _mm512_cvtepi8_epi16(smalls(a)), _mm512_cvtepi8_epi16(smalls(b)));
            }
        }
        let sum = _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3]));
        let [last] = signed_block::<1, L2>(rest, [row_rest]);
        *out = _mm512_reduce_add_epi32(sum) + last;
    }
}

/// As [`signed_products`], row by row.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn product_stream(query: &[i8], rows: &[i8], out: &mut [i32]) {
    let lift = 128 * query.iter().map(|value| i32::from(*value)).sum::<i32>();
    let (eights, ones) = query.as_chunks::<256>();
    let (ones, rest) = ones.as_chunks::<64>();
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        let (row_eights, row_ones) = row.as_chunks::<256>();
        let (row_ones, row_rest) = row_ones.as_chunks::<64>();
        let mut sums = [_mm512_setzero_si512(); 4];
        for (a, b) in eights.iter().zip(row_eights) {
            crate::prefetch::prefetch_beyond(b);
            for (sum, (a, b)) in sums.iter_mut().zip(a.as_chunks::<64>().0.iter().zip(b.as_chunks::<64>().0))
            {
                *sum = _mm512_dpbusd_epi32(*sum, lifted(signed(b)), signed(a));
            }
        }
        for (a, b) in ones.iter().zip(row_ones) {
            sums[0] = _mm512_dpbusd_epi32(sums[0], lifted(signed(b)), signed(a));
        }
        if !rest.is_empty() {
            sums[1] = _mm512_dpbusd_epi32(sums[1], lifted(signed_rest(row_rest)), signed_rest(rest));
        }
        let sum = _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3]));
        *out = _mm512_reduce_add_epi32(sum) - lift;
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn signed_block<const R: usize, const L2: bool>(
    query: &[i8],
    rows: [&[i8]; R],
) -> [i32; R] {
    if !L2 {
        return signed_products(query, rows);
    }
    let (chunks, rest) = query.as_chunks::<32>();
    let row_chunks = rows.map(|row| &row.as_chunks::<32>().0[..chunks.len()]);
    let mut sums = [_mm512_setzero_si512(); R];
    for (c, chunk) in chunks.iter().enumerate() {
        let a = _mm512_cvtepi8_epi16(smalls(chunk));
        for r in 0..R {
            sums[r] = add_words::<L2>(sums[r], a, _mm512_cvtepi8_epi16(smalls(&row_chunks[r][c])));
        }
    }
    if !rest.is_empty() {
        let a = _mm512_cvtepi8_epi16(smalls_rest(rest));
        for r in 0..R {
            let b = _mm512_cvtepi8_epi16(smalls_rest(&rows[r][query.len() - rest.len()..query.len()]));
            sums[r] = add_words::<L2>(sums[r], a, b);
        }
    }
    let mut out = [0i32; R];
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = _mm512_reduce_add_epi32(sum);
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_words<const L2: bool>(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    if L2 {
        let d = _mm512_sub_epi16(a, b);
        _mm512_dpwssd_epi32(sum, d, d)
    } else {
        _mm512_dpwssd_epi32(sum, a, b)
    }
}
