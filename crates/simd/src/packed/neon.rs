//! One table an instruction.

use std::arch::aarch64::*;

use super::{FACTORS, Line, ROWS};

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "the vector load")]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: 16 bytes, no alignment needed.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "the vector stores")]
pub(super) fn scores(
    tables: &[[u8; 64]],
    codes: &[[u8; 64]],
    factors: &[u8; FACTORS],
    line: Line,
    out: &mut [f32; ROWS],
) -> u32 {
    let low_half = vdupq_n_u8(15);
    // Eight rows each.
    let mut sums = [vdupq_n_u16(0); 4];
    let sixteens =
        tables.as_flattened().as_chunks::<16>().0.iter().zip(codes.as_flattened().as_chunks::<16>().0);
    for (table, codes) in sixteens {
        let (table, codes) = (load(table), load(codes));
        let low = vqtbl1q_u8(table, vandq_u8(codes, low_half));
        let high = vqtbl1q_u8(table, vshrq_n_u8::<4>(codes));
        sums[0] = vaddw_u8(sums[0], vget_low_u8(low));
        sums[1] = vaddw_high_u8(sums[1], low);
        sums[2] = vaddw_u8(sums[2], vget_low_u8(high));
        sums[3] = vaddw_high_u8(sums[3], high);
    }
    let floats = factors.as_chunks::<16>().0;
    for (eight, sums) in sums.into_iter().enumerate() {
        for (half, sums) in [vmovl_u16(vget_low_u16(sums)), vmovl_high_u16(sums)].into_iter().enumerate() {
            let place = 2 * eight + half;
            // Rounded as everywhere: no fused operations.
            let product =
                vaddq_f32(vdupq_n_f32(line.offset), vmulq_f32(vdupq_n_f32(line.step), vcvtq_f32_u32(sums)));
            let scale = vreinterpretq_f32_u8(load(&floats[place]));
            let bias = vreinterpretq_f32_u8(load(&floats[place + 8]));
            let score = vsubq_f32(vaddq_f32(bias, vdupq_n_f32(line.term)), vmulq_f32(scale, product));
            // SAFETY: an eighth of the 32 floats each.
            unsafe { vst1q_f32(out.as_mut_ptr().add(4 * place), score) };
        }
    }
    out.iter().enumerate().fold(0, |near, (row, score)| near | u32::from(*score <= line.limit) << row)
}
