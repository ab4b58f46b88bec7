//! What a picture loses on its way through JPEG at quality 75 with halved chroma, without writing the JPEG.
//!
//! The model's authors trained and published scores with that loss, so it belongs to the pipeline. Entropy coding
//! loses nothing and is left out; the rest follows libjpeg's integer arithmetic (`jccolor`, `jcsample`, `jfdctint`,
//! `jcdctmgr`, `jidctint`, `jdsample`, `jdcolor`), so that the result is the same to the bit.

const BLOCK: usize = 8;

/// Quality 75: the standard tables, halved and rounded up, in rows.
const LUMA_STANDARD: [i32; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA_STANDARD: [i32; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];
const SCALE_PERCENT: i32 = 50;

const CONST_BITS: i32 = 13;
const PASS1_BITS: i32 = 2;
const F_0_298: i32 = 2446;
const F_0_390: i32 = 3196;
const F_0_541: i32 = 4433;
const F_0_765: i32 = 6270;
const F_0_899: i32 = 7373;
const F_1_175: i32 = 9633;
const F_1_501: i32 = 12299;
const F_1_847: i32 = 15137;
const F_1_961: i32 = 16069;
const F_2_053: i32 = 16819;
const F_2_562: i32 = 20995;
const F_3_072: i32 = 25172;

/// Sends a square RGB picture through JPEG. `edge` is a multiple of 16.
pub(crate) fn round_trip(rgb: &[u8], edge: usize) -> Vec<u8> {
    debug_assert!(edge.is_multiple_of(2 * BLOCK) && rgb.len() == edge * edge * 3);
    let [mut luma, blue, red] = to_ycc(rgb);
    let half = edge / 2;
    code(&mut luma, edge, &LUMA_STANDARD);
    let [blue, red] = [blue, red].map(|plane| {
        let mut small = downsample(&plane, edge);
        code(&mut small, half, &CHROMA_STANDARD);
        upsample(&small, half)
    });
    to_rgb(&luma, &blue, &red)
}

fn to_ycc(rgb: &[u8]) -> [Vec<u8>; 3] {
    const CENTER: i32 = (128 << 16) + 32767;
    let mut planes = [const { Vec::new() }; 3];
    for pixel in rgb.chunks_exact(3) {
        let [r, g, b] = [0, 1, 2].map(|channel| i32::from(pixel[channel]));
        planes[0].push(((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8);
        planes[1].push(((-11059 * r - 21709 * g + 32768 * b + CENTER) >> 16) as u8);
        planes[2].push(((32768 * r - 27439 * g - 5329 * b + CENTER) >> 16) as u8);
    }
    planes
}

fn to_rgb(luma: &[u8], blue: &[u8], red: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(luma.len() * 3);
    for ((y, cb), cr) in luma.iter().zip(blue).zip(red) {
        let (y, cb, cr) = (i32::from(*y), i32::from(*cb) - 128, i32::from(*cr) - 128);
        let r = y + ((91881 * cr + 32768) >> 16);
        let g = y + ((-22554 * cb - 46802 * cr + 32768) >> 16);
        let b = y + ((116130 * cb + 32768) >> 16);
        rgb.extend([r, g, b].map(|value| value.clamp(0, 255) as u8));
    }
    rgb
}

/// Means of 2 x 2 samples, rounded down and up in turn.
fn downsample(plane: &[u8], edge: usize) -> Vec<u8> {
    let half = edge / 2;
    let mut small = Vec::with_capacity(half * half);
    for row in 0..half {
        for column in 0..half {
            let at = 2 * row * edge + 2 * column;
            let sum: u32 =
                [at, at + 1, at + edge, at + edge + 1].iter().map(|at| u32::from(plane[*at])).sum();
            small.push(((sum + 1 + (column as u32 & 1)) >> 2) as u8);
        }
    }
    small
}

/// Each new sample is three parts of the nearest old one and one part of the next nearest, in both directions.
fn upsample(small: &[u8], half: usize) -> Vec<u8> {
    let mut plane = Vec::with_capacity(4 * half * half);
    for row in 0..2 * half {
        let near = row / 2;
        let next = if row % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(half - 1) };
        let sum = |column: usize| {
            3 * i32::from(small[near * half + column]) + i32::from(small[next * half + column])
        };
        for column in 0..half {
            let before = sum(column.saturating_sub(1));
            let after = sum((column + 1).min(half - 1));
            plane.push(((3 * sum(column) + before + 8) >> 4) as u8);
            plane.push(((3 * sum(column) + after + 7) >> 4) as u8);
        }
    }
    plane
}

/// Transforms, rounds and transforms back each block of a plane.
fn code(plane: &mut [u8], edge: usize, standard: &[i32; 64]) {
    let table = standard.map(|value| ((value * SCALE_PERCENT + 50) / 100).clamp(1, 255));
    for top in (0..edge).step_by(BLOCK) {
        for left in (0..edge).step_by(BLOCK) {
            let place = |index: usize| (top + index / BLOCK) * edge + left + index % BLOCK;
            let mut block: [i32; 64] = std::array::from_fn(|index| i32::from(plane[place(index)]) - 128);
            forward(&mut block);
            for (value, step) in block.iter_mut().zip(table) {
                *value = quantize(*value, step) * step;
            }
            inverse(&mut block);
            for (index, value) in block.iter().enumerate() {
                plane[place(index)] = (value + 128).clamp(0, 255) as u8;
            }
        }
    }
}

/// The forward transform leaves its values eight times too large; rounds half away from zero.
fn quantize(value: i32, step: i32) -> i32 {
    let divisor = step << 3;
    value.signum() * ((value.abs() + divisor / 2) / divisor)
}

fn descale(value: i32, bits: i32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

/// The accurate integer transform of Loeffler, Ligtenberg and Moschytz: rows, then columns.
fn forward(block: &mut [i32; 64]) {
    for row in 0..BLOCK {
        forward_line(block, |index| row * BLOCK + index, true);
    }
    for column in 0..BLOCK {
        forward_line(block, |index| index * BLOCK + column, false);
    }
}

fn forward_line(block: &mut [i32; 64], at: impl Fn(usize) -> usize, first: bool) {
    let d: [i32; 8] = std::array::from_fn(|index| block[at(index)]);
    let s: [i32; 4] = std::array::from_fn(|index| d[index] + d[7 - index]);
    let t: [i32; 4] = std::array::from_fn(|index| d[3 - index] - d[4 + index]);
    let (e0, e3, e1, e2) = (s[0] + s[3], s[0] - s[3], s[1] + s[2], s[1] - s[2]);
    let bits = if first { CONST_BITS - PASS1_BITS } else { CONST_BITS + PASS1_BITS };
    let plain = |value: i32| if first { value << PASS1_BITS } else { descale(value, PASS1_BITS) };
    block[at(0)] = plain(e0 + e1);
    block[at(4)] = plain(e0 - e1);
    let z1 = (e2 + e3) * F_0_541;
    block[at(2)] = descale(z1 + e3 * F_0_765, bits);
    block[at(6)] = descale(z1 - e2 * F_1_847, bits);

    let (z1, z2, z3, z4) = (t[0] + t[3], t[1] + t[2], t[0] + t[2], t[1] + t[3]);
    let z5 = (z3 + z4) * F_1_175;
    let (z1, z2) = (-z1 * F_0_899, -z2 * F_2_562);
    let (z3, z4) = (-z3 * F_1_961 + z5, -z4 * F_0_390 + z5);
    block[at(7)] = descale(t[0] * F_0_298 + z1 + z3, bits);
    block[at(5)] = descale(t[1] * F_2_053 + z2 + z4, bits);
    block[at(3)] = descale(t[2] * F_3_072 + z2 + z3, bits);
    block[at(1)] = descale(t[3] * F_1_501 + z1 + z4, bits);
}

/// Its inverse: columns, then rows.
fn inverse(block: &mut [i32; 64]) {
    for column in 0..BLOCK {
        inverse_line(block, |index| index * BLOCK + column, CONST_BITS - PASS1_BITS);
    }
    for row in 0..BLOCK {
        inverse_line(block, |index| row * BLOCK + index, CONST_BITS + PASS1_BITS + 3);
    }
}

fn inverse_line(block: &mut [i32; 64], at: impl Fn(usize) -> usize, bits: i32) {
    let c: [i32; 8] = std::array::from_fn(|index| block[at(index)]);
    let z1 = (c[2] + c[6]) * F_0_541;
    let (e2, e3) = (z1 - c[6] * F_1_847, z1 + c[2] * F_0_765);
    let (e0, e1) = ((c[0] + c[4]) << CONST_BITS, (c[0] - c[4]) << CONST_BITS);
    let even = [e0 + e3, e1 + e2, e1 - e2, e0 - e3];

    let (o0, o1, o2, o3) = (c[7], c[5], c[3], c[1]);
    let (z1, z2, z3, z4) = (o0 + o3, o1 + o2, o0 + o2, o1 + o3);
    let z5 = (z3 + z4) * F_1_175;
    let (z1, z2) = (-z1 * F_0_899, -z2 * F_2_562);
    let (z3, z4) = (-z3 * F_1_961 + z5, -z4 * F_0_390 + z5);
    let odd =
        [o3 * F_1_501 + z1 + z4, o2 * F_3_072 + z2 + z3, o1 * F_2_053 + z2 + z4, o0 * F_0_298 + z1 + z3];
    for index in 0..4 {
        block[at(index)] = descale(even[index] + odd[index], bits);
        block[at(7 - index)] = descale(even[index] - odd[index], bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_undoes_the_transform() {
        let original: [i32; 64] = std::array::from_fn(|index| (index as i32 * 37) % 256 - 128);
        let mut block = original;
        forward(&mut block);
        block.iter_mut().for_each(|value| *value = quantize(*value, 1));
        inverse(&mut block);
        assert!(block.iter().zip(original).all(|(value, original)| (value - original).abs() <= 1));
    }

    #[test]
    fn grey_survives() {
        assert!(round_trip(&[128; 16 * 16 * 3], 16).iter().all(|sample| *sample == 128));
    }
}
