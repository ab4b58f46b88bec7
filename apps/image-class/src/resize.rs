//! Pillow's bilinear resize, bit for bit: a triangle filter as wide as the scale, in fixed point, rows then columns.

const CHANNELS: usize = 3;
/// Bits behind the point: 8 for a sample and 2 for overshoot stay in front.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Resizes 8-bit RGB samples from one (width, height) to another.
pub(crate) fn bilinear(pixels: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
    let horizontal = Filter::new(from.0, to.0);
    let vertical = Filter::new(from.1, to.1);
    let narrow = if from.0 == to.0 {
        pixels.to_vec()
    } else {
        let mut narrow = Vec::with_capacity(from.1 * to.0 * CHANNELS);
        for row in pixels.chunks_exact(from.0 * CHANNELS) {
            for tap in &horizontal.taps {
                narrow.extend((0..CHANNELS).map(|channel| tap.apply(|at| row[at * CHANNELS + channel])));
            }
        }
        narrow
    };
    if from.1 == to.1 {
        return narrow;
    }
    let stride = to.0 * CHANNELS;
    vertical
        .taps
        .iter()
        .flat_map(|tap| (0..stride).map(|column| tap.apply(|at| narrow[at * stride + column])))
        .collect()
}

struct Filter {
    taps: Vec<Tap>,
}

/// The samples that make one new sample: the first, and the weight of each.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

impl Filter {
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let support = scale.max(1.0);
        let taps = (0..to).map(|index| {
            let center = (index as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weight = |at: usize| (1.0 - ((at as f64 - center + 0.5) / support).abs()).max(0.0);
            let total: f64 = (first..end).map(weight).sum();
            let fixed = |at| (0.5 + weight(at) / total * f64::from(1 << PRECISION_BITS)) as i32;
            Tap { first, weights: (first..end).map(fixed).collect() }
        });
        Self { taps: taps.collect() }
    }
}

impl Tap {
    fn apply(&self, sample: impl Fn(usize) -> u8) -> u8 {
        let rounding = 1 << (PRECISION_BITS - 1);
        let weighted = self.weights.iter().enumerate();
        let sum =
            weighted.fold(rounding, |sum, (at, weight)| sum + i32::from(sample(self.first + at)) * weight);
        (sum >> PRECISION_BITS).clamp(0, 255) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat_and_a_ramp_stays_a_ramp() {
        assert!(bilinear(&[77; 30 * 20 * 3], (30, 20), (16, 16)).iter().all(|sample| *sample == 77));
        let ramp: Vec<u8> = (0..200u8).flat_map(|value| [value; 3]).collect();
        let halved = bilinear(&ramp, (200, 1), (100, 1));
        // Each new sample lies between two old ones: 2n + 0.5, rounded half up.
        assert!((2..98).all(|index| usize::from(halved[index * 3]) == 2 * index + 1));
    }
}
